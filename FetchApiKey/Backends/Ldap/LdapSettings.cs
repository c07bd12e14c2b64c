// What an operator sets of a directory: Ldap__ID__..., an ID of the operator's choice for each.

using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using FetchApiKey.Accounts;
using Microsoft.Extensions.Configuration;

namespace FetchApiKey.Backends.Ldap;

/// <summary>A directory and the realms that it logs in to.</summary>
public sealed class LdapSettings
{
    public const string Section = "Ldap";
    private const string UserPlaceholder = "%(user)s";
    private const string EmailPlaceholder = "%(email)s";

    /// <summary>Names of Zulip's AUTH_LDAP_USER_ATTR_MAP that an account or an access rule can use.</summary>
    private static readonly string[] MappedNames = ["full_name", "first_name", "last_name", "userAccountControl", "deactivated", "org_membership"];

    private static readonly string[] Names =
    [
        "realms", "uri", "startTls", "allowUnencrypted", "trustedCertificates", "bindDn", "bindPassword", "userSearchBase", "userSearchFilter",
        "usernameAttribute", "appendDomain", "emailAttribute", "reverseEmailSearchFilter", "attributes", "accessFilter", "decoyDn", "autoCreate",
        "order", "connectTimeoutMs", "operationTimeoutMs", "connections",
    ];

    public required string Id { get; init; }

    /// <summary>realms: subdomains, empty for the root realm, which is written @.</summary>
    public required IReadOnlyList<string> Realms { get; init; }

    /// <summary>uri: a host and a port.</summary>
    public required string Host { get; init; }

    public required int Port { get; init; }

    /// <summary>ldaps, or ldap with startTls.</summary>
    public LdapEncryption Encryption { get; init; }

    /// <summary>trustedCertificates: a PEM file, or a directory of them, that alone is trusted; null for the system's.</summary>
    public X509Certificate2Collection? TrustedCertificates { get; init; }

    /// <summary>bindDn and bindPassword, whom searches are made as; both empty for nobody. The latter is a secret.</summary>
    public string BindDn { get; init; } = "";

    public string BindPassword { get; init; } = "";

    public required string UserSearchBase { get; init; }

    /// <summary>userSearchFilter, with %(user)s where the user name goes.</summary>
    public required LdapFilter UserSearchFilter { get; init; }

    /// <summary>usernameAttribute: holds the user name of an entry.</summary>
    public string UsernameAttribute { get; init; } = "uid";

    /// <summary>appendDomain: what makes an address of a user name, without the @.</summary>
    public string? AppendDomain { get; init; }

    /// <summary>emailAttribute: holds the address of an entry.</summary>
    public string? EmailAttribute { get; init; }

    /// <summary>reverseEmailSearchFilter, with %(email)s where a typed address goes.</summary>
    public LdapFilter? ReverseEmailSearchFilter { get; init; }

    /// <summary>attributes__NAME: attributes of the directory by the name that they have here.</summary>
    public IReadOnlyDictionary<string, string> Attributes { get; init; } = new Dictionary<string, string>();

    /// <summary>accessFilter: an entry must match it, or have the realm in org_membership, where either is set.</summary>
    public LdapFilter? AccessFilter { get; init; }

    /// <summary>decoyDn: who is bound to where there is no entry; null for a name that nobody has.</summary>
    public string? DecoyDn { get; init; }

    /// <summary>autoCreate: whether somebody whom the directory knows gets an account.</summary>
    public bool AutoCreate { get; init; }

    /// <summary>order: whether the directory is asked before the account's own password.</summary>
    public bool IsFirst { get; init; }

    /// <summary>connectTimeoutMs, 100 to 4000: TCP and TLS together.</summary>
    public TimeSpan ConnectTimeout { get; init; }

    /// <summary>operationTimeoutMs, 100 to 4000.</summary>
    public TimeSpan OperationTimeout { get; init; }

    /// <summary>connections, 1 to 64: logins that the directory is asked about at once.</summary>
    public int Connections { get; init; } = 4;

    /// <summary>Whether a user name need not be e-mail shaped: contract section 6.</summary>
    public bool TakesPlainNames => AppendDomain is not null || EmailAttribute is not null;

    public override string ToString() => $"directory '{Id}'";

