// The backend that lets a directory judge a password, and finds or makes the account of the entry.

using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using FetchApiKey.Accounts;
using FetchApiKey.Audit;
using FetchApiKey.Passwords;
using Microsoft.Extensions.Logging;

namespace FetchApiKey.Backends.Ldap;

/// <summary>Contract section 9. Of the account nobody learns anything before the directory has accepted the password.</summary>
public sealed class LdapBackend(
    LdapDirectory directory, AccountStore accounts, ApiKeyCipher cipher, LoginEvents events, TimeProvider time, ILogger<LdapBackend> log) : IPasswordBackend
{
    private const int LongestName = 320;

    /// <summary>ADS_UF_ACCOUNTDISABLE of Active Directory.</summary>
    private const int AccountDisabled = 2;

    /// <summary>How often the next user id is asked for again when somebody else took it meanwhile.</summary>
    private const int UserIdTries = 20;

    /// <summary>What stands in org_membership for the root realm, whose subdomain is empty: Zulip's name, and that of our settings.</summary>
    private static readonly string[] RootNames = ["www", "@"];

    private readonly LdapSettings _settings = directory.Settings;

    public async Task<BackendVerdict> CheckAsync(PasswordCheck check, CancellationToken cancellation)
    {
        // Neither depends on who exists, so both may be quick.
        if (check.Password.IsEmpty || check.Password.Utf8.AsSpan().Contains((byte)0))
        {
            return new BackendVerdict(LoginOutcome.WrongPassword, await check.OwnerAsync());
        }

        if (QueryOf(check.Name) is not var (filter, isTheirs))
        {
            return new BackendVerdict(LoginOutcome.UnknownUser, await check.OwnerAsync());
        }

        DirectoryVerdict verdict;
        DirectoryEntry? entry;
        // A bind that was sent is seen through, whatever becomes of the client.
        check.Attempt.Begin();
        try
        {
            (verdict, entry) = await directory.AuthenticateAsync(filter, isTheirs, Encoding.UTF8.GetString(check.Password.Utf8), cancellation);
        }
        catch (DirectoryUnavailableException)
        {
            return new BackendVerdict(LoginOutcome.DirectoryUnavailable, null);
        }

        return verdict switch
        {
            DirectoryVerdict.Right or DirectoryVerdict.RightWithoutAccess => await AdmitAsync(check, entry!, verdict == DirectoryVerdict.Right, cancellation),
            DirectoryVerdict.WrongPassword => new BackendVerdict(LoginOutcome.WrongPassword, await check.OwnerAsync()),
            _ => new BackendVerdict(LoginOutcome.UnknownUser, await check.OwnerAsync()),
        };
    }

    /// <summary>
    /// How to find the entry of a typed name; null where none can have it. A directory matches names without regard to case, blanks
    /// and look-alikes of Unicode: an entry counts only if it has the typed name as it is, ASCII case aside, for else each
    /// spelling would have an attempt limit of its own.
    /// </summary>
    private (string Filter, Func<DirectoryEntry, bool> IsTheirs)? QueryOf(LoginName name)
    {
        if (name.Text.Length is 0 or > LongestName || name.Text.Any(char.IsControl))
        {
            return null;
        }

        var typed = name.Text;
        if (_settings.AppendDomain is { } domain && name.Email is not null)
        {
            var at = typed.LastIndexOf('@');
            if (!Same(typed[(at + 1)..], domain))
            {
                return null;
            }

            typed = typed[..at];
        }

        var search = name.Email is not null && _settings.ReverseEmailSearchFilter is { } reverse ? reverse : _settings.UserSearchFilter;
        return (search.With(typed), entry =>
            entry[_settings.UsernameAttribute].Any(value => Same(value, typed))
            || (_settings.EmailAttribute is { } email && entry[email].Any(value => Same(value, typed))));
    }

    private async Task<BackendVerdict> AdmitAsync(PasswordCheck check, DirectoryEntry entry, bool matchesFilter, CancellationToken cancellation)
    {
        var realm = check.Realm;
        if (EmailOf(entry) is not { } email)
        {
            log.DirectoryEntryWithoutEmail(_settings.Id);
            return new BackendVerdict(LoginOutcome.DirectoryEmailInvalid, null);
        }

        var (account, malformed) = await accounts.FindAsync(realm.Subdomain, email, cancellation);
        if (!HasAccess(realm, entry, matchesFilter))
        {
            return new BackendVerdict(LoginOutcome.DirectoryAccessDenied, account);
        }

        if (IsDisabled(entry))
        {
            return new BackendVerdict(LoginOutcome.DirectoryDisabled, account);
        }

        if (malformed is not null)
        {
            log.RowMalformed(malformed);
            return new BackendVerdict(LoginOutcome.AccountMalformed, null);
        }

        if (account is not null)
        {
            return Verdict(realm, account);
        }

        return !realm.IsActive ? new BackendVerdict(LoginOutcome.AccountInactive, null)
            : !_settings.AutoCreate ? new BackendVerdict(LoginOutcome.AccountNotCreated, null)
            : new BackendVerdict(LoginOutcome.LoggedIn, null) { Consequence = cancelled => CreateAsync(check, email, FullNameOf(entry), cancelled) };
    }

    /// <summary>A user name with the domain, else the attribute, else the user name.</summary>
    private EmailAddress? EmailOf(DirectoryEntry entry)
    {
        var text = _settings.EmailAttribute is { } attribute ? entry.First(attribute)
            : _settings.AppendDomain is { } domain && entry.First(_settings.UsernameAttribute) is { } username ? $"{username}@{domain}"
            : entry.First(_settings.UsernameAttribute);
        return text is null ? null : EmailAddress.TryParse(text);
    }

    /// <summary>As a Zulip server decides: either way in is enough; where neither is set, everybody has access.</summary>
    private bool HasAccess(Realm realm, DirectoryEntry entry, bool matchesFilter)
    {
        if (!_settings.Attributes.TryGetValue("org_membership", out var membership))
        {
            return matchesFilter;
        }

        return entry[membership].Any(value => value == realm.Subdomain || (realm.Subdomain.Length == 0 && RootNames.Contains(value)))
            || (_settings.AccessFilter is not null && matchesFilter);
    }

    /// <summary>A value that cannot be read disables: it was meant to say something.</summary>
    private bool IsDisabled(DirectoryEntry entry)
    {
        if (_settings.Attributes.TryGetValue("userAccountControl", out var control) && entry.First(control) is { } flags
            && (!int.TryParse(flags, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var bits) || (bits & AccountDisabled) != 0))
        {
            return true;
        }

        return _settings.Attributes.TryGetValue("deactivated", out var deactivated) && entry.First(deactivated) is { } value
            && !value.Equals("FALSE", StringComparison.OrdinalIgnoreCase);
    }

    private string FullNameOf(DirectoryEntry entry)
    {
        string Value(string name) => _settings.Attributes.TryGetValue(name, out var attribute) ? entry.First(attribute) ?? "" : "";
        return Value("full_name") is { Length: > 0 } name ? name : $"{Value("first_name")} {Value("last_name")}".Trim();
    }

    /// <summary>
    /// A member with a new key and no password of its own. Of several logins at once one makes it, and all get it. The event is stored before
    /// each try to make it, and taken back where another was faster.
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

    private static bool Same(string one, string other) => LoginName.CanonicalOf(one) == LoginName.CanonicalOf(other);
}
