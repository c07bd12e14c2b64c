// The server that is attacked: a process over tables of its own, and what it tells of itself.

using Azure.Data.Tables;
using FetchApiKey.Accounts;
using FetchApiKey.Attempts;
using FetchApiKey.Cli;
using FetchApiKey.Passwords;
using FetchApiKeyFunction.Tests.Attempts;
using FetchApiKeyFunction.Tests.Hosts;

namespace FetchApiKey.Benchmarks.Attacks;

/// <summary>Failures that the attempts table holds.</summary>
/// <param name="Sum">Of all rows together.</param>
/// <param name="Most">In the fullest row.</param>
/// <param name="Rows">Rows that hold any.</param>
internal readonly record struct CountedFailures(int Sum, int Most, int Rows);

/// <summary>What a server tells of itself, since it started.</summary>
/// <param name="Reached">Requests that were passed to the endpoint.</param>
/// <param name="Limited">Those of them that met the attempt limit.</param>
/// <param name="Refused">Those of them that the limit refused.</param>
/// <param name="Hashed">Hashes that were computed.</param>
/// <param name="StorageCalls">On accounts and attempts: the audit table is written in the background.</param>
internal readonly record struct ServerCounts(long Reached, long Limited, long Refused, long Hashed, long StorageCalls)
{
    public static ServerCounts operator -(ServerCounts later, ServerCounts earlier) => new(
        later.Reached - earlier.Reached, later.Limited - earlier.Limited, later.Refused - earlier.Refused, later.Hashed - earlier.Hashed,
        later.StorageCalls - earlier.StorageCalls);
}

internal sealed class AttackedServer : IAsyncDisposable
{
    /// <summary>Has the right password and is never attacked.</summary>
    public const int BystanderUser = 0;

    /// <summary>Has the right password and is attacked.</summary>
    public const int AttackedUser = 1;

    private static readonly Argon2Cost Cost = new(19456, 2, 1);
    private static readonly TimeSpan SettleLimit = TimeSpan.FromSeconds(20);

    private readonly LoadedStore _store;
    private readonly TelemetryCollector _telemetry;
    private readonly FunctionsHost? _host;
    private readonly ProcessRun? _program;

    private AttackedServer(LoadedStore store, TelemetryCollector telemetry, FunctionsHost? host, ProcessRun? program, int port)
    {
        (_store, _telemetry, _host, _program, Port) = (store, telemetry, host, program, port);
    }

    public int Port { get; }

    public int ProcessId => (_host?.Process.Current ?? _program!).ProcessId;

    public LoadedAccount BystanderAccount => _store.Accounts[BystanderUser];

    public IReadOnlyDictionary<string, int> Errors => _telemetry.Errors;

    /// <param name="folder">A published worker or program; null for the program as it is built beside the benchmarks.</param>
    /// <param name="more">Settings beside those that every attack needs.</param>
    public static async Task<AttackedServer> StartAsync(Azurite azurite, string prefix, string? folder, IReadOnlyDictionary<string, string> more)
    {
        var store = await LoadedStore.CreateAsync(azurite, prefix, Cost, accounts: 2);
        var telemetry = await TelemetryCollector.StartAsync();
        var environment = LoadedServer.Environment(azurite, prefix, Cost).Concat(telemetry.Environment).Concat(more)
            .Append(new("ClientAddress__header", AttackConnection.AddressHeader)).Append(new("ClientAddress__trustedHops", "1"))
            .ToDictionary(variable => variable.Key, variable => variable.Value);
        if (folder is not null && File.Exists(Path.Combine(folder, "worker.config.json")))
        {
            var host = await FunctionsHost.StartAsync(folder, environment);
            return await WarmAsync(new AttackedServer(store, telemetry, host, program: null, host.Origin.Port));
        }

        var port = Azurite.FreePort();
        string[] arguments = ["serve", "--address", "127.0.0.1", "--port", $"{port}"];
        var program = folder is null
            ? ProcessRun.Start("dotnet", [Path.Combine(AppContext.BaseDirectory, "fetch-api-key.dll"), .. arguments], environment)
            : ProcessRun.Start(Path.Combine(folder, "fetch-api-key"), arguments, environment, folder);
        await program.WaitForAsync("Listening on");
        return await WarmAsync(new AttackedServer(store, telemetry, host: null, program, port));
    }

    /// <summary>As its counters are when nothing is in flight any more.</summary>
    public async Task<ServerCounts> CountAsync()
    {
        await _telemetry.SettleAsync(SettleLimit);
        return new ServerCounts(
            _telemetry.Count("http.server.request.duration"), _telemetry.Count("fetch_api_key.logins"),
            _telemetry.Count("fetch_api_key.logins", "outcome=rate_limited"), _telemetry.Count("fetch_api_key.hash.duration"),
            _telemetry.Count("fetch_api_key.storage.duration", $"table={_store.Prefix}accounts")
            + _telemetry.Count("fetch_api_key.storage.duration", $"table={_store.Prefix}attempts"));
    }

    /// <summary>What the attempts table holds of addresses, and of names.</summary>
    public async Task<(CountedFailures Addresses, CountedFailures Names)> FailuresAsync()
    {
        var tables = AccountTables.Open(new StorageSettings { ConnectionString = _store.Azurite.ConnectionString, TablePrefix = _store.Prefix });
        var (addresses, names) = (new List<int>(), new List<int>());
        await foreach (var row in tables.Attempts.QueryAsync<TableEntity>())
        {
            var isAddress = row.PartitionKey.StartsWith('@');
            if (row.GetBinary("Failures") is { } stored && AttemptRecord.TryRead(stored, isAddress ? sizeof(uint) : sizeof(ulong)) is { } record)
            {
                (isAddress ? addresses : names).Add(record.Failures.Count);
            }
        }

        return (Of(addresses), Of(names));
    }

    /// <summary>A login with the right password of the account that is attacked.</summary>
    public async Task<int?> LogInAttackedAsync(string address)
    {
        using var connection = await AttackConnection.OpenAsync(Port);
        await connection.SendAsync(AttackConnection.Login($"user{AttackedUser}@example.com", EndpointLoad.Password, address));
        return await connection.ReceiveAsync();
    }

    public async ValueTask DisposeAsync()
    {
        _program?.Dispose();
        if (_host is not null)
        {
            await _host.DisposeAsync();
        }

        await _telemetry.DisposeAsync();
    }

    /// <summary>The bystander alone for some seconds, so that code is compiled and connections to storage are open before anything is measured.</summary>
    private static async Task<AttackedServer> WarmAsync(AttackedServer server)
    {
        await LoginLoad.ClosedAsync(server.Port, [server.BystanderAccount], EndpointLoad.Clients, TimeSpan.FromSeconds(3));
        return server;
    }

    private static CountedFailures Of(List<int> rows) => new(rows.Sum(), rows.Count == 0 ? 0 : rows.Max(), rows.Count(failures => failures > 0));
}
