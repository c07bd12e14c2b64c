// A connection to a server of a directory: TCP, TLS, and one question after another on it.

using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace FetchApiKey.Backends.Ldap;

/// <summary>What a search found.</summary>
/// <param name="Code">RFC 4511 appendix A; 0 or sizeLimitExceeded.</param>
/// <param name="Entries">No more than were asked for; a null is one that cannot be used.</param>
internal sealed record LdapFindings(int Code, IReadOnlyList<DirectoryEntry?> Entries);

/// <summary>
/// One question at a time. After whatever went wrong the connection is of no use: an answer that comes late must not be taken for that to
/// the next question. Every fault is a <see cref="DirectoryUnavailableException"/>, and a limit that was reached an <see
/// cref="OperationCanceledException"/>.
/// </summary>
internal sealed class LdapConnection : IDisposable
{
    /// <summary>Entries beyond the limit, references and the end of a search; a server that sends more does not heed the limit.</summary>
    private const int MaxMessages = 64;

    private const int FirstBuffer = 4096;

    private readonly TimeProvider _time;
    private Stream _stream;
    private byte[] _received = new byte[FirstBuffer];
    private int _length;
    private int _lastId;

    private LdapConnection(Stream stream, TimeProvider time) => (_stream, _time) = (stream, time);

    /// <summary>Connects, and encrypts as the settings say, within one time.</summary>
    /// <param name="toReach">For TCP alone, where that is less.</param>
    public static async Task<LdapConnection> OpenAsync(
        LdapSettings settings, LdapServer server, TimeSpan timeout, TimeProvider time, CancellationToken limit, TimeSpan? toReach = null)
    {
        var begun = time.GetTimestamp();
        var allowed = toReach < timeout ? toReach.Value : timeout;
        using var late = new CancellationTokenSource(allowed, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, limit);
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        Stream? stream = null;
        try
        {
            await (server.Address is { } address
                ? socket.ConnectAsync(address, server.Port, either.Token)
                : socket.ConnectAsync(server.Host, server.Port, either.Token));
            allowed = timeout;
            var left = timeout - time.GetElapsedTime(begun);
            late.CancelAfter(left > TimeSpan.Zero ? left : TimeSpan.Zero);
            stream = new NetworkStream(socket, ownsSocket: true);
            var connection = new LdapConnection(stream, time);
            if (server.Encryption == LdapEncryption.StartTls)
            {
                await connection.StartTlsAsync(either.Token);
            }

            if (server.Encryption != LdapEncryption.None)
            {
                var encrypted = new SslStream(stream);
                stream = encrypted;
                await encrypted.AuthenticateAsClientAsync(OptionsFor(settings, server), either.Token);
                connection._stream = encrypted;
            }

            return connection;
        }
        catch (Exception fault)
        {
            socket.Dispose();
            stream?.Dispose();
            limit.ThrowIfCancellationRequested();
            var whenLate = $"no connection within {allowed.TotalMilliseconds:F0} ms";
            throw FaultOf(fault, late.IsCancellationRequested, whenLate, isConnected: false) ?? fault;
        }
    }

    /// <param name="password">Not empty where the DN is not: that would bind anybody (RFC 4513 section 5.1.2).</param>
    public Task<LdapResult> BindAsync(string dn, ReadOnlyMemory<byte> password, TimeSpan timeout, CancellationToken limit) => WithinAsync(
        timeout, "bind",
        async cancelled =>
        {
            var request = LdapRequest.BindOf(++_lastId, dn, password.Span);
            try
            {
                await _stream.WriteAsync(request, cancelled);
            }
            finally
            {
                CryptographicOperations.ZeroMemory(request);
            }

            return (await ReceiveAsync(LdapOperation.BindResponse, cancelled)).Result;
        },
        limit);

    public Task<LdapFindings> SearchAsync(LdapSearch search, TimeSpan timeout, CancellationToken limit) => WithinAsync(
        timeout, "search",
        async cancelled =>
        {
            await _stream.WriteAsync(LdapRequest.SearchOf(++_lastId, search, (int)Math.Ceiling(timeout.TotalSeconds)), cancelled);
            var entries = new List<DirectoryEntry?>();
            for (var count = 0; count < MaxMessages; count++)
            {
                var message = await ReceiveAsync(LdapOperation.SearchDone, cancelled);
                if (message.Operation == LdapOperation.SearchEntry)
                {
                    entries.Add(message.Entry);
                }
                else if (message.Operation == LdapOperation.SearchDone)
                {
                    return FindingsOf(message.Result, entries);
                }
            }

            throw new DirectoryUnavailableException(DirectoryFault.Garbled, $"it sends more than {MaxMessages} messages for one search");
        },
        limit);

    public void Dispose() => _stream.Dispose();

