// Whether a login takes longer where there are more accounts.

using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using Azure.Data.Tables;
using FetchApiKey.Accounts;
using FetchApiKey.Cli;
using FetchApiKey.Passwords;

namespace FetchApiKey.Benchmarks;

/// <summary>
/// One realm that grows from size to size, and at each size logins of accounts drawn at random, refused logins of names that
/// nobody has, and eight clients at once. The hash is cheap, so that storage shows. Sizes are filled up in the same tables: each adds
/// to the one before.
/// </summary>
internal static class AccountGrowth
{
    private const string Prefix = "growth";
    private const int Samples = 300;

    /// <summary>Rows that are written at once. More of them make Azurite, which is one thread, no faster.</summary>
    private const int Writers = 16;

    private static readonly TimeSpan Round = TimeSpan.FromSeconds(5);
    private static readonly Argon2Cost Cost = new(1024, 1, 1);

    public static async Task<int> RunAsync(IReadOnlyList<int> sizes)
    {
        await using var azurite = await Azurite.StartAsync(Azurite.FreePort(), null, Console.Error.WriteLine, CancellationToken.None);
        var tables = await EndpointLoad.PopulateAsync(azurite, Prefix, Cost);
        // Bounds of the limit that no sample comes near.
        using var server = await LoadedServer.StartAsync(azurite, Prefix, Cost, new Dictionary<string, string>
        {
            ["AttemptLimit__perAddress"] = "1000", ["ClientAddress__trustedHops"] = "1",
        });
        await server.LoadAsync(TimeSpan.FromSeconds(2));
        Console.WriteLine($"{Cost.MemoryKib},{Cost.Passes},{Cost.Lanes}; {Samples} logins and {Samples} unknown names in turn, one at a time; then {EndpointLoad.Clients} clients for {Round.TotalSeconds} s.");
        Console.WriteLine("| accounts | login: p50 ms | p95 ms | unknown name: p50 ms | p95 ms | logins/s at 8 clients | Azurite's share of a processor then | filled in s | Azurite's RSS MiB |");
        Console.WriteLine("|---|---|---|---|---|---|---|---|---|");
        var reading = (await new AccountStore(tables).FindAsync("", EmailAddress.TryParse("user0@example.com")!, CancellationToken.None)).Account!;
        var filled = EndpointLoad.Clients;
        foreach (var size in sizes.Order())
        {
            var started = Stopwatch.GetTimestamp();
            await FillAsync(tables, reading, filled, size);
            filled = Math.Max(size, filled);
            var seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;

            var (knownMs, unknownMs) = (new List<double>(), new List<double>());
            for (var sample = 0; sample < Samples; sample++)
            {
                knownMs.Add(await TimeAsync(server, $"user{RandomNumberGenerator.GetInt32(filled)}@example.com", 200, sample));
                unknownMs.Add(await TimeAsync(server, $"nobody{size}.{sample}@example.com", 401, sample));
            }

            var (known, unknown) = (new Latencies(knownMs), new Latencies(unknownMs));
            var before = ProcessTree.ProcessorTime(azurite.ProcessId);
            var (rate, _) = await LoadedServer.LoadAsync([server], EndpointLoad.Clients, Round, _ => RandomNumberGenerator.GetInt32(filled), _ => 1);
            var share = (ProcessTree.ProcessorTime(azurite.ProcessId) - before) / Round;
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"| {filled} | {known.At(50):F2} | {known.At(95):F2} | {unknown.At(50):F2} | {unknown.At(95):F2} | {rate:F0} | {share:P0} | {seconds:F0} | {LoadedServer.StatusMib(azurite.ProcessId, "VmRSS:")} |"));
        }

        return 0;
    }

    /// <summary>Copies of one account under other names and ids: a hash is of a password alone, and a seal is made for each.</summary>
    private static async Task FillAsync(AccountTables tables, Account one, int from, int to)
    {
        var cipher = new ApiKeyCipher(new ApiKeySettings(new Dictionary<string, byte[]> { ["bench"] = EndpointLoad.Key }, "bench"));
        await Parallel.ForEachAsync(
            Enumerable.Range(from, Math.Max(0, to - from)),
            new ParallelOptions { MaxDegreeOfParallelism = Writers },
            async (user, cancellation) =>
            {
                var email = EmailAddress.TryParse($"user{user}@example.com")!;
                var account = one with { UserId = user + 1, Email = email.Text, SealedApiKey = cipher.Seal("", email, user + 1, Account.NewApiKey()) };
                // Not the store's own way, which claims the user id as well: at a login nobody reads that.
                await tables.Accounts.UpsertEntityAsync(account.ToRow(email), TableUpdateMode.Replace, cancellation);
            });
    }

    private static async Task<double> TimeAsync(LoadedServer server, string username, int expected, int sample)
    {
        var sent = Stopwatch.GetTimestamp();
        var status = await server.LogInAsync(username, expected == 200 ? EndpointLoad.Password : "wrong", $"203.0.113.{sample % 250}");
        return status == expected ? Stopwatch.GetElapsedTime(sent).TotalMilliseconds : throw new InvalidOperationException($"{username} got {status}.");
    }
}
