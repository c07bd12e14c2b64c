// The servers of a directory.

using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace FetchApiKey.Backends.Ldap;

/// <param name="Encryption">ldaps, or ldap with startTls.</param>
public sealed record LdapServer(string Host, int Port, LdapEncryption Encryption)
{
    /// <summary>One of those that the name has; null where it was not looked up.</summary>
    public IPAddress? Address { get; init; }

    public override string ToString()
    {
        var name = string.Create(CultureInfo.InvariantCulture, $"{Host}:{Port}");
        return Address is null || Host == Address.ToString() ? name : $"{name} ({Address})";
    }
}

/// <summary>The addresses of a host name.</summary>
public delegate Task<IPAddress[]> HostLookUp(string host, CancellationToken cancellation);

public enum LdapEncryption
{
    None = 0,
    StartTls,
    Tls,
}

internal static class LdapServers
{
    /// <summary>Separated by blanks or commas, as OpenLDAP's library takes them.</summary>
    public static List<LdapServer> Read(SettingsReader section)
    {
        var startTls = section.Flag("startTls");
        var mayBePlain = section.Flag("allowUnencrypted");
        var uris = (section.Text("uri") ?? "").Split([' ', ',', '\t', '\r', '\n'], StringSplitOptions.RemoveEmptyEntries)
            .Select(text => Uri.TryCreate(text, UriKind.Absolute, out var uri)
                && uri.Scheme is "ldap" or "ldaps" && uri.Host.Length > 0
                && uri is { UserInfo: "", AbsolutePath: "" or "/", Query: "", Fragment: "" } ? uri : null)
            .ToList();
        if (uris.Count == 0 || uris.Contains(null))
        {
            section.Fault(
                "uri", "must be ldaps://HOST or ldap://HOST, with a port or without; of several servers one after another, separated by blanks");
            return [];
        }

        if (startTls && uris.Exists(uri => uri!.Scheme == "ldaps"))
        {
            section.Fault("startTls", "is for ldap://; ldaps:// is encrypted from the beginning");
        }

        if (!startTls && !mayBePlain && uris.Exists(uri => uri!.Scheme == "ldap" && !IsHere(uri)))
        {
            section.Fault(
                "uri",
                "passwords would cross the network in clear: use ldaps:// or startTls, or allowUnencrypted where the network is trusted");
        }

        return uris.ConvertAll(uri => uri!.Scheme == "ldaps"
            ? new LdapServer(uri.DnsSafeHost, uri.Port > 0 ? uri.Port : 636, LdapEncryption.Tls)
            : new LdapServer(uri.DnsSafeHost, uri.Port > 0 ? uri.Port : 389, startTls ? LdapEncryption.StartTls : LdapEncryption.None));
    }

    /// <summary>By the system's own means: DNS, and whatever else it is set up for.</summary>
    public static Task<IPAddress[]> AddressesOfAsync(string host, CancellationToken cancellation) =>
        Dns.GetHostAddressesAsync(host, cancellation);

    /// <summary>
    /// Every address of every server is one to ask: which of them is dead, or hangs, DNS does not know. A server whose name cannot be
    /// looked up stays as it is, and fails in its turn.
    /// </summary>
    /// <param name="limit">After which no name is waited for.</param>
    public static async Task<IReadOnlyList<LdapServer>> LookUpAsync(
        IReadOnlyList<LdapServer> servers, HostLookUp lookUp, CancellationToken limit)
    {
        async Task<IEnumerable<LdapServer>> EachAsync(LdapServer server)
        {
            try
            {
                var addresses = await lookUp(server.Host, limit);
                return addresses.Length == 0 ? [server] : addresses.Select(address => server with { Address = address });
            }
            catch (Exception fault) when (fault is SocketException or ArgumentException or OperationCanceledException)
            {
                return [server];
            }
        }

        return [.. (await Task.WhenAll(servers.Select(EachAsync))).SelectMany(addresses => addresses)];
    }

    private static bool IsHere(Uri uri) =>
        uri.IsLoopback || (IPAddress.TryParse(uri.Host, out var address) && IPAddress.IsLoopback(address));
}
