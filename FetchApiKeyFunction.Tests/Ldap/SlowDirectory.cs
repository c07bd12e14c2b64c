// A directory that refuses every password, late: enough of LDAP for a search and a bind.

using System.Formats.Asn1;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace FetchApiKeyFunction.Tests.Ldap;

/// <summary>
/// The service's own bind and every search are answered at once, the latter with no entry, so that what follows is the bind of a decoy: the
/// endpoint treats it like a person's. That one is refused after the delay. RFC 4511 sections 4.2 and 4.5, in BER.
/// </summary>
internal sealed class SlowDirectory : IDisposable
{
    public const string ReaderDn = "cn=reader,dc=example,dc=com";
    public const string ReaderPassword = "reader";

    private const int Success = 0;
    private const int InvalidCredentials = 49;

    private static readonly Asn1Tag BindRequest = Application(0);
    private static readonly Asn1Tag BindResponse = Application(1);
    private static readonly Asn1Tag SearchRequest = Application(3);
    private static readonly Asn1Tag SearchResultDone = Application(5);

    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stopping = new();
    private readonly TimeSpan _delay;
    private int _binds;

    public SlowDirectory(TimeSpan delay)
    {
        _delay = delay;
        _listener.Start();
        _ = AcceptAsync();
    }

    /// <summary>Passwords that have reached it, the service's own apart.</summary>
    public int Binds => _binds;

    /// <summary>For an endpoint that asks it after the account's own password; names of the settings are separated by two underscores.</summary>
    public IReadOnlyDictionary<string, string> Settings => new Dictionary<string, string>
    {
        ["Ldap__people__realms"] = "@", ["Ldap__people__uri"] = $"ldap://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}",
        ["Ldap__people__bindDn"] = ReaderDn, ["Ldap__people__bindPassword"] = ReaderPassword,
        ["Ldap__people__userSearchBase"] = "ou=people,dc=example,dc=com", ["Ldap__people__appendDomain"] = "example.com",
        ["Ldap__people__operationTimeoutMs"] = "4000",
    };

    public void Dispose()
    {
        _stopping.Cancel();
        _listener.Dispose();
        _stopping.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                _ = ServeAsync(await _listener.AcceptTcpClientAsync(_stopping.Token));
            }
        }
        catch (Exception fault) when (fault is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // Stopped.
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using (client)
        {
            var (buffer, length) = (new byte[4096], 0);
            try
            {
                while (await client.GetStream().ReadAsync(buffer.AsMemory(length), _stopping.Token) is > 0 and var more)
                {
                    length += more;
                    while (AsnDecoder.TryReadEncodedValue(buffer.AsSpan(0, length), AsnEncodingRules.BER, out _, out _, out _, out var consumed))
                    {
                        if (await AnswerAsync(buffer[..consumed]) is { } answer)
                        {
                            await client.GetStream().WriteAsync(answer, _stopping.Token);
                        }

                        buffer.AsSpan(consumed, length - consumed).CopyTo(buffer);
                        length -= consumed;
                    }
                }
            }
            catch (Exception fault) when (fault is OperationCanceledException or IOException or ObjectDisposedException)
            {
                // Stopped, or the endpoint has left.
            }
        }
    }

    /// <summary>Null for what is not answered, such as an unbind.</summary>
    private async Task<byte[]?> AnswerAsync(byte[] message)
    {
        var (id, operation, isReader) = Read(message);
        if (operation == SearchRequest)
        {
            return Result(id, SearchResultDone, Success);
        }

        if (operation != BindRequest)
        {
            return null;
        }

        if (!isReader)
        {
            Interlocked.Increment(ref _binds);
            await Task.Delay(_delay, _stopping.Token);
        }

        return Result(id, BindResponse, isReader ? Success : InvalidCredentials);
    }

    private static (int Id, Asn1Tag Operation, bool IsReader) Read(byte[] message)
    {
        var sequence = new AsnReader(message, AsnEncodingRules.BER).ReadSequence();
        sequence.TryReadInt32(out var id);
        var operation = sequence.PeekTag();
        var isReader = false;
        if (operation == BindRequest)
        {
            var bind = sequence.ReadSequence(BindRequest);
            bind.ReadInteger();
            isReader = Encoding.UTF8.GetString(bind.ReadOctetString()) == ReaderDn;
        }

        return (id, operation, isReader);
    }

    private static byte[] Result(int id, Asn1Tag operation, int code)
    {
        var writer = new AsnWriter(AsnEncodingRules.BER);
        using (writer.PushSequence())
        {
            writer.WriteInteger(id);
            using (writer.PushSequence(operation))
            {
                writer.WriteEncodedValue([0x0A, 1, (byte)code]);
                writer.WriteOctetString([]);
                writer.WriteOctetString([]);
            }
        }

        return writer.Encode();
    }

    private static Asn1Tag Application(int number) => new(TagClass.Application, number, isConstructed: true);
}
