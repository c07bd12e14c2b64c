// The audit trail at rest: rows that are added, read and, when their time is over, deleted, but never changed.

using System.Globalization;
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
}

/// <summary>
/// Row: PartitionKey the day (yyyyMMdd), a full stop and one of sixteen letters that a process keeps, so that the instances of a day do not
/// share the throughput of one partition; RowKey the ticks that are left until the end of time and 16 random digits, so
/// that the newest comes first. Columns as in <see cref="SecurityEvent"/>, empty ones left out.
/// </summary>
public sealed class AuditTable(AccountTables tables)
{
    private const string Shards = "abcdefghijklmnop";
    private static readonly string[] Columns = ["Time", "Kind", "Outcome", "Realm", "UserId", "Account", "Client", "Actor", "Invocation", "Detail"];

    /// <summary>What Table Storage takes in one transaction.</summary>
    public const int MaxBatch = 100;

    private readonly char _shard = Shards[RandomNumberGenerator.GetInt32(Shards.Length)];

    /// <summary>A row of its own each time it is made: to send an event again, send the same row.</summary>
    public TableEntity ToRow(SecurityEvent happened)
    {
        var time = happened.Time.UtcDateTime;
        var row = new TableEntity(
            Partition(time, _shard),
            string.Create(CultureInfo.InvariantCulture, $"{Inverted(time)}.{RandomNumberGenerator.GetHexString(16, lowercase: true)}"))
        {
            ["Time"] = happened.Time,
            ["Kind"] = happened.Kind,
            ["Outcome"] = happened.Outcome,
            ["Realm"] = happened.Realm,
        };
        AddUnlessEmpty(row, "Account", happened.Account);
        AddUnlessEmpty(row, "Client", happened.Client);
        AddUnlessEmpty(row, "Actor", happened.Actor);
        AddUnlessEmpty(row, "Invocation", happened.Invocation);
        AddUnlessEmpty(row, "Detail", happened.Detail);
        if (happened.UserId is { } userId)
        {
            row["UserId"] = userId;
        }

        return row;
    }

    /// <summary>
    /// Adds rows of one partition, at most <see cref="MaxBatch"/>, all or none. Rows that are there already were added by an earlier try.
    /// </summary>
    /// <exception cref="RequestFailedException">They could not be added.</exception>
    public async Task AppendAsync(IReadOnlyList<TableEntity> rows, CancellationToken cancellation)
    {
        try
        {
            await tables.Audit.SubmitAsync(
                rows.Select(row => new TableTransactionAction(TableTransactionActionType.Add, row)), cancellation);
        }
        catch (RequestFailedException fault) when (fault.ErrorCode == TableErrorCode.EntityAlreadyExists)
        {
            // The acknowledgement was lost, not the rows. Another conflict, such as a table that is being deleted, keeps them out.
        }
    }

    /// <summary>Adds one row, for what must be on record before it happens.</summary>
    /// <exception cref="Exception">The row is not known to stand in the table.</exception>
    public async Task StoreAsync(TableEntity row, CancellationToken cancellation)
    {
        try
        {
            await AppendAsync([row], cancellation);
        }
        catch (Exception fault) when (AccountTables.IsUnavailability(fault))
        {
            if (!await tables.Audit.WasCarriedOutAsync(row.PartitionKey, row.RowKey, _ => true))
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
                Shards.Select(shard => FirstAsync(Partition(day, shard), count - newest.Count, cancellation)));
            newest.AddRange(ofShards.SelectMany(events => events).OrderByDescending(happened => happened.Time).Take(count - newest.Count));
        }

