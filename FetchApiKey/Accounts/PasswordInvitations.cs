// Links by which somebody without a password, or without the right one, may choose a new one: once, and not for long.

using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Azure;
using Azure.Data.Tables;
using Microsoft.Extensions.Logging;

namespace FetchApiKey.Accounts;

/// <summary>
/// What stands in a link: base64url, without padding, of the SHA-256 that names an account's partition and of 256 random bits. The former
/// makes finding it a point read; it tells nothing that the link's owner, whose address it is of, did not know. The latter is the secret.
/// </summary>
public sealed class InvitationToken
{
    private const int SecretBytes = 32;

    private readonly byte[] _bytes;

    private InvitationToken(byte[] bytes) => _bytes = bytes;

    public static InvitationToken New(string subdomain, EmailAddress email) => new(
    [
        .. Convert.FromHexString(Account.PartitionOf(subdomain, email).AsSpan(subdomain.Length + 1)),
        .. RandomNumberGenerator.GetBytes(SecretBytes),
    ]);

    /// <summary>Null for what is no token of ours.</summary>
    public static InvitationToken? TryParse(string text)
    {
        var bytes = new byte[SHA256.HashSizeInBytes + SecretBytes];
        return Base64Url.IsValid(text, out var length) && length == bytes.Length && Base64Url.TryDecodeFromChars(text, bytes, out _)
            ? new InvitationToken(bytes)
            : null;
    }

    /// <summary>As it goes into a link.</summary>
    public string Reveal() => Base64Url.EncodeToString(_bytes);

    /// <summary>The partition of the account that it would be for, whether there is one or not.</summary>
    public string PartitionIn(string subdomain) => $"{subdomain}.{Convert.ToHexStringLower(_bytes.AsSpan(0, SHA256.HashSizeInBytes))}";

    /// <summary>64 hexadecimal digits of SHA-256 over the secret: what is stored.</summary>
    public string Digest => Convert.ToHexStringLower(SHA256.HashData(_bytes.AsSpan(SHA256.HashSizeInBytes)));

    public override string ToString() => "(invitation)";
}

/// <summary>
/// Row: PartitionKey that of its account, RowKey "reset", so an account has one at the most; columns SecretDigest, PasswordDigest
/// (strings), Expires (date and time). It is good for the password that the account had when it was made: a password column that changes
/// by another way ends it, and so does a login that renews its hash: who can log in needs no link.
/// </summary>
/// <param name="PasswordDigest">SHA-256 of the account's password column.</param>
public sealed record PasswordInvitation(string SecretDigest, string PasswordDigest, DateTimeOffset Expires)
{
    public const string Row = "reset";

    public ETag ETag { get; init; }

    /// <summary>In a time that tells nothing of the digits.</summary>
    public bool IsFor(InvitationToken token) =>
        CryptographicOperations.FixedTimeEquals(Encoding.ASCII.GetBytes(SecretDigest), Encoding.ASCII.GetBytes(token.Digest));

    public bool IsFor(Account account) => PasswordDigest == DigestOf(account);

    public static string DigestOf(Account account) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(account.PasswordHash)));
}

/// <param name="log">Null where invitations are only made.</param>
public sealed class PasswordInvitations(AccountTables tables, ILogger<PasswordInvitations>? log = null)
{
    private static readonly string[] Columns = ["SecretDigest", "PasswordDigest", "Expires"];

    private readonly AccountStore _accounts = new(tables);

    /// <summary>Makes an invitation, in the place of an earlier one. Null when there is no such account by now.</summary>
    public async Task<InvitationToken?> IssueAsync(
        Account account, EmailAddress email, DateTimeOffset expires, CancellationToken cancellation)
    {
        var token = InvitationToken.New(account.Subdomain, email);
        var row = new TableEntity(Account.PartitionOf(account.Subdomain, email), PasswordInvitation.Row)
        {
            ["SecretDigest"] = token.Digest,
            ["PasswordDigest"] = PasswordInvitation.DigestOf(account),
            ["Expires"] = expires,
        };
        using var written = await tables.Accounts.UpsertEntityAsync(row, TableUpdateMode.Replace, cancellation);
        // A deletion takes the link away last; one that was quicker than this is seen here. So no link is left of a deleted account.
        if (await _accounts.FindAsync(account.Subdomain, email, cancellation) is not { Account: null, Malformed: null })
        {
            return token;
        }

        using var withdrawn = await tables.Accounts.DeleteEntityAsync(row.PartitionKey, row.RowKey, cancellationToken: cancellation);
        return null;
    }

    /// <summary>
    /// The invitation and the account that a token names. Two point reads side by side, whatever there is and whatever the token's
    /// secret.
    /// </summary>
    public async Task<(PasswordInvitation? Invitation, Account? Account)> FindAsync(string subdomain, InvitationToken token, CancellationToken cancellation)
    {
        var partition = token.PartitionIn(subdomain);
        var reading = _accounts.FindAsync(subdomain, partition, cancellation);
        var row = tables.Accounts.ReadRowAsync(partition, PasswordInvitation.Row, Columns, cancellation);
        await Task.WhenAll(reading, row);
        var ((account, malformed), (found, _)) = (await reading, await row);
        var invitation = found is null ? null : From(found);
        foreach (var fault in new[] { malformed, found?.Fault }.OfType<RowFault>())
        {
            log?.RowMalformed(fault);
        }

        return (invitation, account);
    }

    /// <summary>
    /// Sets the password and takes the invitation away, both or neither. False when either row is not the one that was read.
    /// </summary>
    /// <exception cref="Exception">Storage is away, and the password may have been set all the same.</exception>
    public async Task<bool> RedeemAsync(
        InvitationToken token, PasswordInvitation invitation, Account account, string hash, CancellationToken cancellation)
    {
        var partition = token.PartitionIn(account.Subdomain);
        try
        {
            await tables.Accounts.SubmitAsync(
                [
                    new TableTransactionAction(
                        TableTransactionActionType.Delete, new TableEntity(partition, PasswordInvitation.Row), invitation.ETag),
                    new TableTransactionAction(
                        TableTransactionActionType.UpdateMerge, new TableEntity(partition, partition) { ["PasswordHash"] = hash }, account.ETag),
                ],
                cancellation);
            return true;
        }
        catch (Exception fault) when (AccountTables.IsUnavailability(fault))
        {
            if (await tables.Accounts.WasCarriedOutAsync(partition, partition, row => row.Has("PasswordHash", hash)))
            {
                return true;
            }

            if (fault is RequestFailedException refusal && refusal.IsOvertaken())
            {
                return false;
            }

            throw;
        }
    }

    private static PasswordInvitation? From(StoredRow row)
    {
        var invitation = new PasswordInvitation(row.Text("SecretDigest"), row.Text("PasswordDigest"), row.Time("Expires")) { ETag = row.ETag };
        return row.Fault is null ? invitation : null;
    }
}
