// What the endpoint costs beside the hash: a hash that costs next to nothing, against a bare server with the same storage calls.

using System.Globalization;
using FetchApiKey.Cli;
using FetchApiKey.Passwords;

namespace FetchApiKey.Benchmarks;

internal static class Overhead
{
    private const double AskedOfBare = 0.8;
    private const double AskedAllocationKib = 70;
    private const int MostTypes = 25;

    private static readonly Argon2Cost Cost = new(1024, 1, 1);

    public static async Task<int> RunAsync(Options options)
    {
        await using var azurite = await Azurite.StartAsync(Azurite.FreePort(), null, Console.Error.WriteLine, CancellationToken.None);
        var store = await LoadedStore.CreateAsync(azurite, "overhead", Cost, EndpointLoad.Clients);
        double ourBytes;
        Dictionary<string, double> counted;
        Dictionary<string, double> types;
        using (var endpoint = await ServerReport.StartEndpointAsync(store))
        {
            (ourBytes, counted, types) = await ReportAsync(endpoint, store, options);
        }

        int Of(params string[] methods) => (int)Math.Round(counted.Where(call => methods.Contains(call.Key.Split(' ')[0]) && !call.Key.EndsWith("$batch", StringComparison.Ordinal)).Sum(call => call.Value));
        var calls = new StorageCalls(Of("GET"), Of("POST"), Of("PUT", "PATCH", "MERGE"), Of("DELETE"));
        using var ours = await LoginStack.StartEndpointAsync(store);
        using var bare = await BareServer.StartAsync(store, calls);
        var (bareBytes, _, _) = await ReportAsync(bare, store, options);
        var results = await StackMeasurement.InTurnAsync([ours, bare], store, options.Rounds, options.Round);

        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{EndpointLoad.Clients} clients, each an account and an address; {options.Rounds} rounds of {options.Seconds} s in turn, medians; {Cost.MemoryKib}, {Cost.Passes}, {Cost.Lanes} against no hash."));
        Console.WriteLine("\n| storage calls a login | endpoint, counted | bare |\n|---|---|---|");
        foreach (var (kind, own, other) in new[]
        {
            ("reads", Kinds("GET"), calls.Reads), ("inserts", Kinds("POST"), calls.Inserts), ("updates", Kinds("PUT", "PATCH", "MERGE"), calls.Updates), ("deletes", Kinds("DELETE"), calls.Deletes),
        })
        {
            Console.WriteLine($"| {kind} | {own} | {other} |");
        }

        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| all | {counted.Values.Sum():F2} | {calls.All} |"));
        Console.WriteLine(
            "\n| | requests/s | p50 ms | CPU ms a request | Azurite's | allocated KiB a request |\n|---|---|---|---|---|---|");
        Print(ours, ourBytes);
        Print(bare, bareBytes);
        var (rate, cpu) = (Ratio(each => each.Rate), Ratio(each => each.ServerMs));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"| ratio | {rate:F2} | {Ratio(each => each.Latencies.At(50)):F2} | {cpu:F2} | {Ratio(each => each.AzuriteMs):F2} | {ourBytes / bareBytes:F2} |"));
        Console.WriteLine("\n| allocated by the endpoint, sampled | KiB a request |\n|---|---|");
        foreach (var (type, bytes) in types.OrderByDescending(type => type.Value).Take(MostTypes))
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {type} | {bytes / 1024:F1} |"));
        }

        var targets = new Targets();
        targets.AtLeast("requests/s, endpoint / bare", AskedOfBare, rate, "F2");
        targets.AtMost("endpoint, allocated KiB a login", AskedAllocationKib, ourBytes / 1024, "F0");
        return targets.Print();

        string Kinds(params string[] methods)
        {
            var own = counted.Where(call => methods.Contains(call.Key.Split(' ')[0])).Select(
                call => string.Create(CultureInfo.InvariantCulture, $"{call.Value:F2} {call.Key.Split(' ')[1]}"));
            return string.Join(", ", own);
        }

        void Print(LoginStack stack, double bytes)
        {
            var own = results[stack];
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"| {stack.Name} | {EndpointLoad.Median(own.Select(each => each.Rate)):F0} | {EndpointLoad.Median(own.Select(each => each.Latencies.At(50))):F1} | {EndpointLoad.Median(own.Select(each => each.ServerMs)):F2} | {EndpointLoad.Median(own.Select(each => each.AzuriteMs)):F2} | {bytes / 1024:F0} |"));
        }

        double Ratio(Func<StackMeasurement, double> value) => EndpointLoad.Median(results[ours].Zip(results[bare], (our, other) => value(our) / value(other)));
    }

    /// <summary>Bytes and calls of a login, over one round after one that does not count; types over a third.</summary>
    private static async Task<(double AllocatedBytes, Dictionary<string, double> Calls, Dictionary<string, double> Types)> ReportAsync(LoginStack stack, LoadedStore store, Options options)
    {
        await LoginLoad.ClosedAsync(stack.Port, store.Accounts, EndpointLoad.Clients, options.Round);
        var before = await ServerReport.OfAsync(stack);
        var (_, counted) = await LoginLoad.ClosedAsync(stack.Port, store.Accounts, EndpointLoad.Clients, options.Round);
        var after = await ServerReport.OfAsync(stack);
        var (_, sampled) = await LoginLoad.ClosedAsync(stack.Port, store.Accounts, EndpointLoad.Clients, options.Round);
        var (bytes, calls, _) = before.Per(counted.Count, after);
        return (bytes, calls, after.Per(sampled.Count, await ServerReport.OfAsync(stack)).Types);
    }
}
