// Where the program listens, and for whom.

using System.Globalization;
using System.Net;
using System.Net.Sockets;
using FetchApiKey.Composition;
using Microsoft.AspNetCore.Connections;

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

    /// <summary>Why it cannot be listened here, and what to do.</summary>
    public OperatorException Explain(Exception fault)
    {
        var socket = Causes(fault).OfType<SocketException>().FirstOrDefault();
        var isInUse = Causes(fault).Any(cause => cause is AddressInUseException);
        var message = (isInUse ? SocketError.AddressAlreadyInUse : socket?.SocketErrorCode) switch
        {
            SocketError.AddressAlreadyInUse => $"Port {Port} is in use. Choose another with --port.",
            SocketError.AccessDenied => $"This account may not listen on port {Port}. Choose one above 1023 with --port.",
            SocketError.AddressNotAvailable or SocketError.AddressFamilyNotSupported =>
                $"This machine has no address {Address}. Choose one of its own with --address.",
            _ => $"Port {Port} cannot be listened on: {(socket ?? fault).Message}",
        };
        return new OperatorException(message, ExitCode.CannotListen);
    }

    private static IEnumerable<Exception> Causes(Exception fault)
    {
        for (var cause = fault; cause is not null; cause = cause.InnerException)
        {
            yield return cause;
        }
    }

    /// <summary>The id that the Functions host gave a request; empty without that host, where the header is a client's word.</summary>
    public string InvocationOf(Microsoft.AspNetCore.Http.HttpRequest request) =>
        IsFunctionsHost && Guid.TryParse(request.Headers[InvocationHeader].ToString(), out var id) && id != Guid.Empty ? id.ToString() : "";
}
