// The published worker as a process: what a person who starts it reads, how the Functions host ends it, and how it starts in a placeholder.

using System.Text.Json.Nodes;

namespace FetchApiKeyFunction.Tests.Hosts;

[Collection(EveryHostDefinition.Name)]
public sealed class WorkerProcessTests(EveryHost hosts)
{
    [Theory]
    [InlineData("--version", ExitCode.Done)]
    [InlineData("--help", ExitCode.Done)]
    [InlineData("-h", ExitCode.Done)]
    [InlineData("", ExitCode.Usage)]
    [InlineData("serve", ExitCode.Usage)]
    public async Task Started_by_a_person_it_says_what_it_is_for(string argument, int code)
    {
        using var worker = await StartAsync(await EveryHost.WorkerFolderAsync(), argument.Length == 0 ? [] : [argument]);

        Assert.Equal(code, await worker.ExitCodeAsync());
        var (printed, silent) = code == ExitCode.Done ? (worker.StandardOutput, worker.Error) : (worker.Error, worker.StandardOutput);
        Assert.Empty(silent);
        Assert.Matches(
            argument == "--version" ? @"\A\d+\.\d+\.\d+\S*\n\z"
            : code == ExitCode.Done ? @"\AThis program is started by the Azure Functions host: .*func start.*serve.*\n\z"
            : @"\Aerror: This program is started by the Azure Functions host: .*func start.*serve.*\n\z",
            printed);
    }

    [Fact]
    public async Task Ended_by_its_host_it_exports_what_it_holds_and_gives_0()
    {
        await using var collector = await Collector.StartAsync();
        var neverByItself = new[] { "OTEL_BSP_SCHEDULE_DELAY", "OTEL_BLRP_SCHEDULE_DELAY", "OTEL_METRIC_EXPORT_INTERVAL" }
            .Select(interval => (interval, "600000"));
        await using var host = await hosts.StartAsync(HostKind.Worker, [.. collector.Settings, .. neverByItself]);
        Assert.Equal(401, (await TestServer.At(host.Origin).LogInAsync("nobody@zulip.com", "x")).Status);
        Assert.Empty(collector.Received("/v1/traces") + collector.Received("/v1/logs") + collector.Received("/v1/metrics"));

        Assert.Equal(ExitCode.Done, await host.StopProcessAsync());

        Assert.Contains("unknown_user", collector.Received("/v1/traces"), StringComparison.Ordinal);
        Assert.Contains("fetch_api_key.logins", collector.Received("/v1/metrics"), StringComparison.Ordinal);
        Assert.Contains("Security event", collector.Received("/v1/logs"), StringComparison.Ordinal);
        Assert.Empty(host.Process.Current.Error);
    }

    /// <summary>
    /// Azure keeps a native host ready, which loads the worker later and without arguments. That host is not public, so this shows only
    /// that the worker tries to call it, and does not refuse to start for want of arguments.
    /// </summary>
    [Fact]
    public async Task In_a_placeholder_it_starts_without_arguments()
    {
        using var copy = new TemporaryFolder();
        var folder = await EveryHost.WorkerFolderAsync();
        foreach (var file in Directory.GetFiles(folder, "*", SearchOption.AllDirectories))
        {
            var target = Path.Combine(copy.Path, Path.GetRelativePath(folder, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target);
        }

        var configuration = Path.Combine(copy.Path, "FetchApiKeyFunction.runtimeconfig.json");
        var json = JsonNode.Parse(await File.ReadAllTextAsync(configuration))!;
        json["runtimeOptions"]!["configProperties"]!["AZURE_FUNCTIONS_NATIVE_HOST"] = "1";
        await File.WriteAllTextAsync(configuration, json.ToJsonString());

        using var worker = await StartAsync(copy.Path, []);

        Assert.NotEqual(ExitCode.Usage, await worker.ExitCodeAsync());
        Assert.Contains("register_callbacks", worker.Error, StringComparison.Ordinal);
    }

    private async Task<ProcessRun> StartAsync(string folder, string[] arguments) => ProcessRun.Start(
        "dotnet", [Path.Combine(folder, "FetchApiKeyFunction.dll"), .. arguments],
        EveryHost.Settings(await SharedAzurite.ConnectionStringAsync(), hosts.Organisation.TablePrefix));
}
