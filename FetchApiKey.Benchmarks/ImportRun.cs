// An import of many accounts: how long it takes, in how much memory, and what it costs to finish one that was killed.

using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.RegularExpressions;
using FetchApiKey.Cli;

namespace FetchApiKey.Benchmarks;

internal static partial class ImportRun
{
    private static readonly TimeSpan SampleInterval = TimeSpan.FromMilliseconds(50);

    public static async Task<int> RunAsync(int accounts)
    {
        var file = Path.GetTempFileName();
        await using var azurite = await Azurite.StartAsync(Azurite.FreePort(), data: null, Console.WriteLine, CancellationToken.None);
        try
        {
            await WriteAsync(file, accounts);
            Console.WriteLine($"{accounts} accounts, {new FileInfo(file).Length / 1024 / 1024} MiB of JSON lines\n");
            Console.WriteLine("| run | s | accounts/s | peak RSS MiB | printed |\n|---|---|---|---|---|");
            var whole = await ImportAsync(azurite, "whole", file, "import", killAfter: null);
            await ImportAsync(azurite, "whole", file, "again, all there", killAfter: null);
            await ImportAsync(azurite, "cut", file, "import, kill -9 in the middle", killAfter: whole / 2);
            await ImportAsync(azurite, "cut", file, "the same, finished", killAfter: null);
            await ImportAsync(azurite, "cut", file, "again, all there", killAfter: null);
            return 0;
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static async Task WriteAsync(string file, int accounts)
    {
        await using var writer = new StreamWriter(file);
        for (var i = 1; i <= accounts; i++)
        {
            await writer.WriteLineAsync(string.Create(CultureInfo.InvariantCulture,
                $$"""{"realm":"","email":"user{{i}}@example.com","user_id":{{i}},"api_key":"{{RandomNumberGenerator.GetHexString(32)}}","password":"argon2$argon2id$v=19$m=102400,t=2,p=8${{Base64(22)}}${{Base64(32)}}"}"""));
        }
    }

    private static string Base64(int bytes) => Convert.ToBase64String(RandomNumberGenerator.GetBytes(bytes)).TrimEnd('=');

    /// <summary>The process as an operator starts it.</summary>
    private static async Task<TimeSpan> ImportAsync(Azurite azurite, string prefix, string file, string run, TimeSpan? killAfter)
    {
        foreach (var verb in new[] { "tables create", "realms add" })
        {
            using var preparation = Start(azurite, prefix, verb.Split(' '));
            await preparation.WaitForExitAsync();
        }

        using var import = Start(azurite, prefix, ["users", "import", file, "--json"]);
        var begun = Stopwatch.GetTimestamp();
        var printed = import.StandardOutput.ReadToEndAsync();
        var peak = 0L;
        while (!import.HasExited)
        {
            peak = Math.Max(peak, PeakKib(import.Id));
            if (killAfter is { } limit && Stopwatch.GetElapsedTime(begun) > limit)
            {
                import.Kill();
            }

            await Task.Delay(SampleInterval);
        }

        var took = Stopwatch.GetElapsedTime(begun);
        var output = (await printed).Trim();
        var imported = Imported().Match(output) is { Success: true } match ? int.Parse(match.Groups[1].ValueSpan, CultureInfo.InvariantCulture) : 0;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"| {run} | {took.TotalSeconds:F1} | {(imported == 0 ? "" : $"{imported / took.TotalSeconds:F0}")} | {peak / 1024} | {output} |"));
        return took;
    }

    private static Process Start(Azurite azurite, string prefix, string[] arguments) => Process.Start(
        new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "fetch-api-key.dll"), .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = arguments is not ["users", ..],
            Environment =
            {
                ["AccountStorage"] = azurite.ConnectionString, ["TablePrefix"] = prefix, ["ApiKeys__keys__bench"] = Convert.ToBase64String(EndpointLoad.Key),
            },
        })!;

    /// <summary>What /proc says of the most memory that the process has had; 0 once it is gone.</summary>
    private static long PeakKib(int processId)
    {
        try
        {
            var line = File.ReadLines($"/proc/{processId}/status").FirstOrDefault(each => each.StartsWith("VmHWM:", StringComparison.Ordinal));
            return line is null ? 0 : long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2].Split('\t')[^1], CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            return 0;
        }
    }

    [GeneratedRegex("\"imported\":([0-9]+)")]
    private static partial Regex Imported();
}
