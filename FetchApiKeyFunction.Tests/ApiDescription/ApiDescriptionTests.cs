// openapi.json: sound by itself, served as it is, and true of every answer.

using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using FetchApiKey.Attempts;
using FetchApiKeyFunction.Tests.Hosts;
using static FetchApiKeyFunction.Tests.TestServer;

namespace FetchApiKeyFunction.Tests.ApiDescription;

public sealed partial class ApiDescriptionTests(Organisation organisation) : IClassFixture<Organisation>
{
    private const string Login = "/api/v1/fetch_api_key";
    private const string RightForm = "username=iago@zulip.com&password=abcd1234";

    // ---- By itself ----

    [Fact]
    public async Task The_linter_finds_no_error_and_no_warning()
    {
        var (exitCode, report) = await LintAsync(ReadDescription());

        Assert.True(exitCode == 0, report);
        Assert.Matches("\"errors\": 0,\\s+\"warnings\": 0,", report);
    }

    /// <summary>The rule that notices, and what is done to the document.</summary>
    private static readonly Dictionary<string, Action<JsonNode>> Damages = new()
    {
        ["no-invalid-media-type-examples"] = description => LoginResponse(description, "401")["content"]!["application/json"]!["examples"]!["E5"]!["value"]!["msg"] = "Wrong",
        ["no-unresolved-refs"] = description => description["paths"]![Login]!["post"]!["responses"]!["500"]!["$ref"] = "#/components/responses/Nothing",
        ["struct"] = description => ((JsonObject)LoginResponse(description, "200")).Remove("description"),
        ["operation-operationId"] = description => ((JsonObject)description["paths"]![Login]!["post"]!).Remove("operationId"),
        ["no-unused-components"] = description => description["components"]!["schemas"]!["Spare"] = new JsonObject { ["type"] = "string" },
        ["tag-description"] = description => ((JsonObject)description["tags"]![0]!).Remove("description"),
    };

    public static TheoryData<string> DamageNames => [.. Damages.Keys];

    [Theory]
    [MemberData(nameof(DamageNames))]
    public async Task The_linter_refuses_a_damaged_copy(string rule)
    {
        var description = ReadDescription();
        Damages[rule](description);

        var (exitCode, report) = await LintAsync(description);

        Assert.NotEqual(0, exitCode);
        Assert.Contains($"\"ruleId\": \"{rule}\"", report, StringComparison.Ordinal);
    }

    [Fact]
    public void Its_examples_of_answers_are_the_bodies_of_the_wire_files_and_none_is_left_out()
    {
        var examples = ResponseExamples(ReadDescription()).ToLookup(example => example.Name, example => Text(example.Value));
        var wire = Directory.GetFiles(Path.Combine(AppContext.BaseDirectory, "Wire")).Select(file => Path.GetFileNameWithoutExtension(file)!).ToList();

        Assert.Equal(wire.Order(StringComparer.Ordinal), examples.Select(example => example.Key).Order(StringComparer.Ordinal));
        Assert.All(examples, example => Assert.All(example, text =>
            Assert.Equal(Text(JsonNode.Parse(Golden(example.Key).Replace("RETRY_AFTER", "1799.98", StringComparison.Ordinal))!), text)));
    }

    // ---- As it is served ----

    [Fact]
    public async Task The_document_is_served_compact_and_with_nothing_lost()
    {
        var get = await organisation.Server.SendAsync(HttpMethod.Get, "/api/v1/openapi.json");
        var head = await organisation.Server.SendAsync(HttpMethod.Head, "/api/v1/openapi.json");

        Assert.Equal((200, 200, ""), (get.Status, head.Status, head.Body));
        Assert.Equal(Text(ReadDescription()), Text(JsonNode.Parse(get.Body)!));
        Assert.Equal('\n', get.Body[^1]);
        Assert.DoesNotContain('\n', get.Body[..^1]);
        Assert.Equal("application/json", get.Headers["Content-Type"]);
        Assert.Equal("no-store", get.Headers["Cache-Control"]);
        Assert.Equal(get.Headers["Content-Length"], head.Headers["Content-Length"]);
    }

    [Theory]
    [InlineData("/")]
    [InlineData("/api/v1/health")]
    [InlineData("/api/v1/health/ready")]
    public async Task Who_asks_whether_all_is_well_is_told_so(string path)
    {
        var get = await organisation.Server.SendAsync(HttpMethod.Get, path);
        var head = await organisation.Server.SendAsync(HttpMethod.Head, path);

        Assert.Equal((200, Golden("healthy")), (get.Status, get.Body));
        Assert.Equal((200, ""), (head.Status, head.Body));
    }