        return newest;
    }

    /// <summary>Every event that matches, day by day from the newest, in no order that means anything within a day.</summary>
    public async IAsyncEnumerable<SecurityEvent> SearchAsync(AuditQuery query, [EnumeratorCancellation] CancellationToken cancellation)
    {
        for (var day = query.To.UtcDateTime.Date; day >= query.From.UtcDateTime.Date; day = day.AddDays(-1))
        {
            var filter = TableClient.CreateQueryFilter(
                $"PartitionKey ge {Day(day) + "."} and PartitionKey lt {Day(day) + "/"} and Time ge {query.From} and Time le {query.To}");
            foreach (var (column, value) in new (string, string?)[] { ("Kind", query.Kind), ("Outcome", query.Outcome), ("Realm", query.Realm) })
            {
                filter += value is null ? "" : $" and {column} eq '{value.Replace("'", "''", StringComparison.Ordinal)}'";
            }

            filter += query.UserId is { } userId ? string.Create(CultureInfo.InvariantCulture, $" and UserId eq {userId}") : "";
            filter += AnyOf("Account", query.Accounts) + AnyOf("Client", query.Clients);
            await foreach (var row in tables.Audit.ReadRowsAsync(filter, perPage: null, Columns, cancellation))
            {
                yield return From(row);
            }
        }
    }

    /// <summary>Deletes the days before a time; gives the number of events.</summary>
    public async Task<int> SweepAsync(DateTimeOffset before, CancellationToken cancellation)
    {
        var swept = 0;
        var filter = TableClient.CreateQueryFilter($"PartitionKey lt {Day(before.UtcDateTime)}");
        var batch = new List<TableEntity>();
        await foreach (var row in tables.Audit.QueryAsync<TableEntity>(filter, select: ["PartitionKey", "RowKey"], cancellationToken: cancellation))
        {
            if (batch.Count == MaxBatch || (batch.Count > 0 && batch[0].PartitionKey != row.PartitionKey))
            {
                swept += await DeleteAsync(batch, cancellation);
            }

            batch.Add(row);
        }

        return batch.Count == 0 ? swept : swept + await DeleteAsync(batch, cancellation);
    }

    private async Task<int> DeleteAsync(List<TableEntity> batch, CancellationToken cancellation)
    {
        var count = batch.Count;
        try
        {
            await tables.Audit.SubmitAsync(
                batch.Select(row => new TableTransactionAction(TableTransactionActionType.Delete, row, ETag.All)), cancellation);
        }
        catch (RequestFailedException fault) when (fault.IsGone())
        {
            // Another instance is at it.
            count = 0;
        }

        batch.Clear();
        return count;
    }

    private async Task<List<SecurityEvent>> FirstAsync(string partition, int count, CancellationToken cancellation)
    {
        var events = new List<SecurityEvent>();
        var filter = TableClient.CreateQueryFilter($"PartitionKey eq {partition}");
        await foreach (var row in tables.Audit.ReadRowsAsync(filter, Math.Min(count, 1000), Columns, cancellation))
        {
            events.Add(From(row));
            if (events.Count == count)
            {
                break;
            }
        }

        return events;
    }

    private static string AnyOf(string column, IReadOnlyList<string>? digests) =>
        digests is null ? "" : $" and ({string.Join(" or ", digests.Select(digest => $"{column} eq '{digest}'"))})";

    private static void AddUnlessEmpty(TableEntity row, string column, string value)
    {
        if (value.Length > 0)
        {
            row[column] = value;
        }
    }

    private static SecurityEvent From(StoredRow row)
    {
        var happened = new SecurityEvent(
            row.Time("Time"), row.Text("Kind"), row.Text("Outcome"), row.Text("Realm"), row.NumberIfAny("UserId", 0, Account.MaxUserId),
            row.TextIfAny("Account"), row.TextIfAny("Client"), row.TextIfAny("Actor"), row.TextIfAny("Invocation"))
        {
            Detail = row.TextIfAny("Detail"),
        };
        return row.Fault is null ? happened : happened with { Malformed = row.Fault };
    }

    private static string Partition(DateTime day, char shard) => $"{Day(day)}.{shard}";

    private static string Day(DateTime day) => day.ToString("yyyyMMdd", CultureInfo.InvariantCulture);

    private static string Inverted(DateTime time) => (DateTime.MaxValue.Ticks - time.Ticks).ToString("D19", CultureInfo.InvariantCulture);
}
