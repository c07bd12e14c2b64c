// Requests that every host must answer alike: the rows of the wire contract, every method of every path, and hostile bodies.

using System.Security.Cryptography;
using System.Text;
using FetchApiKey.Pages;
using Microsoft.IdentityModel.Tokens;

namespace FetchApiKeyFunction.Tests.Hosts;

internal static class WireCases
{
    public const string ChangingEmail = "changing@zulip.com";
    public const string ResetEmail = "reset@zulip.com";
    public const string DeactivatedKey = "DeactivatedDeactivatedDeactivate";
    public const string ClosedKey = "ClosedClosedClosedClosedClosedCl";
    public const string TokenSecret = "thirty-two bytes and some more, é";

    private const string Urlencoded = "application/x-www-form-urlencoded";
    private const string Multipart = "multipart/form-data; boundary=b";
    private const string Fetch = "/api/v1/fetch_api_key";
    private const string Jwt = "/api/v1/jwt/fetch_api_key";
    private const string Regenerate = "/api/v1/users/me/api_key/regenerate";
    private const string ServerSettings = "/api/v1/server_settings";
    private const string Login = "username=iago%40zulip.com&password=abcd1234";
    private const string Acme = "acme.zulip.example.com";
    private const string Unknown = "unknown.zulip.example.com";
    private const string Closed = "closed.zulip.example.com";
    private const string NoPasswords = "nopasswords.zulip.example.com";

    public static IReadOnlyList<WireCase> All(WireSecrets secrets) =>
    [
        .. Logins(), .. Bodies(), .. Tokens(), .. Keys(secrets.Authorization), .. Descriptions(), .. Pages(secrets.ResetToken),
        .. Methods(), .. Cors(),
    ];