    [Theory]
    [InlineData("/")]
    [InlineData("/api/v1/health")]
    [InlineData("/api/v1/health/ready")]
    [InlineData("/api/v1/openapi.json")]
    public async Task Another_method_on_what_is_only_read_gets_405(string path)
    {
        foreach (var method in new[] { "POST", "PUT", "DELETE", "OPTIONS", "BREW" })
        {
            var answer = await organisation.Server.SendAsync(new HttpMethod(method), path);

            Assert.Equal((405, Golden("settings-method-not-allowed"), "GET, HEAD"), (answer.Status, answer.Body, answer.Headers["Allow"]));
        }
    }

    // ---- True of the answers: TestServer asks the same of every answer in every test ----

    /// <summary>What was changed in an answer, how, and where the fault must be reported.</summary>
    private static readonly Dictionary<string, (Func<Answer, Answer> Alter, string Where)> Alterations = new()
    {
        ["another message"] = (answer => answer with { Body = answer.Body.Replace("incorrect", "wrong", StringComparison.Ordinal) }, "body /msg: "),
        ["another code"] = (answer => answer with { Body = answer.Body.Replace("AUTHENTICATION_FAILED", "USER_DEACTIVATED", StringComparison.Ordinal) }, "body /msg: "),
        ["an unknown code"] = (answer => answer with { Body = answer.Body.Replace("AUTHENTICATION_FAILED", "UNAUTHORIZED", StringComparison.Ordinal) }, "body /code: "),
        ["another member"] = (answer => answer with { Body = answer.Body.Replace("}", ",\"traceId\":\"1\"}", StringComparison.Ordinal) }, "body : must NOT have additional properties"),
        ["a member less"] = (answer => answer with { Body = answer.Body.Replace("\"result\":\"error\",", "", StringComparison.Ordinal) }, "body : must have required property 'result'"),
        ["no JSON"] = (answer => answer with { Body = "Unauthorized" }, "body: is no JSON"),
        ["no body"] = (answer => answer with { Body = "" }, "body: is no JSON"),
        ["an undocumented status"] = (answer => answer with { Status = 403 }, "status 403: "),
        ["a status of another method"] = (answer => answer with { Status = 405 }, "status 405: "),
        ["a header less"] = (answer => Without(answer, "Cache-Control"), "header Cache-Control: is missing"),
        ["a limit less"] = (answer => Without(answer, "X-RateLimit-Reset"), "header X-RateLimit-Reset: is missing"),
        ["a header more"] = (answer => With(answer, "WWW-Authenticate", "Basic"), "header WWW-Authenticate: is not described"),
        ["another value"] = (answer => With(answer, "Cache-Control", "private"), "header Cache-Control: "),
        ["a fraction for an integer"] = (answer => With(answer, "X-RateLimit-Limit", "5.0"), "header X-RateLimit-Limit: "),
        ["another content type"] = (answer => With(answer, "Content-Type", "application/json; charset=utf-8"), "header Content-Type: "),
    };

    public static TheoryData<string> AlterationNames => [.. Alterations.Keys];

    [Theory]
    [MemberData(nameof(AlterationNames))]
    public async Task An_altered_answer_does_not_pass(string what)
    {
        var (alter, where) = Alterations[what];
        var answer = await organisation.Server.LogInAsync("iago@zulip.com", "wrong");
        var altered = alter(answer);

        Assert.Equal(401, answer.Status);
        Assert.NotEqual(answer, altered);
        var faults = await ResponseValidator.FaultsAsync("POST", Login, altered);
        Assert.True(faults.Any(fault => fault.StartsWith(where, StringComparison.Ordinal)), $"{what}: {string.Join('\n', faults)}");
    }

    [Fact]
    public async Task An_answer_in_the_wrong_place_does_not_pass()
    {
        var refused = await organisation.Server.LogInAsync("iago@zulip.com", "wrong");
        var notFound = await organisation.Server.SendAsync(HttpMethod.Get, "/nowhere");
        var head = await organisation.Server.SendAsync(HttpMethod.Head, "/api/v1/server_settings");

        Assert.Empty(await ResponseValidator.FaultsAsync("POST", Login, refused));
        Assert.Equal(["status 401: is not described for GET /nowhere"], await ResponseValidator.FaultsAsync("GET", "/nowhere", refused));
        Assert.NotEmpty(await ResponseValidator.FaultsAsync("POST", Login, notFound));
        Assert.NotEmpty(await ResponseValidator.FaultsAsync("GET", "/nowhere", notFound with { Body = Golden("E3") }));
        Assert.Equal(["status 404: is not described for GET /api/v1/server_settings"], await ResponseValidator.FaultsAsync("GET", "/api/v1/server_settings", notFound));
        Assert.Equal(["body: an answer to HEAD has none"], await ResponseValidator.FaultsAsync("HEAD", "/api/v1/server_settings", head with { Body = Golden("settings-root") }));
    }

