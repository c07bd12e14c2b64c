// Both hosts as they are deployed, and the demo as a newcomer starts it.

using System.Reflection;
using System.Text;
using System.Text.Json;
using FetchApiKey.Accounts;
using FetchApiKey.Attempts;
using FetchApiKey.Cli;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;

namespace FetchApiKeyFunction.Tests.Hosts;

public sealed class HostTests(Organisation organisation) : IClassFixture<Organisation>
{
    private const string DocumentedAnswer =
        """{"result":"success","msg":"","api_key":"gjA04ZYcqXKalvYMA8OeXSfzUOLrtbZv","email":"iago@zulip.com","user_id":5}""" + "\n";

    // ---- The custom handler ----

    [PackageFact]
    public async Task The_packaged_custom_handler_serves_as_the_Functions_host_starts_it_and_passes_the_probe()
    {
        using var folder = await Package.UnpackAsync(await Package.CustomAsync());
        var tables = await NewTablesAsync();
        AssertDeployable(folder.Path, hasCustomHandler: true);
        var function = JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(folder.Path, "FetchApiKey", "function.json"))).RootElement;
        Assert.Equal(["httpTrigger", "http"], function.GetProperty("bindings").EnumerateArray().Select(binding => binding.GetProperty("type").GetString()));
        Assert.False(function.GetProperty("bindings")[0].TryGetProperty("methods", out _));

        var port = Azurite.FreePort();
        await using var front = await FrontEnd.StartAsync(new Uri($"http://127.0.0.1:{port}"));
        using var client = new HttpClient { BaseAddress = front.Origin };
        using (var handler = await StartHandlerAsync(folder.Path, port, tables))
        {
            var probe = await ProbeAsync(folder.Path, front.Origin);
            Assert.True(probe.Code == ExitCode.Done, probe.Output);
            Assert.Equal(DocumentedAnswer, await LogInAsync(client));
            handler.Kill();
        }

        using var restarted = await StartHandlerAsync(folder.Path, port, tables);
        Assert.Equal(DocumentedAnswer, await LogInAsync(client));
    }

    [PackageTheory]
    [InlineData("an ended process", "health readiness server-settings server-settings-head forwarded-host unknown-path wrong-method missing-username missing-password refused-login headers attempt-limit")]
    [InlineData("the name of another host", "server-settings server-settings-head forwarded-host refused-login attempt-limit")]
    [InlineData("tables without a realm", "server-settings refused-login attempt-limit")]
    public async Task The_probe_names_what_fails_of_a_broken_deployment(string fault, string failing)
    {
        using var folder = await Package.UnpackAsync(await Package.CustomAsync());
        var port = Azurite.FreePort();
        await using var front = await FrontEnd.StartAsync(new Uri($"http://127.0.0.1:{port}"));
        var tables = await NewTablesAsync(withRealm: fault != "tables without a realm");
        using var handler = await StartHandlerAsync(folder.Path, port, tables, fault == "the name of another host" ? "chat.example.org" : "127.0.0.1");
        if (fault == "an ended process")
        {
            handler.Kill();
        }

        var probe = await ProbeAsync(folder.Path, front.Origin);

        Assert.Equal(ExitCode.Refused, probe.Code);
        Assert.Equal(failing, string.Join(' ', probe.Output.Split('\n')
            .Where(line => line.Contains("\"outcome\":\"failed\"", StringComparison.Ordinal))
            .Select(line => JsonDocument.Parse(line).RootElement.GetProperty("check").GetString())));
    }

    [Fact]
    public async Task A_custom_handler_with_faulty_settings_ends_and_names_them()
    {
        using var handler = TestedProgram.Usual.Start([], new Dictionary<string, string>
        {
            ["FUNCTIONS_CUSTOMHANDLER_PORT"] = "1",
            ["AccountStorage"] = "nonsense",
            ["ExternalHost"] = "",
        });

        Assert.Equal(ExitCode.BadSettings, await handler.ExitCodeAsync());
        Assert.Contains("AccountStorage: ", handler.Output, StringComparison.Ordinal);
        Assert.Contains("ExternalHost: ", handler.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_custom_handler_without_its_tables_lets_nobody_in_and_ends_naming_them()
    {
        var port = Azurite.FreePort();
        using var handler = ProcessRun.Start("dotnet", [AppAssembly], EnvironmentOf(port, await SharedAzurite.NewStorageAsync()));
        var statuses = await KnockAsync(port, client => StatusAsync(client, "abcd1234"), () => handler.HasExited);

        Assert.All(statuses, status => Assert.Equal(503, status));
        Assert.Equal(ExitCode.BadSettings, await handler.ExitCodeAsync());
        Assert.All(new[] { "realms", "accounts", "userids", "attempts", "audit" }, table => Assert.Contains(table, handler.Output, StringComparison.Ordinal));
        Assert.DoesNotContain("Listening", handler.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_custom_handler_that_could_not_ask_for_its_tables_ends_as_soon_as_it_hears_that_there_are_none()
    {
        var (proxy, connection) = await FaultProxy.StartAsync();
        await using var _ = proxy;
        proxy.Fault = StorageFault.Reset;
        var storage = new StorageSettings { ConnectionString = connection, TablePrefix = (await SharedAzurite.NewStorageAsync()).TablePrefix };
        using var handler = ProcessRun.Start("dotnet", [AppAssembly], EnvironmentOf(Azurite.FreePort(), storage));
        await handler.WaitForAsync("Listening on");
        Assert.Contains("could not be asked for its tables at start", handler.Output, StringComparison.Ordinal);

        proxy.Fault = StorageFault.None;

        Assert.Equal(ExitCode.BadSettings, await handler.ExitCodeAsync());
        Assert.Contains($"{storage.TablePrefix}accounts", handler.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_realm_that_cannot_be_read_is_each_login_s_trouble_and_does_not_end_the_process()
    {
        var storage = await NewTablesAsync();
        var tables = AccountTables.Open(storage);
        await tables.Realms.UpsertEntityAsync(new Azure.Data.Tables.TableEntity(Realm.Partition, Realm.RowKey("acme")) { ["IsActive"] = "neither" });
        var port = Azurite.FreePort();
        using var handler = ProcessRun.Start("dotnet", [AppAssembly], EnvironmentOf(port, storage));
        await handler.WaitForAsync("Listening on");
        using var client = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{port}") };
        Assert.Equal(500, await StatusAsync(client, "abcd1234"));

        // What could not be read was not kept, so the next login reads again.
        await tables.Realms.DeleteEntityAsync(Realm.Partition, Realm.RowKey("acme"));

        Assert.Equal(200, await StatusAsync(client, "abcd1234"));
    }

    [Fact]
    public async Task A_login_that_comes_the_moment_the_port_accepts_is_judged_like_any_other()
    {
        var port = Azurite.FreePort();
        using var handler = ProcessRun.Start("dotnet", [AppAssembly], EnvironmentOf(port, await NewTablesAsync()));
        var isAnswered = false;
        var statuses = await KnockAsync(
            port,
            async client =>
            {
                var both = await Task.WhenAll(StatusAsync(client, "abcd1234"), StatusAsync(client, "wrong"));
                isAnswered = true;
                return (both[0] * 1000) + both[1];
            },
            () => isAnswered || handler.HasExited);

        Assert.Equal([200401], statuses);
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
            var (program, arguments) = ProcessRun.Interruptible("dotnet", AppAssembly, "local", "--port", $"{port}", "--data", data.Path);
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

    private static string AppAssembly => Path.Combine(AppContext.BaseDirectory, "fetch-api-key.dll");

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

    /// <summary>As the Functions host does it: its variables, its working directory, and `GET /` every 25 ms until anything answers.</summary>
    private static async Task<ProcessRun> StartHandlerAsync(string folder, int port, StorageSettings storage, string externalHost = "127.0.0.1")
    {
        var handler = ProcessRun.Start(
            Path.Combine(folder, "fetch-api-key"), [], folder: folder, environment: EnvironmentOf(port, storage, externalHost));
        using var client = new HttpClient();
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (true)
        {
            try
            {
                using var answer = await client.GetAsync(new Uri($"http://127.0.0.1:{port}/"), limit.Token);
                return handler;
            }
            catch (HttpRequestException)
            {
                Assert.False(handler.HasExited, handler.Output);
                await Task.Delay(25, limit.Token);
            }
        }
    }

    private static Dictionary<string, string> EnvironmentOf(int port, StorageSettings storage, string externalHost = "127.0.0.1") => new()
    {
        ["FUNCTIONS_CUSTOMHANDLER_PORT"] = $"{port}",
        ["ASPNETCORE_URLS"] = "http://127.0.0.1:1",
        ["AccountStorage"] = storage.ConnectionString!,
        ["TablePrefix"] = storage.TablePrefix,
        ["ExternalHost"] = externalHost,
        [TestServer.KeyVariable.Name] = TestServer.KeyVariable.Value,
        ["Argon2__memoryKib"] = "64",
        ["Argon2__passes"] = "1",
        ["Argon2__lanes"] = "1",
    };

    /// <summary>Sends without a pause until told to stop, and gives what was answered; while nobody listens, or the process ends, nothing is.</summary>
    private static async Task<List<int>> KnockAsync(int port, Func<HttpClient, Task<int>> send, Func<bool> isOver)
    {
        using var client = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{port}") };
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        var answers = new List<int>();
        while (!isOver())
        {
            limit.Token.ThrowIfCancellationRequested();
            try
            {
                answers.Add(await send(client));
            }
            catch (HttpRequestException)
            {
                // Not there yet, or not any more.
                await Task.Delay(1, limit.Token);
            }
        }

        return answers;
    }

    private static async Task<int> StatusAsync(HttpClient client, string password)
    {
        using var form = TestServer.Form(("username", "iago@zulip.com"), ("password", password));
        using var answer = await client.PostAsync(new Uri("/api/v1/fetch_api_key", UriKind.Relative), form);
        return (int)answer.StatusCode;
    }

    private static async Task<string> LogInAsync(HttpClient client)
    {
        using var form = TestServer.Form(("username", "iago@zulip.com"), ("password", "abcd1234"));
        using var answer = await client.PostAsync(new Uri("/api/v1/fetch_api_key", UriKind.Relative), form);
        return await answer.Content.ReadAsStringAsync();
    }

    private static async Task<(int Code, string Output)> ProbeAsync(string folder, Uri origin)
    {
        using var probe = ProcessRun.Start(Path.Combine(folder, "fetch-api-key"), ["probe", origin.ToString(), "--json"]);
        return (await probe.ExitCodeAsync(), probe.Output);
    }

    private static void AssertDeployable(string folder, bool hasCustomHandler)
    {
        var host = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "host.json"))).RootElement;
        Assert.Equal("2.0", host.GetProperty("version").GetString());
        Assert.Equal("api", host.GetProperty("extensions").GetProperty("http").GetProperty("routePrefix").GetString());
        Assert.Equal(hasCustomHandler, host.TryGetProperty("customHandler", out var handler));
        if (hasCustomHandler)
        {
            Assert.True(handler.GetProperty("enableProxyingHttpRequest").GetBoolean());
            Assert.False(handler.TryGetProperty("enableForwardingHttpRequest", out _));
            Assert.True(File.Exists(Path.Combine(folder, handler.GetProperty("description").GetProperty("defaultExecutablePath").GetString()!)));
        }

        var names = Directory.GetFiles(folder, "*", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(folder, file)).ToList();
        Assert.DoesNotContain(names, name => name.Contains("local.settings", StringComparison.Ordinal) || name.Contains("azurite", StringComparison.OrdinalIgnoreCase));
    }
}
