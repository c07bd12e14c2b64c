// The tables everything is stored in, how they are reached, and how long anyone waits for them.

using Azure;
using Azure.Core;
using Azure.Core.Pipeline;
using Azure.Data.Tables;
using Azure.Data.Tables.Models;
using Azure.Identity;
using FetchApiKey.Telemetry;

namespace FetchApiKey.Accounts;

/// <summary>A table that the process cannot do without is not there.</summary>
public sealed class MissingTablesException(IReadOnlyList<string> missing)
    : Exception($"Missing in the account storage: {string.Join(", ", missing)}. The command 'tables create' makes them.");

/// <summary>Clients of the tables realms, accounts, userids, attempts and audit, whose names follow the configured prefix.</summary>
public sealed class AccountTables
{
    /// <summary>The earliest time that a table can hold.</summary>
    public static readonly DateTimeOffset EarliestTime = new(1601, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private static readonly string[] Names = ["realms", "accounts", "userids", "attempts", "audit"];

    /// <summary>No account's key and no bucket's: these have a full stop or an at sign.</summary>
    private const string Nobody = "nobody";

    private readonly TableServiceClient _service;
    private readonly string _prefix;
    private Task? _check;

    public AccountTables(TableServiceClient service, string prefix)
    {
        _service = service;
        _prefix = prefix;
        Realms = service.GetTableClient(prefix + Names[0]);
        Accounts = service.GetTableClient(prefix + Names[1]);
        UserIds = service.GetTableClient(prefix + Names[2]);
        Attempts = service.GetTableClient(prefix + Names[3]);
        Audit = service.GetTableClient(prefix + Names[4]);
        SealMarker = new SealMarker(Realms);
    }

    public TableClient Realms { get; }

    public SealMarker SealMarker { get; }

    public TableClient Accounts { get; }

    /// <summary>PartitionKey: a realm's subdomain and a full stop; RowKey: 2147483647 - user id, so that the highest comes first.</summary>
    public TableClient UserIds { get; }

    /// <summary>
    /// PartitionKey: that of an account, or "@" and a digest of a client's address; RowKey: the same again, as <see cref="Account"/> says
    /// why.
    /// </summary>
    public TableClient Attempts { get; }

    /// <summary>See <see cref="FetchApiKey.Audit.AuditTable"/>.</summary>
    public TableClient Audit { get; }

    /// <summary>What a login waits for one answer of the store; three times at the most.</summary>
    private static readonly TimeSpan LoginPatience = TimeSpan.FromSeconds(3);

    /// <summary>What a command that reads or writes everything waits, for whom a busy store is better than none.</summary>
    public static readonly TimeSpan BulkPatience = TimeSpan.FromSeconds(30);

    /// <summary>To one server: as many as the client library's own transport opens.</summary>
    private const int MaxConnections = 50;

    /// <summary>For an emulator: a proxy that the environment names would be asked for this machine, too, and cannot reach it.</summary>
    private static readonly HttpClientTransport Direct = new(new SocketsHttpHandler
    {
        UseProxy = false, AllowAutoRedirect = false, UseCookies = false, PooledConnectionLifetime = TimeSpan.FromMinutes(5),
        MaxConnectionsPerServer = MaxConnections,
    });

    /// <param name="patience">How long each answer may take; null for what is right for a login.</param>
    public static AccountTables Open(StorageSettings settings, TimeSpan? patience = null)
    {
        var options = new TableClientOptions
        {
            Retry =
            {
                Mode = RetryMode.Exponential,
                MaxRetries = 2,
                Delay = TimeSpan.FromMilliseconds(100),
                MaxDelay = TimeSpan.FromSeconds(1),
                NetworkTimeout = patience ?? LoginPatience,
            },
            // Addresses of rows and headers of requests belong in nobody's log.
            Diagnostics = { IsLoggingEnabled = false, IsTelemetryEnabled = false, IsDistributedTracingEnabled = false },
        };
        // Before the one that measures, so that the call is measured with the status that it had.
        options.AddPolicy(new AnswerPolicy(), HttpPipelinePosition.PerCall);
        options.AddPolicy(new StorageCallPolicy(TimeProvider.System), HttpPipelinePosition.PerCall);
        options.AddPolicy(new StorageRetryPolicy(), HttpPipelinePosition.PerRetry);
        if (settings.ConnectionString is { } local && new TableServiceClient(local).Uri.IsLoopback)
        {
            options.Transport = Direct;
        }

        var service = settings.ConnectionString is { } connection
            ? new TableServiceClient(connection, options)
            : new TableServiceClient(settings.TableServiceUri, Credential(settings), options);
        return new AccountTables(service, settings.TablePrefix);
    }

    /// <summary>Makes the tables that are not there yet. New accounts have no seals of a former form.</summary>
    /// <returns>Their names.</returns>
    public async Task<IReadOnlyList<string>> CreateAsync(CancellationToken cancellation)
    {
        var missing = await MissingAsync(cancellation);
        foreach (var name in missing)
        {
            try
            {
                // Not CreateIfNotExistsAsync: that one serializes by reflection, which code compiled ahead of time cannot do.
                await _service.GetTableClient(name).CreateAsync(cancellation);
            }
            catch (RequestFailedException fault) when (fault.ErrorCode == TableErrorCode.TableAlreadyExists)
            {
                // Somebody else makes them at the same time.
            }
        }

        if (missing.Contains(Accounts.Name))
        {
            await SealMarker.WriteAsync(cancellation);
        }

        return missing;
    }

    /// <summary>
    /// Asks once whether the tables exist, since a missing table would read like an unknown user. A check that failed
    /// is made again at the next call.
    /// </summary>
    /// <exception cref="MissingTablesException">At least one does not exist.</exception>
    public Task CheckAsync(CancellationToken cancellation)
    {
        var check = _check;
        return check is null || check.IsFaulted || check.IsCanceled ? _check = CheckNowAsync(cancellation) : check;
    }

    /// <summary>
    /// What the first login would otherwise wait for: the check, and a connection for each call that a login makes at once, with
    /// its session and the identity's token. The rows that it asks for do not exist.
    /// </summary>
    /// <exception cref="MissingTablesException">At least one does not exist.</exception>
    public async Task WarmUpAsync(CancellationToken cancellation)
    {
        // The first of these to fail names its own table alone; the check names all.
        var check = CheckAsync(cancellation);
        var reading = Task.WhenAll(
            Accounts.GetEntityIfExistsAsync<TableEntity>(Nobody, Nobody, cancellationToken: cancellation),
            Attempts.GetEntityIfExistsAsync<TableEntity>(Nobody, Nobody, cancellationToken: cancellation));
        await ((Task)reading).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await check;
        await reading;
    }

    /// <summary>Asks each time.</summary>
    /// <exception cref="MissingTablesException">At least one does not exist.</exception>
    public async Task CheckNowAsync(CancellationToken cancellation)
    {
        if (await MissingAsync(cancellation) is { Count: > 0 } missing)
        {
            throw new MissingTablesException(missing);
        }
    }

    private async Task<IReadOnlyList<string>> MissingAsync(CancellationToken cancellation)
    {
        var wanted = Names.Select(name => _prefix + name).ToList();
        var filter = string.Join(" or ", wanted.Select(name => $"TableName eq '{name}'"));
        await foreach (var table in _service.QueryAsync(filter, cancellationToken: cancellation))
        {
            wanted.Remove(table.Name);
        }

        return wanted;
    }

    private static TokenCredential Credential(StorageSettings settings) => settings switch
    {
        { UsesAzureCli: true } => new AzureCliCredential(),
        { ManagedIdentityClientId: { } clientId } => new ManagedIdentityCredential(ManagedIdentityId.FromUserAssignedClientId(clientId)),
        _ => new ManagedIdentityCredential(ManagedIdentityId.SystemAssigned),
    };

    /// <summary>Whether a fault means that storage, or the identity to reach it with, was not to be had.</summary>
    public static bool IsUnavailability(Exception fault) => fault switch
    {
        RequestFailedException or MissingTablesException or AuthenticationFailedException => true,
        AggregateException several => several.InnerExceptions.All(IsUnavailability),
        OperationCanceledException or TimeoutException => true,
        // An answer that broke off: the client library lets what it met while reading pass.
        IOException or HttpRequestException or System.Text.Json.JsonException => true,
        _ => false,
    };
}