    private static LdapFindings FindingsOf(LdapResult result, List<DirectoryEntry?> entries) => result.Code switch
    {
        LdapResult.Success or LdapResult.SizeLimitExceeded => new LdapFindings(result.Code, entries),
        LdapResult.NoSuchObject => throw new DirectoryUnavailableException(
            DirectoryFault.BaseMissing, "it has no such base as userSearchBase names (LDAP result 32)"),
        LdapResult.Busy or LdapResult.Unavailable => throw DirectoryUnavailableException.Busy(result),
        _ => throw new DirectoryUnavailableException(DirectoryFault.SearchRefused, $"it refuses to search (LDAP result {result.Code})"),
    };

    private async Task StartTlsAsync(CancellationToken cancelled)
    {
        await _stream.WriteAsync(LdapRequest.StartTlsOf(++_lastId), cancelled);
        var result = (await ReceiveAsync(LdapOperation.ExtendedResponse, cancelled)).Result;
        if (result.Code != LdapResult.Success)
        {
            throw new DirectoryUnavailableException(DirectoryFault.Untrusted, $"it refuses StartTLS (LDAP result {result.Code})");
        }

        if (_length > 0)
        {
            // It was sent in clear, by whoever is between, to be taken for a part of what follows.
            throw new DirectoryUnavailableException(DirectoryFault.Garbled, "it sends more than its answer to StartTLS in clear");
        }
    }

    /// <summary>
    /// The next message, which must answer the last question: with this operation, or while that is the end of a search with what comes
    /// before it.
    /// </summary>
    private async Task<LdapMessage> ReceiveAsync(LdapOperation expected, CancellationToken cancelled)
    {
        var length = 0;
        while ((length = LdapMessage.Measure(_received.AsSpan(0, _length))) == 0)
        {
            if (_length == _received.Length)
            {
                Array.Resize(ref _received, Math.Min(_received.Length * 4, LdapMessage.MaxBytes));
            }

            var count = await _stream.ReadAsync(_received.AsMemory(_length), cancelled);
            _length += count > 0 ? count : throw new EndOfStreamException();
        }

        var message = length < 0 ? null : LdapMessage.Decode(_received.AsSpan(0, length));
        if (message is null)
        {
            throw new DirectoryUnavailableException(DirectoryFault.Garbled, "what it sends is not LDAP, or exceeds the limits");
        }

        _received.AsSpan(length, _length - length).CopyTo(_received);
        _length -= length;
        if (message is { Id: 0, Operation: LdapOperation.ExtendedResponse })
        {
            // RFC 4511 section 4.4.1: it is about to close the connection.
            throw new EndOfStreamException();
        }

        var isExpected = message.Operation == expected
            || (expected == LdapOperation.SearchDone && message.Operation is LdapOperation.SearchEntry or LdapOperation.SearchReference);
        return message.Id == _lastId && isExpected ? message
            : throw new DirectoryUnavailableException(DirectoryFault.Garbled, "it answers another question than the one it was asked");
    }

    private async Task<T> WithinAsync<T>(TimeSpan timeout, string question, Func<CancellationToken, Task<T>> ask, CancellationToken limit)
    {
        using var late = new CancellationTokenSource(timeout, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, limit);
        try
        {
            return await ask(either.Token);
        }
        catch (Exception fault)
        {
            limit.ThrowIfCancellationRequested();
            var whenLate = $"no answer to a {question} within {timeout.TotalMilliseconds:F0} ms";
            throw FaultOf(fault, late.IsCancellationRequested, whenLate, isConnected: true) ?? fault;
        }
    }

    /// <summary>Null for what is told as it is.</summary>
    private static DirectoryUnavailableException? FaultOf(Exception fault, bool isLate, string whenLate, bool isConnected) => fault switch
    {
        DirectoryUnavailableException => null,
        _ when isLate => new DirectoryUnavailableException(DirectoryFault.Silent, whenLate),
        AuthenticationException => new DirectoryUnavailableException(DirectoryFault.Untrusted, "its certificate or its TLS is refused"),
        IOException or SocketException or InvalidOperationException or CryptographicException => new DirectoryUnavailableException(
            isConnected ? DirectoryFault.Broken : DirectoryFault.Unreachable,
            (fault as SocketException ?? fault.InnerException as SocketException)?.SocketErrorCode is { } code
                ? $"no connection ({code})"
                : "it closed the connection"),
        _ => null,
    };

    private static SslClientAuthenticationOptions OptionsFor(LdapSettings settings, LdapServer server)
    {
        var policy = new X509ChainPolicy
        {
            RevocationMode = X509RevocationMode.NoCheck,
            // An address that the other side names is not fetched before the other side is trusted, and no thread waits for it.
            DisableCertificateDownloads = true,
        };
        if (settings.TrustedCertificates is { } trusted)
        {
            policy.TrustMode = X509ChainTrustMode.CustomRootTrust;
            policy.CustomTrustStore.AddRange(trusted);
        }

        return new SslClientAuthenticationOptions
        {
            TargetHost = server.Host,
            CertificateChainPolicy = policy,
            EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
        };
    }
}
