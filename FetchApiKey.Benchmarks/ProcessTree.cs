// What a process, and all that it started, have taken of the machine: processor time and memory, as /proc tells.

using System.Globalization;

namespace FetchApiKey.Benchmarks;

internal static class ProcessTree
{
    /// <summary>What Linux counts processor time in, whatever the kernel's own tick.</summary>
    private const double TicksPerSecond = 100;

    /// <summary>Of all threads of all its processes, in the kernel and outside.</summary>
    public static TimeSpan ProcessorTime(int root) =>
        TimeSpan.FromSeconds(Of(root).Sum(process => long.Parse(process.Stat[11], CultureInfo.InvariantCulture) + long.Parse(process.Stat[12], CultureInfo.InvariantCulture)) / TicksPerSecond);

    /// <summary>The sum of the most that each process has had resident, in MiB. What processes share counts in each of them.</summary>
    public static int PeakMib(int root) => (int)(Of(root).Sum(process => PeakKib(process.Id)) / 1024);

    /// <summary>Its processes that live, each with the fields of its stat from the third on.</summary>
    private static List<(int Id, string[] Stat)> Of(int root)
    {
        var all = new Dictionary<int, string[]>();
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(folder), NumberStyles.None, CultureInfo.InvariantCulture, out var id) && Read($"{folder}/stat") is { } stat)
            {
                // The second field is the program's name in parentheses, which may hold any character.
                all.Add(id, stat[(stat.LastIndexOf(')') + 2)..].Split(' '));
            }
        }

        var tree = new List<(int, string[])>();
        var open = new Stack<int>([root]);
        while (open.TryPop(out var id))
        {
            if (all.TryGetValue(id, out var stat))
            {
                tree.Add((id, stat));
            }

            foreach (var (child, _) in all.Where(each => each.Value[1] == id.ToString(CultureInfo.InvariantCulture)))
            {
                open.Push(child);
            }
        }

        return tree;
    }

    private static long PeakKib(int id)
    {
        var line = Read($"/proc/{id}/status")?.Split('\n').FirstOrDefault(line => line.StartsWith("VmHWM:", StringComparison.Ordinal));
        return line is null ? 0 : long.Parse(line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);
    }

    /// <summary>Null once the process is gone.</summary>
    private static string? Read(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (IOException)
        {
            return null;
        }
    }
}
