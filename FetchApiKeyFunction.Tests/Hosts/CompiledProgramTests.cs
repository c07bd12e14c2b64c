// The packaged program, which is compiled ahead of time: that it does all that the tests see the same sources do in this process.

using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using FetchApiKey.Accounts;
using FetchApiKey.Cli;
using FetchApiKey.Pages;
using FetchApiKeyFunction.Tests.Ldap;
using FetchApiKeyFunction.Tests.Pages;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.IdentityModel.Tokens;
using static FetchApiKeyFunction.Tests.TestServer;

namespace FetchApiKeyFunction.Tests.Hosts;

public sealed class CompiledProgramTests(Organisation organisation) : IClassFixture<Organisation>
{
    private const string Strong = "correct horse battery staple";
    private const string TokenSecret = "thirty-two bytes and some more, é";

    // ---- The operator ----

    [PackageFact]
    public async Task What_its_commands_write_reads_the_same_for_the_program_that_is_compiled_as_it_runs()
    {
        using var folder = new TemporaryFolder();
        var (backup, export) = (Path.Combine(folder.Path, "backup"), Path.Combine(folder.Path, "export"));
        var program = await TestedProgram.PackagedAsync();
        var desk = await OperatorDesk.OpenAsync(program);
        foreach (var (command, input) in new[]
        {
            ("realms add acme --name Acmé", null),
            ("realms set acme --description <p>Hi</p>", null),
            ("users add a@b.com --role owner", Strong),
            ("users add b@b.com", Strong),
            ("users set-password b@b.com", Strong + "!"),
            ("users rotate-key b@b.com", null),
            ("users deactivate b@b.com", null),
            ("users invite-reset a@b.com --json", null),
            ("users import - --format jsonl", $$"""{"realm":"acme","email":"line@b.com","user_id":7,"api_key":"{{new string('j', 32)}}","password":"{{Organisation.OldHash}}"}"""),
            (
                "users import -",
                $"realm,email,user_id,api_key,password,role\nacme,\"csv@b.com\",8,{new string('c', 32)},\"{Organisation.OldHash}\",600\n"),
            ("users import -", $"acme\tcopy@b.com\t9\t{new string('p', 32)}\t!\tt\t100\t2019-03-04 03:06:07.123456+00\tCopied Ö\n"),
            ($"users export {export}", null),
            ("keys rotate --json", null),
            ($"tables backup {backup}", null),
        })
        {
            var done = await desk.RunAsync(command, input);
            Assert.True(done.Code == ExitCode.Done, $"{command}: {done.Code} {done.Output}{done.Error}");
        }

        foreach (var command in new[]
        {
            "realms list", "realms list --json", "users list", "users list --realm acme --json", "users show a@b.com", "users zuliprc a@b.com",
            "users export - --realm acme", "audit search --json", "completion bash", "users show nobody@b.com",
        })
        {
            var compiled = await desk.RunAsync(command);
            var here = await OperatorDesk.RunAsync(command, null, desk.Settings);
            Assert.Equal(
                (command, here.Code, Lasting(here.Output), here.Error), (command, compiled.Code, Lasting(compiled.Output), compiled.Error));
            Assert.NotEmpty(compiled.Output + compiled.Error);
        }

        Assert.Equal(5, (await File.ReadAllLinesAsync(export)).Length);
        var elsewhere = await SharedAzurite.NewStorageAsync();
        var empty = OperatorDesk.Environment(elsewhere.ConnectionString!, elsewhere.TablePrefix);
        Assert.Equal(ExitCode.Done, (await OperatorDesk.RunAsync("tables create", null, empty, program: program)).Code);
        var restored = await OperatorDesk.RunAsync($"tables restore {backup} --json", null, empty, program: program);
        Assert.Equal(ExitCode.Done, restored.Code);
        Assert.Contains("\"unchanged\":0,\"differ\":0", restored.Output, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Done, (await desk.RunAsync("doctor --json")).Code);

        // The one that runs second sees what the first recorded of itself.
        static string Lasting(string output) => string.Join('\n', output.Split('\n').Where(line =>
            !line.Contains("users zuliprc", StringComparison.Ordinal) && !line.Contains("users export", StringComparison.Ordinal)));
    }

    [PackageFact]
    public async Task It_asks_for_a_token_of_its_managed_identity()
    {
        var asked = new TaskCompletionSource<string>();
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(System.Net.IPAddress.Loopback, 0));
        await using var identity = builder.Build();
        identity.Run(async context =>
        {
            asked.TrySetResult(context.Request.QueryString.Value!);
            context.Response.ContentType = "application/json";
            await context.Response.WriteAsync("""{"access_token":"token","expires_on":"4102444800","resource":"https://storage.azure.com","token_type":"Bearer"}""");
        });
        await identity.StartAsync();

