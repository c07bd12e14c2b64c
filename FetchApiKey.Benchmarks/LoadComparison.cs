// The endpoint beside the login servers that a user would pick instead: same accounts, same machine, in turn.

using System.Globalization;
using FetchApiKey.Cli;
using FetchApiKey.Passwords;
using ScottPlot;

namespace FetchApiKey.Benchmarks;

internal static class LoadComparison
{
    private const int MemoryBesideSlotsMib = 150;

    /// <summary>How many times Django's logins a second are asked for, with parameters that real passwords have.</summary>
    private const double TimesDjango = 3;

    private static readonly Argon2Cost[] Costs = [new(102400, 2, 8), new(19456, 2, 1), new(1024, 1, 1)];

    private sealed record Bar(string Stack, Argon2Cost Cost, double Rate);

    public static async Task<int> RunAsync(Options options)
    {
        await using var azurite = await Azurite.StartAsync(Azurite.FreePort(), null, Console.Error.WriteLine, CancellationToken.None);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{EndpointLoad.Clients} clients, each an account and an address; {options.Rounds} rounds of {options.Seconds} s in turn, medians; {Environment.ProcessorCount} processors for servers, Azurite and clients together."));
        var (missing, bars, targets) = (new HashSet<string>(), new List<Bar>(), new Targets());
        foreach (var cost in Costs)
        {
            var store = await LoadedStore.CreateAsync(azurite, $"m{cost.MemoryKib}", cost, EndpointLoad.Clients);
            var stacks = await LoginStack.StartAllAsync(store, reason => missing.Add(reason));
            try
            {
                var results = await StackMeasurement.InTurnAsync(stacks, store, options.Rounds, options.Round);
                foreach (var stack in stacks)
                {
                    await stack.CheckStoredAsync(cost);
                    bars.Add(new Bar(stack.Name, cost, EndpointLoad.Median(results[stack].Select(result => result.Rate))));
                }

                Print(stacks, results, cost);
                if (!cost.IsBelowAdvice && stacks[^1].Name == DjangoServer.Name)
                {
                    targets.AtLeast(
                        string.Create(CultureInfo.InvariantCulture, $"endpoint at {cost.MemoryKib}, {cost.Passes}, {cost.Lanes}: times Django's logins/s"),
                        TimesDjango, EndpointLoad.Median(results[stacks[0]].Zip(results[stacks[^1]], (ours, theirs) => ours.Rate / theirs.Rate)), "F2");
                }

                var slots = HashingGate.SlotsFor(PasswordHasher.SlotBytes(cost.MemoryKib, useKonscious: false), new GateLimits());
                targets.AtMost(
                    string.Create(CultureInfo.InvariantCulture, $"endpoint at {cost.MemoryKib}, {cost.Passes}, {cost.Lanes}: peak RSS MiB, {slots} slots and {MemoryBesideSlotsMib}"),
                    (slots * PasswordHasher.SlotBytes(cost.MemoryKib, useKonscious: false) / 1024.0 / 1024) + MemoryBesideSlotsMib, ProcessTree.PeakMib(stacks[0].ProcessId), "F0");
            }
            finally
            {
                stacks.ForEach(stack => stack.Dispose());
            }
        }

        foreach (var reason in missing)
        {
            Console.WriteLine($"\n{reason}");
        }

        if (options.Plot is { } path)
        {
            Plot(bars, path);
        }

        return targets.Print();
    }

    /// <summary>The first stack is the endpoint, the last the one that all are compared with too: Django where it is there.</summary>
    private static void Print(List<LoginStack> stacks, Dictionary<LoginStack, List<StackMeasurement>> results, Argon2Cost cost)
    {
        var (first, last) = (results[stacks[0]], results[stacks[^1]]);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"\n| {cost.MemoryKib}, {cost.Passes}, {cost.Lanes} | logins/s | / {Short(stacks[^1])} | / {Short(stacks[0])} | p50 ms | p95 ms | p99 ms | CPU ms a login | Azurite's | clients' share | peak RSS MiB |"));
        Console.WriteLine("|---|---|---|---|---|---|---|---|---|---|---|");
        foreach (var stack in stacks)
        {
            var own = results[stack];
            double Of(Func<StackMeasurement, double> value) => EndpointLoad.Median(own.Select(value));
            double Ratio(List<StackMeasurement> other) => EndpointLoad.Median(own.Zip(other, (a, b) => a.Rate / b.Rate));
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"| {stack.Name} | {Of(each => each.Rate):F1} | {Ratio(last):F2} | {Ratio(first):F2} | {Of(each => each.Latencies.At(50)):F1} | {Of(each => each.Latencies.At(95)):F1} | {Of(each => each.Latencies.At(99)):F1} | {Of(each => each.ServerMs):F2} | {Of(each => each.AzuriteMs):F2} | {Of(each => each.ClientShare):P0} | {ProcessTree.PeakMib(stack.ProcessId)} |"));
        }

        static string Short(LoginStack stack) => stack.Name.Split(',')[0];
    }

    /// <summary>The costs lie two orders of magnitude apart, so each is drawn in multiples of the same stack.</summary>
    private static void Plot(List<Bar> bars, string path)
    {
        using var plot = new Plot();
        var names = bars.Select(bar => bar.Stack).Distinct().ToArray();
        var unit = names[^1];
        for (var i = 0; i < names.Length; i++)
        {
            var drawn = plot.Add.Bars(
                Enumerable.Range(0, Costs.Length).Select(cost => (cost * (names.Length + 1.5)) + i),
                bars.Where(bar => bar.Stack == names[i]).Select(bar => bar.Rate / bars.Single(other => other.Stack == unit && other.Cost == bar.Cost).Rate));
            drawn.LegendText = names[i];
        }

        plot.Axes.Bottom.SetTicks(
            [.. Enumerable.Range(0, Costs.Length).Select(cost => (cost * (names.Length + 1.5)) + ((names.Length - 1) / 2.0))],
            [.. Costs.Select(cost => $"m={cost.MemoryKib}, t={cost.Passes}, p={cost.Lanes}")]);
        plot.Axes.Margins(bottom: 0, top: 0.35);
        plot.YLabel($"logins a second ({unit.Split(',')[0]} = 1)");
        plot.ShowLegend(Alignment.UpperRight);
        plot.SavePng(path, 1100, 520);
    }
}
