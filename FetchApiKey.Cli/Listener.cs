// Where the program listens, and for whom.

using System.Globalization;
using System.Net;
using FetchApiKey.Composition;

namespace FetchApiKey.Cli;

/// <param name="Address">Null for both loopback addresses.</param>
/// <param name="IsFunctionsHost">True only when the Functions host started this process and alone can reach it.</param>
public sealed record Listener(IPAddress? Address, int Port, bool IsFunctionsHost)
{
    public const string PortVariable = "FUNCTIONS_CUSTOMHANDLER_PORT";

    /// <summary>The header in which the Functions host gives a custom handler the id of a request; it overwrites a client's own.</summary>
    private const string InvocationHeader = "X-Azure-Functions-InvocationId";

    public HostTraits Traits => IsFunctionsHost ? HostTraits.CustomHandler : HostTraits.OwnServer(Address is null || IPAddress.IsLoopback(Address));

    /// <summary>The listener that the Functions host asks for; null when it did not start this process.</summary>
    /// <exception cref="InvalidSettingsException">The variable is there and is no port.</exception>
    public static Listener? OfFunctionsHost() => Environment.GetEnvironmentVariable(PortVariable) switch
    {
        null or "" => null,
        { } text when ushort.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port > 0 =>
            new Listener(IPAddress.Loopback, port, IsFunctionsHost: true),
        _ => throw new InvalidSettingsException([$"{PortVariable}: must be a port"]),
    };

    /// <summary>The id that the Functions host gave a request; empty without that host, where the header is a client's word.</summary>
    public string InvocationOf(Microsoft.AspNetCore.Http.HttpRequest request) =>
        IsFunctionsHost && Guid.TryParse(request.Headers[InvocationHeader].ToString(), out var id) && id != Guid.Empty ? id.ToString() : "";
}
