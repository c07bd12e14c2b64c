// A client that costs the machine little: one connection, the same request each time, and of the answer only what must be checked.

using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using FetchApiKeyFunction.Tests.Attempts;

namespace FetchApiKey.Benchmarks;

/// <summary>An account that logs in, as every store that is measured holds it.</summary>
/// <param name="Hash">In Django's form.</param>
internal sealed record LoadedAccount(string Email, string Hash, string ApiKey, int UserId);

/// <summary>
/// Sends and waits on the thread that calls. The connection is kept for as long as the server keeps it; where it does not, connecting
/// anew is part of the next login.
/// </summary>
internal sealed class LoginConnection : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly IPEndPoint _server;
    private readonly byte[] _request;
    private readonly byte[] _apiKey;
    private readonly byte[] _answer = new byte[8192];
    private Socket? _socket;

    /// <param name="address">
    /// Where the client says it comes from, for a server that believes <see cref="AttackConnection.AddressHeader"/>.
    /// </param>
    public LoginConnection(int port, LoadedAccount account, string address)
    {
        _server = new IPEndPoint(IPAddress.Loopback, port);
        _apiKey = Encoding.ASCII.GetBytes($"\"{account.ApiKey}\"");
        _request = AttackConnection.Login(account.Email, EndpointLoad.Password, address);
    }

    /// <summary>Of 198.18.0.0/15, which is for benchmarks (RFC 2544): another for each client.</summary>
    public static string AddressOf(int client) =>
        string.Create(CultureInfo.InvariantCulture, $"198.18.{client / 256 % 256}.{client % 256}");

    /// <returns>The status; 200 only with the account's key in the body.</returns>
    /// <exception cref="InvalidOperationException">The answer is none of HTTP, or has another key.</exception>
    public int LogIn() => Send(_request);

    /// <summary>Sends another login, which must not be granted unless it is the account's.</summary>
    /// <returns>The status.</returns>
    /// <exception cref="InvalidOperationException">The answer is none of HTTP, or 200 without the account's key.</exception>
    public int Send(byte[] request)
    {
        if (_socket is null)
        {
            _socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, ReceiveTimeout = (int)Patience.TotalMilliseconds };
            _socket.Connect(_server);
        }

        _socket.Send(request);
        var received = 0;
        var end = -1;
        while (end < 0)
        {
            received += Receive(received) is > 0 and var more ? more : throw new InvalidOperationException("The connection ended before an answer.");
            end = _answer.AsSpan(0, received).IndexOf("\r\n\r\n"u8);
        }

        var head = _answer.AsSpan(0, end + 2);
        var body = end + 4;
        if (Header(head, "Content-Length"u8) is { IsEmpty: false } length)
        {
            var whole = body + int.Parse(length, CultureInfo.InvariantCulture);
            while (received < whole)
            {
                received += Receive(received) is > 0 and var more ? more : throw new InvalidOperationException("The connection ended within an answer.");
            }
        }
        else
        {
            // In chunks, or as long as the connection.
            while (!_answer.AsSpan(0, received).EndsWith("0\r\n\r\n"u8) && Receive(received) is > 0 and var more)
            {
                received += more;
            }
        }

        var status = int.Parse(head[9..12], CultureInfo.InvariantCulture);
        if (status == 200 && _answer.AsSpan(body, received - body).IndexOf(_apiKey) < 0)
        {
            throw new InvalidOperationException("A login got another key than the account's.");
        }

        if (Ascii.EqualsIgnoreCase(Header(head, "Connection"u8), "close"u8))
        {
            Dispose();
        }

        return status;
    }

    public void Dispose()
    {
        _socket?.Dispose();
        _socket = null;
    }

    private int Receive(int offset) => offset < _answer.Length
        ? _socket!.Receive(_answer.AsSpan(offset))
        : throw new InvalidOperationException("The answer is longer than any login's.");

    /// <summary>The value of a header; empty when it is not there.</summary>
    private static ReadOnlySpan<byte> Header(ReadOnlySpan<byte> head, ReadOnlySpan<byte> name)
    {
        while (head.IndexOf("\r\n"u8) is >= 0 and var end)
        {
            var line = head[..end];
            if (line.Length > name.Length && line[name.Length] == ':' && Ascii.EqualsIgnoreCase(line[..name.Length], name))
            {
                return line[(name.Length + 1)..].Trim((byte)' ');
            }

            head = head[(end + 2)..];
        }

        return default;
    }
}
