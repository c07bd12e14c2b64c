// A directory of the tests' own that answers any result code after any time, or nothing: RFC 4511 sections 4.2, 4.5 and 4.14, in BER.

using System.Collections.Concurrent;
using System.Formats.Asn1;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace FetchApiKeyFunction.Tests.Ldap;

/// <summary>
/// It reads with the framework's own reader, and not with the program's decoder. Unless a test says otherwise the service's bind and every search succeed,
/// and a person's bind gets 0 for the right password and 49 for a wrong one or an unknown DN.
/// </summary>
internal sealed class ScriptedDirectory : ITestedDirectory, IDisposable
{
    public const string ReaderDn = "cn=reader,dc=example,dc=com";
    public const string ReaderPassword = "reader";
    public const string People = "ou=people,dc=example,dc=com";

    private readonly CancellationTokenSource _stopping = new();
    private readonly ConcurrentDictionary<TcpClient, int> _clients = new();
    private TcpListener _listener;
    private int _binds;
    private int _serviceBinds;
    private int _searches;
    private int _connections;
    private int _forgotten;

    /// <param name="port">0 for one that is free.</param>
    public ScriptedDirectory(IPAddress? address = null, int port = 0)
    {
        _listener = new TcpListener(address ?? IPAddress.Loopback, port);
        UserBind = (dn, password) => new ScriptedReply(Everybody.Exists(person => person.Dn == dn && person.Password == password) ? 0 : 49);
        _listener.Start();
        Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
        _ = AcceptAsync(_listener);
    }

    public int Port { get; }

    public List<ScriptedPerson> Everybody { get; } = [];

    /// <summary>Of a DN and a password, the service's own apart.</summary>
    public Func<string, string, ScriptedReply> UserBind { get; set; }

    public Func<string, ScriptedReply> ServiceBind { get; set; } = password => new ScriptedReply(password == ReaderPassword ? 0 : 49);

    /// <summary>Of a base.</summary>
    public Func<string, ScriptedReply> Search { get; set; } = _ => new ScriptedReply(0);

    /// <summary>What is sent before the end of a search, whole messages; of the message's id.</summary>
    public Func<int, IEnumerable<byte[]>>? Instead { get; set; }

    /// <summary>The result code of StartTLS; it does no TLS.</summary>
    public int StartTls { get; set; }

    /// <summary>What is sent in clear behind the answer to it.</summary>
    public byte[] BehindStartTls { get; set; } = [];

    /// <summary>Passwords that have reached it, the service's own apart.</summary>
    public int Binds => _binds;

    public int ServiceBinds => _serviceBinds;

    public int Searches => _searches;

    public int Connections => _connections;

    public IReadOnlyDictionary<string, string> Settings => new Dictionary<string, string>
    {
        ["Ldap__people__realms"] = "@", ["Ldap__people__uri"] = $"ldap://127.0.0.1:{Port}",
        ["Ldap__people__bindDn"] = ReaderDn, ["Ldap__people__bindPassword"] = ReaderPassword,
        ["Ldap__people__userSearchBase"] = People, ["Ldap__people__appendDomain"] = "example.com",
    };

    public ScriptedDirectory With(string uid, string password, params (string Name, string[] Values)[] attributes)
    {
        var all = attributes.ToDictionary(each => each.Name, each => each.Values, StringComparer.OrdinalIgnoreCase);
        all.TryAdd("uid", [uid]);
        Everybody.Add(new ScriptedPerson($"uid={uid},{People}", password, all));
        return this;
    }

    /// <summary>As a firewall does that forgets idle connections: what comes on one that is open now gets no answer.</summary>
    public void ForgetConnections() => _forgotten = _connections;

    /// <summary>No connection is taken, and those that are open end.</summary>
    public void Stop()
    {
        _listener.Dispose();
        foreach (var client in _clients.Keys)
        {
            client.Dispose();
        }
    }

    public void StartAgain()
    {
        _listener = new TcpListener(IPAddress.Loopback, Port);
        _listener.Start();
        _ = AcceptAsync(_listener);
    }

    public void Dispose()
    {
        _stopping.Cancel();
        Stop();
        _stopping.Dispose();
    }

    private async Task AcceptAsync(TcpListener listener)
    {
        try
        {
            while (true)
            {
                var client = await listener.AcceptTcpClientAsync(_stopping.Token);
                _clients[client] = Interlocked.Increment(ref _connections);
                _ = ServeAsync(client, _clients[client]);
            }
        }
        catch (Exception fault) when (fault is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // Stopped.
        }
    }

