// Which backends judge the passwords of a realm, and in which order.

using FetchApiKeyFunction.Accounts;
using FetchApiKeyFunction.Backends.Ldap;

namespace FetchApiKeyFunction.Backends;

/// <param name="directories">A backend for each realm that has a directory, with its settings.</param>
public sealed class PasswordBackendsInOrder(EmailBackend email, IReadOnlyDictionary<string, (LdapSettings Settings, LdapBackend Backend)> directories)
{
    public IReadOnlyList<IPasswordBackend> Of(Realm realm)
    {
        var own = realm.Backends.HasFlag(PasswordBackends.Email) ? email : null;
        var directory = directories.TryGetValue(realm.Subdomain, out var found) ? found.Backend : null;
        IEnumerable<IPasswordBackend?> order = directory is not null && found.Settings.IsFirst ? [directory, own] : [own, directory];
        return [.. order.OfType<IPasswordBackend>()];
    }

    /// <summary>Null for a name that is not e-mail shaped, unless the realm has a directory: contract section 1.2, step 5.</summary>
    public LoginName? NameOf(Realm realm, string username) =>
        directories.TryGetValue(realm.Subdomain, out var found) ? LoginName.Of(username, found.Settings.AppendDomain)
        : EmailAddress.TryParse(username);
}
