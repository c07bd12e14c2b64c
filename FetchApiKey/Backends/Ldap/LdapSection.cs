// How a directory's settings are read: Ldap__ID__NAME.

using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.RegularExpressions;

namespace FetchApiKey.Backends.Ldap;

internal sealed class LdapSection
{
    private const string UserPlaceholder = "%(user)s";
    private const string EmailPlaceholder = "%(email)s";
    private const int MaxIdLength = 20;

    /// <summary>Names of Zulip's AUTH_LDAP_USER_ATTR_MAP that an account or an access rule can use.</summary>
    private static readonly string[] MappedNames =
        ["full_name", "first_name", "last_name", "userAccountControl", "deactivated", "org_membership", "unique_account_id"];

    private readonly SettingsReader _section;

    private LdapSection(SettingsReader section) => _section = section;

    /// <summary>Every directory.</summary>
    public static List<LdapSettings> Read(SettingsReader settings)
    {
        var directories = settings.Section("Ldap");
        var realms = new HashSet<string>(StringComparer.Ordinal);
        var all = new List<LdapSettings>();
        foreach (var section in directories.Sections())
        {
            var id = section.Id;
            if (!string.IsNullOrEmpty(directories.Raw(id)) || !id.All(char.IsAsciiLetterOrDigit) || id.Length > MaxIdLength)
            {
                directories.Fault(id, $"must be Ldap__ID__NAME, with an ID of up to {MaxIdLength} letters and digits");
            }

            all.Add(new LdapSection(section).Read(realms));
        }

        return all;
    }

    private LdapSettings Read(HashSet<string> takenRealms)
    {
        var realms = _section.Realms("realms", takenRealms);
        var servers = LdapServers.Read(_section);
        var (appendDomain, emailAttribute, reverseFilter) = ReadAddresses();
        var (bindDn, bindPassword) = ReadBind();
        var settings = new LdapSettings
        {
            Id = _section.Id,
            Realms = realms,
            Servers = servers,
            TrustedCertificates = ReadCertificates(servers),
            BindDn = bindDn,
            BindPassword = bindPassword,
            UserSearchBases = ReadBases(),
            UserSearchFilter = Filter("userSearchFilter", UserPlaceholder, fallback: $"(uid={UserPlaceholder})")!,
            UsernameAttribute = Attribute(_section, "usernameAttribute") ?? "uid",
            AppendDomain = appendDomain,
            EmailAttribute = emailAttribute,
            ReverseEmailSearchFilter = reverseFilter,
            Attributes = ReadAttributes(_section.Section("attributes")),
            AccessFilter = Filter("accessFilter", "", fallback: null),
            DecoyDn = _section.Text("decoyDn"),
            AutoCreate = _section.Flag("autoCreate"),
            IsFirst = ReadOrder(),
            ConnectTimeout = Milliseconds("connectTimeoutMs"),
            OperationTimeout = Milliseconds("operationTimeoutMs"),
        };
        _section.RefuseUnknown();
        return settings;
    }

    /// <summary>Separated by semicolons, which in a DN are escaped: RFC 4514 section 2.4.</summary>
    private List<string> ReadBases()
    {
        var bases = Regex.Split(_section.Text("userSearchBase") ?? "", """(?<!\\);""", RegexOptions.CultureInvariant)
            .Select(text => text.Trim()).Where(text => text.Length > 0).ToList();
        if (bases.Count == 0)
        {
            _section.Fault(
                "userSearchBase", "must be the DN below which people are; of several one after another, separated by semicolons");
        }

        return bases;
    }

    /// <summary>How a user name becomes an address, and an address an entry.</summary>
    private (string? AppendDomain, string? EmailAttribute, LdapFilter? ReverseFilter) ReadAddresses()
    {
        var appendDomain = _section.Text("appendDomain");
        if (appendDomain is not null && EmailAddress.TryParse($"a@{appendDomain}") is null)
        {
            _section.Fault("appendDomain", "must be a domain such as example.com, without the @");
        }

        var emailAttribute = Attribute(_section, "emailAttribute");
        if (appendDomain is not null && emailAttribute is not null)
        {
            _section.Fault("emailAttribute", "an address is made by appendDomain or read from an attribute, not both");
        }

        var reverseFilter = Filter("reverseEmailSearchFilter", EmailPlaceholder, fallback: null);
        if (reverseFilter is not null && emailAttribute is null)
        {
            _section.Fault("reverseEmailSearchFilter", "needs emailAttribute");
        }

        return (appendDomain, emailAttribute, reverseFilter);
    }

    private (string Dn, string Password) ReadBind()
    {
        var (dn, password) = (_section.Text("bindDn") ?? "", _section.Secret("bindPassword") ?? "");
        if (dn.Length == 0 != (password.Length == 0) || password.Contains('\0', StringComparison.Ordinal))
        {
            _section.Fault("bindPassword", "bindDn and bindPassword go together; without both, searches are anonymous");
        }

        return (dn, password);
    }

    private X509Certificate2Collection? ReadCertificates(List<LdapServer> servers)
    {
        if (_section.Text("trustedCertificates") is not { } path)
        {
            return null;
        }

        if (servers.TrueForAll(server => server.Encryption == LdapEncryption.None))
        {
            _section.Fault("trustedCertificates", "without TLS there is no certificate");
        }

        var certificates = new X509Certificate2Collection();
        try
        {
            foreach (var file in Directory.Exists(path) ? Directory.GetFiles(path) : [path])
            {
                certificates.ImportFromPemFile(file);
            }
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException or CryptographicException)
        {
            certificates.Clear();
        }

        if (certificates.Count == 0)
        {
            _section.Fault(
                "trustedCertificates", "must be a PEM file, or a directory of PEM files, that can be read and holds a certificate");
        }

        return certificates;
    }

    private static Dictionary<string, string> ReadAttributes(SettingsReader section)
    {
        var attributes = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        foreach (var name in MappedNames)
        {
            if (Attribute(section, name) is { } attribute)
            {
                attributes.Add(name, attribute);
            }
        }

        section.RefuseUnknown();
        return attributes;
    }

    private bool ReadOrder()
    {
        switch (_section.List("order").ConvertAll(backend => backend.ToLowerInvariant()))
        {
            case [] or ["email", "ldap"]:
                return false;
            case ["ldap", "email"]:
                return true;
            default:
                _section.Fault("order", "must be email,ldap or ldap,email");
                return false;
        }
    }

    private static string? Attribute(SettingsReader section, string name)
    {
        var text = section.Text(name);
        // RFC 4512 section 1.4. Asked for an OID, a directory answers under the attribute's name, which nobody would look for.
        if (text is not null && !(char.IsAsciiLetter(text[0]) && text.All(c => char.IsAsciiLetterOrDigit(c) || c == '-')))
        {
            section.Fault(
                name, "must be the name of an attribute as the directory writes it in an entry, without options, and no number (OID)");
        }

        return text;
    }

    private LdapFilter? Filter(string name, string placeholder, string? fallback)
    {
        if ((_section.Text(name) ?? fallback) is not { } text)
        {
            return null;
        }

        var filter = LdapFilter.TryParse(text, placeholder);
        if (filter is null)
        {
            _section.Fault(
                name, $"must be a filter as RFC 4515 has it, in parentheses{(placeholder.Length > 0 ? $" with {placeholder} in it" : "")}");
        }

        return filter;
    }

    private TimeSpan Milliseconds(string name) => TimeSpan.FromMilliseconds(_section.Integer(name, 2000, 100, 4000));
}
