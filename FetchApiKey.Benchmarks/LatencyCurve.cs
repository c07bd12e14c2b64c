// Latency against load: logins that come by chance, more and more a second, until the server cannot keep up and beyond.

using System.Globalization;
using FetchApiKey.Cli;
using FetchApiKey.Passwords;
using ScottPlot;

namespace FetchApiKey.Benchmarks;

internal static class LatencyCurve
{
    /// <summary>More than the endpoint lets wait, so that it is the endpoint and not the clients that runs out of places.</summary>
    private const int Accounts = 512;

    private static readonly double[] Steps = [0.1, 0.25, 0.5, 0.7, 0.8, 0.9, 1, 1.1, 1.3, 1.5];

    private static readonly Argon2Cost Cost = new(19456, 2, 1);

    private sealed record Point(string Stack, double Offered, double P50, double P99, double Unavailable);

    public static async Task<int> RunAsync(Options options)
    {
        await using var azurite = await Azurite.StartAsync(Azurite.FreePort(), null, Console.Error.WriteLine, CancellationToken.None);
        var store = await LoadedStore.CreateAsync(azurite, "latency", Cost, Accounts);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{Cost.MemoryKib}, {Cost.Passes}, {Cost.Lanes}; logins at random moments from {Accounts} accounts and addresses, {options.Seconds} s a step, timed from when each was due; each server's load as a share of what {EndpointLoad.Clients} clients get from it that wait for their answers."));
        Console.WriteLine("| | load | offered/s | answered/s | p50 ms | p95 ms | p99 ms | 503 |\n|---|---|---|---|---|---|---|---|");
        var points = new List<Point>();
        foreach (var start in new Func<LoadedStore, Task<LoginStack>>[] { LoginStack.StartEndpointAsync, StartOtherAsync })
        {
            using var stack = await start(store);
            await LoginLoad.ClosedAsync(stack.Port, store.Accounts, EndpointLoad.Clients, options.Round);
            var (capacity, _) = await LoginLoad.ClosedAsync(stack.Port, store.Accounts, EndpointLoad.Clients, options.Round);
            foreach (var step in Steps)
            {
                var (latencies, unavailable, seconds) = await LoginLoad.OpenAsync(stack.Port, store.Accounts, step * capacity, options.Round);
                var share = (double)unavailable / (latencies.Count + unavailable);
                points.Add(new Point(stack.Name, step * capacity, latencies.At(50), latencies.At(99), share));
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"| {stack.Name} | {step:P0} | {step * capacity:F1} | {latencies.Count / seconds:F1} | {latencies.At(50):F1} | {latencies.At(95):F1} | {latencies.At(99):F1} | {share:P1} |"));
            }
        }

        if (options.Plot is { } path)
        {
            Plot(points, path);
        }

        return 0;
    }

    /// <summary>Django, which Zulip's own server is, or where it is not installed the plain server.</summary>
    private static async Task<LoginStack> StartOtherAsync(LoadedStore store)
    {
        try
        {
            return await DjangoServer.StartAsync(store);
        }
        catch (StackMissingException missing)
        {
            Console.Error.WriteLine(missing.Message);
            return await PlainServer.StartAsync(store);
        }
    }

    private static void Plot(List<Point> points, string path)
    {
        using var plot = new Plot();
        Color[] colors = [Colors.C0, Colors.C3];
        var (top, bottom) = (points.Max(point => point.P99), points.Min(point => point.P50));
        foreach (var (stack, color) in points.GroupBy(point => point.Stack).Zip(colors))
        {
            var offered = stack.Select(point => point.Offered).ToArray();
            Add(plot.Add.Scatter(offered, [.. stack.Select(point => Math.Log10(point.P50))], color), $"{stack.Key}: p50");
            var p99 = plot.Add.Scatter(offered, [.. stack.Select(point => Math.Log10(point.P99))], color);
            Add(p99, $"{stack.Key}: p99, dashed");
            p99.LinePattern = LinePattern.Dashed;
            foreach (var point in stack.Where(point => point.Unavailable > 0))
            {
                var label = plot.Add.Text(string.Create(CultureInfo.InvariantCulture, $"{point.Unavailable:P0} 503"), point.Offered, Math.Log10(point.P99));
                label.LabelFontColor = color;
                label.LabelAlignment = Alignment.LowerCenter;
                label.OffsetY = -6;
            }
        }

        double[] marks = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000];
        plot.Axes.Left.SetTicks([.. marks.Select(Math.Log10)], [.. marks.Select(mark => mark.ToString(CultureInfo.InvariantCulture))]);
        plot.Axes.SetLimits(0, points.Max(point => point.Offered) * 1.1, Math.Log10(bottom * 0.7), Math.Log10(top * 2));
        plot.XLabel("logins a second that come");
        plot.YLabel("milliseconds until the answer");
        plot.ShowLegend(Alignment.UpperLeft);
        plot.SavePng(path, 1100, 520);

        static void Add(ScottPlot.Plottables.Scatter line, string legend)
        {
            line.LegendText = legend;
            line.LineWidth = 2;
        }
    }
}