    /// <summary>Every section, with each fault named. An operator's command asks no directory, so it needs no library.</summary>
    public static IReadOnlyList<LdapSettings> Read(IConfiguration configuration, bool answersRequests, List<string> faults)
    {
        var all = configuration.GetSection(Section).GetChildren().Select(section => new Reader(section, faults).Read()).ToList();
        foreach (var realm in all.SelectMany(settings => settings.Realms).GroupBy(realm => realm, StringComparer.Ordinal).Where(realm => realm.Count() > 1))
        {
            faults.Add($"{Section}: the realm {(realm.Key.Length == 0 ? "@" : realm.Key)} stands in several sections; it can have one directory");
        }

        if (all.Count > 0 && answersRequests && OpenLdapLibrary.WhyNot() is { } missing)
        {
            faults.Add($"{Section}: {missing}");
        }

        return all;
    }

    private sealed class Reader(IConfigurationSection section, List<string> faults)
    {
        public LdapSettings Read()
        {
            foreach (var child in section.GetChildren().Where(child => !Names.Contains(child.Key, StringComparer.OrdinalIgnoreCase)))
            {
                Fault(child.Key, $"there is no such setting; {Section}__ID__ takes {string.Join(", ", Names)}");
            }

            if (section.Value is { Length: > 0 } || !section.Key.All(char.IsAsciiLetterOrDigit) || section.Key.Length > 20)
            {
                faults.Add($"{Section}__{section.Key}: must be {Section}__ID__NAME, with an ID of up to 20 letters and digits");
            }

            var (host, port, encryption) = ReadUri();
            var appendDomain = Text("appendDomain");
            if (appendDomain is not null && EmailAddress.TryParse($"a@{appendDomain}") is null)
            {
                Fault("appendDomain", "must be a domain such as example.com, without the @");
            }

            var emailAttribute = Attribute("emailAttribute");
            if (appendDomain is not null && emailAttribute is not null)
            {
                Fault("emailAttribute", "an address is made by appendDomain or read from an attribute, not both");
            }

            var reverse = Filter("reverseEmailSearchFilter", EmailPlaceholder, fallback: null);
            if (reverse is not null && emailAttribute is null)
            {
                Fault("reverseEmailSearchFilter", "needs emailAttribute");
            }

            var (bindDn, bindPassword) = (Text("bindDn") ?? "", section["bindPassword"] ?? "");
            if (bindDn.Length == 0 != (bindPassword.Length == 0) || bindPassword.Contains('\0', StringComparison.Ordinal))
            {
                Fault("bindPassword", "bindDn and bindPassword go together; without both, searches are anonymous");
            }

            return new LdapSettings
            {
                Id = section.Key,
                Realms = ReadRealms(),
                Host = host,
                Port = port,
                Encryption = encryption,
                TrustedCertificates = ReadCertificates(encryption),
                BindDn = bindDn,
                BindPassword = bindPassword,
                UserSearchBase = Required("userSearchBase", "the DN below which people are"),
                UserSearchFilter = Filter("userSearchFilter", UserPlaceholder, fallback: $"(uid={UserPlaceholder})")!,
                UsernameAttribute = Attribute("usernameAttribute") ?? "uid",
                AppendDomain = appendDomain,
                EmailAttribute = emailAttribute,
                ReverseEmailSearchFilter = reverse,
                Attributes = ReadAttributes(),
                AccessFilter = Filter("accessFilter", "", fallback: null),
                DecoyDn = Text("decoyDn"),
                AutoCreate = Flag("autoCreate"),
                IsFirst = Choice("order", "email,ldap", "ldap,email") == "ldap,email",
                ConnectTimeout = Milliseconds("connectTimeoutMs"),
                OperationTimeout = Milliseconds("operationTimeoutMs"),
                Connections = Integer("connections", 4, 1, 64),
            };
        }

