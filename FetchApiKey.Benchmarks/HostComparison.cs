// The hosts side by side: the worker behind a Functions host, and the program on its own.

using System.Diagnostics;
using System.Globalization;
using FetchApiKey.Cli;
using FetchApiKey.Passwords;
using FetchApiKeyFunction.Tests.Hosts;

namespace FetchApiKey.Benchmarks;

/// <summary>
/// Every contender in every round: started, logged in to once, loaded by eight clients, ended. The Functions host that the worker is
/// behind runs in this process, as the clients do; processor time and memory are those of the worker's or the program's process alone.
/// </summary>
internal static class HostComparison
{
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(20);
    private static readonly Argon2Cost[] Costs = [new(19456, 2, 1), new(1024, 1, 1)];

    private static readonly (string Name, string Project, string[] Publish)[] Contenders =
    [
        ("worker, compiled as it runs", "FetchApiKeyFunction", ["-p:PublishReadyToRun=false"]),
        ("worker, ReadyToRun", "FetchApiKeyFunction", []),
        ("serve, compiled as it runs", "FetchApiKey.Cli", ["-p:PublishSelfContained=false"]),
        ("serve, ahead of time", "FetchApiKey.Cli", ["-p:PublishProfile=ahead-of-time"]),
    ];

    private sealed record Run(double StartMs, double ColdCpuMs, double CpuMs, double Rate, double P50, double ResidentMib);

    /// <param name="published">NAME=FOLDER each; none for those that are published here.</param>
    public static async Task<int> RunAsync(IReadOnlyList<string> published, Options options)
    {
        var scratch = Directory.CreateTempSubdirectory("fetch-api-key-hosts-").FullName;
        try
        {
            var contenders = published.Count > 0
                ? published.Select(build => build.Split('=', 2)).Select(build => (Name: build[0], Folder: build[1])).ToList()
                : await PublishAsync(scratch);

            await using var azurite = await Azurite.StartAsync(Azurite.FreePort(), null, Console.Error.WriteLine, CancellationToken.None);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{options.Rounds} rounds in turn, {EndpointLoad.Clients} clients for {options.Seconds} s each; median (least to most)."));
            Console.WriteLine("| m, t, p | host | start to first login ms | CPU ms a login, first 20 s | after | logins/s | p50 ms | RSS MiB |");
            Console.WriteLine("|---|---|---|---|---|---|---|---|");
            foreach (var cost in Costs)
            {
                var prefix = $"h{cost.MemoryKib}";
                await EndpointLoad.PopulateAsync(azurite, prefix, cost);
                var runs = contenders.ToDictionary(contender => contender.Name, _ => new List<Run>());
                for (var round = 0; round < options.Rounds; round++)
                {
                    foreach (var (name, folder) in contenders)
                    {
                        runs[name].Add(await RunAsync(folder, LoadedServer.Environment(azurite, prefix, cost), options.Round));
                    }
                }

                foreach (var (name, _) in contenders)
                {
                    string Spread(Func<Run, double> figure, string format) => Cell(runs[name].Select(figure).Order().ToList(), format);
                    Console.WriteLine(
                        $"| {cost.MemoryKib}, {cost.Passes}, {cost.Lanes} | {name} | {Spread(run => run.StartMs, "F0")} | {Spread(run => run.ColdCpuMs, "F1")} | {Spread(run => run.CpuMs, "F1")} | "
                        + $"{Spread(run => run.Rate, "F0")} | {Spread(run => run.P50, "F1")} | {Spread(run => run.ResidentMib, "F0")} |");
                }
            }

            return 0;
        }
        finally
        {
            Directory.Delete(scratch, recursive: true);
        }
    }

    private static string Cell(List<double> sorted, string format) => string.Create(CultureInfo.InvariantCulture,
        $"{sorted[sorted.Count / 2].ToString(format, CultureInfo.InvariantCulture)} ({sorted[0].ToString(format, CultureInfo.InvariantCulture)} to {sorted[^1].ToString(format, CultureInfo.InvariantCulture)})");

    private static async Task<Run> RunAsync(string folder, Dictionary<string, string> environment, TimeSpan time)
    {
        var isWorker = File.Exists(Path.Combine(folder, "worker.config.json"));
        var started = Stopwatch.GetTimestamp();
        var port = Azurite.FreePort();
        var host = isWorker ? await FunctionsHost.StartAsync(folder, environment) : null;
        await using var disposal = host;
        var executable = Path.Combine(folder, "fetch-api-key");
        using var alone = isWorker ? null : ProcessRun.Start(executable, ["serve", "--address", "127.0.0.1", "--port", $"{port}"], environment, folder);
        using var server = LoadedServer.At((host?.Process.Current ?? alone!).ProcessId, host?.Origin ?? new Uri($"http://127.0.0.1:{port}"));
        await LogInOnceAsync(server);
        var first = Stopwatch.GetElapsedTime(started).TotalMilliseconds;
        var cold = server.ProcessorTime;
        var (coldRate, _) = await server.LoadAsync(WarmUp);
        var before = server.ProcessorTime;
        var coldEach = (before - cold).TotalMilliseconds / (coldRate * WarmUp.TotalSeconds);
        var (rate, p50) = await server.LoadAsync(time);
        var each = (server.ProcessorTime - before).TotalMilliseconds / (rate * time.TotalSeconds);
        return new Run(first, coldEach, each, rate, p50, server.Status("VmRSS:"));
    }

    private static async Task LogInOnceAsync(LoadedServer server)
    {
        while (true)
        {
            try
            {
                var status = await server.LogInAsync(0);
                if (status == 200)
                {
                    return;
                }

                throw new InvalidOperationException($"The first login got {status}.");
            }
            catch (HttpRequestException)
            {
                await Task.Delay(1);
            }
        }
    }

    private static async Task<List<(string Name, string Folder)>> PublishAsync(string scratch)
    {
        var folders = new List<(string Name, string Folder)>();
        foreach (var (name, project, arguments) in Contenders)
        {
            Console.Error.WriteLine($"Publishing {name}.");
            var folder = Path.Combine(scratch, $"{folders.Count}");
            await PublishAsync(project, folder, Path.Combine(scratch, "build", $"{folders.Count}"), arguments);
            folders.Add((name, folder));
        }

        return folders;
    }

    /// <param name="artifacts">Where it is built, apart from what the repository's own folders hold.</param>
    /// <exception cref="InvalidOperationException">What the build printed.</exception>
    public static async Task PublishAsync(string project, string folder, string artifacts, params string[] arguments)
    {
        using var publish = ProcessRun.Start(
            "dotnet",
            [
                "publish", Path.Combine(ProcessRun.Repository, project), "--configuration", "Release", "--artifacts-path", artifacts, "--output", folder,
                .. arguments,
            ]);
        if (await publish.ExitCodeAsync(TimeSpan.FromMinutes(15)) != 0)
        {
            throw new InvalidOperationException(publish.Output);
        }
    }
}