    public static string Token(string claims)
    {
        var signed = $"{Base64UrlEncoder.Encode("""{"alg":"HS256","typ":"JWT"}""")}.{Base64UrlEncoder.Encode(claims)}";
        var signature = HMACSHA256.HashData(Encoding.UTF8.GetBytes(TokenSecret), Encoding.ASCII.GetBytes(signed));
        return $"{signed}.{Base64UrlEncoder.Encode(signature)}";
    }

    public static string Basic(string email, string key) =>
        "Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes($"{email}:{key}"));

    private static WireCase Post(string golden, int status, string body, string target = Fetch, string host = TestServer.RootHost) =>
        new("POST", target, status, golden, host, Urlencoded, body);

    private static IEnumerable<WireCase> Logins() =>
    [
        Post("success", 200, Login),
        Post("success", 200, "username=IAGO@ZULIP.COM&password=abcd1234&client=website"),
        Post("success", 200, "username=x&password=y&password=abcd1234&&username=iago@zulip.com&"),
        Post("E1", 400, ""),
        Post("E1", 400, "password=abcd1234"),
        Post("E1", 400, "username%3Diago@zulip.com;password=abcd1234"),
        Post("E2", 400, "username=iago@zulip.com"),
        Post("E2", 400, "username"),
        Post("E3", 404, Login, host: Unknown),
        Post("E3", 404, Login, host: "evil.example.net"),
        Post("E3", 404, Login, host: "a.acme.zulip.example.com"),
        Post("E3", 404, Login, host: "a_b.zulip.example.com"),
        Post("E3", 404, Login, host: "[::1]:9991"),
        Post("success", 200, Login, host: "ZULIP.example.com:80"),
        Post("E4", 400, "username=iago&password=abcd1234"),
        Post("E4", 400, "username&password=abcd1234"),
        Post("E4", 400, "username=iago@zulip.com%00&password=abcd1234"),
        Post("E5", 401, "username=iago@zulip.com&password=wrong"),
        Post("E5", 401, "username=iago@zulip.com&password="),
        Post("E5", 401, "username=iago@zulip.com&password=+abcd1234"),
        Post("E5", 401, "username=nobody@zulip.com&password=abcd1234"),
        Post("E5", 401, "username=gone@zulip.com&password=wrong"),
        Post("E5", 401, "username=bot@zulip.com&password=!unusable"),
        Post("E5", 401, "username=broken@zulip.com&password=abcd1234"),
        Post("E5", 401, "username=bomb@zulip.com&password=abcd1234"),
        Post("E5", 401, Login, host: Acme),
        Post("E5", 401, "username=iago@zulip.com&password=wrong&extra=1", host: Closed),
        Post("E9", 401, "username=gone@zulip.com&password=abcd1234"),
        Post("E11", 401, Login, host: Closed),
        Post("E13", 401, Login, host: NoPasswords),
        Post("E15", 401, "username=weak@zulip.com&password=abcd1234"),
        Post("success-ignored", 200, "username=iago@zulip.com&password=abcd1234&Z=8&%22%5C%01%09%1F",
            Fetch + "?Z=1&%F0%9F%98%80=2&%EF%B7%90=3&a&A=4&%C3%A9&client=x&=5&%2B%3C%3E%26%27=6&a=7"),
        Post("success", 200, "password=abcd1234", Fetch + "?username=iago%40zulip.com"),
        Post("success", 200, Login, Fetch + "?username=nobody@zulip.com&password=wrong"),
        new("POST", Fetch + "?" + Login, 200, "success"),
        Post("success", 200, Login) with
        {
            Headers = [("Authorization", "Basic aWFnbzp4"), ("Accept-Language", "de"), ("Accept-Encoding", "gzip, br"), ("Cookie", "a=b")],
        },
        new("POST", Fetch, 200, "success", Type: Urlencoded, Body: Login, IsChunked: true),
    ];

    private static IEnumerable<WireCase> Bodies()
    {
        foreach (var row in HostileInputTests.Bodies)
        {
            yield return new("POST", Fetch, (int)row[3], (string)row[4], Type: (string)row[1], Body: (string)row[2]);
        }

        var largest = Login.PadRight(RequestForm.MaxBodyBytes, 'x');
        yield return new("POST", Fetch, 401, "E5", Type: Urlencoded, Body: largest, IsChunked: true);
        yield return new("POST", Fetch, 413, "body-too-large", Type: Urlencoded, Body: largest + "x", IsChunked: true);
        foreach (var (type, body) in new[]
        {
            ("application/json", """{"username":"iago@zulip.com","password":"abcd1234"}"""), ("text/plain", Login), ("nonsense", Login),
        })
        {
            yield return new("POST", Fetch, 400, "E1", Type: type, Body: body);
        }

        const string name = "--b\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\niago@zulip.com\r\n";
        const string password = "--b\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nabcd1234\r\n";
        const string file = "--b\r\nContent-Disposition: form-data; name=\"password\"; filename=\"p.txt\"\r\n\r\nabcd1234\r\n";
        yield return new("POST", Fetch, 200, "success", Type: Multipart, Body: $"{name}{password}--b--\r\n");
        yield return new("POST", Fetch, 200, "success", Type: Multipart, Body: $"{name}{password}--b--\r\n", IsChunked: true);
        yield return new("POST", Fetch, 400, "E2", Type: Multipart, Body: $"{name}{file}--b--\r\n");
    }

    private static IEnumerable<WireCase> Tokens()
    {
        var iago = Token("""{"email":"iago@zulip.com"}""");
        return
        [
            Post("jwt-success", 200, $"token={iago}", Jwt),
            Post("jwt-profile", 200, $"token={iago}&include_profile=true&password=x&client=c", Jwt),
            Post("jwt-bad-token", 400, $"token={iago}x", Jwt),
            Post("jwt-no-email", 400, $"token={Token("""{"sub":"iago@zulip.com"}""")}", Jwt),
            Post("jwt-no-token", 400, "", Jwt),
            Post("jwt-not-enabled", 400, "token=x", Jwt, NoPasswords),
            Post("jwt-profile-no-boolean", 400, "include_profile=1", Jwt),
            Post("jwt-profile-no-json", 400, "include_profile=True", Jwt),
            Post("E3", 404, "token=x", Jwt, Unknown),
            Post("E5", 401, $"token={Token("""{"email":"nobody@zulip.com"}""")}", Jwt),
            Post("E9", 401, $"token={Token("""{"email":"gone@zulip.com"}""")}", Jwt),
        ];
    }

    private static IEnumerable<WireCase> Keys(string changing)
    {
        static WireCase Key(string golden, int status, string? authorization, string host = TestServer.RootHost) =>
            new("POST", Regenerate, status, golden, host) { Headers = authorization is null ? [] : [("Authorization", authorization)] };
        return
        [
            Key("key-missing", 401, null),
            Key("key-no-pair", 401, "Basic !!!"),
            Key("key-not-basic", 400, "Bearer x"),
            Key("key-malformed", 401, Basic("iago@zulip.com", "abcd1234")),
            Key("key-invalid", 401, Basic("iago@zulip.com", new string('x', 32))),
            Key("key-invalid", 401, Basic("nobody@zulip.com", Organisation.IagosKey)),
            Key("key-user-deactivated", 401, Basic("deactivated@zulip.com", DeactivatedKey)),
            Key("key-realm-deactivated", 401, Basic("key@zulip.com", ClosedKey), Closed),
            Key("key-changed", 200, changing),
        ];
    }

    private static IEnumerable<WireCase> Descriptions() =>
    [
        new("GET", ServerSettings, 200, "settings-root"),
        new("HEAD", ServerSettings, 200, "settings-root"),
        new("GET", ServerSettings + "?", 200, "settings-public-url", "acme.zulip.example.com:9991"),
        new("GET", ServerSettings, 400, "settings-unknown-subdomain", Unknown),
        new("GET", "/api/v1/health", 200, "healthy"),
        new("HEAD", "/api/v1/health", 200, "healthy"),
        new("GET", "/api/v1/health/ready", 200, "healthy"),
        new("GET", "/api/v1/openapi.json", 200),
        new("HEAD", "/api/v1/openapi.json", 200),
        Post("not-found", 404, Login, Fetch + "/"),
        Post("not-found", 404, Login, "/api/v1/fetch_api_keys"),
        Post("not-found", 404, Login, "/api/v1/"),
        Post("not-found", 404, Login, "/API/v1/fetch_api_key"),
        Post("not-found", 404, Login, "/api/V1/fetch_api_key"),
        Post("not-found", 404, Login, "/api/v1/a.b/../c%20d/%C3%BC/é"),
    ];

    private static IEnumerable<WireCase> Pages(string token)
    {
        static WireCase Send(int status, string target, string body, string host = TestServer.RootHost) =>
            Post("", status, body, target, host) with { Golden = null };
        const string strong = "unrelated clouds juggle turnips";
        var link = $"{PasswordResetPage.Path}?token={token}";
        return
        [
            new("GET", ApiKeyPage.Path, 200),
            new("HEAD", ApiKeyPage.Path, 200),
            new("GET", ApiKeyPage.Path, 404, Host: Unknown),
            Send(200, ApiKeyPage.Path, Login),
            Send(401, ApiKeyPage.Path, "username=iago@zulip.com&password=wrong"),
            Send(400, ApiKeyPage.Path, "username=iago&password=<b>"),
            Send(401, ApiKeyPage.Path, Login, NoPasswords),
            Send(413, ApiKeyPage.Path, Login.PadRight(RequestForm.MaxBodyBytes + 1, 'x')),
            Send(403, ApiKeyPage.Path, Login) with { Headers = [("Origin", "https://evil.example.net")] },
            new("GET", link, 200),
            new("HEAD", link, 200),
            new("GET", PasswordResetPage.Path + "?token=nonsense", 404),
            Send(400, PasswordResetPage.Path, $"token={token}&password={strong}&password_again=x"),
            Send(400, PasswordResetPage.Path, $"token={token}&password=abcd1234&password_again=abcd1234"),
            Send(200, PasswordResetPage.Path, $"token={token}&password={strong}&password_again={strong}"),
            Send(404, PasswordResetPage.Path, $"token={token}&password={strong}&password_again={strong}"),
        ];
    }

    private static IEnumerable<WireCase> Methods()
    {
        string[] methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"];
        foreach (var (path, golden, allowed) in new (string, string, string[])[]
        {
            (Fetch, "method-not-allowed", ["POST"]),
            (Jwt, "method-not-allowed", ["POST"]),
            (Regenerate, "method-not-allowed", ["POST"]),
            (ServerSettings, "settings-method-not-allowed", ["GET", "HEAD"]),
            ("/api/v1/openapi.json", "settings-method-not-allowed", ["GET", "HEAD"]),
            ("/api/v1/health", "settings-method-not-allowed", ["GET", "HEAD"]),
            ("/api/v1/health/ready", "settings-method-not-allowed", ["GET", "HEAD"]),
            (ApiKeyPage.Path, "page-method-not-allowed", ["GET", "HEAD", "POST"]),
            (PasswordResetPage.Path, "page-method-not-allowed", ["GET", "HEAD", "POST"]),
            ("/api/v1/dev_fetch_api_key", "not-found", []),
            ("/api/v1/dev_list_users", "not-found", []),
        })
        {
            foreach (var method in methods.Except(allowed))
            {
                yield return new(method, path, golden == "not-found" ? 404 : 405, golden);
            }
        }
    }

    private static IEnumerable<WireCase> Cors()
    {
        (string, string)[] preflight =
        [
            ("Origin", EveryHost.WebOrigin), ("Access-Control-Request-Method", "POST"), ("Access-Control-Request-Headers", "authorization"),
        ];
        return
        [
            new("OPTIONS", Fetch, 204) { Headers = preflight },
            new("GET", ServerSettings, 200, "settings-root") { Headers = [("Origin", EveryHost.WebOrigin)] },
            new("GET", ServerSettings, 200, "settings-root") { Headers = [("Origin", "https://evil.example.net")] },
            Post("E5", 401, "username=iago@zulip.com&password=wrong") with { Headers = [("Origin", EveryHost.WebOrigin)] },
        ];
    }
}