        using var command = (await TestedProgram.PackagedAsync()).Start(["realms", "list"], new Dictionary<string, string>
        {
            ["AccountStorage__tableServiceUri"] = "https://127.0.0.1:1",
            ["AccountStorage__clientId"] = "11111111-2222-3333-4444-555555555555",
            ["IDENTITY_ENDPOINT"] = identity.Urls.Single(),
            ["IDENTITY_HEADER"] = "header",
            [KeyVariable.Name] = KeyVariable.Value,
        });

        // With the token it goes on to a storage that is not there.
        Assert.Equal(ExitCode.Unavailable, await command.ExitCodeAsync());
        Assert.Contains("127.0.0.1:1", command.Output, StringComparison.Ordinal);
        Assert.Contains("11111111-2222-3333-4444-555555555555", await asked.Task, StringComparison.Ordinal);
        Assert.Contains("resource=https://storage.azure.com", Uri.UnescapeDataString(await asked.Task), StringComparison.Ordinal);
    }

    // ---- The endpoint ----

    [PackageFact]
    public async Task It_answers_every_path_as_the_contract_says()
    {
        var account = await organisation.NewAccountAsync();
        var token = await organisation.InviteAsync(account);
        var (run, server) = await ServeAsync(
            ("Jwt__portal__realms", "@"), ("Jwt__portal__key", TokenSecret), ("Jwt__portal__algorithms", "HS256"), ("CorsAllowedOrigins", "https://web.example.com"));
        using var process = run;
        await using var endpoint = server;

        await ExpectAsync(
            HttpMethod.Post, "/api/v1/fetch_api_key", 200, Golden("success"),
            Form(("username", "iago@zulip.com"), ("password", "abcd1234")));
        await ExpectAsync(
            HttpMethod.Post, "/api/v1/fetch_api_key", 401, Golden("E5"), Form(("username", "iago@zulip.com"), ("password", "wrong")));
        await ExpectAsync(
            HttpMethod.Post, "/api/v1/fetch_api_key", 401, Golden("E9"), Form(("username", "gone@zulip.com"), ("password", "abcd1234")));
        await ExpectAsync(HttpMethod.Post, "/api/v1/jwt/fetch_api_key", 200, Golden("jwt-success"), Form(("token", Token("""{"email":"iago@zulip.com"}"""))));
        await ExpectAsync(HttpMethod.Post, "/api/v1/jwt/fetch_api_key", 400, Golden("jwt-bad-token"), Form(("token", Token("""{"email":"iago@zulip.com"}""") + "x")));
        await ExpectAsync(HttpMethod.Get, "/api/v1/server_settings", 200, Golden("settings-root"));
        await ExpectAsync(HttpMethod.Get, "/api/v1/health/ready", 200, Golden("healthy"));
        await ExpectAsync(HttpMethod.Get, "/", 200, Golden("healthy"));
        await ExpectAsync(HttpMethod.Get, "/api/v1/dev_list_users", 404, Golden("not-found"));
        await ExpectAsync(HttpMethod.Delete, "/api/v1/fetch_api_key", 405, Golden("method-not-allowed"));
        Assert.Equal(
            (await organisation.Server.SendAsync(HttpMethod.Get, "/api/v1/openapi.json")).Body,
            (await server.SendAsync(HttpMethod.Get, "/api/v1/openapi.json")).Body);
        Assert.Equal("https://web.example.com", (await server.SendAsync(HttpMethod.Get, "/api/v1/health", headers: [("Origin", "https://web.example.com")])).Headers["Access-Control-Allow-Origin"]);

        Assert.Equal(200, (await server.OpenAsync(token)).Status);
        Assert.Contains("easy to guess", (await server.ChooseAsync(token, "abcd1234")).Body, StringComparison.Ordinal);
        Assert.Equal(200, (await server.ChooseAsync(token, ResetLinks.Strong)).Status);
        Assert.Equal(404, (await server.ChooseAsync(token, ResetLinks.Strong)).Status);
        var login = await server.LogInAsync(account.Email, ResetLinks.Strong);
        var key = JsonDocument.Parse(login.Body).RootElement.GetProperty("api_key").GetString()!;
        var page = await server.SendAsync(
            HttpMethod.Post, ApiKeyPage.Path, Form(("username", account.Email), ("password", ResetLinks.Strong)));
        Assert.Equal(200, page.Status);
        Assert.Contains(key, page.Body, StringComparison.Ordinal);
        var basic = ("Authorization", "Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes($"{account.Email}:{key}")));
        Assert.Equal(200, (await server.SendAsync(HttpMethod.Post, "/api/v1/users/me/api_key/regenerate", headers: basic)).Status);
        Assert.Equal((401, Golden("key-invalid")), (await server.SendAsync(HttpMethod.Post, "/api/v1/users/me/api_key/regenerate", headers: basic)) is var second ? (second.Status, second.Body) : default);

        run.Terminate();
        Assert.Equal(ExitCode.Done, await run.ExitCodeAsync());

        async Task ExpectAsync(HttpMethod method, string path, int status, string body, HttpContent? content = null)
        {
            var answer = await server.SendAsync(method, path, content);
            Assert.Equal((path, status, body), (path, answer.Status, answer.Body));
        }
    }

    [PackageWithSlapdFact]
    public async Task It_asks_a_directory_over_TLS()
    {
        await using var slapd = await Slapd.StartAsync();
        var (run, server) = await ServeAsync(
            ("Ldap__people__realms", "@"), ("Ldap__people__uri", $"ldaps://127.0.0.1:{slapd.TlsPort}"), ("Ldap__people__trustedCertificates", slapd.Authority),
            ("Ldap__people__bindDn", Slapd.ReaderDn), ("Ldap__people__bindPassword", Slapd.ReaderPassword), ("Ldap__people__userSearchBase", Slapd.People),
            ("Ldap__people__appendDomain", "example.com"), ("Ldap__people__autoCreate", "true"));
        using var process = run;
        await using var endpoint = server;

        Assert.Equal(200, (await server.LogInAsync("hamlet", "canary-hamlet")).Status);
        Assert.Equal(401, (await server.LogInAsync("hamlet", "canary-horatio")).Status);
        Assert.Equal(401, (await server.LogInAsync("nobody", "canary-hamlet")).Status);
        Assert.Equal(200, (await server.SendAsync(HttpMethod.Get, "/api/v1/health/ready")).Status);
        slapd.Stop();
        Assert.Equal(503, (await server.LogInAsync("hamlet", "canary-hamlet")).Status);
    }

    [PackageFact]
    public async Task A_stored_row_that_cannot_be_read_is_logged_by_its_place()
    {
        var storage = await SharedAzurite.NewStorageAsync();
        var tables = AccountTables.Open(storage);
        await tables.CreateAsync(CancellationToken.None);
        await new RealmStore(tables, TimeSpan.Zero, TimeProvider.System).AddAsync(new Realm("", "Zulip", "", "", null, true, PasswordBackends.Email), CancellationToken.None);
        var row = new Realm("acme", "Acme", "", "", null, true, PasswordBackends.Email).ToRow();
        row["Name"] = 7L;
        await tables.Realms.AddEntityAsync(row);
        var (run, server) = await ServeAsync(("TablePrefix", storage.TablePrefix));
        using var process = run;
        await using var endpoint = server;

        var answer = await server.LogInAsync("iago@zulip.com", "abcd1234", "acme.zulip.example.com");

        Assert.Equal(503, answer.Status);
        await run.WaitForAsync($"table {tables.Realms.Name}, partition 'realm', row 'acme.', column Name is of the type Int64");
    }

    private async Task<(ProcessRun Run, TestServer Server)> ServeAsync(params (string Name, string Value)[] more)
    {
        var port = Azurite.FreePort();
        var environment = OperatorDesk.VariablesOf(
            OperatorDesk.Environment(await SharedAzurite.ConnectionStringAsync(), organisation.TablePrefix));
        environment["ExternalHost"] = "zulip.example.com,127.0.0.1";
        foreach (var limit in new[] { "perAccount", "perAddress" })
        {
            environment[$"AttemptLimit__{limit}"] = "1000";
        }

        foreach (var (name, value) in more)
        {
            environment[name] = value;
        }

        var run = (await TestedProgram.PackagedAsync()).Start(["serve", "--port", $"{port}"], environment);
        await run.WaitForAsync("Listening on");
        return (run, At(new Uri($"http://127.0.0.1:{port}")));
    }

    private static string Token(string claims)
    {
        var signed = $"{Base64UrlEncoder.Encode("""{"alg":"HS256","typ":"JWT"}""")}.{Base64UrlEncoder.Encode(claims)}";
        return $"{signed}.{Base64UrlEncoder.Encode(HMACSHA256.HashData(Encoding.UTF8.GetBytes(TokenSecret), Encoding.ASCII.GetBytes(signed)))}";
    }

    [AttributeUsage(AttributeTargets.Method)]
    private sealed class PackageWithSlapdFactAttribute : FactAttribute
    {
        public PackageWithSlapdFactAttribute() => Skip = Package.Skip ?? Slapd.Skip;
    }
}
