// users add, list, show, zuliprc and invite-reset; UserOverrides.cs has the verbs that change an account.

using FetchApiKey.Accounts;
using FetchApiKey.Attempts;
using FetchApiKey.Pages;
using FetchApiKey.Passwords;
using Microsoft.Extensions.Logging.Abstractions;

namespace FetchApiKey.Cli;

public sealed partial class UserCommands(
    RealmStore realms, AccountStore accounts, ApiKeyCipher cipher, AttemptTable attempts, OperatorActs acts, Settings settings,
    PasswordPrompt prompt, Confirmation confirmation, Report report, TextWriter error, TimeProvider time)
{
    /// <summary>How often the next user id is asked for again when somebody else took it meanwhile.</summary>
    private const int UserIdTries = 20;

    /// <summary>As many as storage gives at once. A realm of no more is listed by user id.</summary>
    private const int Page = 1000;

    /// <summary>The option that sets a password where the realm's people log in by a directory alone.</summary>
    public const string DespiteDirectory = "--despite-directory";

    public async Task<int> AddAsync(string subdomain, string emailText, int? userId, int role, CancellationToken cancellation)
    {
        var email = Parse(emailText);
        if (userId is < 1 or > Account.MaxUserId)
        {
            throw new OperatorException($"A user id is a whole number from 1 to {Account.MaxUserId}.");
        }

        await RequireRealmAsync(subdomain, cancellation);
        var hash = await ReadNewHashAsync(email);
        for (var tries = 0; tries < UserIdTries; tries++)
        {
            var id = userId ?? await accounts.NextUserIdAsync(subdomain, cancellation);
            var apiKey = cipher.Seal(subdomain, email, id, Account.NewApiKey());
            var account = new Account(subdomain, id, email.Text, hash, apiKey, IsActive: true, role, time.GetUtcNow());
            await acts.RecordAsync(subdomain, email, id, cancellation);
            switch (await accounts.AddAsync(account, email, cancellation))
            {
                case Addition.Added:
                    await report.WriteAsync(Row(account));
                    return ExitCode.Done;

                case Addition.EmailTaken:
                    throw new OperatorException($"There is an account of {email.Text} in the {RealmCommands.Name(subdomain)} already.");

                case Addition.UserIdTaken when userId is not null:
                    throw new OperatorException($"User id {userId} is taken in the {RealmCommands.Name(subdomain)}.");

                default:
                    break;
            }
        }

        throw new OperatorException("Others took every user id that was tried; try again.");
    }

    public async Task<int> ListAsync(string subdomain, CancellationToken cancellation)
    {
        await RequireRealmAsync(subdomain, cancellation);
        var page = new List<Account>();
        var isWhole = true;
        var faulty = new FaultyRows(error);
        await foreach (var account in accounts.ListAsync(subdomain, faulty.Meet, cancellation))
        {
            if (page.Count == Page)
            {
                isWhole = false;
                await report.ContinueAsync([.. page.Select(Row)]);
                page.Clear();
            }

            page.Add(account);
        }

        await report.ContinueAsync([.. (isWhole ? page.OrderBy(account => account.UserId) : page.AsEnumerable()).Select(Row)]);
        return faulty.ExitCode;
    }

    public async Task<int> ShowAsync(string subdomain, string emailText, CancellationToken cancellation)
    {
        var account = await FindAsync(subdomain, emailText, cancellation);
        await report.WriteAsync([.. Row(account), ("password", StoredHash.Parse(account.PasswordHash).Description)]);
        return ExitCode.Done;
    }

    /// <summary>Prints the file that a client reads the account's API key from.</summary>
    /// <param name="site">The origin to write in it; null for the realm's own.</param>
    public async Task<int> ZuliprcAsync(string subdomain, string emailText, string? site, CancellationToken cancellation)
    {
        var realm = await ReadRealmAsync(subdomain, cancellation);
        var account = await FindAsync(subdomain, emailText, cancellation);
        var origin = OriginOf(realm, site, "--site");
        if (cipher.Open(account, out var apiKey) != Opening.Opened)
        {
            throw new OperatorException($"The API key of {account.Email} does not open with the configured keys.");
        }

        await RecordAsync(account, cancellation);
        await report.WriteTextAsync(
            Zuliprc.Write(account.Email, apiKey, origin), ("email", account.Email), ("key", apiKey), ("site", origin));
        return ExitCode.Done;
    }

    /// <summary>Prints a link by which the person whose account it is can choose a password. It replaces an earlier one.</summary>
    /// <param name="origin">Where the person reaches the realm; null for the realm's own.</param>
    public async Task<int> InviteResetAsync(
        PasswordInvitations invitations, string subdomain, string emailText, TimeSpan lifetime, string? origin, CancellationToken cancellation)
    {
        var realm = await ReadRealmAsync(subdomain, cancellation);
        var account = await FindAsync(subdomain, emailText, cancellation);
        if (!realm.IsActive || !account.IsActive || !realm.Backends.HasFlag(PasswordBackends.Email))
        {
            throw new OperatorException(
                !realm.IsActive ? $"The {RealmCommands.Name(subdomain)} is deactivated."
                : !account.IsActive ? $"The account of {account.Email} is deactivated."
                : IsOfDirectoryAlone(realm) ? $"The people of the {RealmCommands.Name(subdomain)} log in by a directory alone, unless realms set --email-backend true lets them have passwords."
                : $"The {RealmCommands.Name(subdomain)} takes no passwords of its own.");
        }

        var site = OriginOf(realm, origin, "--origin");
        var email = Parse(account.Email);
        var expires = time.GetUtcNow() + lifetime;
        await RecordAsync(account, cancellation);
        var token = await invitations.IssueAsync(account, email, expires, cancellation) ?? throw Missing(subdomain, email);
        await report.WriteAsync(("email", account.Email), ("expires", expires), ("link", PasswordResetPage.LinkTo(site, token)));
        return ExitCode.Done;
    }

    private bool IsOfDirectoryAlone(Realm? realm) =>
        realm is not null && !realm.Backends.HasFlag(PasswordBackends.Email) && settings.Ldap.Any(directory => directory.Realms.Contains(realm.Subdomain));

    private Task RecordAsync(Account account, CancellationToken cancellation) =>
        acts.RecordAsync(account.Subdomain, Parse(account.Email), account.UserId, cancellation);

    /// <param name="option">That it can be given with.</param>
    private string OriginOf(Realm realm, string? given, string option)
    {
        if (given is not null)
        {
            return Realm.OriginOf(given) ?? throw new OperatorException($"'{given}' is not an origin such as https://chat.example.com.");
        }

        var label = realm.Subdomain.Length > 0 ? realm.Subdomain + "." : "";
        var own = settings.RealmHosts.FirstOrDefault(host => host.Value == realm.Subdomain).Key;
        return realm.PublicUrl ?? (own is not null ? $"https://{own}" : settings.ExternalHosts is [var host, ..]
            ? $"https://{label}{host}"
            : throw new OperatorException($"Where people reach the endpoint is not known here: set ExternalHost, give the realm a public URL, or say it with {option}."));
    }

    private async Task RequireRealmAsync(string subdomain, CancellationToken cancellation)
    {
        // A row that cannot be read is a realm all the same, whose accounts are there.
        if (!(await realms.ReadAsync(subdomain, cancellation)).Exists)
        {
            throw new OperatorException($"There is no {RealmCommands.Name(subdomain)}.");
        }
    }

    private async Task<Realm> ReadRealmAsync(string subdomain, CancellationToken cancellation)
    {
        var (realm, malformed) = await realms.ReadAsync(subdomain, cancellation);
        return realm ?? throw new OperatorException(malformed is null
            ? $"There is no {RealmCommands.Name(subdomain)}."
            : $"The row of the {RealmCommands.Name(subdomain)} cannot be read: {malformed}.");
    }

    private async Task<Account> FindAsync(string subdomain, string emailText, CancellationToken cancellation)
    {
        var email = Parse(emailText);
        var (account, malformed) = await ReadAsync(subdomain, email, cancellation);
        return account
            ?? throw new OperatorException($"The row of {email.Text} in the {RealmCommands.Name(subdomain)} cannot be read: {malformed}.");
    }

    /// <summary>The account, or what is wrong with its row.</summary>
    /// <exception cref="OperatorException">There is neither.</exception>
    private async Task<AccountReading> ReadAsync(string subdomain, EmailAddress email, CancellationToken cancellation)
    {
        var reading = await accounts.FindAsync(subdomain, email, cancellation);
        return reading is { Account: null, Malformed: null } ? throw Missing(subdomain, email) : reading;
    }

    private static OperatorException Missing(string subdomain, EmailAddress email) =>
        new($"There is no account of {email.Text} in the {RealmCommands.Name(subdomain)}.");

    /// <summary>By the rule of the page on which people choose one themselves.</summary>
    private async Task<string> ReadNewHashAsync(EmailAddress email)
    {
        using var password = await prompt.ReadAsync();
        return PasswordStrength.WeaknessOf(password, email, time) is { } weakness
            ? throw new OperatorException(weakness.Explanation())
            : await NewHash.OfAsync(password, settings.Hashing, time);
    }

    public static EmailAddress Parse(string text) =>
        EmailAddress.TryParse(text) ?? throw new OperatorException($"'{text}' is not an e-mail address.");

    private static (string, object)[] Row(Account account) =>
    [
        ("realm", account.Subdomain),
        ("user_id", account.UserId),
        ("email", account.Email),
        ("role", Account.Roles.FirstOrDefault(role => role.Value == account.Role).Key ?? "unknown"),
        ("is_active", account.IsActive),
        ("created", account.Created),
    ];
}

/// <summary>A password hashed outside the server, one at a time.</summary>
public static class NewHash
{
    public static async Task<string> OfAsync(TypedPassword password, HashingSettings settings, TimeProvider time)
    {
        using var hasher = new PasswordHasher(
            settings with { Gate = settings.Gate with { Slots = 1 } }, time, NullLogger<PasswordHasher>.Instance);
        return await hasher.HashAsync(ClientAddress.Of(null), password, CancellationToken.None);
    }
}