        private List<string> ReadRealms()
        {
            var realms = (Text("realms") ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
            if (realms.Length == 0 || realms.Any(realm => realm != "@" && !Realm.IsSubdomain(realm)))
            {
                Fault("realms", "must be subdomains separated by commas, with @ for the root realm");
            }

            return [.. realms.Select(realm => realm == "@" ? "" : realm)];
        }

        private (string Host, int Port, LdapEncryption Encryption) ReadUri()
        {
            var startTls = Flag("startTls");
            var mayBePlain = Flag("allowUnencrypted");
            if (!Uri.TryCreate(Text("uri"), UriKind.Absolute, out var uri) || uri.Scheme is not ("ldap" or "ldaps") || uri.Host.Length == 0
                || uri is not { UserInfo: "", AbsolutePath: "" or "/", Query: "", Fragment: "" })
            {
                Fault("uri", "must be ldaps://HOST or ldap://HOST, with a port or without");
                return ("", 0, LdapEncryption.None);
            }

            var isLdaps = uri.Scheme == "ldaps";
            if (isLdaps && startTls)
            {
                Fault("startTls", "is for ldap://; ldaps:// is encrypted from the beginning");
            }

            var isHere = uri.IsLoopback || (IPAddress.TryParse(uri.Host, out var address) && IPAddress.IsLoopback(address));
            if (!isLdaps && !startTls && !isHere && !mayBePlain)
            {
                Fault("uri", "passwords would cross the network in clear: use ldaps://, set startTls, or set allowUnencrypted where the network is trusted");
            }

            return (uri.DnsSafeHost, uri.Port > 0 ? uri.Port : isLdaps ? 636 : 389,
                isLdaps ? LdapEncryption.Tls : startTls ? LdapEncryption.StartTls : LdapEncryption.None);
        }

        private X509Certificate2Collection? ReadCertificates(LdapEncryption encryption)
        {
            if (Text("trustedCertificates") is not { } path)
            {
                return null;
            }

            if (encryption == LdapEncryption.None)
            {
                Fault("trustedCertificates", "without TLS there is no certificate");
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
                Fault("trustedCertificates", "must be a PEM file, or a directory of PEM files, that can be read and holds a certificate");
            }

            return certificates;
        }

        private Dictionary<string, string> ReadAttributes()
        {
            var attributes = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
            foreach (var child in section.GetSection("attributes").GetChildren())
            {
                if (!MappedNames.Contains(child.Key, StringComparer.OrdinalIgnoreCase))
                {
                    Fault($"attributes__{child.Key}", $"there is no such name; attributes takes {string.Join(", ", MappedNames)}");
                }
                else if (Attribute($"attributes:{child.Key}") is { } attribute)
                {
                    attributes.Add(child.Key, attribute);
                }
            }

            return attributes;
        }

        private string? Attribute(string name)
        {
            var text = Text(name);
            // RFC 4512 section 1.4: a name, or an OID.
            if (text is not null && !text.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '.'))
            {
                Fault(name, "must be the name of an attribute");
            }

            return text;
        }

        private LdapFilter? Filter(string name, string placeholder, string? fallback)
        {
            if ((Text(name) ?? fallback) is not { } text)
            {
                return null;
            }

            var filter = LdapFilter.TryParse(text, placeholder);
            if (filter is null)
            {
                Fault(name, $"must be a filter in parentheses{(placeholder.Length > 0 ? $" with {placeholder} in it" : "")}");
            }

            return filter;
        }

        private string Required(string name, string what)
        {
            if (Text(name) is not { } text)
            {
                Fault(name, $"must be {what}");
                return "";
            }

            return text;
        }

        private bool Flag(string name) => Choice(name, "false", "true") == "true";

        private string Choice(string name, params string[] values)
        {
            var text = Text(name)?.Replace(" ", "", StringComparison.Ordinal) ?? values[0];
            if (!values.Contains(text, StringComparer.OrdinalIgnoreCase))
            {
                Fault(name, $"must be {string.Join(" or ", values)}");
            }

            return text.ToLowerInvariant();
        }

        private TimeSpan Milliseconds(string name) => TimeSpan.FromMilliseconds(Integer(name, 2000, 100, 4000));

        private int Integer(string name, int fallback, int min, int max)
        {
            if (Text(name) is not { } text)
            {
                return fallback;
            }

            if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value) || value < min || value > max)
            {
                Fault(name, $"must be a whole number from {min} to {max}");
                return fallback;
            }

            return value;
        }

        private string? Text(string name) => section[name] is { } text && !string.IsNullOrWhiteSpace(text) ? text.Trim() : null;

        private void Fault(string name, string what) => faults.Add($"{Section}__{section.Key}__{name.Replace(":", "__", StringComparison.Ordinal)}: {what}");
    }
}

public enum LdapEncryption
{
    None = 0,
    StartTls,
    Tls,
}