    [Fact]
    public async Task A_test_server_fails_the_test_whose_answer_is_not_described()
    {
        var answer = await organisation.Server.LogInAsync("iago@zulip.com", "wrong");

        var failure = await Assert.ThrowsAnyAsync<Xunit.Sdk.XunitException>(
            () => ResponseValidator.AssertDescribedAsync("POST", Login, answer with { Status = 418 }));

        Assert.Contains($"POST {Login} 418 is not as openapi.json describes it", failure.Message, StringComparison.Ordinal);
    }

    /// <summary>Each example of an answer to the login, and a request that gets it.</summary>
    private IReadOnlyDictionary<string, Func<Task<Answer>>> LoginRequests => new Dictionary<string, Func<Task<Answer>>>
    {
        ["200 success"] = () => SendFormAsync(RightForm),
        ["200 success-ignored"] = () => SendFormAsync(RightForm + "&Z=8&%22%5C%01%09%1F", "?Z=1&%F0%9F%98%80=2&%EF%B7%90=3&a&A=4&%C3%A9&client=x&=5&%2B%3C%3E%26%27=6&a=7"),
        ["400 E1"] = () => SendFormAsync("password=abcd1234"),
        ["400 E2"] = () => SendFormAsync("username=iago@zulip.com"),
        ["400 E4"] = () => SendFormAsync("username=iago&password=abcd1234"),
        ["400 malformed-body"] = () => SendFormAsync("--b\r\n", type: "multipart/form-data; boundary=b"),
        ["400 too-many-fields"] = () => SendFormAsync(string.Concat(Enumerable.Repeat("a=b&", RequestForm.MaxFields + 1))),
        ["400 unsupported-charset"] = () => SendFormAsync(RightForm, type: "application/x-www-form-urlencoded; charset=utf-16"),
        ["401 E5"] = () => organisation.Server.LogInAsync("nobody@zulip.com", "wrong"),
        ["401 E9"] = () => organisation.Server.LogInAsync("gone@zulip.com", "abcd1234"),
        ["401 E11"] = () => organisation.Server.LogInAsync("iago@zulip.com", "abcd1234", "closed.zulip.example.com"),
        ["401 E13"] = () => organisation.Server.LogInAsync("iago@zulip.com", "abcd1234", "nopasswords.zulip.example.com"),
        ["401 E15"] = () => organisation.Server.LogInAsync("weak@zulip.com", "abcd1234"),
        ["404 E3"] = () => organisation.Server.LogInAsync("iago@zulip.com", "abcd1234", "unknown.zulip.example.com"),
        ["405 method-not-allowed"] = () => organisation.Server.SendAsync(HttpMethod.Get, Login),
        ["408 body-timed-out"] = SendWithoutEndAsync,
        ["413 body-too-large"] = () => SendFormAsync(RightForm.PadRight(RequestForm.MaxBodyBytes + 1, 'x')),
        ["429 E16"] = GuessTooOftenAsync,
        ["500 E17"] = async () =>
        {
            await using var server = await StorageFaultTests.StartWithFaultOfOurOwnAsync("unexpected");
            return await server.LogInAsync("iago@zulip.com", "abcd1234");
        },
        ["503 E18"] = async () =>
        {
            var tables = await SharedAzurite.NewTablesAsync();
            await tables.Realms.DeleteAsync();
            await using var server = await StartAsync(tables);
            return await server.LogInAsync("iago@zulip.com", "abcd1234");
        },
    };

    [Fact]
    public async Task Every_described_answer_to_a_login_can_be_had()
    {
        var description = ReadDescription();
        var described = ((JsonObject)description["paths"]![Login]!["post"]!["responses"]!)
            .SelectMany(response => ExamplesOf(LoginResponse(description, response.Key)).Select(example => $"{response.Key} {example.Name}"));

        Assert.Equal(described.Order(StringComparer.Ordinal), LoginRequests.Keys.Order(StringComparer.Ordinal));
        foreach (var (name, send) in LoginRequests)
        {
            var answer = await send();
            var (status, example) = (name[..3], name[4..]);
            var body = RetryAfter().Replace(answer.Body, "\"retry-after\":RETRY_AFTER}");
            Assert.Equal((status, example, Golden(example)), (answer.Status.ToString(CultureInfo.InvariantCulture), example, body));
        }
    }

