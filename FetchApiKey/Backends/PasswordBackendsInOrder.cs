// Which backends judge the passwords of a realm, and in which order.

using FetchApiKey.Accounts;
using FetchApiKey.Audit;
using FetchApiKey.Backends.Ldap;
using Microsoft.Extensions.Logging;

namespace FetchApiKey.Backends;

public sealed class PasswordBackendsInOrder(
    EmailBackend email, IEnumerable<LdapDirectory> directories, AccountStore accounts, DirectoryIds ids, ApiKeyCipher cipher, LoginEvents events,
    TimeProvider time, ILogger<LdapBackend> log)
{
    /// <summary>A backend for each realm that has a directory, with its settings.</summary>
    private readonly Dictionary<string, (LdapSettings Settings, LdapBackend Backend)> _directories = directories
        .Select(directory => (directory.Settings, Backend: new LdapBackend(directory, accounts, ids, cipher, events, time, log)))
        .SelectMany(ldap => ldap.Settings.Realms.Select(realm => (Realm: realm, Ldap: ldap)))
        .ToDictionary(ldap => ldap.Realm, ldap => ldap.Ldap, StringComparer.Ordinal);

    public IReadOnlyList<IPasswordBackend> Of(Realm realm)
    {
        var own = realm.Backends.HasFlag(PasswordBackends.Email) ? email : null;
        var directory = _directories.TryGetValue(realm.Subdomain, out var found) ? found.Backend : null;
        IEnumerable<IPasswordBackend?> order = directory is not null && found.Settings.IsFirst ? [directory, own] : [own, directory];
        return [.. order.OfType<IPasswordBackend>()];
    }

    /// <summary>Null for a name that is not e-mail shaped, unless the realm has a directory: contract section 1.2, step 5.</summary>
    public LoginName? NameOf(Realm realm, string username) =>
        _directories.TryGetValue(realm.Subdomain, out var found) ? LoginName.Of(username, found.Settings.AppendDomain)
        : EmailAddress.TryParseInShape(username);
}
