// Checks a running endpoint from outside: what clients and monitors rely on, one row each.

using System.Globalization;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using FetchApiKey.Passwords;

namespace FetchApiKey.Cli;

/// <summary>
/// Sends only what any client may send. Fixed answers are compared with <see cref="Reply"/> byte for byte. A header that the
/// contract forbids or prescribes end to end fails its check; what a front end may add on the way is told and fails nothing.
/// </summary>
public sealed partial class Probe(ProbeTarget target, Report report, TimeProvider time)
{
    private const string Login = "/api/v1/fetch_api_key";
    private const string Settings = "/api/v1/server_settings";

    /// <summary>Reserved by RFC 2606, so never an endpoint's own.</summary>
    private const string ForeignHost = "probe.invalid";

    /// <summary>Several times that of any answer of the contract.</summary>
    private const int MaxDepth = 16;

    /// <summary>Clients refuse a lower one.</summary>
    private const int LeastFeatureLevel = 277;

    /// <summary>Allowed between the clocks of this machine and the endpoint's storage.</summary>
    private static readonly TimeSpan ClockSkew = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan LongestWindow = TimeSpan.FromDays(1);

    /// <summary>Contract section 6, in order. Text fields are never null.</summary>
    private static readonly (string Name, JsonValueKind Kind)[] SettingsFields =
    [
        ("result", JsonValueKind.String),
        ("msg", JsonValueKind.String),
        ("authentication_methods", JsonValueKind.Object),
        ("zulip_version", JsonValueKind.String),
        ("zulip_merge_base", JsonValueKind.String),
        ("zulip_feature_level", JsonValueKind.Number),
        ("push_notifications_enabled", JsonValueKind.True),
        ("is_incompatible", JsonValueKind.True),
        ("email_auth_enabled", JsonValueKind.True),
        ("require_email_format_usernames", JsonValueKind.True),
        ("realm_url", JsonValueKind.String),
        ("realm_name", JsonValueKind.String),
        ("realm_icon", JsonValueKind.String),
        ("realm_description", JsonValueKind.String),
        ("realm_web_public_access_enabled", JsonValueKind.True),
        ("external_authentication_methods", JsonValueKind.Array),
        ("realm_uri", JsonValueKind.String),
    ];

    /// <summary>Headers of ours, and of every HTTP answer.</summary>
    private static readonly HashSet<string> Expected = new(StringComparer.OrdinalIgnoreCase)
    {
        "Cache-Control", "Connection", "Content-Language", "Content-Length", "Content-Type", "Date", "Keep-Alive", "Transfer-Encoding", "Vary",
        "X-Content-Type-Options", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset",
    };

    private readonly List<(string, object)[]> _rows = [];
    private bool _failed;

    /// <summary>Runs every check, whatever the others said, unless there is no connection at all.</summary>
    /// <returns>The exit code.</returns>
    public async Task<int> RunAsync(string? username, TypedPassword? password, CancellationToken cancellation)
    {
        var name = $"probe-{RandomNumberGenerator.GetHexString(20, lowercase: true)}@example.com";
        ProbeAnswer? settings = null;
        ProbeAnswer? refusal = null;

        await CheckAsync("connection", () => target.ConnectAsync(cancellation));
        if (!_failed)
        {
            await CheckAsync("health", () => ExpectAsync(Get("/api/v1/health"), Reply.Healthy, cancellation));
            await CheckAsync("readiness", () => ExpectAsync(Get("/api/v1/health/ready"), Reply.Healthy, cancellation));
            await CheckAsync("server-settings", async () =>
            {
                settings = await SendAsync(Get(Settings), cancellation);
                return JudgeSettings(settings);
            });
            await CheckAsync("server-settings-head", async () =>
                JudgeHead(await SendAsync(new(HttpMethod.Head, Settings), cancellation), Answered(settings)));
            await CheckAsync("forwarded-host", async () =>
                JudgeForwardedHost(await SendAsync(WithForeignHost(Get(Settings)), cancellation), Answered(settings)));
            await CheckAsync("unknown-path", () => ExpectAsync(Get("/api/v1/probe_of_an_unknown_path"), Reply.NotFound, cancellation));
            await CheckAsync(
                "wrong-method", () => ExpectAsync(Get(Login), Reply.MethodNotAllowed("POST"), cancellation, ("Allow", "POST")));
            await CheckAsync("missing-username", () => ExpectAsync(Post(""), Reply.Missing("username"), cancellation));
            await CheckAsync(
                "missing-password",
                () => ExpectAsync(Post($"username={Uri.EscapeDataString(name)}"), Reply.Missing("password"), cancellation));
            await CheckAsync("refused-login", async () =>
            {
                refusal = await SendAsync(
                    Post($"username={Uri.EscapeDataString(name)}&password={RandomNumberGenerator.GetHexString(32)}"), cancellation);
                return Expect(refusal, Reply.AuthenticationFailed);
            });
            await CheckAsync("headers", () => Task.FromResult(JudgeHeaders(Answered(refusal))));
            await CheckAsync("attempt-limit", () => Task.FromResult(JudgeAttemptLimit(Answered(refusal))));
            if (username is not null && password is not null)
            {
                await CheckAsync("login", async () => JudgeLogin(await SendAsync(Post(username, password), cancellation)));
            }
        }

        await report.WriteAsync(_rows);
        return _failed ? ExitCode.Refused : ExitCode.Done;
    }

