// A person who logs in: the row in the accounts table and its key.

using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Azure;
using Azure.Data.Tables;

namespace FetchApiKey.Accounts;

/// <summary>
/// An account. Row: PartitionKey <see cref="PartitionOf"/>, RowKey the same again; columns Email, PasswordHash, ApiKey and, where known,
/// FullName (strings), UserId, Role (32-bit integers), IsActive (boolean), Created (date and time). Each account is a partition of its
/// own: none is hot, and what else belongs to the account can be read and settled together with it. The row's name is not one that all
/// accounts share, since Azurite looks through every row of a name at each call.
/// </summary>
/// <param name="Subdomain">Of its realm.</param>
/// <param name="UserId">1 to <see cref="MaxUserId"/>, unique in the realm.</param>
/// <param name="Email">The delivery address in the case in which it was given.</param>
/// <param name="PasswordHash">One of the formats of <see cref="Passwords.StoredHash"/>.</param>
/// <param name="SealedApiKey">32 of A-Z, a-z, 0-9, in the form that <see cref="ApiKeyCipher"/> gives them.</param>
/// <param name="Role">One of <see cref="Roles"/>.</param>
public sealed partial record Account(
    string Subdomain, int UserId, string Email, string PasswordHash, string SealedApiKey, bool IsActive, int Role, DateTimeOffset Created)
{
    private const string Alphanumerics = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    private const int ApiKeyLength = 32;

    /// <summary>A Zulip server's role numbers: owner, administrator, moderator, member, guest.</summary>
    public static IReadOnlyDictionary<string, int> Roles { get; } = new Dictionary<string, int>(StringComparer.Ordinal)
    {
        ["owner"] = Owner,
        ["administrator"] = Administrator,
        ["moderator"] = 300,
        ["member"] = Member,
        ["guest"] = Guest,
    };

    public const int Owner = 100;
    public const int Administrator = 200;
    public const int Member = 400;
    public const int Guest = 600;

    /// <summary>The last user id: one less than the greatest number, which the claims of ids are counted down from.</summary>
    public const int MaxUserId = int.MaxValue - 1;

    internal static readonly string[] Columns = ["UserId", "Email", "PasswordHash", "ApiKey", "IsActive", "Role", "Created", "FullName"];

    /// <summary>As a directory has it; empty where nobody said.</summary>
    public string FullName { get; init; } = "";

    /// <summary>Of the row that was read; what a change is conditional on.</summary>
    public ETag ETag { get; init; }

    /// <summary>About 190 random bits.</summary>
    public static string NewApiKey() => RandomNumberGenerator.GetString(Alphanumerics, ApiKeyLength);

    /// <summary>False for Django's mark of an account that nobody logs in to by password.</summary>
    public bool HasUsablePassword => !PasswordHash.StartsWith('!');

    /// <summary>Of owners too, as a Zulip server has it.</summary>
    public bool IsAdministrator => Role is Owner or Administrator;

    public static bool IsApiKey(string text) => ApiKeyForm().IsMatch(text);

    /// <summary>
    /// The subdomain, a full stop and 64 hexadecimal digits of SHA-256 over the canonical address: whatever was typed,
    /// a key of known length and harmless characters. The full stop, which no subdomain has, ends a realm's range.
    /// </summary>
    public static string PartitionOf(string subdomain, EmailAddress email) => PartitionOf(subdomain, email.Canonical);

    /// <summary>The same of a name in its canonical form, which an account has only if it is an address.</summary>
    public static string PartitionOf(string subdomain, string canonicalName) =>
        $"{subdomain}.{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(canonicalName)))}";

    /// <summary>Null for a row that has a fault; a row that was moved to another address's key must not open that address's door.</summary>
    public static Account? From(string subdomain, StoredRow row)
    {
        var account = new Account(
            subdomain, row.Number("UserId", 1, MaxUserId), row.Text("Email"), row.Text("PasswordHash"), row.Text("ApiKey"), row.Flag("IsActive"),
            row.Number("Role", Owner, Guest), row.Time("Created"))
        {
            ETag = row.ETag,
            FullName = row.TextIfAny("FullName"),
        };
        if (!Roles.Values.Contains(account.Role))
        {
            row.Refuse("Role", "is no role");
        }

        if (row.Row != row.Partition)
        {
            row.Refuse("RowKey", "is not that of an account");
        }

        if (EmailAddress.TryParse(account.Email) is not { } email || PartitionOf(subdomain, email) != row.Partition)
        {
            row.Refuse("Email", "does not belong to the row");
        }

        return row.Fault is null ? account : null;
    }

    public TableEntity ToRow(EmailAddress email)
    {
        var partition = PartitionOf(Subdomain, email);
        var row = new TableEntity(partition, partition)
        {
            ["UserId"] = UserId,
            ["Email"] = Email,
            ["PasswordHash"] = PasswordHash,
            ["ApiKey"] = SealedApiKey,
            ["IsActive"] = IsActive,
            ["Role"] = Role,
            ["Created"] = Created,
        };
        if (FullName.Length > 0)
        {
            row["FullName"] = FullName;
        }

        return row;
    }

    public override string ToString() => $"user {UserId} of realm '{Subdomain}'";

    [GeneratedRegex("""\A[A-Za-z0-9]{32}\z""", RegexOptions.CultureInvariant)]
    private static partial Regex ApiKeyForm();
}
