// One connection of an attacker's: what it sends, and how it leaves.

using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace FetchApiKeyFunction.Tests.Attempts;

internal sealed class AttackConnection : IDisposable
{
    /// <summary>Which header the attacked server believes. Not X-Forwarded-For: the Functions host replaces that one.</summary>
    public const string AddressHeader = "X-Client-Address";

    private static readonly TimeSpan AnswerLimit = TimeSpan.FromSeconds(30);

    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private readonly byte[] _answer = new byte[4096];

    /// <exception cref="SocketException">Refused.</exception>
    public static async Task<AttackConnection> OpenAsync(int port)
    {
        var connection = new AttackConnection();
        try
        {
            await connection._socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, port));
            return connection;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    /// <summary>A login as a whole request.</summary>
    public static byte[] Login(string name, string password, string address, string host = "127.0.0.1")
    {
        var body = $"username={Uri.EscapeDataString(name)}&password={Uri.EscapeDataString(password)}";
        return Encoding.ASCII.GetBytes(Head(address, body.Length, host) + body);
    }

    /// <summary>The head of a login whose body follows, or does not.</summary>
    public static string Head(string address, int length, string host = "127.0.0.1") => string.Create(CultureInfo.InvariantCulture, $"""
        POST /api/v1/fetch_api_key HTTP/1.1
        Host: {host}
        {AddressHeader}: {address}
        Content-Type: application/x-www-form-urlencoded
        Content-Length: {length}


        """).ReplaceLineEndings("\r\n");

    public async Task SendAsync(ReadOnlyMemory<byte> bytes) => await _socket.SendAsync(bytes);

    /// <returns>The status of the next answer; null where the server ended the connection instead, or was silent for too long.</returns>
    public async Task<int?> ReceiveAsync() =>
        await ReceiveTextAsync() is { } answer ? int.Parse(answer.AsSpan(9, 3), CultureInfo.InvariantCulture) : null;

    /// <returns>The next answer, head and body; null as <see cref="ReceiveAsync"/>.</returns>
    public async Task<string?> ReceiveTextAsync()
    {
        using var limit = new CancellationTokenSource(AnswerLimit);
        try
        {
            for (var received = 0; received < _answer.Length;)
            {
                if (await _socket.ReceiveAsync(_answer.AsMemory(received), limit.Token) is > 0 and var more)
                {
                    received += more;
                }
                else
                {
                    return null;
                }

                if (IsWhole(_answer.AsSpan(0, received)))
                {
                    return Encoding.UTF8.GetString(_answer.AsSpan(0, received));
                }
            }
        }
        catch (Exception fault) when (fault is SocketException or OperationCanceledException)
        {
            // Reset by the server, or no answer.
        }

        return null;
    }

    /// <summary>Leaves with a reset in place of an orderly end.</summary>
    public void Reset()
    {
        _socket.LingerState = new LingerOption(enable: true, seconds: 0);
        _socket.Close();
    }

    public void Dispose() => _socket.Dispose();

    private static bool IsWhole(ReadOnlySpan<byte> answer)
    {
        var end = answer.IndexOf("\r\n\r\n"u8);
        if (end < 0)
        {
            return false;
        }

        var name = "Content-Length: "u8;
        var head = answer[..(end + 2)];
        var at = head.IndexOf(name);
        if (at < 0)
        {
            return true;
        }

        var value = head[(at + name.Length)..];
        return answer.Length >= end + 4 + int.Parse(value[..value.IndexOf("\r\n"u8)], CultureInfo.InvariantCulture);
    }
}
