// The demo on one machine: whose data it has, what becomes of them however it ends, and what it says when it cannot start.

using System.Net;
using System.Net.Sockets;
using FetchApiKey;
using FetchApiKey.Accounts;
using FetchApiKey.Cli;

namespace FetchApiKeyFunction.Tests.Hosts;

public sealed class LocalTests
{
    private static readonly string Marker = "kept";

    [Theory]
    [InlineData("SIGTERM", ExitCode.Done)]
    [InlineData("SIGINT", ExitCode.Done)]
    [InlineData("SIGKILL", 137)]
    public async Task What_was_written_last_is_kept_however_the_command_ends(string signal, int code)
    {
        using var data = new TemporaryFolder();
        using (var first = await StartAsync("--data", data.Path))
        {
            Assert.True(await Realms(first).AddAsync(New(Marker), CancellationToken.None));
            switch (signal)
            {
                case "SIGTERM":
                    first.Terminate();
                    break;
                case "SIGINT":
                    first.Interrupt();
                    break;
                default:
                    first.KillAlone();
                    break;
            }

            Assert.Equal(code, await first.ExitCodeAsync());
        }

        // At once: an Azurite whose command was killed may still be saving.
        using var second = await StartAsync("--data", data.Path);
        Assert.NotNull((await Realms(second).ReadAsync(Marker, CancellationToken.None)).Realm);
    }

    [Fact]
    public async Task An_Azurite_ends_with_the_command_that_was_killed()
    {
        using var local = await StartAsync();
        local.KillAlone();
        await local.ExitCodeAsync();

        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        while (await AnswersAsync(AzuriteOf(local)))
        {
            await Task.Delay(50, limit.Token);
        }
    }

    [Fact]
    public async Task One_folder_is_for_one_command_at_a_time_by_whatever_path()
    {
        using var data = new TemporaryFolder();
        using var links = new TemporaryFolder();
        var link = Directory.CreateSymbolicLink(Path.Combine(links.Path, "link"), data.Path).FullName;
        using var first = await StartAsync("--data", data.Path);

        using var second = Run("--data", link);

        Assert.Equal(ExitCode.Refused, await second.ExitCodeAsync());
        Assert.Contains(
            $"Another 'local', or its Azurite, uses {link}. Stop it, or choose another folder with --data.", second.Error,
            StringComparison.Ordinal);
        Assert.True(await Realms(first).AddAsync(New(Marker), CancellationToken.None));
    }

    [Fact]
    public async Task Two_commands_have_an_Azurite_each_and_one_goes_on_when_the_other_ends()
    {
        using var first = await StartAsync();
        using var second = await StartAsync();
        Assert.NotEqual(AzuriteOf(first).Port, AzuriteOf(second).Port);

        first.Terminate();
        Assert.Equal(ExitCode.Done, await first.ExitCodeAsync());

        Assert.True(await Realms(second).AddAsync(New(Marker), CancellationToken.None));
        Assert.False(await AnswersAsync(AzuriteOf(first)));
    }

