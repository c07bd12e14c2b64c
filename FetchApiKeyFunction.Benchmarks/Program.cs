// Benchmarks: `engine` compares Argon2 implementations, `logins` and `burst` load the endpoint, `capacity` says what a login costs it, `dribble` holds slow connections against it, `timing` looks for who exists, `import` imports many accounts, `bdn` runs BenchmarkDotNet.

using BenchmarkDotNet.Running;
using FetchApiKeyFunction.Benchmarks;

switch (args)
{
    case ["engine", .. var options]:
        return EngineComparison.Run(Options.Parse(options));
    case ["peak", var contender, var set, .. var options]:
        return EngineComparison.PrintPeak(contender, set, Options.Parse(options));
    case ["logins", .. var options]:
        return await EndpointLoad.LoginsAsync(Options.Parse(options));
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
    case ["start", .. var options]:
        return await StartComparison.RunAsync([.. options.Where(option => option.Contains('=', StringComparison.Ordinal))], Options.Parse(options).Rounds);
    case ["bdn", .. var options]:
        BenchmarkRunner.Run<EngineBenchmarks>(args: options);
        return 0;
    default:
        Console.Error.WriteLine("Benchmarks: engine | logins | capacity | burst | dribble | timing | import | bdn; see CONTRIBUTING.md");
        return 2;
}

namespace FetchApiKeyFunction.Benchmarks
{
    /// <param name="Rounds">How often each contender runs, in turn with the others.</param>
    /// <param name="LibArgon2">Path of a libargon2 to compare with.</param>
    /// <param name="Plot">Where to write the plot; null for none.</param>
    /// <param name="Accounts">How many are imported.</param>
    internal sealed record Options(int Rounds, string LibArgon2, string? Plot, int Accounts)
    {
        public static Options Parse(string[] args)
        {
            string? Value(string name) => Array.IndexOf(args, name) is >= 0 and var i && i + 1 < args.Length ? args[i + 1] : null;
            return new Options(
                int.Parse(Value("--rounds") ?? "15", System.Globalization.CultureInfo.InvariantCulture),
                Value("--libargon2") ?? "libargon2.so.1",
                Value("--plot"),
                int.Parse(Value("--accounts") ?? "100000", System.Globalization.CultureInfo.InvariantCulture));
        }
    }
}
