// The endpoint beside the login servers that a user would pick instead: same accounts, same machine, in turn.

using System.Globalization;
using FetchApiKey.Cli;
using FetchApiKey.Passwords;
using ScottPlot;

namespace FetchApiKey.Benchmarks;

internal static class LoadComparison
{
    private const int MemoryBesideSlotsMib = 150;

    /// <summary>Azurite's processor time for the storage calls of a login, in milliseconds.</summary>
    private const double AzuriteMs = 2.0;

    /// <summary>One office behind one address is as fast as people who are spread over the world.</summary>
    private const double OneAddressOfMany = 0.95;

    /// <summary>Logins a second where the hash costs next to nothing.</summary>
    private const double LeastRate = 900;

    /// <summary>How many times Django's logins a second are asked for; null where passwords should not be hashed so cheaply.</summary>
    private static readonly (Argon2Cost Cost, double? TimesDjango)[] Costs =
        [(new(102400, 2, 8), 4.3), (new(19456, 2, 1), 2.4), (new(1024, 1, 1), null)];

    private sealed record Bar(string Stack, Argon2Cost Cost, double Rate);

    /// <param name="published">Builds of the endpoint, NAME=FOLDER each; none for the one beside this program.</param>
    public static async Task<int> RunAsync(IReadOnlyList<string> published, Options options)
    {
        await using var azurite = await Azurite.StartAsync(Azurite.FreePort(), null, Console.Error.WriteLine, CancellationToken.None);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{EndpointLoad.Clients} clients with an account each; {options.Rounds} rounds of {options.Seconds} s in turn, medians; {Environment.ProcessorCount} processors for servers, Azurite and clients together."));
        var (missing, bars, targets) = (new HashSet<string>(), new List<Bar>(), new Targets());
        foreach (var (cost, timesDjango) in Costs)
        {
            var store = await LoadedStore.CreateAsync(azurite, $"m{cost.MemoryKib}", cost, EndpointLoad.Clients);
            var stacks = await LoginStack.StartAllAsync(store, published, reason => missing.Add(reason));
            try
            {
                var results = await StackMeasurement.InTurnAsync(
                    [.. stacks.SelectMany(stack => new[] { (stack, false), (stack, true) })], store, options.Rounds, options.Round);
                foreach (var stack in stacks)
                {
                    await stack.CheckStoredAsync(cost);
                    bars.Add(new Bar(stack.Name, cost, EndpointLoad.Median(results[(stack, false)].Select(result => result.Rate))));
                }

                Print(stacks, results, cost);
                foreach (var stack in stacks.Where(stack => stack.IsEndpoint))
                {
                    Judge(targets, stack, stacks[^1], results, cost, timesDjango);
                }
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

    private static void Judge(
        Targets targets, LoginStack endpoint, LoginStack last, Dictionary<(LoginStack Stack, bool IsOneAddress), List<StackMeasurement>> results,
        Argon2Cost cost, double? timesDjango)
    {
        var (many, one) = (results[(endpoint, false)], results[(endpoint, true)]);
        var name = string.Create(CultureInfo.InvariantCulture, $"{endpoint.Name} at {cost.MemoryKib}, {cost.Passes}, {cost.Lanes}");
        if (timesDjango is { } times && last.Name == DjangoServer.Name)
        {
            targets.AtLeast($"{name}, an address each: times Django's logins/s", times, Ratio(many, results[(last, false)]), "F2");
            targets.AtLeast($"{name}, one address: times Django's logins/s", times, Ratio(one, results[(last, true)]), "F2");
        }

        targets.AtLeast($"{name}: one address / an address each", OneAddressOfMany, Ratio(one, many), "F2");
        targets.AtMost($"{name}: Azurite's CPU ms a login", AzuriteMs, EndpointLoad.Median(many.Select(each => each.AzuriteMs)), "F2");
        if (timesDjango is null)
        {
            targets.AtLeast($"{name}: logins/s", LeastRate, EndpointLoad.Median(many.Select(each => each.Rate)), "F0");
        }

        var slots = HashingGate.SlotsFor(PasswordHasher.SlotBytes(cost.MemoryKib, useKonscious: false), new GateLimits());
        targets.AtMost(
            string.Create(CultureInfo.InvariantCulture, $"{name}: peak RSS MiB, {slots} slots and {MemoryBesideSlotsMib}"),
            (slots * PasswordHasher.SlotBytes(cost.MemoryKib, useKonscious: false) / 1024.0 / 1024) + MemoryBesideSlotsMib,
            ProcessTree.PeakMib(endpoint.ProcessId), "F0");
    }

    private static double Ratio(List<StackMeasurement> ours, List<StackMeasurement> theirs) =>
        EndpointLoad.Median(ours.Zip(theirs, (a, b) => a.Rate / b.Rate));

    /// <summary>The first stack is the endpoint, the last the one that all are compared with too: Django where it is there.</summary>
    private static void Print(
        List<LoginStack> stacks, Dictionary<(LoginStack Stack, bool IsOneAddress), List<StackMeasurement>> results, Argon2Cost cost)
    {
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"\n| {cost.MemoryKib}, {cost.Passes}, {cost.Lanes} | clients' addresses | logins/s | / {Short(stacks[^1])} | / {Short(stacks[0])} | p50 ms | p95 ms | p99 ms | CPU ms a login | Azurite's | clients' share | peak RSS MiB |"));
        Console.WriteLine("|---|---|---|---|---|---|---|---|---|---|---|---|");
        foreach (var stack in stacks)
        {
            foreach (var isOneAddress in new[] { false, true })
            {
                var own = results[(stack, isOneAddress)];
                double Of(Func<StackMeasurement, double> value) => EndpointLoad.Median(own.Select(value));
                var toLast = Ratio(own, results[(stacks[^1], isOneAddress)]);
                var toFirst = Ratio(own, results[(stacks[0], isOneAddress)]);
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"| {stack.Name} | {(isOneAddress ? "one" : "one each")} | {Of(each => each.Rate):F1} | {toLast:F2} | {toFirst:F2} | {Of(each => each.Latencies.At(50)):F1} | {Of(each => each.Latencies.At(95)):F1} | {Of(each => each.Latencies.At(99)):F1} | {Of(each => each.ServerMs):F2} | {Of(each => each.AzuriteMs):F2} | {Of(each => each.ClientShare):P0} | {ProcessTree.PeakMib(stack.ProcessId)} |"));
            }
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
                bars.Where(bar => bar.Stack == names[i]).Select(
                    bar => bar.Rate / bars.Single(other => other.Stack == unit && other.Cost == bar.Cost).Rate));
            drawn.LegendText = names[i];
        }

        plot.Axes.Bottom.SetTicks(
            [.. Enumerable.Range(0, Costs.Length).Select(cost => (cost * (names.Length + 1.5)) + ((names.Length - 1) / 2.0))],
            [.. Costs.Select(each => $"m={each.Cost.MemoryKib}, t={each.Cost.Passes}, p={each.Cost.Lanes}")]);
        plot.Axes.Margins(bottom: 0, top: 0.35);
        plot.YLabel($"logins a second ({unit.Split(',')[0]} = 1)");
        plot.ShowLegend(Alignment.UpperRight);
        plot.SavePng(path, 1100, 520);
    }
}