    private async Task CheckAsync(string name, Func<Task<string>> check)
    {
        string seen;
        var failed = false;
        try
        {
            seen = await check();
        }
        catch (ProbeFailedException fault)
        {
            seen = fault.Message;
            failed = true;
        }

        _failed |= failed;
        _rows.Add([("check", name), ("outcome", failed ? "failed" : "ok"), ("seen", seen)]);
    }

    // ---- Requests ----

    private async Task<ProbeAnswer> SendAsync(HttpRequestMessage request, CancellationToken cancellation)
    {
        using (request)
        {
            return await target.SendAsync(request, cancellation);
        }
    }

    private static HttpRequestMessage Get(string path) => new(HttpMethod.Get, path);

    private static HttpRequestMessage Post(string form) => Post(Encoding.ASCII.GetBytes(form));

    private static HttpRequestMessage Post(string username, TypedPassword password) =>
        Post([.. Encoding.ASCII.GetBytes($"username={Uri.EscapeDataString(username)}&password="), .. Encoding.ASCII.GetBytes(Convert.ToHexString(password.Utf8)).Chunk(2).SelectMany(octet => octet.Prepend((byte)'%'))]);

    private static HttpRequestMessage Post(byte[] form) => new(HttpMethod.Post, Login)
    {
        Content = new ByteArrayContent(form) { Headers = { ContentType = new MediaTypeHeaderValue("application/x-www-form-urlencoded") } },
    };

    private static HttpRequestMessage WithForeignHost(HttpRequestMessage request)
    {
        request.Headers.Add("X-Forwarded-Host", ForeignHost);
        request.Headers.Add("Forwarded", $"host={ForeignHost}");
        return request;
    }

    // ---- Verdicts: what was seen, or a ProbeFailedException that says it ----

    private static ProbeAnswer Answered(ProbeAnswer? answer) =>
        answer ?? throw new ProbeFailedException("not judged, for want of an answer");

    private async Task<string> ExpectAsync(
        HttpRequestMessage request, Reply expected, CancellationToken cancellation, params (string Name, string Value)[] headers)
    {
        var answer = await SendAsync(request, cancellation);
        var seen = Expect(answer, expected);
        foreach (var (name, value) in headers)
        {
            if (answer.Header(name) != value)
            {
                throw new ProbeFailedException($"{seen}, {name}: {answer.Header(name) ?? "absent"} instead of {value}");
            }
        }

        return seen;
    }

    private static string Expect(ProbeAnswer answer, Reply expected)
    {
        var seen = Quote(answer);
        if (answer.Status != expected.Status || !answer.Body.AsSpan().SequenceEqual(expected.Body.Span))
        {
            throw new ProbeFailedException($"{seen} instead of {expected.Status} {Quote(expected.Body.Span)}");
        }

        return answer.Header("Content-Type") == "application/json"
            ? seen
            : throw new ProbeFailedException($"{seen}, Content-Type: {answer.Header("Content-Type") ?? "absent"}");
    }

