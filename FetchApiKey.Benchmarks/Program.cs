// Benchmarks: `engine` compares Argon2 implementations, `burst` loads the endpoint with many logins at once, `capacity` says what a login costs it, `dribble` holds slow connections against it, `timing` looks for who exists, `import` imports many accounts, `load` compares login servers, `refusals` what wrong logins cost them, `latency` shows how long a login takes under how much load, `overhead` and `idle` what one costs beside the hash, `start` times the start of builds, `hosts` compares the worker with the program, `growth` and `instances` look for what bends with more accounts and servers, `attack` attacks a server beside a bystander, `bdn` runs BenchmarkDotNet.

using BenchmarkDotNet.Running;
using FetchApiKey.Benchmarks;
using FetchApiKey.Benchmarks.Attacks;

switch (args)
{
    case ["engine", .. var options]:
        return EngineComparison.Run(Options.Parse(options));
    case ["peak", var contender, var set, .. var options]:
        return EngineComparison.PrintPeak(contender, set, Options.Parse(options));
    case ["capacity", ..]:
        return await EndpointLoad.CapacityAsync();
    case ["burst", ..]:
        return await EndpointLoad.BurstAsync();
    case ["dribble", ..]:
        return await EndpointLoad.DribbleAsync();
    case ["timing", ..]:
        return await TimingComparison.RunAsync();
    case ["import", .. var options]:
        return await ImportRun.RunAsync(Options.Parse(options).Accounts);
    case ["load", .. var options]:
        return await LoadComparison.RunAsync(Published(options), Options.Parse(options, rounds: 3));
    case ["refusals", .. var options]:
        return await RefusalLoad.RunAsync(Published(options), Options.Parse(options, rounds: 3));
    case ["latency", .. var options]:
        return await LatencyCurve.RunAsync(Options.Parse(options, seconds: 15));
    case ["overhead", .. var options]:
        return await Overhead.RunAsync(Options.Parse(options, rounds: 5));
    case ["idle", .. var options]:
        return await IdleLatency.RunAsync(Published(options), Options.Parse(options, rounds: 3));
    case [ServerReport.Verb, var port]:
        await ServerReport.RunEndpointAsync(Options.Integer(port));
        return 0;
    case [BareServer.Verb, var port, var table, var calls]:
        await BareServer.RunAsync(Options.Integer(port), table, calls);
        return 0;
    case [PlainServer.Verb, var port, var table]:
        await PlainServer.RunAsync(Options.Integer(port), table);
        return 0;
    case [WorkerServer.Verb, var folder, var port]:
        await WorkerServer.RunAsync(folder, Options.Integer(port));
        return 0;
    case ["start", .. var options]:
        return await StartComparison.RunAsync(Published(options), Options.Parse(options).Rounds);
    case ["hosts", .. var options]:
        return await HostComparison.RunAsync(Published(options), Options.Parse(options, rounds: 3));
    case ["growth", .. var options]:
        return await AccountGrowth.RunAsync(Options.Parse(options).Sizes);
    case ["instances", .. var options]:
        return await InstanceGrowth.RunAsync(Options.Parse(options).Rounds);
    case ["attack", .. var options]:
        return await AttackBench.RunAsync(Options.Parse(options));
    case ["bdn", .. var options]:
        BenchmarkRunner.Run<EngineBenchmarks>(args: options);
        return 0;
    default:
        Console.Error.WriteLine("Benchmarks: engine | capacity | burst | dribble | timing | import | load | refusals | latency | overhead | idle | start | hosts | growth | instances | attack | bdn; see CONTRIBUTING.md");
        return 2;
}

// NAME=FOLDER each.
static IReadOnlyList<string> Published(string[] options) => [.. options.Where(option => option.Contains('=', StringComparison.Ordinal))];

namespace FetchApiKey.Benchmarks
{
    /// <param name="Rounds">How often each contender runs, in turn with the others.</param>
    /// <param name="LibArgon2">Path of a libargon2 to compare with.</param>
    /// <param name="Plot">Where to write the plot; null for none.</param>
    /// <param name="Accounts">How many are imported.</param>
    /// <param name="Sizes">How many a realm has, one after the other: --accounts too, separated by commas.</param>
    /// <param name="Seconds">How long each round lasts.</param>
    internal sealed record Options(int Rounds, string LibArgon2, string? Plot, int Accounts, IReadOnlyList<int> Sizes, int Seconds)
    {
        /// <summary>--host: what is attacked, serve or worker.</summary>
        public string Host { get; init; } = "serve";

        /// <summary>--published: a folder of it that is published already; null for what is built here.</summary>
        public string? Published { get; init; }

        /// <summary>--only: the attacks to run, by their letters; null for all.</summary>
        public string? Only { get; init; }

        public TimeSpan Round => TimeSpan.FromSeconds(Seconds);

        public static Options Parse(string[] args, int rounds = 15, int seconds = 5)
        {
            string? Value(string name) => Array.IndexOf(args, name) is >= 0 and var i && i + 1 < args.Length ? args[i + 1] : null;
            var accounts = Value("--accounts");
            return new Options(
                Value("--rounds") is { } given ? Integer(given) : rounds,
                Value("--libargon2") ?? "libargon2.so.1",
                Value("--plot"),
                accounts is null ? 100_000 : Integer(accounts.Split(',')[0]),
                accounts is null ? [1000, 10_000, 100_000] : [.. accounts.Split(',').Select(Integer)],
                Value("--seconds") is { } length ? Integer(length) : seconds)
            {
                Host = Value("--host") ?? "serve",
                Published = Value("--published"),
                Only = Value("--only"),
            };
        }

        public static int Integer(string text) => int.Parse(text, System.Globalization.CultureInfo.InvariantCulture);
    }
}
