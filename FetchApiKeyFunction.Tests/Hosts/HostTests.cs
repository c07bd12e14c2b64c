// The packaged custom handler as it is deployed, an operator's login to cloud storage, and the demo as a newcomer starts it.

using System.Text.Json;
using FetchApiKey.Accounts;
using FetchApiKey.Cli;

namespace FetchApiKeyFunction.Tests.Hosts;

public sealed class HostTests(Organisation organisation) : IClassFixture<Organisation>
{
    private const string DocumentedAnswer =
        """{"result":"success","msg":"","api_key":"gjA04ZYcqXKalvYMA8OeXSfzUOLrtbZv","email":"iago@zulip.com","user_id":5}""" + "\n";

    // ---- The custom handler ----

    [PackageFact]
    public async Task The_packaged_custom_handler_is_deployable_passes_the_probe_and_is_restarted()
    {
        AssertDeployable(await Package.FolderAsync());
        await using var host = await StartHandlerAsync(await NewTablesAsync());

        var probe = await ProbeAsync(host.Origin);
        Assert.True(probe.Code == ExitCode.Done, probe.Output);
        host.Process.Current.Kill();

        using var client = new HttpClient { BaseAddress = host.Origin };
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (await LogInAsync(client) != DocumentedAnswer)
        {
            await Task.Delay(25, limit.Token);
        }

        Assert.Equal(2, host.Process.Starts);
    }

    [PackageTheory]
    [InlineData("an ended process", "health readiness server-settings server-settings-head forwarded-host unknown-path wrong-method missing-username missing-password refused-login headers attempt-limit")]
    [InlineData("the name of another host", "server-settings server-settings-head forwarded-host refused-login attempt-limit")]
    [InlineData("tables without a realm", "server-settings refused-login attempt-limit")]
    public async Task The_probe_names_what_fails_of_a_broken_deployment(string fault, string failing)
    {
        await using var host = await StartHandlerAsync(
            await NewTablesAsync(withRealm: fault != "tables without a realm"),
            fault == "the name of another host" ? "chat.example.org" : "127.0.0.1");
        if (fault == "an ended process")
        {
            await host.StopProcessAsync();
        }

        var probe = await ProbeAsync(host.Origin);

        Assert.Equal(ExitCode.Refused, probe.Code);
        Assert.Equal(failing, string.Join(' ', probe.Output.Split('\n')
            .Where(line => line.Contains("\"outcome\":\"failed\"", StringComparison.Ordinal))
            .Select(line => JsonDocument.Parse(line).RootElement.GetProperty("check").GetString())));
    }

    // ---- The operator ----

    [Fact]
    public async Task An_operators_command_reaches_cloud_storage_with_the_login_of_the_Azure_CLI()
    {
        using var folder = new TemporaryFolder();
        var asked = Path.Combine(folder.Path, "asked");
        var cli = Path.Combine(folder.Path, "az");
        await File.WriteAllTextAsync(cli, $$"""
            #!/bin/sh
            echo "$*" >> '{{asked}}'
            echo '{"accessToken":"token","expires_on":4102444800,"tokenType":"Bearer"}'

            """);
        File.SetUnixFileMode(cli, UnixFileMode.UserRead | UnixFileMode.UserExecute);

        using var command = TestedProgram.Usual.Start(["realms", "list"], new Dictionary<string, string>
        {
            ["PATH"] = $"{folder.Path}:{Environment.GetEnvironmentVariable("PATH")}",
            ["AccountStorage__tableServiceUri"] = "https://127.0.0.1:1",
            ["AccountStorage__credential"] = "azurecli",
            [TestServer.KeyVariable.Name] = TestServer.KeyVariable.Value,
        });

        Assert.Equal(ExitCode.Unavailable, await command.ExitCodeAsync());
        Assert.Contains("get-access-token", await File.ReadAllTextAsync(asked), StringComparison.Ordinal);
        Assert.Contains("https://storage.azure.com", await File.ReadAllTextAsync(asked), StringComparison.Ordinal);
    }

    // ---- The demo ----

