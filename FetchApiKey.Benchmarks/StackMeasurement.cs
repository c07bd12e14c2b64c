// One round of load on one login server: how many a second, how long they took, and who spent the processors' time on it.

using System.Diagnostics;
using System.Globalization;

namespace FetchApiKey.Benchmarks;

/// <param name="Rate">Logins a second.</param>
/// <param name="ServerMs">Processor time of the server's processes, in milliseconds a login.</param>
/// <param name="AzuriteMs">The same of Azurite.</param>
/// <param name="ClientShare">What the clients, which are this process, took of all processors: 0 to 1.</param>
internal sealed record StackMeasurement(double Rate, Latencies Latencies, double ServerMs, double AzuriteMs, double ClientShare)
{
    /// <param name="isOneAddress">Whether all clients come from one address, and not each from its own.</param>
    public static async Task<StackMeasurement> TakeAsync(LoginStack stack, LoadedStore store, TimeSpan time, bool isOneAddress = false)
    {
        var (server, azurite, own, began) = Times();
        var (rate, latencies) = await LoginLoad.ClosedAsync(stack.Port, store.Accounts, EndpointLoad.Clients, time, isOneAddress);
        var (serverAfter, azuriteAfter, ownAfter, ended) = Times();
        return new StackMeasurement(
            rate, latencies, (serverAfter - server).TotalMilliseconds / latencies.Count, (azuriteAfter - azurite).TotalMilliseconds / latencies.Count,
            (ownAfter - own) / Stopwatch.GetElapsedTime(began, ended) / Environment.ProcessorCount);

        (TimeSpan Server, TimeSpan Azurite, TimeSpan Own, long Now) Times() => (
            ProcessTree.ProcessorTime(stack.ProcessId), ProcessTree.ProcessorTime(store.Azurite.ProcessId), Environment.CpuUsage.TotalTime, Stopwatch.GetTimestamp());
    }

    /// <summary>Each server in turn, so many rounds, after one that does not count.</summary>
    public static async Task<Dictionary<LoginStack, List<StackMeasurement>>> InTurnAsync(
        IReadOnlyList<LoginStack> stacks, LoadedStore store, int rounds, TimeSpan time)
    {
        var all = await InTurnAsync([.. stacks.Select(stack => (stack, false))], store, rounds, time);
        return all.ToDictionary(each => each.Key.Stack, each => each.Value);
    }

    /// <summary>The same, with clients at one address where that is asked for.</summary>
    public static async Task<Dictionary<(LoginStack Stack, bool IsOneAddress), List<StackMeasurement>>> InTurnAsync(
        IReadOnlyList<(LoginStack Stack, bool IsOneAddress)> loads, LoadedStore store, int rounds, TimeSpan time)
    {
        var all = loads.ToDictionary(load => load, _ => new List<StackMeasurement>());
        foreach (var (stack, isOneAddress) in loads)
        {
            await TakeAsync(stack, store, time, isOneAddress);
        }

        for (var round = 0; round < rounds; round++)
        {
            foreach (var load in loads)
            {
                all[load].Add(await TakeAsync(load.Stack, store, time, load.IsOneAddress));
            }
        }

        return all;
    }
}

/// <summary>What was asked for, and what it came to.</summary>
internal sealed class Targets
{
    private readonly List<(string Target, string Asked, string Measured, bool IsMet)> _rows = [];

    public void AtMost(string target, double asked, double measured, string format) =>
        Add(target, "at most", asked, measured, format, measured <= asked);

    public void AtLeast(string target, double asked, double measured, string format) =>
        Add(target, "at least", asked, measured, format, measured >= asked);

    /// <returns>The exit code: 1 where one was missed.</returns>
    public int Print()
    {
        Console.WriteLine("\n| target | asked | measured | |\n|---|---|---|---|");
        foreach (var (target, asked, measured, isMet) in _rows)
        {
            Console.WriteLine($"| {target} | {asked} | {measured} | {(isMet ? "met" : "missed")} |");
        }

        return _rows.All(row => row.IsMet) ? 0 : 1;
    }

    private void Add(string target, string bound, double asked, double measured, string format, bool isMet) => _rows.Add((
        target, $"{bound} {asked.ToString(format, CultureInfo.InvariantCulture)}", measured.ToString(format, CultureInfo.InvariantCulture), isMet));
}
