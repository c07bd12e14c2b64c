// Whose attempts count together besides an account's: the address a client came from, as far as it can be trusted.

using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Http;

namespace FetchApiKey.Attempts;

/// <summary>Where the address of a client is taken from.</summary>
/// <param name="Header">A list of addresses, the nearest hop last; not read when there are no trusted hops.</param>
/// <param name="TrustedHops">
/// How many proxies in front of this process wrote the last entries: the entry that the outermost of them wrote is the
/// client's. 0 for the address of the connection.
/// </param>
public sealed record ClientAddressSettings(string Header, int TrustedHops)
{
    /// <summary>Behind the Functions host, which overwrites this header with its own peer.</summary>
    public static ClientAddressSettings BehindFunctionsHost { get; } = new("X-Forwarded-For", 1);

    public static ClientAddressSettings Direct { get; } = new("X-Forwarded-For", 0);
}

/// <summary>The bucket of a client's address: an IPv4 address, the /64 of an IPv6 address, or "unknown", which all share who have none.</summary>
/// <param name="IsShared">Not an address of the internet's: all clients may hide behind it.</param>
/// <param name="Network">What one party commonly has as a whole: the /24 of an IPv4 address, the /48 of an IPv6 address.</param>
public readonly record struct ClientAddress(string Bucket, bool IsShared, string Network)
{
    private const int BucketBytes = 8;
    private const int IPv4NetworkBytes = 3;
    private const int IPv6NetworkBytes = 6;

    public static ClientAddress Of(HttpContext context, ClientAddressSettings settings)
    {
        if (settings.TrustedHops == 0)
        {
            return Of(context.Connection.RemoteIpAddress);
        }

        var entries = context.Request.Headers[settings.Header].ToString().Split(',', StringSplitOptions.TrimEntries);
        return Of(settings.TrustedHops <= entries.Length ? Parse(entries[^settings.TrustedHops]) : null);
    }

    public static ClientAddress Of(IPAddress? address)
    {
        if (address is null)
        {
            return new ClientAddress("unknown", IsShared: true, "unknown");
        }

        if (address.IsIPv4MappedToIPv6)
        {
            address = address.MapToIPv4();
        }

        var bytes = address.GetAddressBytes();
        if (address.AddressFamily == AddressFamily.InterNetwork)
        {
            return new ClientAddress(
                address.ToString(), IPAddress.IsLoopback(address) || IsPrivate(bytes), Convert.ToHexStringLower(bytes.AsSpan(0, IPv4NetworkBytes)) + "/24");
        }

        var isShared = IPAddress.IsLoopback(address) || address.IsIPv6LinkLocal || address.IsIPv6UniqueLocal;
        return new ClientAddress(
            Convert.ToHexStringLower(bytes.AsSpan(0, BucketBytes)) + "/64", isShared, Convert.ToHexStringLower(bytes.AsSpan(0, IPv6NetworkBytes)) + "/48");
    }

    /// <summary>RFC 1918, RFC 6598 and RFC 3927.</summary>
    private static bool IsPrivate(byte[] address) => address switch
    {
        [10, ..] or [192, 168, ..] or [169, 254, ..] => true,
        [172, var second, ..] => second is >= 16 and <= 31,
        [100, var second, ..] => second is >= 64 and <= 127,
        _ => false,
    };

    /// <summary>An address, with a port behind it or without; null for anything else.</summary>
    private static IPAddress? Parse(string entry)
    {
        if (IPAddress.TryParse(entry, out var address) && (entry.Contains(':', StringComparison.Ordinal) || entry.Count(c => c == '.') == 3))
        {
            return address;
        }

        return IPEndPoint.TryParse(entry, out var endPoint) && entry.Contains(':', StringComparison.Ordinal) ? endPoint.Address : null;
    }
}
