// Requests that carry the canary in every place that a client can write to.

using FetchApiKey.Pages;

namespace FetchApiKeyFunction.Tests.Hosts;

/// <summary>An account whose name, password, key and link all hold the canary.</summary>
/// <param name="ResetToken">A whole link's, good until it is used.</param>
internal sealed record CanaryAccount(string Email, string Password, string ResetToken)
{
    public static string Key { get; } = Canary.Text.PadRight(32, 'k');
}

internal static class CanaryRequests
{
    public const string Fetch = "/api/v1/fetch_api_key";
    private const string Jwt = "/api/v1/jwt/fetch_api_key";
    private const string Regenerate = "/api/v1/users/me/api_key/regenerate";
    private const string Urlencoded = "application/x-www-form-urlencoded";
    private const string Multipart = "multipart/form-data; boundary=b";
    private const string Secret = Canary.Text;
    private const string TraceParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    private static readonly string[] HeaderNames =
    [
        "User-Agent", "Referer", "Cookie", "Authorization", "Accept-Language", $"X-{Secret}", "X-Correlation-ID", "x-ms-client-request-id",
        "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Prefix", "Forwarded", "X-Azure-Functions-InvocationId", "x-ms-invocation-id",
    ];

    /// <param name="invocation">An id of the client's, formed as a host's.</param>
    public static IEnumerable<WireCase> All(CanaryAccount account, string invocation) =>
    [
        .. InEveryField(account, Secret), .. InEveryField(account, Canary.PercentEncoded), .. InTokens(account), .. InBodies(account),
        .. InHeaders(account, invocation),
        new("POST", Regenerate, 200) { Headers = [("Authorization", WireCases.Basic(account.Email, CanaryAccount.Key))] },
    ];

    private static WireCase Post(int status, string target, string body = "") => new("POST", target, status, Type: Urlencoded, Body: body);

    private static string Login(CanaryAccount account) => $"username={account.Email}&password={account.Password}";

    private static IEnumerable<WireCase> InEveryField(CanaryAccount account, string canary) =>
    [
        Post(200, $"{Fetch}?{canary}={canary}", $"{Login(account)}&{canary}={canary}"),
        Post(401, Fetch, $"username={canary}@zulip.com&password={canary}&{canary}={canary}"),
        Post(401, $"{Fetch}?username=nobody-{canary}@zulip.com&password={canary}&{canary}"),
        Post(400, $"{Fetch}?{canary}", $"username={canary}&password={canary}"),
        Post(404, $"/api/v1/{canary}/{canary}?{canary}={canary}", canary),
        Post(401, Fetch, $"username=iago@zulip.com&password={canary}"),
        Post(401, Fetch, $"username=bomb@zulip.com&password={canary}"),
        Post(401, Fetch, $"username=broken@zulip.com&password={canary}"),
        Post(401, ApiKeyPage.Path, $"username={canary}@zulip.com&password={canary}"),
        Post(400, Jwt, $"token={canary}.{canary}.{canary}"),
        Post(400, Jwt, $"token={canary}&include_profile={canary}"),
        new("GET", $"{PasswordResetPage.Path}?token={canary}", 404),
        Post(404, PasswordResetPage.Path, $"token={canary}&password={canary}&password_again={canary}"),
    ];

    private static IEnumerable<WireCase> InTokens(CanaryAccount account)
    {
        yield return Post(401, Jwt, $"token={WireCases.Token($$"""{"email":"{{Secret}}@zulip.com","{{Secret}}":"{{Secret}}"}""")}");
        yield return Post(200, Jwt, $"token={WireCases.Token($$"""{"email":"{{account.Email}}"}""")}&include_profile=true");
        yield return new("GET", $"{PasswordResetPage.Path}?token={account.ResetToken}", 200);
        yield return Post(400, PasswordResetPage.Path, $"token={account.ResetToken}&password={Secret}&password_again=x");
        yield return Post(200, ApiKeyPage.Path, Login(account));
        foreach (var authorization in new[]
        {
            $"Basic {Secret}", WireCases.Basic(Secret, Secret), WireCases.Basic($"{Secret}@zulip.com", CanaryAccount.Key),
            WireCases.Basic(account.Email, Secret.PadRight(32, 'x')),
        })
        {
            yield return new("POST", Regenerate, 401) { Headers = [("Authorization", authorization)] };
        }

        yield return new("POST", Regenerate, 400) { Headers = [("Authorization", $"Bearer {Secret}")] };
    }

    private static IEnumerable<WireCase> InBodies(CanaryAccount account)
    {
        const string part = $"--b\r\nContent-Disposition: form-data; name=\"{Secret}\"; filename=\"{Secret}\"\r\n\r\n{Secret}\r\n";
        return
        [
            new("POST", Fetch, 400, Type: Multipart, Body: part),
            new("POST", Fetch, 400, Type: Multipart, Body: $"{part}--b--\r\n"),
            new("POST", Fetch, 400, Type: $"{Urlencoded}; charset={Secret}", Body: Login(account)),
            Post(413, Fetch, $"{Login(account)}{string.Concat(Enumerable.Repeat($"&{Secret}", 10_000))}"),
            new("POST", Fetch, 200, Type: Urlencoded, Body: Login(account), IsChunked: true),
            new($"X{Secret.ToUpperInvariant()}", Fetch, 405),
            new("GET", "/api/v1/server_settings", 400, Host: $"{Secret}.zulip.example.com"),
        ];
    }

    private static IEnumerable<WireCase> InHeaders(CanaryAccount account, string invocation)
    {
        (string, string)[] ofTraces =
        [
            ("tracestate", $"{Secret}={Secret}"), ("baggage", $"{Secret}={Secret}"), ("Correlation-Context", $"{Secret}={Secret}"),
            ("Request-Id", $"|{Secret}.1."),
        ];
        var ofOthers = HeaderNames.Select(name => (name, Secret));
        return
        [
            Post(200, Fetch, Login(account)) with { Headers = [("traceparent", Secret), .. ofTraces, .. ofOthers] },
            Post(200, Fetch, Login(account)) with { Headers = [("traceparent", TraceParent), .. ofTraces, .. ofOthers] },
            Post(200, Fetch, Login(account)) with
            {
                Headers = [("X-Azure-Functions-InvocationId", invocation), ("x-ms-invocation-id", invocation)],
            },
        ];
    }

    /// <summary>Bytes that are no HTTP, and beginnings of requests whose client leaves before the answer.</summary>
    public static IEnumerable<string> Raw { get; } =
    [
        $"{Secret}\r\n\r\n",
        $"GET /{Secret}\u0001 HTTP/1.1\r\n\r\n",
        $"GET /api/v1/{Secret} HTTP/{Secret}\r\n\r\n",
        $"GET http://{Secret}/%zz HTTP/1.1\r\nHost: {Secret}\r\n{Secret}\r\n\r\n",
        $"POST {Fetch}?{Secret} HTTP/1.1\r\nHost: x\r\nContent-Type: {Urlencoded}\r\nContent-Length: 5000\r\n\r\nusername={Secret}",
        $"POST {Fetch}?{Secret} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{Secret}\r\n",
    ];
}
