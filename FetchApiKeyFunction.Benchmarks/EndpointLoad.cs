// The whole endpoint under load: a server process over a real Azurite, and clients in this process.

using System.Diagnostics;
using System.Globalization;
using FetchApiKeyFunction.Accounts;
using FetchApiKeyFunction.Operator;
using FetchApiKeyFunction.Passwords;
using FetchApiKeyFunction.Passwords.Argon2;

namespace FetchApiKeyFunction.Benchmarks;

internal static class EndpointLoad
{
    private const int Clients = 8;
    private const string Password = "correct horse battery staple";
    private static readonly byte[] Key = new byte[ApiKeySettings.KeyBytes];
    private static readonly TimeSpan Round = TimeSpan.FromSeconds(5);

    /// <summary>Logins a second of eight clients, Konscious and the engine in turn.</summary>
    public static async Task<int> LoginsAsync(Options options)
    {
        await using var azurite = await Azurite.StartAsync(Azurite.FreePort(), null, Console.Error.WriteLine, CancellationToken.None);
        Console.WriteLine($"{Clients} clients, rounds of {Round.TotalSeconds} s, {Math.Min(options.Rounds, 3)} rounds in turn, medians.");
        Console.WriteLine("| m, t, p | engine | logins/s | p50 ms | peak RSS MiB |");
        Console.WriteLine("|---|---|---|---|---|");
        foreach (var cost in new Argon2Cost[] { new(102400, 2, 8), new(19456, 2, 1) })
        {
            var prefix = $"m{cost.MemoryKib}";
            await PopulateAsync(azurite, prefix, cost);
            string[] engines = ["konscious", "built-in"];
            var results = engines.ToDictionary(engine => engine, _ => new List<(double Rate, double P50)>());
            var servers = new Dictionary<string, Server>();
            foreach (var engine in engines)
            {
                servers[engine] = await Server.StartAsync(azurite, prefix, cost, engine);
                await servers[engine].LoadAsync(TimeSpan.FromSeconds(2));
            }

            for (var round = 0; round < Math.Min(options.Rounds, 3); round++)
            {
                foreach (var engine in engines)
                {
                    results[engine].Add(await servers[engine].LoadAsync(Round));
                }
            }

            foreach (var engine in engines)
            {
                var peak = servers[engine].Status("VmHWM:");
                servers[engine].Dispose();
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"| {cost.MemoryKib}, {cost.Passes}, {cost.Lanes} | {engine} | {Median(results[engine].Select(result => result.Rate)):F1} | {Median(results[engine].Select(result => result.P50)):F0} | {peak} |"));
            }
        }

        return 0;
    }

    /// <summary>Ten bursts of 128 logins at once: resident memory, and how long an unrelated request waits meanwhile.</summary>
    public static async Task<int> BurstAsync()
    {
        await using var azurite = await Azurite.StartAsync(Azurite.FreePort(), null, Console.Error.WriteLine, CancellationToken.None);
        var cost = Argon2Cost.Default;
        await PopulateAsync(azurite, "burst", cost);
        using var server = await Server.StartAsync(azurite, "burst", cost, "built-in");
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

    private static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return sorted[sorted.Length / 2];
    }

    private static async Task PopulateAsync(Azurite azurite, string prefix, Argon2Cost cost)
    {
        var tables = AccountTables.Open(new StorageSettings { ConnectionString = azurite.ConnectionString, TablePrefix = prefix });
        await tables.CreateAsync(CancellationToken.None);
        await new RealmStore(tables, TimeSpan.Zero, TimeProvider.System).AddAsync(
            new Realm("", "Load", "", "", null, true, PasswordBackends.Email), CancellationToken.None);
        using var password = TypedPassword.FromText(Password);
        var hash = await NewHash.OfAsync(password, new HashingSettings(cost, new HashCeilings(), new GateLimits(), UseKonscious: false), TimeProvider.System);
        for (var i = 0; i < Clients; i++)
        {
            var email = EmailAddress.TryParse($"user{i}@example.com")!;
            var apiKey = new ApiKeyCipher(new ApiKeySettings(new Dictionary<string, byte[]> { ["bench"] = Key }, "bench")).Seal("", i + 1, Account.NewApiKey());
            var account = new Account("", i + 1, email.Text, hash, apiKey, true, Account.Member, DateTimeOffset.UnixEpoch);
            await new AccountStore(tables).AddAsync(account, email, CancellationToken.None);
        }
    }

    private sealed class Server : IDisposable
    {
        private readonly Process _process;
        private readonly HttpClient _client;

        private Server(Process process, int port)
        {
            _process = process;
            _client = new HttpClient(new SocketsHttpHandler { MaxConnectionsPerServer = 512 }) { BaseAddress = new Uri($"http://127.0.0.1:{port}") };
        }

        public static async Task<Server> StartAsync(Azurite azurite, string prefix, Argon2Cost cost, string engine)
        {
            var port = Azurite.FreePort();
            var process = Process.Start(new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "FetchApiKeyFunction.dll"), "serve", "--port", $"{port}"])
            {
                RedirectStandardOutput = true,
                Environment =
                {
                    ["AccountStorage"] = azurite.ConnectionString, ["TablePrefix"] = prefix, ["ExternalHost"] = "127.0.0.1", ["Argon2__engine"] = engine,
                    ["ApiKeys__keys__bench"] = Convert.ToBase64String(Key),
                    ["Argon2__memoryKib"] = $"{cost.MemoryKib}", ["Argon2__passes"] = $"{cost.Passes}", ["Argon2__lanes"] = $"{cost.Lanes}",
                },
            })!;
            var listening = new TaskCompletionSource();
            process.OutputDataReceived += (_, line) =>
            {
                if (line.Data?.StartsWith("Listening", StringComparison.Ordinal) == true)
                {
                    listening.TrySetResult();
                }
            };
            process.BeginOutputReadLine();
            await listening.Task.WaitAsync(TimeSpan.FromSeconds(30));
            return new Server(process, port);
        }

        public async Task<int> LogInAsync(int user)
        {
            using var form = new FormUrlEncodedContent([new("username", $"user{user}@example.com"), new("password", Password)]);
            using var answer = await _client.PostAsync(new Uri("/api/v1/fetch_api_key", UriKind.Relative), form);
            return (int)answer.StatusCode;
        }

        public async Task<(double Rate, double P50)> LoadAsync(TimeSpan time)
        {
            var started = Stopwatch.GetTimestamp();
            var latencies = await Task.WhenAll(Enumerable.Range(0, Clients).Select(async client =>
            {
                var own = new List<double>();
                while (Stopwatch.GetElapsedTime(started) < time)
                {
                    var sent = Stopwatch.GetTimestamp();
                    var status = await LogInAsync(client);
                    own.Add(status == 200 ? Stopwatch.GetElapsedTime(sent).TotalMilliseconds : throw new InvalidOperationException($"A login got {status}."));
                }

                return own;
            }));
            var all = latencies.SelectMany(own => own).ToList();
            return (all.Count / Stopwatch.GetElapsedTime(started).TotalSeconds, Median(all));
        }

        /// <summary>Milliseconds that a request took which hashes nothing, one after the other until told to stop.</summary>
        public async Task<List<double>> PingAsync(CancellationToken cancellation)
        {
            var waits = new List<double>();
            while (!cancellation.IsCancellationRequested)
            {
                var sent = Stopwatch.GetTimestamp();
                using var answer = await _client.GetAsync(new Uri("/api/v1/server_settings", UriKind.Relative), CancellationToken.None);
                waits.Add(Stopwatch.GetElapsedTime(sent).TotalMilliseconds);
                await Task.Delay(10, CancellationToken.None);
            }

            return waits;
        }

        /// <summary>MiB of a line of the process's status.</summary>
        public int Status(string name)
        {
            var line = File.ReadLines($"/proc/{_process.Id}/status").First(line => line.StartsWith(name, StringComparison.Ordinal));
            return int.Parse(line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) / 1024;
        }

        public void Dispose()
        {
            _process.Kill();
            _process.WaitForExit();
            _process.Dispose();
            _client.Dispose();
        }
    }
}