    private async Task ServeAsync(TcpClient client, int number)
    {
        using (client)
        {
            var (buffer, length) = (new byte[65536], 0);
            try
            {
                while (await client.GetStream().ReadAsync(buffer.AsMemory(length), _stopping.Token) is > 0 and var more)
                {
                    length += more;
                    while (AsnDecoder.TryReadEncodedValue(buffer.AsSpan(0, length), AsnEncodingRules.BER, out _, out _, out _, out var consumed))
                    {
                        var (reply, messages) = Answer(buffer[..consumed]);
                        buffer.AsSpan(consumed, length - consumed).CopyTo(buffer);
                        length -= consumed;
                        await Task.Delay(reply.Delay, _stopping.Token);
                        if (reply.Closes)
                        {
                            return;
                        }

                        foreach (var message in number <= _forgotten ? [] : messages)
                        {
                            await client.GetStream().WriteAsync(message, _stopping.Token);
                        }
                    }
                }
            }
            catch (Exception fault) when (fault is OperationCanceledException or IOException or ObjectDisposedException or InvalidOperationException or AsnContentException)
            {
                // Stopped, or the endpoint has left.
            }
            finally
            {
                _clients.TryRemove(client, out _);
            }
        }
    }

    private (ScriptedReply Reply, List<byte[]> Messages) Answer(byte[] message)
    {
        var sequence = new AsnReader(message, AsnEncodingRules.BER).ReadSequence();
        sequence.TryReadInt32(out var id);
        var tag = sequence.PeekTag();
        var operation = sequence.ReadSequence(tag);
        switch (tag.TagValue)
        {
            case 0:
                operation.ReadInteger();
                var dn = Text(operation.ReadOctetString());
                var password = Text(operation.ReadOctetString(new Asn1Tag(TagClass.ContextSpecific, 0)));
                Interlocked.Increment(ref dn == ReaderDn || dn.Length == 0 ? ref _serviceBinds : ref _binds);
                var bound = dn == ReaderDn || dn.Length == 0 ? ServiceBind(password) : UserBind(dn, password);
                return (bound, bound.Code is { } code ? [ScriptedMessages.Result(id, 1, code, bound.Diagnostic)] : []);

            case 3:
                Interlocked.Increment(ref _searches);
                var where = Text(operation.ReadOctetString());
                var isBase = operation.ReadEnumeratedBytes().Span[0] == 0;
                var reply = Search(where);
                return (reply, reply.Code is { } result ? [.. Instead?.Invoke(id) ?? Found(id, where, isBase, operation), ScriptedMessages.Result(id, 5, result)] : []);

            case 23:
                return (new ScriptedReply(StartTls), [[.. ScriptedMessages.Result(id, 24, StartTls), .. BehindStartTls]]);

            default:
                return (new ScriptedReply(null), []);
        }
    }

    private IEnumerable<byte[]> Found(int id, string where, bool isBase, AsnReader rest)
    {
        rest.ReadEnumeratedBytes();
        rest.ReadInteger();
        rest.ReadInteger();
        rest.ReadBoolean();
        var filter = rest.ReadEncodedValue().ToArray();
        var (wanted, names) = (rest.ReadSequence(), new HashSet<string>(StringComparer.OrdinalIgnoreCase));
        while (wanted.HasData)
        {
            names.Add(Text(wanted.ReadOctetString()));
        }

        if (isBase && !Everybody.Exists(person => person.Dn == where))
        {
            return where.EndsWith("dc=com", StringComparison.Ordinal) ? [ScriptedMessages.Entry(id, where, [])] : [];
        }

        return Everybody
            .Where(person => (isBase ? person.Dn == where : person.Dn.EndsWith("," + where, StringComparison.Ordinal)) && Matches(person, filter))
            .Select(person => ScriptedMessages.Entry(
                id, person.Dn, person.Attributes.Where(each => names.Contains(each.Key)).Select(each => (each.Key, each.Value.Select(Encoding.UTF8.GetBytes).ToArray()))));
    }

    private static bool Matches(ScriptedPerson person, ReadOnlyMemory<byte> filter)
    {
        var reader = new AsnReader(filter, AsnEncodingRules.BER);
        var tag = reader.PeekTag();
        if (tag.TagValue == 7)
        {
            return true;
        }

        var content = reader.ReadSequence(tag);
        if (tag.TagValue == 3)
        {
            var (name, value) = (Text(content.ReadOctetString()), Text(content.ReadOctetString()));
            return person.Attributes.GetValueOrDefault(name, []).Contains(value, StringComparer.OrdinalIgnoreCase);
        }

        var of = new List<bool>();
        while (content.HasData)
        {
            of.Add(Matches(person, content.ReadEncodedValue()));
        }

        return tag.TagValue switch { 0 => of.TrueForAll(each => each), 1 => of.Contains(true), 2 => !of[0], _ => false };
    }

    private static string Text(byte[] octets) => Encoding.UTF8.GetString(octets);
}
