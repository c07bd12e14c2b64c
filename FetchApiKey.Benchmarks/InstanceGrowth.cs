// Several servers over one store: what they carry together, and whether the attempt limit stays exact.

using System.Diagnostics;
using System.Globalization;
using FetchApiKey.Cli;
using FetchApiKey.Passwords;

namespace FetchApiKey.Benchmarks;

/// <summary>
/// Clients are spread over the servers. Guesses are spread too, each from an address of its own, so that the account's limit alone
/// stands in their way: of any number at once five are judged and no more. A server that cannot reach its turn at the account's row answers
/// 503, which admits nobody.
/// </summary>
internal static class InstanceGrowth
{
    /// <summary>AttemptLimit__perAccount as it is unless set.</summary>
    private const int Limit = 5;

    private static readonly TimeSpan Round = TimeSpan.FromSeconds(5);
    private static readonly int[] Instances = [1, 2, 4];
    private static readonly int[] Clients = [8, 16];
    private static readonly int[] Guesses = [60, 500];

    /// <returns>1 if a guess too many was judged, or a right password refused.</returns>
    public static async Task<int> RunAsync(int rounds)
    {
        await using var azurite = await Azurite.StartAsync(Azurite.FreePort(), null, Console.Error.WriteLine, CancellationToken.None);
        rounds = Math.Min(rounds, 3);
        Console.WriteLine($"Logins, {rounds} rounds of {Round.TotalSeconds} s in turn, medians. Servers, clients and Azurite share {Environment.ProcessorCount} processors; Azurite is one thread, so a share near 100 % is its limit.");
        Console.WriteLine("| m, t, p | instances | clients | logins/s | p50 ms | Azurite's share of a processor |");
        Console.WriteLine("|---|---|---|---|---|---|");
        foreach (var cost in new Argon2Cost[] { new(19456, 2, 1), new(1024, 1, 1) })
        {
            await CompareRatesAsync(azurite, cost, rounds);
        }

        Console.WriteLine();
        Console.WriteLine($"Guesses at one name, all at once, spread over the instances; at most {Limit} may be judged. Then 20 right logins of one account at once.");
        Console.WriteLine("| instances | guesses | judged (401) | refused (429) | contended (503) | other | right logins: 200 of 20 |");
        Console.WriteLine("|---|---|---|---|---|---|---|");
        var isExact = true;
        foreach (var count in Instances)
        {
            var cost = new Argon2Cost(1024, 1, 1);
            var prefix = $"exact{count}";
            await EndpointLoad.PopulateAsync(azurite, prefix, cost);
            var servers = await StartAsync(azurite, prefix, cost, count);
            try
            {
                for (var i = 0; i < Guesses.Length; i++)
                {
                    isExact &= await GuessAsync(servers, user: 2 * i, rightUser: (2 * i) + 1, Guesses[i]);
                }
            }
            finally
            {
                servers.ForEach(server => server.Dispose());
            }
        }

        Console.WriteLine(isExact ? "The limit is exact." : "THE LIMIT IS NOT EXACT.");
        return isExact ? 0 : 1;
    }

    private static async Task CompareRatesAsync(Azurite azurite, Argon2Cost cost, int rounds)
    {
        var prefix = $"instances{cost.MemoryKib}";
        await EndpointLoad.PopulateAsync(azurite, prefix, cost, accounts: Clients.Max());
        var loads = Instances.SelectMany(count => Clients.Select(clients => (Count: count, Clients: clients))).ToList();
        var results = loads.ToDictionary(load => load, _ => new List<(double Rate, double P50, double Share)>());
        // All run all the time, and those whose turn it is not wait for requests, which costs nothing.
        var servers = await StartAsync(azurite, prefix, cost, Instances.Max());
        try
        {
            await LoadAsync(servers, Clients.Max(), TimeSpan.FromSeconds(3));
            for (var round = 0; round < rounds; round++)
            {
                foreach (var load in loads)
                {
                    var before = ProcessTree.ProcessorTime(azurite.ProcessId);
                    var (rate, p50) = await LoadAsync(servers[..load.Count], load.Clients, Round);
                    results[load].Add((rate, p50, (ProcessTree.ProcessorTime(azurite.ProcessId) - before) / Round));
                }
            }
        }
        finally
        {
            servers.ForEach(server => server.Dispose());
        }

        foreach (var load in loads)
        {
            var of = results[load];
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"| {cost.MemoryKib}, {cost.Passes}, {cost.Lanes} | {load.Count} | {load.Clients} | {EndpointLoad.Median(of.Select(each => each.Rate)):F0} | {EndpointLoad.Median(of.Select(each => each.P50)):F1} | {EndpointLoad.Median(of.Select(each => each.Share)):P0} |"));
        }
    }

    private static async Task<List<LoadedServer>> StartAsync(Azurite azurite, string prefix, Argon2Cost cost, int count)
    {
        var servers = new List<LoadedServer>();
        for (var i = 0; i < count; i++)
        {
            servers.Add(await LoadedServer.StartAsync(azurite, prefix, cost, new Dictionary<string, string> { ["ClientAddress__trustedHops"] = "1" }));
        }

        return servers;
    }

    /// <summary>Each client has an account and an address of its own.</summary>
    private static Task<(double Rate, double P50)> LoadAsync(List<LoadedServer> servers, int clients, TimeSpan time) =>
        LoadedServer.LoadAsync(servers, clients, time, client => client, client => client);

    private static async Task<bool> GuessAsync(List<LoadedServer> servers, int user, int rightUser, int guesses)
    {
        var statuses = await Task.WhenAll(Enumerable.Range(0, guesses).Select(guess =>
            servers[guess % servers.Count].LogInAsync($"user{user}@example.com", $"wrong {guess}", $"10.0.{guess / 250}.{guess % 250}")));
        var right = await Task.WhenAll(Enumerable.Range(0, 20).Select(login =>
            servers[login % servers.Count].LogInAsync($"user{rightUser}@example.com", EndpointLoad.Password, $"10.1.{guesses / 250}.{login}")));
        var (judged, refused, contended) = (statuses.Count(status => status == 401), statuses.Count(status => status == 429), statuses.Count(status => status == 503));
        var other = guesses - judged - refused - contended;
        var admitted = right.Count(status => status == 200);
        Console.WriteLine($"| {servers.Count} | {guesses} | {judged} | {refused} | {contended} | {other} | {admitted} |");
        return judged <= Limit && other == 0 && admitted == right.Length;
    }
}
