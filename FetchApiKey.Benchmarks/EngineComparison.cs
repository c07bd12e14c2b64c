// All contenders in one run, in turn: wall and CPU time, page faults, allocation, peak memory, and ratios round by round.

using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using FetchApiKey.Passwords;
using ScottPlot;

namespace FetchApiKey.Benchmarks;

internal static partial class EngineComparison
{
    public static readonly Argon2Cost[] Sets = [new(102400, 2, 8), new(19456, 2, 1), new(47104, 1, 1), new(65536, 3, 4)];

    private sealed record Sample(double WallMs, double CpuMs, long PageFaults, long AllocatedBytes);

    public static int Run(Options options)
    {
        Console.WriteLine($"{Environment.ProcessorCount} processors, {RuntimeInformation.ProcessArchitecture}, {RuntimeInformation.FrameworkDescription}; {options.Rounds} rounds, medians.");
        var contenders = Contender.All(options.LibArgon2);
        var chart = new List<(string Contender, Argon2Cost Set, double CpuMs)>();
        foreach (var set in Sets)
        {
            var samples = contenders.ToDictionary(contender => contender.Name, _ => new List<Sample>());
            foreach (var contender in contenders)
            {
                // Compiled and warm before it counts, and right.
                var expected = contenders[0].Hash(set);
                if (contender.Hash(set) is { } tag && !tag.SequenceEqual(expected!))
                {
                    throw new InvalidOperationException($"{contender.Name} computes another tag.");
                }
            }

            for (var round = 0; round < options.Rounds; round++)
            {
                foreach (var contender in contenders)
                {
                    samples[contender.Name].Add(Measure(contender, set));
                }
            }

            Console.WriteLine();
            Console.WriteLine($"| m={set.MemoryKib}, t={set.Passes}, p={set.Lanes} | wall ms | CPU ms | CPU / {contenders[0].Name} | page faults | allocated KiB | peak RSS MiB |");
            Console.WriteLine("|---|---|---|---|---|---|---|");
            var best = samples[contenders[0].Name];
            foreach (var contender in contenders)
            {
                var own = samples[contender.Name];
                var ratio = Median(own.Zip(best, (a, b) => a.CpuMs / b.CpuMs));
                var cpu = Median(own.Select(sample => sample.CpuMs));
                chart.Add((contender.Name, set, cpu));
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"| {contender.Name} | {Median(own.Select(sample => sample.WallMs)):F1} | {cpu:F1} | {ratio:F2} | {Median(own.Select(sample => (double)sample.PageFaults)):F0} | {Median(own.Select(sample => sample.AllocatedBytes / 1024.0)):F0} | {Peak(contender.Name, set, options)} |"));
            }
        }

        if (options.Plot is { } path)
        {
            Plot(chart, path);
        }

        contenders.ForEach(contender => contender.Dispose());
        return 0;
    }

    /// <summary>In a process of its own: three hashes by one contender, then the highest resident size.</summary>
    public static int PrintPeak(string name, string set, Options options)
    {
        var numbers = set.Split(',').Select(number => int.Parse(number, CultureInfo.InvariantCulture)).ToArray();
        var contender = Contender.All(options.LibArgon2).Single(contender => contender.Name == name);
        for (var i = 0; i < 3; i++)
        {
            contender.Hash(new Argon2Cost(numbers[0], numbers[1], numbers[2]));
        }

        var line = File.ReadLines("/proc/self/status").First(line => line.StartsWith("VmHWM:", StringComparison.Ordinal));
        Console.WriteLine(int.Parse(line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) / 1024);
        return 0;
    }

    private static string Peak(string contender, Argon2Cost set, Options options)
    {
        using var child = Process.Start(new ProcessStartInfo(Environment.ProcessPath!, ["peak", contender, $"{set.MemoryKib},{set.Passes},{set.Lanes}", "--libargon2", options.LibArgon2])
        {
            RedirectStandardOutput = true,
        })!;
        var printed = child.StandardOutput.ReadToEnd();
        child.WaitForExit();
        return printed.Trim();
    }

    private static Sample Measure(Contender contender, Argon2Cost set)
    {
        var allocated = GC.GetTotalAllocatedBytes(precise: true);
        var (cpu, faults) = Usage();
        var started = Stopwatch.GetTimestamp();
        contender.Hash(set);
        var wall = Stopwatch.GetElapsedTime(started).TotalMilliseconds;
        var (cpuAfter, faultsAfter) = Usage();
        return new Sample(wall, cpuAfter - cpu, faultsAfter - faults, GC.GetTotalAllocatedBytes(precise: true) - allocated);
    }

    private static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return sorted[sorted.Length / 2];
    }

    private static void Plot(List<(string Contender, Argon2Cost Set, double CpuMs)> chart, string path)
    {
        using var plot = new Plot();
        var names = chart.Select(bar => bar.Contender).Distinct().ToArray();
        for (var i = 0; i < names.Length; i++)
        {
            var bars = plot.Add.Bars(
                Enumerable.Range(0, Sets.Length).Select(set => (set * (names.Length + 1.5)) + i),
                chart.Where(bar => bar.Contender == names[i]).Select(bar => bar.CpuMs));
            bars.LegendText = names[i];
        }

        plot.Axes.Bottom.SetTicks(
            [.. Enumerable.Range(0, Sets.Length).Select(set => (set * (names.Length + 1.5)) + ((names.Length - 1) / 2.0))],
            [.. Sets.Select(set => $"m={set.MemoryKib}, t={set.Passes}, p={set.Lanes}")]);
        plot.Axes.Margins(bottom: 0);
        plot.YLabel("CPU milliseconds a hash (median)");
        plot.ShowLegend(Alignment.UpperCenter);
        plot.SavePng(path, 1100, 520);
    }

    private static (double CpuMs, long PageFaults) Usage()
    {
        _ = GetUsage(0, out var usage);
        return (((usage.UserSeconds + usage.SystemSeconds) * 1000.0) + ((usage.UserMicroseconds + usage.SystemMicroseconds) / 1000.0), usage.MinorFaults);
    }

    [LibraryImport("libc", EntryPoint = "getrusage")]
    private static partial int GetUsage(int who, out ResourceUsage usage);

    [StructLayout(LayoutKind.Sequential, Size = 144)]
    private struct ResourceUsage
    {
        public long UserSeconds;
        public long UserMicroseconds;
        public long SystemSeconds;
        public long SystemMicroseconds;
        public long MaxResident;
        public long SharedText;
        public long UnsharedData;
        public long UnsharedStack;
        public long MinorFaults;
    }
}
