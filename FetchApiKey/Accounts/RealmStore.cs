// Reads and changes realms; logins see them through a snapshot of bounded age.

using Azure;
using Azure.Data.Tables;

namespace FetchApiKey.Accounts;

/// <summary>What stands at a subdomain.</summary>
/// <param name="Realm">Null when there is no row, or one that cannot be used.</param>
/// <param name="Malformed">What is wrong with the row that stands there.</param>
public readonly record struct RealmReading(Realm? Realm, RowFault? Malformed)
{
    public bool Exists => Realm is not null || Malformed is not null;
}

/// <summary>The realm that was asked for cannot be served, since its row cannot be read. Other realms are.</summary>
public sealed class RealmMalformedException(RowFault fault) : Exception("The row of a realm cannot be read.")
{
    public RowFault Fault { get; } = fault;
}

/// <summary>The realms of the deployment, few enough to be read whole: one query serves every host, known or not.</summary>
public sealed class RealmStore(AccountTables tables, TimeSpan maxAge, TimeProvider time)
{
    private readonly Lock _refreshLock = new();
    private Task<Snapshot>? _refresh;
    private Snapshot? _snapshot;

    /// <summary>A realm as it was at most the configured time ago; null when there is none of that subdomain.</summary>
    /// <exception cref="RequestFailedException">Storage is away and the snapshot too old: nothing is served from it.</exception>
    /// <exception cref="RealmMalformedException">Its row cannot be read.</exception>
    public async Task<Realm?> FindAsync(string subdomain, CancellationToken cancellation)
    {
        var snapshot = Fresh() ?? await RefreshAsync().WaitAsync(cancellation);
        var (realm, malformed) = snapshot.Realms.GetValueOrDefault(subdomain);
        return malformed is null ? realm : throw new RealmMalformedException(malformed);
    }

    /// <summary>Every realm, as it is now, in the order of subdomains.</summary>
    /// <param name="meets">Told of each row that cannot be read.</param>
    public async Task<IReadOnlyList<Realm>> ListAsync(Action<RowFault> meets, CancellationToken cancellation)
    {
        var realms = new List<Realm>();
        await foreach (var (_, reading) in ReadRowsAsync(cancellation))
        {
            if (reading.Malformed is { } fault)
            {
                meets(fault);
            }
            else
            {
                realms.Add(reading.Realm!);
            }
        }

        return realms;
    }

    /// <summary>
    /// The subdomains of every realm, of those too whose row cannot be read otherwise: their accounts are there all the same.
    /// </summary>
    /// <param name="meets">Told of each row that cannot be read.</param>
    public async Task<IReadOnlyList<string>> SubdomainsAsync(Action<RowFault> meets, CancellationToken cancellation)
    {
        var subdomains = new List<string>();
        await foreach (var (subdomain, reading) in ReadRowsAsync(cancellation))
        {
            if (reading.Malformed is { } fault)
            {
                meets(fault);
            }

            if (subdomain is not null)
            {
                subdomains.Add(subdomain);
            }
        }

        return subdomains;
    }

    /// <summary>One realm, as it is now.</summary>
    public async Task<RealmReading> ReadAsync(string subdomain, CancellationToken cancellation)
    {
        await tables.SealMarker.ReadAsync(cancellation);
        var (row, _) = await tables.Realms.ReadRowAsync(Realm.Partition, Realm.RowKey(subdomain), Realm.Columns, cancellation);
        return row is null ? default : new RealmReading(Realm.From(row), row.Fault);
    }

    /// <summary>False when the subdomain is taken, by a realm that is not just like this one.</summary>
    public async Task<bool> AddAsync(Realm realm, CancellationToken cancellation)
    {
        try
        {
            using var answer = await tables.Realms.AddEntityAsync(realm.ToRow(), cancellation);
            return true;
        }
        catch (Exception fault) when (AccountTables.IsUnavailability(fault))
        {
            if (await StandsAsync(realm.ToRow()))
            {
                return true;
            }

            if (fault is RequestFailedException refusal && refusal.IsTaken())
            {
                return false;
            }

            throw;
        }
    }

    /// <summary>
    /// Writes these columns of a realm and no others, whatever stands there: of two operators who change different things, both have
    /// what they ordered.
    /// </summary>
    /// <returns>False when there is no such realm.</returns>
    public async Task<bool> OverrideAsync(Realm realm, IReadOnlyList<string> columns, CancellationToken cancellation)
    {
        var whole = realm.ToRow();
        var change = new TableEntity(whole.PartitionKey, whole.RowKey);
        foreach (var column in columns)
        {
            change[column] = whole[column];
        }

        try
        {
            using var answer = await tables.Realms.UpdateEntityAsync(change, ETag.All, TableUpdateMode.Merge, cancellation);
            return true;
        }
        catch (Exception fault) when (AccountTables.IsUnavailability(fault))
        {
            if (await StandsAsync(change))
            {
                return true;
            }

            if (fault is RequestFailedException refusal && refusal.IsGone())
            {
                return false;
            }

            throw;
        }
    }

    /// <summary>Whether all of this is stored, by a try whose acknowledgement was lost.</summary>
    private Task<bool> StandsAsync(TableEntity written) => tables.Realms.WasCarriedOutAsync(
        written.PartitionKey, written.RowKey, row => written.All(cell => row.Has(cell.Key, cell.Value)));

    private Snapshot? Fresh() => _snapshot is { } snapshot && time.GetElapsedTime(snapshot.Taken) < maxAge ? snapshot : null;

    /// <summary>Requests that find the snapshot too old wait for one reading together; none of them can cancel it.</summary>
    private Task<Snapshot> RefreshAsync()
    {
        lock (_refreshLock)
        {
            return _refresh is { IsCompleted: false } running ? running : _refresh = ReadAllAsync();
        }
    }

    private async Task<Snapshot> ReadAllAsync()
    {
        var taken = time.GetTimestamp();
        // Side by side; what was read counts only if the check was passed, whose word on what is missing comes first.
        var check = tables.CheckAsync(CancellationToken.None);
        var reading = ReadSnapshotAsync();
        await Task.WhenAll(check, reading);
        return _snapshot = new Snapshot(taken, await reading);
    }

    private async Task<Dictionary<string, RealmReading>> ReadSnapshotAsync()
    {
        var realms = new Dictionary<string, RealmReading>(StringComparer.Ordinal);
        await foreach (var (subdomain, reading) in ReadRowsAsync(CancellationToken.None))
        {
            if (subdomain is not null)
            {
                realms[subdomain] = reading;
            }
        }

        return realms;
    }

    /// <summary>Every row, with the subdomain that it is of; null for a row that is no realm's.</summary>
    private async IAsyncEnumerable<(string? Subdomain, RealmReading Reading)> ReadRowsAsync(
        [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellation)
    {
        var isMarked = false;
        await foreach (var row in tables.Realms.ReadRowsAsync(
            $"PartitionKey eq '{Realm.Partition}' or PartitionKey eq '{SealMarker.Partition}'", perPage: null, Realm.Columns, cancellation))
        {
            if (row.Partition == SealMarker.Partition)
            {
                isMarked |= row.Row == SealMarker.Row;
                continue;
            }

            var realm = Realm.From(row);
            yield return (Realm.SubdomainOf(row), new RealmReading(realm, row.Fault));
        }

        tables.SealMarker.Observe(isMarked);
    }

    private sealed record Snapshot(long Taken, Dictionary<string, RealmReading> Realms);
}
