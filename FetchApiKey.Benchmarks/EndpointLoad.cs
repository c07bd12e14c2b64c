// The whole endpoint under load: a server process over a real Azurite, and clients in this process.

using System.Diagnostics;
using System.Globalization;
using FetchApiKey.Accounts;
using FetchApiKey.Cli;
using FetchApiKey.Passwords;
using FetchApiKey.Argon2;

namespace FetchApiKey.Benchmarks;

internal static class EndpointLoad
{
    public const int Clients = 8;
    public const string Password = "correct horse battery staple";
    public static readonly byte[] Key = new byte[ApiKeySettings.KeyBytes];
    private static readonly TimeSpan Round = TimeSpan.FromSeconds(5);

    /// <summary>
    /// What a login costs the server's process in processor time, and so how many a second a processor carries: figures that do not
    /// depend on how much of the machine Azurite and the clients take.
    /// </summary>
    public static async Task<int> CapacityAsync()
    {
        await using var azurite = await Azurite.StartAsync(Azurite.FreePort(), null, Console.Error.WriteLine, CancellationToken.None);
        Console.WriteLine($"{Clients} clients for {2 * Round.TotalSeconds} s each, {Environment.ProcessorCount} slots.");
        Console.WriteLine("| m, t, p | CPU ms a login | logins/s on 1 vCPU | on 2 | on 0.25 | peak RSS MiB |");
        Console.WriteLine("|---|---|---|---|---|---|");
        foreach (var cost in new Argon2Cost[] { new(102400, 2, 8), new(65536, 3, 4), new(47104, 1, 1), new(19456, 2, 1) })
        {
            var prefix = $"c{cost.MemoryKib}";
            await PopulateAsync(azurite, prefix, cost);
            using var server = await LoadedServer.StartAsync(azurite, prefix, cost);
            await server.LoadAsync(Round);
            var before = server.ProcessorTime;
            var (logins, _) = await server.LoadAsync(2 * Round);
            var each = (server.ProcessorTime - before).TotalMilliseconds / (logins * 2 * Round.TotalSeconds);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"| {cost.MemoryKib}, {cost.Passes}, {cost.Lanes} | {each:F1} | {1000 / each:F0} | {2000 / each:F0} | {250 / each:F0} | {server.Status("VmHWM:")} |"));
        }

        return 0;
    }

    /// <summary>Ten bursts of 128 logins at once: resident memory, and how long an unrelated request waits meanwhile.</summary>
    public static async Task<int> BurstAsync()
    {
        await using var azurite = await Azurite.StartAsync(Azurite.FreePort(), null, Console.Error.WriteLine, CancellationToken.None);
        var cost = Argon2Cost.Default;
        await PopulateAsync(azurite, "burst", cost);
        using var server = await LoadedServer.StartAsync(azurite, "burst", cost);
        await server.LoadAsync(TimeSpan.FromSeconds(2));
        var before = server.Status("VmRSS:");
        Console.WriteLine($"128 logins at once, m={cost.MemoryKib}, t={cost.Passes}, p={cost.Lanes}, {Environment.ProcessorCount} slots; resident before: {before} MiB");
        Console.WriteLine("| burst | 200 | 503 | seconds | RSS MiB | unrelated request: p50 ms | max ms |");
        Console.WriteLine("|---|---|---|---|---|---|---|");
        for (var burst = 1; burst <= 10; burst++)
        {
            using var over = new CancellationTokenSource();
            var unrelated = server.PingAsync(over.Token);
            var started = Stopwatch.GetTimestamp();
            var statuses = await Task.WhenAll(Enumerable.Range(0, 128).Select(i => server.LogInAsync(i % Clients)));
            var seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
            await over.CancelAsync();
            var waits = await unrelated;
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"| {burst} | {statuses.Count(status => status == 200)} | {statuses.Count(status => status == 503)} | {seconds:F1} | {server.Status("VmRSS:")} | {Median(waits):F1} | {waits.Max():F1} |"));
        }

        return 0;
    }

    /// <summary>
    /// Two hundred connections that send a byte a second: how long logins take before and meanwhile, and when all are cut off.
    /// </summary>
    public static async Task<int> DribbleAsync()
    {
        await using var azurite = await Azurite.StartAsync(Azurite.FreePort(), null, Console.Error.WriteLine, CancellationToken.None);
        var cost = new Argon2Cost(19456, 2, 1);
        await PopulateAsync(azurite, "dribble", cost);
        using var server = await LoadedServer.StartAsync(azurite, "dribble", cost);
        await server.LoadAsync(TimeSpan.FromSeconds(2));
        async Task<double[]> SampleAsync()
        {
            var samples = new double[100];
            for (var i = 0; i < samples.Length; i++)
            {
                var sent = Stopwatch.GetTimestamp();
                var status = await server.LogInAsync(i % Clients);
                samples[i] = status == 200 ? Stopwatch.GetElapsedTime(sent).TotalMilliseconds : throw new InvalidOperationException($"A login got {status}.");
            }

            return [.. samples.Order()];
        }

        var before = await SampleAsync();
        var started = Stopwatch.GetTimestamp();
        var dribblers = Enumerable.Range(0, 200).Select(i => server.DribbleAsync(i % 2 == 0)).ToList();
        await Task.Delay(1000);
        var meanwhile = await SampleAsync();
        await Task.WhenAll(dribblers);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"p95 of 100 logins: {before[94]:F1} ms before, {meanwhile[94]:F1} ms meanwhile, all 200; 200 dribbling connections ended after {Stopwatch.GetElapsedTime(started).TotalSeconds:F0} s"));
        return 0;
    }

    public static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return sorted[sorted.Length / 2];
    }

    public static async Task<AccountTables> PopulateAsync(Azurite azurite, string prefix, Argon2Cost cost, int accounts = Clients)
    {
        var tables = AccountTables.Open(new StorageSettings { ConnectionString = azurite.ConnectionString, TablePrefix = prefix });
        await tables.CreateAsync(CancellationToken.None);
        await new RealmStore(tables, TimeSpan.Zero, TimeProvider.System).AddAsync(
            new Realm("", "Load", "", "", null, true, PasswordBackends.Email), CancellationToken.None);
        using var password = TypedPassword.FromText(Password);
        var hash = await NewHash.OfAsync(password, new HashingSettings(cost, new GateLimits(), UseKonscious: false), TimeProvider.System);
        for (var i = 0; i < accounts; i++)
        {
            var email = EmailAddress.TryParse($"user{i}@example.com")!;
            var apiKey = new ApiKeyCipher(new ApiKeySettings(new Dictionary<string, byte[]> { ["bench"] = Key }, "bench")).Seal("", email, i + 1, Account.NewApiKey());
            var account = new Account("", i + 1, email.Text, hash, apiKey, true, Account.Member, DateTimeOffset.UnixEpoch);
            await new AccountStore(tables).AddAsync(account, email, CancellationToken.None);
        }

        return tables;
    }
}
