// The probe against the real endpoint behind a front end, and against front ends that spoil one thing each.

using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using FetchApiKey.Cli;
using FetchApiKeyFunction.Tests.Hosts;
using Microsoft.Extensions.Configuration;

namespace FetchApiKeyFunction.Tests;

public sealed class ProbeTests(Organisation organisation) : IClassFixture<Organisation>, IAsyncLifetime
{
    private const string ApiKey = Organisation.IagosKey;

    private static readonly string[] Checks =
    [
        "connection", "health", "readiness", "server-settings", "server-settings-head", "forwarded-host", "unknown-path", "wrong-method",
        "missing-username", "missing-password", "refused-login", "headers", "attempt-limit",
    ];

    private TestServer _endpoint = null!;

    public async Task InitializeAsync() => _endpoint = await TestServer.StartAsync(organisation.Tables, behindFunctionsHost: true);

    public async Task DisposeAsync() => await _endpoint.DisposeAsync();

    // ---- What is right ----

    [Fact]
    public async Task A_sound_endpoint_passes_every_check()
    {
        await using var front = await FrontEnd.StartAsync(_endpoint.Origin);

        var result = await ProbeAsync(front);

        Assert.Equal((ExitCode.Done, ""), (result.Code, result.Error));
        Assert.Equal(Checks, result.Rows.Select(row => row.Check));
        Assert.All(result.Rows, row => Assert.True(row.Outcome == "ok", $"{row}"));
        Assert.Contains("TLS not checked", result.Rows[0].Seen, StringComparison.Ordinal);
        Assert.Contains(front.Origin.ToString().TrimEnd('/'), result.Rows[3].Seen, StringComparison.Ordinal);
        Assert.StartsWith("999 of 1000 left", result.Rows[^1].Seen, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_endpoint_of_its_own_passes_too()
    {
        var result = await ProbeAsync(organisation.Server.Origin);

        Assert.Equal((ExitCode.Done, Checks.Length), (result.Code, result.Rows.Count(row => row.Outcome == "ok")));
    }

    [Fact]
    public async Task The_table_has_a_line_for_each_check()
    {
        var result = await RunAsync($"probe {organisation.Server.Origin}", "");

        var lines = result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(["check", "outcome", "seen"], lines[0].Split(' ', StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal(Checks, lines.Skip(1).Select(line => line.Split(' ')[0]));
    }

    [Theory]
    [InlineData("iago@zulip.com", "abcd1234\n", "ok", "200, user id 5, an API key")]
    [InlineData("iago@zulip.com", "wrong+%&é", "failed", "401 AUTHENTICATION_FAILED instead of 200")]
    [InlineData("gone@zulip.com", "abcd1234", "failed", "401 USER_DEACTIVATED instead of 200")]
    public async Task A_login_is_checked_without_showing_password_or_key(string username, string input, string outcome, string seen)
    {
        var result = await ProbeAsync(organisation.Server.Origin, $"--username {username}", input);

        Assert.Equal(("login", outcome, seen), result.Rows[^1]);
        Assert.Equal(outcome == "ok" ? ExitCode.Done : ExitCode.Refused, result.Code);
        Assert.DoesNotContain(ApiKey, result.Output + result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain(input.Trim(), result.Output + result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_password_of_any_characters_arrives_as_it_is()
    {
        const string password = " +%&=é 世界🔑\t";
        await organisation.AddAsync("", 77, "odd@zulip.com", await Organisation.HashAsync(password));

        var result = await ProbeAsync(organisation.Server.Origin, "--username odd@zulip.com", password + "\n");

        Assert.Equal("200, user id 77, an API key", result.Rows[^1].Seen);
    }

    // ---- What is wrong ----

    public static TheoryData<string, string> Spoilt => new()
    {
        { "status of health", "health" },
        { "readiness is 503", "readiness" },
        { "redirect", "server-settings server-settings-head forwarded-host" },
        { "field missing", "server-settings server-settings-head" },
        { "field of another type", "server-settings" },
        { "fields in another order", "server-settings" },
        { "field too many", "server-settings server-settings-head" },
        { "feature level 276", "server-settings" },
        { "incompatible", "server-settings" },
        { "realm_uri with a path", "server-settings server-settings-head" },
        { "realm_uri on another scheme", "server-settings server-settings-head" },
        { "no realm", "server-settings server-settings-head" },
        { "cacheable settings", "server-settings" },
        { "HEAD of another length", "server-settings-head" },
        { "HEAD refused", "server-settings-head" },
        { "HTML for an unknown path", "unknown-path" },
        { "no Allow", "wrong-method" },
        { "404 for a wrong method", "wrong-method" },
        { "another E1", "missing-username" },
        { "another E2", "missing-password" },
        { "refusal is 403", "refused-login" },
        { "refusal without its LF", "refused-login" },
        { "refusal tells more", "refused-login" },
        { "charset", "refused-login headers" },
        { "no nosniff", "server-settings headers" },
        { "no Vary", "server-settings headers" },
        { "no Content-Language", "server-settings headers" },
        { "Set-Cookie", "server-settings headers" },
        { "ETag", "server-settings headers" },
        { "WWW-Authenticate", "headers" },
        { "no limit", "attempt-limit" },
        { "limit 0", "attempt-limit" },
        { "nothing used up", "attempt-limit" },
        { "reset in the past", "attempt-limit" },
        { "reset is no number", "attempt-limit" },
    };

    [Theory]
    [MemberData(nameof(Spoilt))]
    public async Task Each_check_fails_alone_where_its_subject_is_spoilt(string fault, string failing)
    {
        var applied = 0;
        await using var front = await FrontEnd.StartAsync(_endpoint.Origin, answer => applied += Spoil(fault, answer) ? 1 : 0);

        var result = await ProbeAsync(front);

        Assert.True(applied > 0);
        Assert.Equal(ExitCode.Refused, result.Code);
        Assert.Equal(failing, string.Join(' ', result.Rows.Where(row => row.Outcome != "ok").Select(row => row.Check)));
        Assert.Equal(Checks, result.Rows.Select(row => row.Check));
    }

    [Fact]
    public async Task A_front_end_that_believes_a_clients_host_is_found_out()
    {
        await using var front = await FrontEnd.StartAsync(_endpoint.Origin, believesClients: true);

        var result = await ProbeAsync(front);

        Assert.Equal((ExitCode.Refused, "forwarded-host"), (result.Code, Assert.Single(result.Rows, row => row.Outcome == "failed").Check));
    }

    [Fact]
    public async Task What_a_front_end_adds_is_told_and_fails_nothing()
    {
        await using var front = await FrontEnd.StartAsync(_endpoint.Origin, answer =>
        {
            answer.Headers["Server"] = "front";
            answer.Headers["Strict-Transport-Security"] = "max-age=1";
            answer.Headers["Vary"] = "Accept-Encoding, Accept-Language";
            if (answer.Body.Length > 0)
            {
                answer.Chunk();
            }
        });

        var result = await ProbeAsync(front);

        Assert.Equal(ExitCode.Done, result.Code);
        Assert.EndsWith(
            "also sent: Server, Strict-Transport-Security", result.Rows.Single(row => row.Check == "headers").Seen,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_answer_that_does_not_come_fails_its_check_in_time()
    {
        await using var front = await FrontEnd.StartAsync(_endpoint.Origin, before: context =>
            context.Request.Path == "/api/v1/health/ready" ? Task.Delay(TimeSpan.FromSeconds(60), context.RequestAborted) : Task.CompletedTask);

        var result = await ProbeAsync(front.Origin, "--timeout 1");

        Assert.Equal(("readiness", "failed", "no answer within 1 s"), Assert.Single(result.Rows, row => row.Outcome != "ok"));
    }

    [Fact]
    public async Task Where_nobody_listens_the_connection_fails_and_nothing_else_is_asked()
    {
        var result = await ProbeAsync(new Uri($"http://127.0.0.1:{Azurite.FreePort()}"));

        var row = Assert.Single(result.Rows);
        Assert.Equal((ExitCode.Refused, "connection", "failed"), (result.Code, row.Check, row.Outcome));
    }

    [Fact]
    public async Task A_key_in_a_spoilt_answer_to_the_login_is_not_shown()
    {
        await using var front = await FrontEnd.StartAsync(
            _endpoint.Origin,
            answer => answer.Body = answer.Body.Replace(",\"user_id\":5", ",\"user_id\":\"5\"", StringComparison.Ordinal));

        var result = await ProbeAsync(front.Origin, "--username iago@zulip.com", "abcd1234");

        Assert.Equal(("login", "failed"), (result.Rows[^1].Check, result.Rows[^1].Outcome));
        Assert.DoesNotContain(ApiKey, result.Output + result.Error, StringComparison.Ordinal);
    }

    // ---- TLS ----

    [Theory]
    [InlineData(60, true, ExitCode.Done, "certificate valid for 60 more days")]
    [InlineData(3, true, ExitCode.Refused, "certificate valid for 3 more days")]
    [InlineData(60, false, ExitCode.Refused, "TLS: ")]
    public async Task A_certificate_must_be_trusted_and_last(int days, bool isTrusted, int code, string seen)
    {
        var folder = Directory.CreateTempSubdirectory("fetch-api-key-");
        try
        {
            using var certificate = NewCertificate(days);
            var authorities = Path.Combine(folder.FullName, "authorities.pem");
            await File.WriteAllTextAsync(authorities, isTrusted ? certificate.ExportCertificatePem() : "");
            await using var front = await FrontEnd.StartAsync(_endpoint.Origin, certificate: certificate);
            using var probe = TestedProgram.Usual.Start(
                ["probe", front.Origin.ToString(), "--json"],
                new Dictionary<string, string> { ["SSL_CERT_FILE"] = authorities, ["SSL_CERT_DIR"] = folder.FullName });

            Assert.Equal(code, await probe.ExitCodeAsync());
            var rows = Rows(probe.Output);
            Assert.Contains(seen, rows[0].Seen, StringComparison.Ordinal);
            Assert.Equal(code == ExitCode.Done ? Checks.Length : 1, rows.Count);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    // ---- The command line ----

    [Theory]
    [InlineData("probe")]
    [InlineData("probe nonsense")]
    [InlineData("probe ftp://127.0.0.1")]
    [InlineData("probe https://127.0.0.1/path")]
    [InlineData("probe https://127.0.0.1/?a=b")]
    [InlineData("probe https://user@127.0.0.1")]
    [InlineData("probe http://chat.example.com")]
    [InlineData("probe http://chat.example.com --insecure-http --username a@b.com")]
    [InlineData("probe http://127.0.0.1 --timeout 0")]
    [InlineData("probe http://127.0.0.1 --password abcd1234")]
    public async Task A_wrong_command_line_asks_nothing(string command)
    {
        var result = await RunAsync(command, "");

        Assert.Equal(ExitCode.Usage, result.Code);
        Assert.DoesNotContain("connection", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_help_says_what_it_costs() =>
        Assert.Contains(
            "one failed attempt",
            string.Join(' ', (await RunAsync("probe --help", "")).Output.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)),
            StringComparison.Ordinal);

    /// <returns>Whether the fault is one of this answer.</returns>
    private static bool Spoil(string fault, PassingAnswer answer)
    {
        const string health = "GET /api/v1/health";
        const string ready = "GET /api/v1/health/ready";
        const string settings = "GET /api/v1/server_settings";
        const string head = "HEAD /api/v1/server_settings";
        const string login = "POST /api/v1/fetch_api_key";
        var isRefusal = answer.Request == login && answer.Status == 401;
        return fault switch
        {
            "status of health" => answer.Request == health && Status(500),
            "readiness is 503" => answer.Request == ready && Status(503),
            "redirect" => answer.Request is settings or head && Status(302),
            "field missing" => answer.Request == settings && Body("\"zulip_merge_base\":\"12.0-dev\",", ""),
            "field of another type" => answer.Request == settings && Body("\"push_notifications_enabled\":false", "\"push_notifications_enabled\":null "),
            "fields in another order" => answer.Request == settings && Body("\"email_auth_enabled\":true,\"require_email_format_usernames\":true", "\"require_email_format_usernames\":true,\"email_auth_enabled\":true"),
            "field too many" => answer.Request == settings && Body("}\n", ",\"more\":1}\n"),
            "feature level 276" => answer.Request == settings && Body("\"zulip_feature_level\":467", "\"zulip_feature_level\":276"),
            "incompatible" => answer.Request == settings && Body("\"is_incompatible\":false", "\"is_incompatible\":true "),
            "realm_uri with a path" => answer.Request == settings && Body("\"}\n", "/chat\"}\n"),
            "realm_uri on another scheme" => answer.Request == settings && Body("http://", "https://"),
            "no realm" => answer.Request == settings && Body("\"realm_icon\":\"/icon.png\",", ""),
            "cacheable settings" => answer.Request == settings && Header("Cache-Control", "max-age=60"),
            "HEAD of another length" => answer.Request == head && Header("Content-Length", "7"),
            "HEAD refused" => answer.Request == head && Status(405),
            "HTML for an unknown path" => answer.Status == 404 && Header("Content-Type", "text/html"),
            "no Allow" => answer.Status == 405 && Header("Allow", null),
            "404 for a wrong method" => answer.Status == 405 && Status(404),
            "another E1" => answer.Status == 400 && Body("Missing 'username'", "Missing \"username\""),
            "another E2" => answer.Status == 400 && Body("Missing 'password'", "Missing 'passwort'"),
            "refusal is 403" => isRefusal && Status(403),
            "refusal without its LF" => isRefusal && Body("\n", ""),
            "refusal tells more" => isRefusal && Body("}", ",\"traceId\":\"1\"}"),
            "charset" => isRefusal && Header("Content-Type", "application/json; charset=utf-8"),
            "no nosniff" => Header("X-Content-Type-Options", null),
            "no Vary" => Header("Vary", null),
            "no Content-Language" => Header("Content-Language", null),
            "Set-Cookie" => Header("Set-Cookie", "affinity=1"),
            "ETag" => Header("ETag", "\"1\""),
            "WWW-Authenticate" => isRefusal && Header("WWW-Authenticate", "Basic"),
            "no limit" => isRefusal && Header("X-RateLimit-Limit", null),
            "limit 0" => isRefusal && Header("X-RateLimit-Limit", "0"),
            "nothing used up" => isRefusal && Header("X-RateLimit-Remaining", "1000"),
            "reset in the past" => isRefusal && Header("X-RateLimit-Reset", "1000000000"),
            "reset is no number" => isRefusal && Header("X-RateLimit-Reset", "soon"),
            _ => throw new ArgumentOutOfRangeException(nameof(fault), fault, "unknown"),
        };

        bool Status(int status)
        {
            answer.Status = status;
            return true;
        }

        bool Body(string from, string to)
        {
            var before = answer.Body;
            answer.Body = before.Replace(from, to, StringComparison.Ordinal);
            return answer.Body != before;
        }

        bool Header(string name, string? value)
        {
            if (value is null)
            {
                return answer.Headers.Remove(name);
            }

            answer.Headers[name] = value;
            return true;
        }
    }

    private static X509Certificate2 NewCertificate(int days)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=127.0.0.1", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(System.Net.IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(
            new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: false, 0, critical: true));
        var now = TimeProvider.System.GetUtcNow();
        return request.CreateSelfSigned(now.AddDays(-1), now.AddDays(days).AddMinutes(5));
    }

    private static Task<ProbeRun> ProbeAsync(FrontEnd front) => ProbeAsync(front.Origin);

    private static Task<ProbeRun> ProbeAsync(Uri origin, string options = "", string input = "") =>
        RunAsync($"probe {origin} {options} --json", input);

    private static async Task<ProbeRun> RunAsync(string command, string input)
    {
        using var output = new StringWriter { NewLine = "\n" };
        using var error = new StringWriter { NewLine = "\n" };

        // No settings at all: the probe needs none.
        var line = new CommandLine(
            new ConfigurationBuilder().Build(),
            new StandardInput(new MemoryStream(System.Text.Encoding.UTF8.GetBytes(input)), isTerminal: false), TimeProvider.System);
        var code = await line.RunAsync(command.Split(' ', StringSplitOptions.RemoveEmptyEntries), output, error);
        return new ProbeRun(code, output.ToString(), error.ToString());
    }

    private static List<(string Check, string Outcome, string Seen)> Rows(string output) =>
    [
        .. output.Split('\n').Where(line => line.StartsWith('{')).Select(line => JsonDocument.Parse(line).RootElement)
            .Select(row => (row.GetProperty("check").GetString()!, row.GetProperty("outcome").GetString()!, row.GetProperty("seen").GetString()!)),
    ];

    private sealed record ProbeRun(int Code, string Output, string Error)
    {
        public List<(string Check, string Outcome, string Seen)> Rows => ProbeTests.Rows(Output);
    }
}
