// The servers of a directory.

using System.Globalization;
using System.Net;

namespace FetchApiKey.Backends.Ldap;

/// <param name="Encryption">ldaps, or ldap with startTls.</param>
public sealed record LdapServer(string Host, int Port, LdapEncryption Encryption)
{
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Host}:{Port}");
}

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

    private static bool IsHere(Uri uri) =>
        uri.IsLoopback || (IPAddress.TryParse(uri.Host, out var address) && IPAddress.IsLoopback(address));
}
