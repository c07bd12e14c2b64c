// How a directory's settings are read: Ldap__ID__NAME.

using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace FetchApiKey.Backends.Ldap;

internal sealed class LdapSection
{
    private const string UserPlaceholder = "%(user)s";
    private const string EmailPlaceholder = "%(email)s";
    private const int MaxIdLength = 20;

    /// <summary>Names of Zulip's AUTH_LDAP_USER_ATTR_MAP that an account or an access rule can use.</summary>
    private static readonly string[] MappedNames =
        ["full_name", "first_name", "last_name", "userAccountControl", "deactivated", "org_membership"];

    private readonly SettingsReader _section;

    private LdapSection(SettingsReader section) => _section = section;

    /// <summary>Every directory. An operator's command asks none, so it needs no library.</summary>
    public static List<LdapSettings> Read(SettingsReader settings, bool answersRequests)
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

        if (all.Count > 0 && answersRequests && OpenLdapLibrary.WhyNot() is { } missing)
        {
            settings.Fault("Ldap", missing);
        }

        return all;
    }

    private LdapSettings Read(HashSet<string> takenRealms)
    {
        var realms = _section.Realms("realms", takenRealms);
        var (host, port, encryption) = ReadUri();
        var (appendDomain, emailAttribute, reverseFilter) = ReadAddresses();
        var (bindDn, bindPassword) = ReadBind();
        var settings = new LdapSettings
        {
            Id = _section.Id,
            Realms = realms,
            Host = host,
            Port = port,
            Encryption = encryption,
            TrustedCertificates = ReadCertificates(encryption),
            BindDn = bindDn,
            BindPassword = bindPassword,
            UserSearchBase = _section.Required("userSearchBase", "the DN below which people are"),
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

    private (string Host, int Port, LdapEncryption Encryption) ReadUri()
    {
        var startTls = _section.Flag("startTls");
        var mayBePlain = _section.Flag("allowUnencrypted");
        if (!Uri.TryCreate(_section.Text("uri"), UriKind.Absolute, out var uri)
            || uri.Scheme is not ("ldap" or "ldaps") || uri.Host.Length == 0
            || uri is not { UserInfo: "", AbsolutePath: "" or "/", Query: "", Fragment: "" })
        {
            _section.Fault("uri", "must be ldaps://HOST or ldap://HOST, with a port or without");
            return ("", 0, LdapEncryption.None);
        }

        var isLdaps = uri.Scheme == "ldaps";
        if (isLdaps && startTls)
        {
            _section.Fault("startTls", "is for ldap://; ldaps:// is encrypted from the beginning");
        }

        var isHere = uri.IsLoopback || (IPAddress.TryParse(uri.Host, out var address) && IPAddress.IsLoopback(address));
        if (!isLdaps && !startTls && !isHere && !mayBePlain)
        {
            _section.Fault(
                "uri",
                "passwords would cross the network in clear: use ldaps:// or startTls, or allowUnencrypted where the network is trusted");
        }

        return (uri.DnsSafeHost, uri.Port > 0 ? uri.Port : isLdaps ? 636 : 389,
            isLdaps ? LdapEncryption.Tls : startTls ? LdapEncryption.StartTls : LdapEncryption.None);
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

    private X509Certificate2Collection? ReadCertificates(LdapEncryption encryption)
    {
        if (_section.Text("trustedCertificates") is not { } path)
        {
            return null;
        }

        if (encryption == LdapEncryption.None)
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
        // RFC 4512 section 1.4: a name, or an OID.
        if (text is not null && !text.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '.'))
        {
            section.Fault(name, "must be the name of an attribute");
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
            _section.Fault(name, $"must be a filter in parentheses{(placeholder.Length > 0 ? $" with {placeholder} in it" : "")}");
        }

        return filter;
    }

    private TimeSpan Milliseconds(string name) => TimeSpan.FromMilliseconds(_section.Integer(name, 2000, 100, 4000));
}
