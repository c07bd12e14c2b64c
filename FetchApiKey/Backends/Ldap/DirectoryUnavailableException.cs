// Why a directory could not judge a password.

namespace FetchApiKey.Backends.Ldap;

public enum DirectoryFault
{
    /// <summary>No connection.</summary>
    Unreachable = 0,

    /// <summary>Its certificate is not trusted, or it does not do TLS.</summary>
    Untrusted,

    /// <summary>No answer in time.</summary>
    Silent,

    /// <summary>The connection broke while an answer was awaited.</summary>
    Broken,

    /// <summary>What it sends is not LDAP, or exceeds the limits.</summary>
    Garbled,

    /// <summary>It says so itself: busy, or unavailable.</summary>
    Busy,

    /// <summary>It refuses bindDn and bindPassword.</summary>
    BindRefused,

    /// <summary>It has not what people are searched below, or does not show it to bindDn.</summary>
    BaseMissing,

    /// <summary>It refuses to search.</summary>
    SearchRefused,

    /// <summary>It was not asked: too many logins wait for it, or there was no time left.</summary>
    NotAsked,
}

/// <summary>
/// The directory could not say. The reason is for the operator: it names settings, times and codes, and quotes neither names nor what a
/// directory wrote.
/// </summary>
public sealed class DirectoryUnavailableException(DirectoryFault fault, string reason) : Exception(reason)
{
    public DirectoryFault Fault => fault;

    internal static DirectoryUnavailableException Busy(LdapResult result) =>
        new(DirectoryFault.Busy, $"it says that it is busy or unavailable (LDAP result {result.Code})");

    /// <summary>Another server of the same directory, or another connection, may do better.</summary>
    internal bool IsOfOneServer => fault is DirectoryFault.Unreachable or DirectoryFault.Untrusted or DirectoryFault.Silent
        or DirectoryFault.Broken or DirectoryFault.Garbled or DirectoryFault.Busy;
}