    private async Task<Answer> GuessTooOftenAsync()
    {
        var defaults = NewSettings();
        await using var server = await StartAsync(organisation.Tables, new Settings
        {
            Storage = defaults.Storage,
            ExternalHosts = defaults.ExternalHosts,
            RealmMaxAge = defaults.RealmMaxAge,
            Hashing = defaults.Hashing,
            ApiKeys = defaults.ApiKeys,
            Attempts = new AttemptSettings { PerAccount = 1, PerAddress = 1000 },
        });
        await server.LogInAsync("guessed@zulip.com", "wrong");
        return await server.LogInAsync("guessed@zulip.com", "wrong");
    }

    /// <summary>HttpClient hears no answer before it has sent everything.</summary>
    private async Task<Answer> SendWithoutEndAsync() => ParseFirst(await organisation.Server.SendRawAsync(
        $"POST {Login} HTTP/1.1\r\nHost: {RootHost}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 50\r\n\r\nusername="))!;

    private Task<Answer> SendFormAsync(string body, string query = "", string type = "application/x-www-form-urlencoded")
    {
        var content = new ByteArrayContent(System.Text.Encoding.UTF8.GetBytes(body));
        content.Headers.TryAddWithoutValidation("Content-Type", type);
        return organisation.Server.SendAsync(HttpMethod.Post, Login + query, content);
    }

    private static Answer Without(Answer answer, string header) =>
        answer with { Headers = answer.Headers.Where(sent => sent.Key != header).ToDictionary() };

    private static Answer With(Answer answer, string header, string value) =>
        answer with { Headers = new Dictionary<string, string>(answer.Headers) { [header] = value } };

    private static JsonNode ReadDescription() => JsonNode.Parse(File.ReadAllText(ResponseValidator.DescriptionFile))!;

    private static string Text(JsonNode node) => node.ToJsonString();

    /// <summary>A response of the login, wherever it is written.</summary>
    private static JsonNode LoginResponse(JsonNode description, string status)
    {
        var response = description["paths"]![Login]!["post"]!["responses"]![status]!;
        return response["$ref"]?.GetValue<string>() is { } reference ? description["components"]!["responses"]![reference.Split('/')[^1]]! : response;
    }

    private static IEnumerable<(string Name, JsonNode Value)> ExamplesOf(JsonNode response) =>
        response["content"]?["application/json"]?["examples"] is JsonObject examples ? examples.Select(example => (example.Key, example.Value!["value"]!)) : [];

    private static IEnumerable<(string Name, JsonNode Value)> ResponseExamples(JsonNode description) =>
        ((JsonObject)description["paths"]!)
            .SelectMany(path => ((JsonObject)path.Value!).Where(member => member.Value is JsonObject).SelectMany(operation => (JsonObject)operation.Value!["responses"]!))
            .Concat((JsonObject)description["components"]!["responses"]!)
            .SelectMany(response => ExamplesOf(response.Value!));

    /// <summary>Lints a copy, with the rules and the exceptions of the repository.</summary>
    private static async Task<(int ExitCode, string Report)> LintAsync(JsonNode description)
    {
        var modules = await ResponseValidator.InstallAsync();
        var folder = Directory.CreateTempSubdirectory("fetch-api-key-lint-").FullName;
        try
        {
            foreach (var rules in Directory.GetFiles(ResponseValidator.Folder, "*.yaml"))
            {
                File.Copy(rules, Path.Combine(folder, Path.GetFileName(rules)));
            }

            await File.WriteAllTextAsync(Path.Combine(folder, "openapi.json"), description.ToJsonString());
            using var redocly = ProcessRun.Start(
                "node", [Path.Combine(modules, "node_modules", "@redocly", "cli", "bin", "cli.js"), "lint", "openapi.json", "--format=json"],
                new Dictionary<string, string> { ["REDOCLY_TELEMETRY"] = "off", ["REDOCLY_SUPPRESS_UPDATE_NOTICE"] = "true" }, folder);
            return (await redocly.ExitCodeAsync(), redocly.Output);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [GeneratedRegex("""\"retry-after\":[0-9]+\.[0-9]+}""")]
    private static partial Regex RetryAfter();
}
