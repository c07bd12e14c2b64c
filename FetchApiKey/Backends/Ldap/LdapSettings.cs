// What an operator sets of a directory: Ldap__ID__..., an ID of the operator's choice for each.

using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace FetchApiKey.Backends.Ldap;

/// <summary>A directory and the realms that it logs in to.</summary>
public sealed record LdapSettings
{
    public required string Id { get; init; }

    /// <summary>realms: subdomains, empty for the root realm, which is written @.</summary>
    public required IReadOnlyList<string> Realms { get; init; }

    /// <summary>uri: one or more, which are asked in this order.</summary>
    public required IReadOnlyList<LdapServer> Servers { get; init; }

    /// <summary>trustedCertificates: a PEM file, or a directory of them, that alone is trusted; null for the system's.</summary>
    public X509Certificate2Collection? TrustedCertificates { get; init; }

    /// <summary>bindDn and bindPassword, whom searches are made as; both empty for nobody. The latter is a secret.</summary>
    public string BindDn { get; init; } = "";

    public string BindPassword { get; init; } = "";

    internal ReadOnlyMemory<byte> BindPasswordUtf8 => Encoding.UTF8.GetBytes(BindPassword);

    /// <summary>userSearchBase: one or more, all of which are searched.</summary>
    public required IReadOnlyList<string> UserSearchBases { get; init; }

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

    /// <summary>Logins that the directory is asked about at once.</summary>
    public int Connections { get; init; } = 4;

    /// <summary>Whether a user name need not be e-mail shaped: contract section 6.</summary>
    public bool TakesPlainNames => AppendDomain is not null || EmailAttribute is not null;

    public override string ToString() => $"directory '{Id}'";
}