    [Fact]
    public async Task A_proxy_in_the_environment_is_not_asked_for_this_machine()
    {
        // It takes connections and says nothing.
        using var proxy = new TcpListener(IPAddress.Loopback, 0);
        proxy.Start();
        var address = $"http://127.0.0.1:{((IPEndPoint)proxy.LocalEndpoint).Port}";
        var environment = new[] { "http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy" }.ToDictionary(name => name, _ => address, StringComparer.Ordinal);
        var port = Azurite.FreePort();

        using var local = TestedProgram.JustInTime.Start(["local", "--port", $"{port}"], environment);
        await local.WaitForAsync($"Listening on http://localhost:{port}");

        Assert.False(proxy.Pending());
        using var client = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = new Uri($"http://localhost:{port}") };
        using var answer = await client.PostAsync(
            new Uri("/api/v1/fetch_api_key", UriKind.Relative), TestServer.Form(("username", "iago@zulip.com"), ("password", "abcd1234")));
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    [Theory]
    [InlineData("local")]
    [InlineData("serve")]
    public async Task A_port_that_is_taken_is_named_with_what_to_do(string verb)
    {
        using var other = new TcpListener(IPAddress.Loopback, 0);
        other.Start();
        var port = ((IPEndPoint)other.LocalEndpoint).Port;
        var desk = await OperatorDesk.OpenAsync();

        using var run = TestedProgram.JustInTime.Start([verb, "--port", $"{port}"], desk.Variables);

        Assert.Equal(ExitCode.CannotListen, await run.ExitCodeAsync());
        // The low cost of the tests gives a warning.
        Assert.Equal(
            [$"Port {port} is in use. Choose another with --port."],
            run.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries)
                .Where(line => !line.StartsWith("warn: ", StringComparison.Ordinal)));
        Assert.DoesNotContain("Exception", run.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("storage", run.Error, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task An_address_that_the_machine_has_not_is_named()
    {
        var desk = await OperatorDesk.OpenAsync();

        using var run = TestedProgram.JustInTime.Start(
            ["serve", "--port", $"{Azurite.FreePort()}", "--address", "192.0.2.1"], desk.Variables);

        Assert.Equal(ExitCode.CannotListen, await run.ExitCodeAsync());
        Assert.Contains("This machine has no address 192.0.2.1.", run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/proc/nowhere", ExitCode.Missing, "It is not there")]
    [InlineData("/sys/kernel", ExitCode.CannotWrite, "not allowed")]
    public async Task A_home_that_cannot_be_written_is_named(string home, int code, string text)
    {
        using var run = TestedProgram.JustInTime.Start(
            ["local"], new Dictionary<string, string> { ["XDG_DATA_HOME"] = home, ["HOME"] = home });

        Assert.Equal(code, await run.ExitCodeAsync());
        Assert.Contains(text, run.Error, StringComparison.Ordinal);
        Assert.Contains(home, run.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("storage", run.Error, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task A_full_disk_is_named()
    {
        using var run = ProcessRun.Start("sh", ["-c", $"exec dotnet {TestedProgram.Assembly} keys generate > /dev/full"]);

        Assert.Equal(ExitCode.DiskFull, await run.ExitCodeAsync());
        Assert.StartsWith("The disk is full: ", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_folder_that_is_missing_is_named()
    {
        var desk = await OperatorDesk.OpenAsync();

        var result = await desk.RunAsync("tables backup /nowhere/at/all");

        Assert.Equal(ExitCode.Missing, result.Code);
        Assert.StartsWith("/nowhere/at/all cannot be written: ", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_folder_for_data_that_is_a_file_is_named()
    {
        using var folder = new TemporaryFolder();
        var file = Path.Combine(folder.Path, "file");
        await File.WriteAllTextAsync(file, "");

        using var run = Run("--data", file);

        Assert.Equal(ExitCode.CannotWrite, await run.ExitCodeAsync());
        Assert.Contains(file, run.Error, StringComparison.Ordinal);
    }

    private static ProcessRun Run(params string[] options)
    {
        // On another port each, since the usual one may be taken.
        var (program, arguments) = ProcessRun.Interruptible(
            "dotnet", [TestedProgram.Assembly, "local", "--port", $"{Azurite.FreePort()}", .. options]);
        return ProcessRun.Start(program, arguments);
    }

    private static async Task<ProcessRun> StartAsync(params string[] options)
    {
        var run = Run(options);
        await run.WaitForAsync("export AccountStorage=");
        return run;
    }

    private static Realm New(string subdomain) => new(subdomain, subdomain, "", "", null, true, PasswordBackends.Email);

    private static RealmStore Realms(ProcessRun local) => new(
        AccountTables.Open(new StorageSettings { ConnectionString = local.Output.Split("export AccountStorage='")[1].Split('\'')[0] }), TimeSpan.Zero, TimeProvider.System);

    private static Uri AzuriteOf(ProcessRun local) => new(local.Output.Split("TableEndpoint=")[1].Split(';')[0]);

    private static async Task<bool> AnswersAsync(Uri azurite)
    {
        using var client = new TcpClient();
        try
        {
            await client.ConnectAsync(azurite.Host, azurite.Port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
