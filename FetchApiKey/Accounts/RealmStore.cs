// Reads and changes realms; logins see them through a snapshot of bounded age.

using Azure;
using Azure.Data.Tables;

namespace FetchApiKey.Accounts;

/// <summary>The realms of the deployment, few enough to be read whole: one query serves every host, known or not.</summary>
public sealed class RealmStore(AccountTables tables, TimeSpan maxAge, TimeProvider time)
{
    private readonly Lock _refreshLock = new();
    private Task<Snapshot>? _refresh;
    private Snapshot? _snapshot;

    /// <summary>A realm as it was at most the configured time ago; null when there is none of that subdomain.</summary>
    /// <exception cref="RequestFailedException">Storage is away and the snapshot too old: nothing is served from it.</exception>
    public async Task<Realm?> FindAsync(string subdomain, CancellationToken cancellation)
    {
        var snapshot = Fresh() ?? await RefreshAsync().WaitAsync(cancellation);
        return snapshot.Realms.GetValueOrDefault(subdomain);
    }

    /// <summary>Every realm, as it is now, in the order of subdomains.</summary>
    public async Task<IReadOnlyList<Realm>> ListAsync(CancellationToken cancellation)
    {
        var realms = new List<Realm>();
        await foreach (var row in tables.Realms.QueryAsync<TableEntity>($"PartitionKey eq '{Realm.Partition}'", cancellationToken: cancellation))
        {
            realms.Add(Realm.From(row));
        }

        return realms;
    }

    /// <summary>One realm, as it is now.</summary>
    public async Task<Realm?> ReadAsync(string subdomain, CancellationToken cancellation)
    {
        var row = await tables.Realms.GetEntityIfExistsAsync<TableEntity>(Realm.Partition, Realm.RowKey(subdomain), cancellationToken: cancellation);
        return row.HasValue ? Realm.From(row.Value!) : null;
    }

    /// <summary>False when the subdomain is taken, by a realm that is not just like this one.</summary>
    public async Task<bool> AddAsync(Realm realm, CancellationToken cancellation)
    {
        try
        {
            await tables.Realms.AddEntityAsync(realm.ToRow(), cancellation);
            return true;
        }
        catch (Exception fault) when (AccountTables.IsUnavailability(fault))
        {
            if (await StandsAsync(realm))
            {
                return true;
            }

            if (fault is RequestFailedException { Status: 409 })
            {
                return false;
            }

            throw;
        }
    }

    /// <summary>False when somebody else changed the realm since it was read.</summary>
    public async Task<bool> ReplaceAsync(Realm realm, CancellationToken cancellation)
    {
        try
        {
            await tables.Realms.UpdateEntityAsync(realm.ToRow(), realm.ETag, TableUpdateMode.Merge, cancellation);
            return true;
        }
        catch (Exception fault) when (AccountTables.IsUnavailability(fault))
        {
            if (await StandsAsync(realm))
            {
                return true;
            }

            if (fault is RequestFailedException { Status: 412 })
            {
                return false;
            }

            throw;
        }
    }

    /// <summary>Whether the realm is stored as it was to be, by a try whose acknowledgement was lost.</summary>
    private Task<bool> StandsAsync(Realm realm) => tables.Realms.WasCarriedOutAsync(
        Realm.Partition, Realm.RowKey(realm.Subdomain), row => realm.ToRow().All(cell => row.Has(cell.Key, cell.Value)));

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
        var reading = ListAsync(CancellationToken.None);
        await Task.WhenAll(check, reading);
        var realms = await reading;
        return _snapshot = new Snapshot(taken, realms.ToDictionary(realm => realm.Subdomain, StringComparer.Ordinal));
    }

    private sealed record Snapshot(long Taken, Dictionary<string, Realm> Realms);
}