    private string JudgeSettings(ProbeAnswer answer)
    {
        if (answer.Status != 200)
        {
            throw new ProbeFailedException($"{Quote(answer)} instead of 200");
        }

        if (JsonMembers.Read(answer.Body, MaxDepth, out var fault) is not { } settings)
        {
            throw new ProbeFailedException($"{Quote(answer)}: {fault}");
        }

        var faults = SettingsFaults(settings).Concat(HeaderFaults(answer)).ToList();
        var realm = settings.Text("realm_uri") is { } uri ? Printable(uri) : "no realm_uri";
        var level = settings.Number("zulip_feature_level")?.ToString(CultureInfo.InvariantCulture) ?? "of no number";
        var seen = Told(answer, $"200, {realm}, feature level {level}");
        return faults is [] ? seen : throw new ProbeFailedException($"{seen}: {string.Join("; ", faults)}");
    }

    private IEnumerable<string> SettingsFaults(JsonMembers settings)
    {
        var names = settings.Names;
        foreach (var (index, (name, kind)) in SettingsFields.Index())
        {
            if (index >= names.Count || names[index] != name)
            {
                yield return index < names.Count ? $"{Printable(names[index])} in the place of {name}" : $"no {name}";
                yield break;
            }

            if (settings.Kind(name) is var seen && seen != kind && !(kind == JsonValueKind.True && seen == JsonValueKind.False))
            {
                yield return $"{name} is {seen}";
                yield break;
            }
        }

        if (names.Count > SettingsFields.Length)
        {
            yield return $"{Printable(names[SettingsFields.Length])} is one too many";
        }

        string[] first = ["password", "dev", "email", "ldap"];
        var methods = settings.Members("authentication_methods")!;
        if (!methods.Names.Take(first.Length).SequenceEqual(first) || methods.Names.Any(method => methods.Flag(method) is null))
        {
            yield return "authentication_methods is not as clients read it";
        }

        if (settings.Number("zulip_feature_level") is not >= LeastFeatureLevel)
        {
            yield return $"a feature level below {LeastFeatureLevel}";
        }

        if (settings.Flag("is_incompatible") is true)
        {
            yield return "is_incompatible";
        }

        var realm = settings.Text("realm_uri")!;
        if (ProbeTarget.ParseOrigin(realm) is not { } url || realm.EndsWith('/') || settings.Text("realm_url") != realm)
        {
            yield return "realm_uri is no origin, or another than realm_url";
        }
        else if (url.Scheme != target.Origin.Scheme)
        {
            // A client sends its password to realm_uri.
            yield return $"realm_uri is {url.Scheme}, and {target.Origin.Scheme} was asked";
        }
    }

    private static string JudgeHead(ProbeAnswer head, ProbeAnswer get)
    {
        var seen = $"{head.Status}, {head.Body.Length} bytes, Content-Length: {head.Header("Content-Length") ?? "absent"}";
        var isLength = head.Header("Content-Length") is not { } length || length == get.Body.Length.ToString(CultureInfo.InvariantCulture);
        return head.Status == 200 && head.Body.Length == 0 && isLength && head.Header("Content-Type") == "application/json"
            ? seen
            : throw new ProbeFailedException($"{seen}, Content-Type: {head.Header("Content-Type") ?? "absent"} instead of the headers of GET");
    }

    private static string JudgeForwardedHost(ProbeAnswer answer, ProbeAnswer without)
    {
        if (without.Status != 200)
        {
            throw new ProbeFailedException($"not judged: without them the answer is {without.Status}");
        }

        return answer.Status == 200 && answer.Body.AsSpan().SequenceEqual(without.Body)
            ? "a client's X-Forwarded-Host and Forwarded change nothing"
            : throw new ProbeFailedException($"X-Forwarded-Host: {ForeignHost} changes the answer to {Quote(answer)}");
    }

    private static string JudgeHeaders(ProbeAnswer answer)
    {
        var faults = HeaderFaults(answer).ToList();
        return faults is [] ? Told(answer, "as the contract says") : throw new ProbeFailedException(Told(answer, string.Join("; ", faults)));
    }

