// The backend that lets a directory judge a password, and finds or makes the account of the entry.

using System.Security.Cryptography;
using FetchApiKey.Accounts;
using FetchApiKey.Audit;
using FetchApiKey.Passwords;
using Microsoft.Extensions.Logging;

namespace FetchApiKey.Backends.Ldap;

/// <summary>Contract section 9. Of the account nobody learns anything before the directory has accepted the password.</summary>
public sealed class LdapBackend(
    LdapDirectory directory, AccountStore accounts, DirectoryIds ids, ApiKeyCipher cipher, LoginEvents events, TimeProvider time,
    ILogger<LdapBackend> log) : IPasswordBackend
{
    private const int LongestName = 320;

    /// <summary>How often the next user id is asked for again when somebody else took it meanwhile.</summary>
    private const int UserIdTries = 20;

    private readonly LdapSettings _settings = directory.Settings;
    private readonly EntryRules _rules = new(directory.Settings, log);

    public async Task<BackendVerdict> CheckAsync(PasswordCheck check, CancellationToken cancellation)
    {
        // Neither depends on who exists, so both may be quick.
        if (check.Password.IsEmpty || check.Password.Utf8.AsSpan().Contains((byte)0))
        {
            return new BackendVerdict(LoginOutcome.WrongPassword, await check.OwnerAsync());
        }

        if (UsernameOf(check.Name) is not { } username)
        {
            return new BackendVerdict(LoginOutcome.UnknownUser, await check.OwnerAsync());
        }

        DirectoryAnswer answer;
        // A bind that was sent is seen through, whatever becomes of the client.
        // So is an attempt that another backend has hashed for.
        var waiting = check.Attempt.HasBegun ? CancellationToken.None : check.Attempt.Waiting;
        var caller = new DirectoryCaller(check.Client, check.Attempt.Begin, check.Lifetime.Left, waiting);
        try
        {
            answer = await directory.AuthenticateAsync(QueryOf(username), check.Password.Utf8, caller, cancellation);
        }
        catch (DirectoryUnavailableException)
        {
            return new BackendVerdict(LoginOutcome.DirectoryUnavailable, null);
        }

        // From here on the attempt counts: else whatever fails would tell right passwords from wrong ones, as often as somebody likes.
        try
        {
            return await VerdictOfAsync(check, username, answer, cancellation) with { WasTried = true, Detail = answer.Detail };
        }
        catch (Exception fault)
        {
            log.AccountsUnavailableAfterBind(_settings.Id, fault.GetType().Name);
            return new BackendVerdict(LoginOutcome.Unavailable, null) { WasTried = true, Detail = answer.Detail };
        }
    }

    /// <summary>What a typed name is in the directory; null for what is nobody's.</summary>
    private string? UsernameOf(LoginName name)
    {
        var typed = name.Text;
        if (typed.Length is 0 or > LongestName || typed.Any(char.IsControl))
        {
            return null;
        }

        if (_settings.AppendDomain is not { } domain || typed.LastIndexOf('@') is not (>= 0 and var at))
        {
            return typed;
        }

        // A user name with an @ of its own would make an address that means another.
        return EntryRules.Same(typed[(at + 1)..], domain) && at > 0 && typed.IndexOf('@', StringComparison.Ordinal) == at
            ? typed[..at]
            : null;
    }

    /// <summary>
    /// An address may be a user name, too: where it is nobody's address, that is looked for. Both are asked, whatever the first finds.
    /// </summary>
    private DirectoryQuery QueryOf(string username)
    {
        var filters = new List<byte[]> { _settings.UserSearchFilter.With(username) };
        if (_settings.ReverseEmailSearchFilter is { } reverse && username.Contains('@', StringComparison.Ordinal))
        {
            filters.Insert(0, reverse.With(username));
        }

        return new DirectoryQuery(filters, entry => _rules.IsOf(entry, username));
    }

    private async Task<BackendVerdict> VerdictOfAsync(
        PasswordCheck check, string username, DirectoryAnswer answer, CancellationToken cancellation) =>
        answer.Verdict switch
        {
            DirectoryVerdict.Unanswered => new BackendVerdict(LoginOutcome.DirectoryUnavailable, null),
            DirectoryVerdict.Right or DirectoryVerdict.RightWithoutAccess => await AdmitAsync(check, username, answer, cancellation),
            DirectoryVerdict.WrongPassword => new BackendVerdict(LoginOutcome.WrongPassword, await check.OwnerAsync()),
            _ => new BackendVerdict(LoginOutcome.UnknownUser, await check.OwnerAsync()),
        };

    private async Task<BackendVerdict> AdmitAsync(
        PasswordCheck check, string username, DirectoryAnswer answer, CancellationToken cancellation)
    {
        var (realm, entry) = (check.Realm, answer.Entry!);
        if (_rules.EmailOf(entry, username) is not { } email)
        {
            log.DirectoryEntryWithoutEmail(_settings.Id);
            return new BackendVerdict(LoginOutcome.DirectoryEmailInvalid, null);
        }

        var id = _rules.UniqueIdOf(entry);
        var (partition, account, malformed, belongs) = await FindAsync(realm.Subdomain, email, id, cancellation);
        if (!_rules.HasAccess(realm, entry, answer.Verdict == DirectoryVerdict.Right))
        {
            return new BackendVerdict(LoginOutcome.DirectoryAccessDenied, account);
        }

        if (_rules.IsDisabled(entry))
        {
            return new BackendVerdict(LoginOutcome.DirectoryDisabled, account);
        }

        if (malformed is not null)
        {
            log.RowMalformed(malformed);
            return new BackendVerdict(LoginOutcome.AccountMalformed, null);
        }

        if (belongs == Belonging.ToAnother)
        {
            log.DirectoryAccountTaken(_settings.Id, account!.UserId, realm.Subdomain);
            return new BackendVerdict(LoginOutcome.DirectoryAccountTaken, account);
        }

        if (account is not null)
        {
            return Verdict(realm, account) with
            {
                Consequence = belongs == Belonging.ToNobody
                    ? cancelled => JoinAsync(Verdict(realm, account), partition, id!, cancelled)
                    : null,
            };
        }

        if (!realm.IsActive || !_settings.AutoCreate)
        {
            return new BackendVerdict(realm.IsActive ? LoginOutcome.AccountNotCreated : LoginOutcome.AccountInactive, null);
        }

        if (_rules.FullNameOf(entry) is not { } fullName)
        {
            log.DirectoryNameInvalid(_settings.Id);
            return new BackendVerdict(LoginOutcome.DirectoryNameInvalid, null);
        }

        return new BackendVerdict(LoginOutcome.LoggedIn, null)
        {
            Consequence = async cancelled =>
            {
                var made = await CreateAsync(check, email, fullName, cancelled);
                return id is null || made.Account is null ? made : await JoinAsync(made, partition, id, cancelled);
            },
        };
    }

    private enum Belonging
    {
        ToAnother = 0,
        ToNobody,

        /// <summary>Or to nobody, where the settings name no unique id.</summary>
        ToThis,
    }

    /// <summary>
    /// The account that the entry had before, whatever its address is by now; else that of the address, unless another entry has it.
    /// </summary>
    private async Task<(string Partition, Account? Account, RowFault? Malformed, Belonging Belongs)> FindAsync(
        string subdomain, EmailAddress email, string? id, CancellationToken cancellation)
    {
        if (id is not null && await ids.AccountOfAsync(subdomain, id, cancellation) is { } known)
        {
            var had = await accounts.FindAsync(subdomain, known, cancellation);
            if (had.Account is not null || had.Malformed is not null)
            {
                return (known, had.Account, had.Malformed, Belonging.ToThis);
            }
        }

        var partition = Account.PartitionOf(subdomain, email);
        var (account, malformed) = await accounts.FindAsync(subdomain, email, cancellation);
        if (account is null || !_settings.Attributes.ContainsKey("unique_account_id"))
        {
            return (partition, account, malformed, Belonging.ToThis);
        }

        var owner = await ids.EntryOfAsync(subdomain, partition, cancellation);
        var belongs = owner is null && id is not null ? Belonging.ToNobody : owner == id ? Belonging.ToThis : Belonging.ToAnother;
        return (partition, account, malformed, belongs);
    }

    /// <summary>Storage that fails here costs nothing but that the next login does it.</summary>
    private async Task<BackendVerdict> JoinAsync(BackendVerdict granted, string partition, string id, CancellationToken cancellation)
    {
        try
        {
            return granted.Outcome != LoginOutcome.LoggedIn || await ids.JoinAsync(granted.Account!.Subdomain, partition, id, cancellation)
                ? granted
                : new BackendVerdict(LoginOutcome.DirectoryAccountTaken, granted.Account);
        }
        catch (Exception fault) when (AccountTables.IsUnavailability(fault))
        {
            log.DirectoryIdNotStored(_settings.Id, fault.GetType().Name);
            return granted;
        }
    }

    /// <summary>
    /// A member with a new key and no password of its own. Of several logins at once one makes it, and all get it. The event is stored
    /// before each try to make it, and taken back where another was faster.
    /// </summary>
    private async Task<BackendVerdict> CreateAsync(PasswordCheck check, EmailAddress email, string fullName, CancellationToken cancellation)
    {
        var realm = check.Realm;
        for (var tries = 0; tries < UserIdTries; tries++)
        {
            var id = await accounts.NextUserIdAsync(realm.Subdomain, cancellation);
            var account = new Account(
                realm.Subdomain, id, email.Text, $"!{RandomNumberGenerator.GetHexString(40, lowercase: true)}", cipher.Seal(realm.Subdomain, email, id, Account.NewApiKey()),
                IsActive: true, Account.Member, time.GetUtcNow())
            {
                FullName = fullName,
            };
            var stored = await events.StoreAsync(
                SecurityEventKind.AccountCreated, LoginOutcome.LoggedIn.Name(), account, check.Client, check.Invocation, cancellation);
            var addition = await accounts.AddAsync(account, email, cancellation);
            if (addition == Addition.Added)
            {
                return new BackendVerdict(LoginOutcome.LoggedIn, account);
            }

            events.NotDone(stored);
            if (addition == Addition.EmailTaken && (await accounts.FindAsync(realm.Subdomain, email, cancellation)).Account is { } there)
            {
                return Verdict(realm, there);
            }
        }

        return new BackendVerdict(LoginOutcome.Unavailable, null);
    }

    private static BackendVerdict Verdict(Realm realm, Account account) =>
        new(realm.IsActive && account.IsActive ? LoginOutcome.LoggedIn : LoginOutcome.AccountInactive, account);
}
