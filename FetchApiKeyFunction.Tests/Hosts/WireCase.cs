// One request of those that every host must answer alike.

using System.Text;

namespace FetchApiKeyFunction.Tests.Hosts;

/// <param name="Target">The path and the query string.</param>
/// <param name="Golden">The body, as a file of Wire/; null where nothing is written down but that hosts agree.</param>
/// <param name="Body">Each character one byte.</param>
/// <param name="IsChunked">Sent without a length.</param>
internal sealed record WireCase(
    string Method, string Target, int Status, string? Golden = null, string Host = TestServer.RootHost,
    string? Type = null, string? Body = null, bool IsChunked = false)
{
    private const int ShownOfBody = 60;

    public (string Name, string Value)[] Headers { get; init; } = [];

    /// <summary>Tells requests apart.</summary>
    public string Name
    {
        get
        {
            var body = Body?.Length > ShownOfBody ? $"{Body[..ShownOfBody]}... ({Body.Length})" : Body;
            return $"{Method} {Target} {Host} {Type} {body}{(IsChunked ? " in chunks" : "")} {string.Join(' ', Headers)}";
        }
    }

    /// <summary>The same request without what differs from host to host.</summary>
    public WireCase Without(WireSecrets secrets) => this with
    {
        Target = secrets.HideIn(Target),
        Body = Body is null ? null : secrets.HideIn(Body),
        Headers = [.. Headers.Select(header => (header.Name, secrets.HideIn(header.Value)))],
    };

    public HttpRequestMessage ToRequest(Uri origin)
    {
        var request = new HttpRequestMessage(new HttpMethod(Method), new Uri(origin, Target));
        request.Headers.Host = Host;
        if (Body is not null)
        {
            request.Content = new ByteArrayContent(Encoding.Latin1.GetBytes(Body));
            request.Content.Headers.TryAddWithoutValidation("Content-Type", Type);
            request.Headers.TransferEncodingChunked = IsChunked;
        }

        foreach (var (name, value) in Headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }

        return request;
    }
}

/// <summary>What the requests use up, so that each host has its own.</summary>
/// <param name="Authorization">The header with the API key of <see cref="WireCases.ChangingEmail"/>.</param>
/// <param name="ResetToken">For <see cref="WireCases.ResetEmail"/>.</param>
internal sealed record WireSecrets(string Authorization, string ResetToken)
{
    public string HideIn(string text) => text
        .Replace(ResetToken, nameof(ResetToken), StringComparison.Ordinal)
        .Replace(Authorization, nameof(Authorization), StringComparison.Ordinal);
}