    /// <summary>
    /// Contract section 1.6. Framing is each hop's own affair, so an answer that a front end sends chunked may lack the length;
    /// and a cache on the way may vary by more than we do.
    /// </summary>
    private static IEnumerable<string> HeaderFaults(ProbeAnswer answer)
    {
        (string, string)[] exact = [("Content-Type", "application/json"), ("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"), ("Content-Language", "en")];
        foreach (var (name, value) in exact)
        {
            if (answer.Header(name) != value)
            {
                yield return $"{name}: {Printable(answer.Header(name) ?? "absent")}";
            }
        }

        if (answer.Header("Content-Length") is var length && length != answer.Body.Length.ToString(CultureInfo.InvariantCulture)
            && !(length is null && answer.Header("Transfer-Encoding") == "chunked"))
        {
            yield return $"Content-Length: {length ?? "absent"}";
        }

        if (answer.Header("Vary")?.Split(',', StringSplitOptions.TrimEntries).Contains("Accept-Language", StringComparer.OrdinalIgnoreCase) is not true)
        {
            yield return $"Vary: {Printable(answer.Header("Vary") ?? "absent")}";
        }

        foreach (var name in new[] { "Set-Cookie", "ETag", "WWW-Authenticate" })
        {
            if (answer.Header(name) is not null)
            {
                yield return $"{name} is there";
            }
        }
    }

    private string JudgeAttemptLimit(ProbeAnswer answer)
    {
        var limit = Number("X-RateLimit-Limit");
        var remaining = Number("X-RateLimit-Remaining");
        var reset = Number("X-RateLimit-Reset");
        var seen = string.Create(CultureInfo.InvariantCulture, $"{remaining} of {limit} left");
        if (limit is not (>= 1 and <= 1000) || remaining is not >= 0 || remaining >= limit)
        {
            throw new ProbeFailedException($"{seen}: not what a first failure leaves");
        }

        var until = DateTimeOffset.FromUnixTimeSeconds(Math.Clamp(reset, 0, int.MaxValue)) - time.GetUtcNow();
        seen = string.Create(CultureInfo.InvariantCulture, $"{seen}, reset in {until.TotalSeconds:0} s");
        return until >= -ClockSkew && until <= LongestWindow + ClockSkew ? seen : throw new ProbeFailedException(seen);

        long Number(string name) => long.TryParse(answer.Header(name), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? number
            : throw new ProbeFailedException($"{name}: {Printable(answer.Header(name) ?? "absent")}");
    }

    /// <summary>Nothing of this answer is quoted but its status, its code and the user's id: it may hold an API key.</summary>
    private static string JudgeLogin(ProbeAnswer answer)
    {
        if (JsonMembers.Read(answer.Body, MaxDepth, out _) is not { } members)
        {
            throw new ProbeFailedException($"{answer.Status}, not the contract's JSON");
        }

        if (answer.Status != 200)
        {
            var code = members.Text("code") is { } told && ErrorCode().IsMatch(told) ? $" {told}" : "";
            throw new ProbeFailedException($"{answer.Status}{code} instead of 200");
        }

        string[] expected = ["result", "msg", "api_key", "email", "user_id"];
        if (!members.Names.SequenceEqual(expected) || members.Text("result") != "success"
            || members.Text("api_key") is not { } key || !ApiKey().IsMatch(key) || members.Number("user_id") is not { } userId)
        {
            throw new ProbeFailedException("200 without an API key of 32 letters and digits, or with other members than the contract's");
        }

        var faults = HeaderFaults(answer).ToList();
        return faults is [] ? string.Create(CultureInfo.InvariantCulture, $"200, user id {userId}, an API key") : throw new ProbeFailedException($"200, {string.Join("; ", faults)}");
    }

    // ---- What is printed of an answer ----

    /// <summary>Names what somebody on the way added; the endpoint itself sends none of these.</summary>
    private static string Told(ProbeAnswer answer, string seen)
    {
        var more = answer.Headers.Keys.Where(name => !Expected.Contains(name)).Order(StringComparer.OrdinalIgnoreCase).ToList();
        return more is [] ? seen : $"{seen}; also sent: {Printable(string.Join(", ", more))}";
    }

    private static string Quote(ProbeAnswer answer) => $"{answer.Status} {Quote(answer.Body)}";

    private static string Quote(ReadOnlySpan<byte> body) => Printable(Encoding.UTF8.GetString(body).TrimEnd('\n'));

    /// <summary>
    /// What comes from elsewhere floods no terminal; <see cref="PrintableWriter"/> lets nothing through that moves its cursor.
    /// </summary>
    private static string Printable(string text)
    {
        const int longest = 120;
        return text.Length <= longest ? text : text[..longest] + "...";
    }

    [GeneratedRegex(@"\A[A-Z_]{1,40}\z")]
    private static partial Regex ErrorCode();

    [GeneratedRegex(@"\A[A-Za-z0-9]{32}\z")]
    private static partial Regex ApiKey();
}
