// A connection to a directory: TCP and TLS by .NET, and a local end that OpenLDAP's library talks to.

using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;

namespace FetchApiKey.Backends.Ldap;

/// <summary>
/// OpenLDAP's library waits without end for a server that goes silent in the TLS handshake, takes its trust from environment variables and
/// files of the machine, and looks names up for as long as the resolver likes. So it gets a port of 127.0.0.1 to talk to, on which
/// one connection is accepted, and everything between there and the directory is .NET's: cutting the channel ends whatever the library waits for.
/// </summary>
internal sealed class LdapChannel : IDisposable
{
    /// <summary>
    /// RFC 4511 sections 4.12 and 4.14.1: message 1, an extended request named 1.3.6.1.4.1.1466.20037.
    /// </summary>
    private static readonly byte[] StartTlsRequest = [0x30, 0x1D, 0x02, 0x01, 0x01, 0x77, 0x18, 0x80, 0x16, .. "1.3.6.1.4.1.1466.20037"u8];

    private const int LongestStartTlsResponse = 4096;

    private readonly Stream _directory;
    private readonly Socket _listener;
    private readonly CancellationTokenSource _cut = new();

    private LdapChannel(Stream directory)
    {
        _directory = directory;
        _listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen(1);
        Port = ((IPEndPoint)_listener.LocalEndPoint!).Port;
        _ = RelayAsync();
    }

    public int Port { get; }

    /// <exception cref="IOException">The connection broke, or the directory refused StartTLS.</exception>
    /// <exception cref="SocketException">No connection.</exception>
    /// <exception cref="AuthenticationException">No TLS, or a certificate that is not trusted.</exception>
    public static async Task<LdapChannel> OpenAsync(LdapSettings settings, CancellationToken cancellation)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        Stream stream;
        try
        {
            await socket.ConnectAsync(settings.Host, settings.Port, cancellation);
            stream = new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }

        try
        {
            if (settings.Encryption == LdapEncryption.StartTls)
            {
                await StartTlsAsync(stream, cancellation);
            }

            if (settings.Encryption != LdapEncryption.None)
            {
                var encrypted = new SslStream(stream);
                stream = encrypted;
                await encrypted.AuthenticateAsClientAsync(OptionsFor(settings), cancellation);
            }

            return new LdapChannel(stream);
        }
        catch
        {
            await stream.DisposeAsync();
            throw;
        }
    }

    /// <summary>Ends both sides at once, from any thread, and once more without harm.</summary>
    public void Dispose()
    {
        _cut.Cancel();
        _listener.Dispose();
        _directory.Dispose();
    }

    private async Task RelayAsync()
    {
        try
        {
            using var socket = await _listener.AcceptAsync(_cut.Token);
            _listener.Dispose();
            socket.NoDelay = true;
            using var library = new NetworkStream(socket);
            var up = library.CopyToAsync(_directory, _cut.Token);
            var down = _directory.CopyToAsync(library, _cut.Token);
            await Task.WhenAny(up, down);
            Dispose();
            await Task.WhenAll(up, down);
        }
        catch (Exception fault) when (fault is IOException or SocketException or OperationCanceledException or ObjectDisposedException or AuthenticationException)
        {
            // Cut, or one side has gone.
        }
        finally
        {
            // The library meets the end of its connection.
            Dispose();
        }
    }

    private static SslClientAuthenticationOptions OptionsFor(LdapSettings settings)
    {
        var policy = new X509ChainPolicy { RevocationMode = X509RevocationMode.NoCheck };
        if (settings.TrustedCertificates is { } trusted)
        {
            policy.TrustMode = X509ChainTrustMode.CustomRootTrust;
            policy.CustomTrustStore.AddRange(trusted);
        }

        return new SslClientAuthenticationOptions
        {
            TargetHost = settings.Host,
            CertificateChainPolicy = policy,
            EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
        };
    }

    private static async Task StartTlsAsync(Stream stream, CancellationToken cancellation)
    {
        await stream.WriteAsync(StartTlsRequest, cancellation);
        var head = new byte[2];
        await stream.ReadExactlyAsync(head, cancellation);
        var length = (int)head[1];
        if (length > 0x80)
        {
            var longForm = new byte[length & 0x7F];
            await stream.ReadExactlyAsync(longForm, cancellation);
            length = longForm.Aggregate(0L, (sum, octet) => Math.Min((sum << 8) | octet, int.MaxValue)) is <= LongestStartTlsResponse and var value ? (int)value : -1;
        }

        if (head[0] != 0x30 || length is < 0 or > LongestStartTlsResponse)
        {
            throw new IOException("The directory does not speak LDAP.");
        }

        var body = new byte[length];
        await stream.ReadExactlyAsync(body, cancellation);
        // Message 1, an extended response, and the enumerated result 0, wherever the length of the response ends.
        var result = body.AsSpan().IndexOf<byte>([0x0A, 0x01]);
        if (body is not [0x02, 0x01, 0x01, 0x78, ..] || result < 0 || result + 2 >= body.Length || body[result + 2] != 0)
        {
            throw new IOException("The directory refuses StartTLS.");
        }
    }
}
