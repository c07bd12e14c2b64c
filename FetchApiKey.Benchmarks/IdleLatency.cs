// What a login adds to its hash, with parameters that real passwords have: on an idle server in time, on a busy one in logins a second.

using System.Diagnostics;
using System.Globalization;
using Azure.Data.Tables;
using FetchApiKey.Accounts;
using FetchApiKey.Cli;
using FetchApiKey.Passwords;
using FetchApiKey.Argon2;

namespace FetchApiKey.Benchmarks;

internal static class IdleLatency
{
    private const int Samples = 200;
    private const double AskedBesideHashAndStorageMs = 3;
    private const double AskedOverHash = 1.15;

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(20);
    private static readonly Argon2Cost[] Costs = [new(102400, 2, 8), new(19456, 2, 1)];
    private static readonly byte[] Password = "correct horse battery staple"u8.ToArray();

    /// <param name="published">Builds of the endpoint, NAME=FOLDER each; none for the one beside this program.</param>
    public static async Task<int> RunAsync(IReadOnlyList<string> published, Options options)
    {
        await using var azurite = await Azurite.StartAsync(Azurite.FreePort(), null, Console.Error.WriteLine, CancellationToken.None);
        var (targets, idle, busy) = (new Targets(), new List<string>(), new List<string>());
        foreach (var cost in Costs)
        {
            var store = await LoadedStore.CreateAsync(azurite, $"i{cost.MemoryKib}", cost, EndpointLoad.Clients);
            foreach (var start in LoginStack.Endpoints(published))
            {
                using var endpoint = await start(store);
                var name = string.Create(CultureInfo.InvariantCulture, $"{endpoint.Name} at {cost.MemoryKib}, {cost.Passes}, {cost.Lanes}");
                var (login, hash, storage) = await SampleAsync(endpoint, store);
                var rest = login - hash - storage;
                idle.Add(string.Create(CultureInfo.InvariantCulture, $"| {name} | {login:F2} | {hash:F2} | {storage:F2} | {rest:F2} |"));
                targets.AtMost($"{name}, idle: p50 ms of a login beside hash and storage", AskedBesideHashAndStorageMs, rest, "F2");

                var (logins, hashes) = await LoadAsync(endpoint, store, options);
                var overHash = EndpointLoad.Median(logins.Zip(hashes, (ours, bare) => ours.ServerMs / bare.CpuMs));
                string Of<T>(List<T> rounds, Func<T, double> value, string format) =>
                    EndpointLoad.Median(rounds.Select(value)).ToString(format, CultureInfo.InvariantCulture);
                busy.Add(string.Create(CultureInfo.InvariantCulture,
                    $"| {name} | {Of(logins, each => each.Rate, "F1")} | {Of(hashes, each => each.Rate, "F1")} | {Of(logins, each => each.ServerMs, "F2")} | {Of(hashes, each => each.CpuMs, "F2")} | {overHash:F2} | {Of(logins, each => each.AzuriteMs, "F2")} |"));
                targets.AtMost($"{name}, busy: CPU of a login / of its hash", AskedOverHash, overHash, "F2");
            }
        }

        Console.WriteLine($"One login at a time, {Samples} samples, each after a bare hash and bare storage calls; medians in ms.");
        Console.WriteLine("\n| | login | hash alone | storage calls alone | rest |\n|---|---|---|---|---|");
        idle.ForEach(Console.WriteLine);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"\n{EndpointLoad.Clients} clients, and the engine alone on {Environment.ProcessorCount} threads; {options.Rounds} rounds of {options.Seconds} s in turn, medians."));
        Console.WriteLine("\n| | logins/s | hashes/s | CPU ms a login | CPU ms a hash | ratio | Azurite's CPU ms a login |\n|---|---|---|---|---|---|---|");
        busy.ForEach(Console.WriteLine);
        return targets.Print();
    }

    /// <summary>Medians of a login, of its hash as the gate lets one compute that is alone, and of the calls that it waits for.</summary>
    private static async Task<(double Login, double Hash, double Storage)> SampleAsync(LoginStack endpoint, LoadedStore store)
    {
        using var connection = new LoginConnection(endpoint.Port, store.Accounts[0], LoginConnection.AddressOf(0));
        using var memory = NewMemory(store.Cost);
        using var workers = new LaneWorkers(Environment.ProcessorCount);
        // With the endpoint's own options.
        var tables = AccountTables.Open(
            new StorageSettings { ConnectionString = store.Azurite.ConnectionString, TablePrefix = store.Prefix });
        var (logins, hashes, storage) = (new List<double>(), new List<double>(), new List<double>());
        // The first tenth compiles and connects.
        for (var sample = -Samples / 10; sample < Samples; sample++)
        {
            await TimeAsync(hashes, () =>
            {
                Hash(store, memory, workers);
                return Task.CompletedTask;
            });
            await TimeAsync(storage, () => CallStorageAsync(tables));
            await TimeAsync(
                logins, () => connection.LogIn() == 200 ? Task.CompletedTask : throw new InvalidOperationException("A login failed."));
            if (sample < 0)
            {
                logins.Clear();
                hashes.Clear();
                storage.Clear();
            }
        }

        return (EndpointLoad.Median(logins), EndpointLoad.Median(hashes), EndpointLoad.Median(storage));

        static async Task TimeAsync(List<double> samples, Func<Task> work)
        {
            await Task.Delay(Pause);
            var began = Stopwatch.GetTimestamp();
            await work();
            samples.Add(Stopwatch.GetElapsedTime(began).TotalMilliseconds);
        }
    }

    /// <summary>
    /// What a right login of a name without failures waits for: the account and its attempts, then the conditional deletion.
    /// </summary>
    private static async Task CallStorageAsync(AccountTables tables)
    {
        const string Nobody = "nobody";
        var account = Account.PartitionOf("", "user0@example.com");
        await Task.WhenAll(
            tables.Accounts.GetEntityAsync<TableEntity>(account, account),
            tables.Attempts.GetEntityIfExistsAsync<TableEntity>(Nobody, Nobody));
        await tables.Attempts.DeleteEntityAsync(Nobody, Nobody);
    }

    /// <summary>Logins, and the engine on every processor, in turn.</summary>
    private static async Task<(List<StackMeasurement> Logins, List<(double Rate, double CpuMs)> Hashes)> LoadAsync(LoginStack endpoint, LoadedStore store, Options options)
    {
        await StackMeasurement.TakeAsync(endpoint, store, options.Round);
        var (logins, hashes) = (new List<StackMeasurement>(), new List<(double, double)>());
        for (var round = 0; round < options.Rounds; round++)
        {
            logins.Add(await StackMeasurement.TakeAsync(endpoint, store, options.Round));
            hashes.Add(await HashAsync(store, options.Round));
        }

        return (logins, hashes);
    }

    private static async Task<(double Rate, double CpuMs)> HashAsync(LoadedStore store, TimeSpan time)
    {
        var memories = Enumerable.Range(0, Environment.ProcessorCount).Select(_ => NewMemory(store.Cost)).ToList();
        try
        {
            // Page faults are not the engine's: a server has met them before.
            memories.ForEach(memory => Hash(store, memory, workers: null));
            var (began, cpu) = (Stopwatch.GetTimestamp(), Environment.CpuUsage.TotalTime);
            var counts = await Task.WhenAll(memories.Select(memory => Task.Factory.StartNew(
                () =>
                {
                    var count = 0;
                    for (; Stopwatch.GetElapsedTime(began) < time; count++)
                    {
                        Hash(store, memory, workers: null);
                    }

                    return count;
                },
                CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)));
            return (
                counts.Sum() / Stopwatch.GetElapsedTime(began).TotalSeconds,
                (Environment.CpuUsage.TotalTime - cpu).TotalMilliseconds / counts.Sum());
        }
        finally
        {
            memories.ForEach(memory => memory.Dispose());
        }
    }

    private static HashingMemory NewMemory(Argon2Cost cost) => new(cost.MemoryKib * 1024L);

    /// <summary>The stored hash of the accounts, computed again.</summary>
    private static void Hash(LoadedStore store, HashingMemory memory, LaneWorkers? workers)
    {
        var stored = (Argon2Hash)StoredHash.Parse(store.Accounts[0].Hash);
        Span<byte> tag = stackalloc byte[stored.Tag.Length];
        new BuiltInArgon2(Argon2Engine.BestPath).Derive(
            stored.Parameters, Password, stored.Salt, new HashingWorkspace(memory, 0, memory.Bytes, workers), tag);
        if (!tag.SequenceEqual(stored.Tag))
        {
            throw new InvalidOperationException("The engine computes another tag.");
        }
    }
}
