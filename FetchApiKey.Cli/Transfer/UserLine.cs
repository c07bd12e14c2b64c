// A line of a file of accounts: what users export writes and users import reads.

using FetchApiKey.Accounts;
using FetchApiKey.Passwords;

namespace FetchApiKey.Cli.Transfer;

/// <summary>An account as a line has it, its API key in clear.</summary>
public sealed record UserLine(int Number, Account Account, EmailAddress Email, string ApiKey)
{
    public static RecordFields Fields { get; } = new(
        ["realm", "email", "user_id", "api_key", "password"],
        ["is_active", "role", "created", "full_name"],
        ["realm", "email", "user_id", "api_key", "password", "is_active", "role", "created", "full_name"]);

    /// <summary>The fault of a line, or null and the account it tells of, whose API key is not sealed yet.</summary>
    /// <param name="isRealm">Whether there is a realm of this subdomain.</param>
    public static string? Parse(Reading reading, Func<string, bool> isRealm, TimeProvider time, out UserLine? line)
    {
        line = null;
        if (reading.Record is not { } row)
        {
            return reading.Fault;
        }

        if (row.Text("realm") is not { } subdomain || !isRealm(subdomain))
        {
            return "realm: names no realm";
        }

        if (row.Text("email") is not { } emailText || EmailAddress.TryParse(emailText) is not { } email)
        {
            return "email: is not an e-mail address";
        }

        if (row.Number("user_id") is not (> 0 and < int.MaxValue and var userId))
        {
            return $"user_id: is not a whole number from 1 to {int.MaxValue - 1}";
        }

        if (row.Text("api_key") is not { } apiKey || !Account.IsApiKey(apiKey))
        {
            return "api_key: is not 32 letters and digits";
        }

        if (row.Text("password") is not { } password)
        {
            return "password: is not an encoded password";
        }

        if (StoredHash.Parse(password) is RefusedHash refused)
        {
            return $"password: {refused.Reason}";
        }

        var role = row.Has("role") ? row.Number("role") : Account.Member;
        if (role is not { } roleNumber || !Account.Roles.Values.Contains(roleNumber))
        {
            return $"role: is none of {string.Join(", ", Account.Roles.Values)}";
        }

        var isActive = !row.Has("is_active") || row.Flag("is_active") is true;
        if (row.Has("is_active") && row.Flag("is_active") is null)
        {
            return "is_active: is neither true nor false";
        }

        var created = row.Has("created") ? row.Time("created") : time.GetUtcNow();
        if (created is not { } since || since < AccountTables.EarliestTime)
        {
            return "created: is not a time";
        }

        var fullName = row.Has("full_name") ? row.Text("full_name") : "";
        if (fullName is not "" && (fullName is null || !FullName.IsName(fullName)))
        {
            return $"full_name: is no text of up to {FullName.MaxCodePoints} characters without control characters";
        }

        var account = new Account(subdomain, userId, emailText, password, SealedApiKey: "", isActive, roleNumber, since)
        {
            FullName = fullName,
        };
        line = new UserLine(reading.Number, account, email, apiKey);
        return null;
    }
}
