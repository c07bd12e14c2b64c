// The audit trail at rest: rows that are added, read and, when their time is over, deleted, but never changed.

using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Azure;
using Azure.Data.Tables;
using Azure.Data.Tables.Models;
using FetchApiKey.Accounts;

namespace FetchApiKey.Audit;

/// <summary>What to look for; null for anything.</summary>
public sealed record AuditQuery(DateTimeOffset From, DateTimeOffset To)
{
    public string? Kind { get; init; }

    public string? Outcome { get; init; }

    public string? Realm { get; init; }

    public int? UserId { get; init; }

    public IReadOnlyList<string>? Accounts { get; init; }

    public IReadOnlyList<string>? Clients { get; init; }

    /// <summary>What cannot be read might be anything, so it matches.</summary>
    public bool Matches(SecurityEvent happened) => happened.Malformed is not null
        || (happened.Time >= From && happened.Time <= To
            && (Kind is null || Kind == happened.Kind)
            && (Outcome is null || Outcome == happened.Outcome)
            && (Realm is null || Realm == happened.Realm)
            && (UserId is null || UserId == happened.UserId)
            && Accounts?.Contains(happened.Account) != false
            && Clients?.Contains(happened.Client) != false);
}

/// <summary>Rows as in <see cref="AuditRow"/>, over sixteen partitions a day, so that instances do not share the throughput of one.</summary>
public sealed class AuditTable(AccountTables tables)
{
    private const string Shards = "abcdefghijklmnop";

    /// <summary>Rows that are read at once, where a few events are looked for.</summary>
    private const int FewRows = 20;

    /// <summary>What Table Storage takes in one transaction.</summary>
    private const int MaxBatch = 100;

    private readonly char _shard = Shards[RandomNumberGenerator.GetInt32(Shards.Length)];

    public IEnumerable<AuditRow> ToRows(IEnumerable<SecurityEvent> events) => AuditRow.Pack(events, _shard);

    /// <summary>Adds a row. One that is there already was added by an earlier try.</summary>
    /// <exception cref="RequestFailedException">It could not be added.</exception>
    public async Task AppendAsync(AuditRow row, CancellationToken cancellation)
    {
        try
        {
            await tables.Audit.AddEntityAsync(row.Entity, cancellation);
        }
        catch (RequestFailedException fault) when (fault.ErrorCode == TableErrorCode.EntityAlreadyExists)
        {
            // The acknowledgement was lost, not the row. Another conflict, such as a table that is being deleted, keeps it out.
        }
    }

    /// <summary>Adds one event, which must be on record before it happens.</summary>
    /// <exception cref="Exception">The event is not known to stand in the table.</exception>
    public async Task StoreAsync(SecurityEvent happening, CancellationToken cancellation)
    {
        var row = ToRows([happening]).Single();
        try
        {
            await AppendAsync(row, cancellation);
        }
        catch (Exception fault) when (AccountTables.IsUnavailability(fault))
        {
            if (!await tables.Audit.WasCarriedOutAsync(row.Entity.PartitionKey, row.Entity.RowKey, _ => true))
            {
                throw;
            }
        }
    }

    /// <summary>The newest events, newest first, no further back than <paramref name="notBefore"/>.</summary>
    public async Task<IReadOnlyList<SecurityEvent>> TailAsync(
        int count, DateTimeOffset now, DateTimeOffset notBefore, CancellationToken cancellation)
    {
        var newest = new List<SecurityEvent>();
        for (var day = now.UtcDateTime.Date; newest.Count < count && day >= notBefore.UtcDateTime.Date; day = day.AddDays(-1))
        {
            var ofShards = await Task.WhenAll(
                Shards.Select(shard => FirstAsync(AuditRow.Partition(day, shard), count - newest.Count, cancellation)));
            newest.AddRange(ofShards.SelectMany(events => events).OrderByDescending(happened => happened.Time).Take(count - newest.Count));
        }

        return newest;
    }

    /// <summary>
    /// Every event that matches, in no order that means anything; and those that cannot be read, which might match. Rows are chosen by
    /// their keys alone, so that none is passed over for what stands in a column.
    /// </summary>
    public async IAsyncEnumerable<SecurityEvent> SearchAsync(AuditQuery query, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var (firstDay, lastDay) = (AuditRow.Day(query.From.UtcDateTime) + ".", AuditRow.Day(query.To.UtcDateTime) + "/");
        var filter = TableClient.CreateQueryFilter(
            $"PartitionKey ge {firstDay} and PartitionKey lt {lastDay} and RowKey lt {AuditRow.KeysBefore(query.From.UtcDateTime)}");
        await foreach (var row in tables.Audit.ReadRowsAsync(filter, perPage: null, AuditRow.Columns, cancellation))
        {
            foreach (var happened in AuditRow.Read(row).Where(query.Matches))
            {
                yield return happened;
            }
        }
    }

    /// <summary>Deletes the days before a time; gives the number of rows.</summary>
    public async Task<int> SweepAsync(DateTimeOffset before, CancellationToken cancellation)
    {
        var swept = 0;
        var filter = TableClient.CreateQueryFilter($"PartitionKey lt {AuditRow.Day(before.UtcDateTime)}");
        var batch = new List<StoredRow>();
        await foreach (var row in tables.Audit.ReadKeysAsync(filter, cancellation))
        {
            if (batch.Count == MaxBatch || (batch.Count > 0 && batch[0].Partition != row.Partition))
            {
                swept += await DeleteAsync(batch, cancellation);
            }

            batch.Add(row);
        }

        return batch.Count == 0 ? swept : swept + await DeleteAsync(batch, cancellation);
    }

    private async Task<int> DeleteAsync(List<StoredRow> batch, CancellationToken cancellation)
    {
        var count = batch.Count;
        try
        {
            await tables.Audit.SubmitAsync(
                batch.Select(row => new TableTransactionAction(
                    TableTransactionActionType.Delete, new TableEntity(row.Partition, row.Row), ETag.All)),
                cancellation);
        }
        catch (RequestFailedException fault) when (fault.IsGone())
        {
            // Another instance is at it.
            count = 0;
        }

        batch.Clear();
        return count;
    }

    /// <summary>The newest events of a partition. Rows overlap in time, so it is read on until a row is older than all that are wanted.</summary>
    private async Task<IEnumerable<SecurityEvent>> FirstAsync(string partition, int count, CancellationToken cancellation)
    {
        var (events, oldestWanted) = (new List<SecurityEvent>(), DateTimeOffset.MinValue);
        var filter = TableClient.CreateQueryFilter($"PartitionKey eq {partition}");
        await foreach (var row in tables.Audit.ReadRowsAsync(filter, FewRows, AuditRow.Columns, cancellation))
        {
            if (AuditRow.Newest(row) < oldestWanted)
            {
                break;
            }

            events.AddRange(AuditRow.Read(row));
            if (events.Count >= count)
            {
                events = [.. events.OrderByDescending(happened => happened.Time).Take(count)];
                oldestWanted = events[^1].Time;
            }
        }

        return events;
    }
}
