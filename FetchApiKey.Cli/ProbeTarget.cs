// The endpoint that a probe looks at: its origin, requests to it, and the certificate that it shows.

using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;

namespace FetchApiKey.Cli;

/// <param name="Headers">As they were sent; an absent one is absent here, too.</param>
public sealed record ProbeAnswer(int Status, byte[] Body, IReadOnlyDictionary<string, string> Headers)
{
    public string? Header(string name) => Headers.GetValueOrDefault(name);
}

/// <summary>Asks one origin directly: a proxy in the environment is passed by, no redirect is followed, no cookie kept.</summary>
public sealed class ProbeTarget : IDisposable
{
    /// <summary>Far more than any answer of the contract.</summary>
    private const int MaxBodyBytes = 1 << 20;

    private static readonly TimeSpan LeastValidity = TimeSpan.FromDays(7);

    private readonly HttpClient _client;
    private readonly TimeSpan _timeout;
    private readonly TimeProvider _time;

    public ProbeTarget(Uri origin, TimeSpan timeout, TimeProvider time)
    {
        Origin = origin;
        _timeout = timeout;
        _time = time;
        _client = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false, UseProxy = false, ConnectTimeout = timeout })
        {
            BaseAddress = origin,
            MaxResponseContentBufferSize = MaxBodyBytes,
            Timeout = Timeout.InfiniteTimeSpan,
        };
    }

    public Uri Origin { get; }

    /// <summary>Null for what is not an http or https origin: with a path, a query, a fragment or a user in it.</summary>
    public static Uri? ParseOrigin(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var url) && (url.Scheme == Uri.UriSchemeHttps || url.Scheme == Uri.UriSchemeHttp)
        && url.Host.Length > 0 && url is { PathAndQuery: "/", Fragment: "", UserInfo: "" } && !text.Contains('?', StringComparison.Ordinal) && !text.Contains('#', StringComparison.Ordinal)
            ? url
            : null;

    /// <summary>Whether what is sent there can be read on the way.</summary>
    public static bool IsUnprotected(Uri origin) => origin.Scheme != Uri.UriSchemeHttps && !origin.IsLoopback;

    /// <exception cref="ProbeFailedException">No answer, or none in time.</exception>
    public async Task<ProbeAnswer> SendAsync(HttpRequestMessage request, CancellationToken cancellation)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(_timeout);
        try
        {
            // The client would compute a missing Content-Length from a body that it has read already.
            using var response = await _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, limit.Token);
            var headers = response.Headers.NonValidated.Concat(response.Content.Headers.NonValidated)
                .ToDictionary(header => header.Key, header => string.Join(", ", header.Value), StringComparer.OrdinalIgnoreCase);
            await response.Content.LoadIntoBufferAsync(MaxBodyBytes, limit.Token);
            return new ProbeAnswer((int)response.StatusCode, await response.Content.ReadAsByteArrayAsync(limit.Token), headers);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw new ProbeFailedException($"no answer within {_timeout.TotalSeconds:0} s");
        }
        catch (Exception fault) when (fault is HttpRequestException or IOException)
        {
            throw new ProbeFailedException($"no answer: {(fault.InnerException ?? fault).Message}");
        }
    }

    /// <summary>Connects, and over https shakes hands as a client does, which trusts what this machine trusts.</summary>
    /// <returns>What was seen.</returns>
    /// <exception cref="ProbeFailedException">No connection, a certificate or protocol that clients refuse, or one about to end.</exception>
    public async Task<string> ConnectAsync(CancellationToken cancellation)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(_timeout);
        try
        {
            using var connection = new TcpClient();
            await connection.ConnectAsync(Origin.IdnHost, Origin.Port, limit.Token);
            if (Origin.Scheme == Uri.UriSchemeHttp)
            {
                return "http: TLS not checked";
            }

            using var tls = new SslStream(connection.GetStream());
            await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = Origin.IdnHost }, limit.Token);
            return Judge(tls);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw new ProbeFailedException($"no connection within {_timeout.TotalSeconds:0} s");
        }
        catch (AuthenticationException fault)
        {
            throw new ProbeFailedException($"TLS: {fault.Message}");
        }
        catch (Exception fault) when (fault is SocketException or IOException)
        {
            throw new ProbeFailedException($"no connection: {fault.Message}");
        }
    }

    public void Dispose() => _client.Dispose();

    private string Judge(SslStream tls)
    {
        using var certificate = X509CertificateLoader.LoadCertificate(tls.RemoteCertificate!.GetRawCertData());
        var left = new DateTimeOffset(certificate.NotAfter) - _time.GetUtcNow();
        var seen = string.Create(CultureInfo.InvariantCulture, $"{tls.SslProtocol}, certificate valid for {left.TotalDays:0} more days");
        return left >= LeastValidity && tls.SslProtocol >= SslProtocols.Tls12 ? seen : throw new ProbeFailedException(seen);
    }
}

/// <summary>A check that failed. The message says what was seen instead, and holds nothing that was sent in confidence.</summary>
public sealed class ProbeFailedException(string seen) : Exception(seen);