    [Fact]
    public async Task One_command_starts_the_documented_endpoint_and_an_interrupt_ends_all_it_started()
    {
        using var data = new TemporaryFolder();
        for (var start = 0; start < 2; start++)
        {
            var port = Azurite.FreePort();
            var (program, arguments) = ProcessRun.Interruptible("dotnet", TestedProgram.Assembly, "local", "--port", $"{port}", "--data", data.Path);
            using var local = ProcessRun.Start(program, arguments);
            await local.WaitForAsync($"Listening on http://localhost:{port}");
            using var client = new HttpClient { BaseAddress = new Uri($"http://localhost:{port}") };

            using var answer = await client.PostAsync(
                new Uri("/api/v1/fetch_api_key", UriKind.Relative), TestServer.Form(("username", "iago@zulip.com"), ("password", "abcd1234")));
            Assert.Equal(DocumentedAnswer, await answer.Content.ReadAsStringAsync());
            using var withoutPassword = await client.PostAsync(new Uri("/api/v1/dev_fetch_api_key", UriKind.Relative), TestServer.Form(("username", "iago@zulip.com")));
            Assert.Equal(DocumentedAnswer, await withoutPassword.Content.ReadAsStringAsync());
            var azurite = new Uri(local.Output.Split("TableEndpoint=")[1].Split(';')[0]);
            Assert.StartsWith("Azurite-Table", (await client.GetAsync(azurite)).Headers.Server.ToString(), StringComparison.Ordinal);

            local.Interrupt();
            Assert.Equal(ExitCode.Done, await local.ExitCodeAsync());
            await Assert.ThrowsAsync<HttpRequestException>(() => client.GetAsync(azurite));
        }
    }

    private async Task<StorageSettings> NewTablesAsync(bool withRealm = true)
    {
        var storage = await SharedAzurite.NewStorageAsync();
        var tables = AccountTables.Open(storage);
        await tables.CreateAsync(CancellationToken.None);
        if (withRealm)
        {
            await new RealmStore(tables, TimeSpan.Zero, TimeProvider.System).AddAsync(new Realm("", "Zulip", "", "", null, true, PasswordBackends.Email), CancellationToken.None);
            var iago = await organisation.FindAsync("iago@zulip.com");
            await new AccountStore(tables).AddAsync(iago, EmailAddress.TryParse(iago.Email)!, CancellationToken.None);
        }

        return storage;
    }

    private static async Task<CustomHandlerHost> StartHandlerAsync(StorageSettings storage, string externalHost = "127.0.0.1")
    {
        var environment = OperatorDesk.VariablesOf(OperatorDesk.Environment(storage.ConnectionString!, storage.TablePrefix));
        environment["ExternalHost"] = externalHost;
        var host = new CustomHandlerHost(await TestedProgram.PackagedAsync(), environment);
        await host.StartAsync();
        await host.WaitUntilReadyAsync();
        return host;
    }

    private static async Task<string> LogInAsync(HttpClient client)
    {
        using var form = TestServer.Form(("username", "iago@zulip.com"), ("password", "abcd1234"));
        using var answer = await client.PostAsync(new Uri("/api/v1/fetch_api_key", UriKind.Relative), form);
        return await answer.Content.ReadAsStringAsync();
    }

    private static async Task<(int Code, string Output)> ProbeAsync(Uri origin)
    {
        using var probe = (await TestedProgram.PackagedAsync()).Start(["probe", origin.ToString(), "--json"]);
        return (await probe.ExitCodeAsync(), probe.Output);
    }

    private static void AssertDeployable(string folder)
    {
        var host = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "host.json"))).RootElement;
        Assert.Equal("2.0", host.GetProperty("version").GetString());
        Assert.Equal("api", host.GetProperty("extensions").GetProperty("http").GetProperty("routePrefix").GetString());
        var handler = host.GetProperty("customHandler");
        Assert.True(handler.GetProperty("enableProxyingHttpRequest").GetBoolean());
        Assert.False(handler.TryGetProperty("enableForwardingHttpRequest", out _));
        var executable = handler.GetProperty("description").GetProperty("defaultExecutablePath").GetString()!;
        Assert.True(File.Exists(Path.Combine(folder, executable)));
        var function = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "FetchApiKey", "function.json"))).RootElement;
        var bindings = function.GetProperty("bindings").EnumerateArray().ToList();
        Assert.Equal(["httpTrigger", "http"], bindings.Select(binding => binding.GetProperty("type").GetString()));
        Assert.False(bindings[0].TryGetProperty("methods", out _));
    }
}
