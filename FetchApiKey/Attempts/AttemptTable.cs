// Rows of the attempts table: read, and changed only if they are still what was read.

using System.Collections.Immutable;
using System.Globalization;
using Azure;
using Azure.Data.Tables;
using FetchApiKey.Accounts;
using Microsoft.Extensions.Logging;

namespace FetchApiKey.Attempts;

/// <summary>A stored record is not one: its bucket stays closed until the record is deleted or out of date.</summary>
public sealed class AttemptRecordUnreadableException() : Exception("A record of attempts cannot be read.");

/// <summary>What stands in the store.</summary>
/// <param name="ETag">Null where there is no row.</param>
public sealed record StoredAttempts(AttemptRecord Record, ETag? ETag)
{
    /// <summary>There is no row.</summary>
    public static StoredAttempts None { get; } = new(AttemptRecord.Empty, null);
}

/// <summary>
/// One row a bucket, and none where there is nothing to remember. PartitionKey: the bucket's key; RowKey: the key and <see
/// cref="Format"/>; column Failures, see <see cref="AttemptRecord"/>. The time is the store's, so that an instance whose clock is wrong
/// lets nobody in.
/// </summary>
public sealed class AttemptTable(AccountTables tables, TimeProvider time, ILogger<AttemptTable> log)
{
    /// <summary>Ends the row's name, so that instances which write another format do not take it for theirs.</summary>
    private const string Format = "~2";

    private const string Column = "Failures";
    private static readonly string[] Columns = [Column];

    /// <summary>How far the clocks of the store's machines, and what an instance makes of them, may be apart.</summary>
    private static readonly TimeSpan ClockTolerance = TimeSpan.FromMinutes(10);
    private const string SweepKey = "sweep";

    /// <summary>Well-formed, and older than the service: no row has it.</summary>
    private static readonly ETag NoRowHasIt = new("W/\"datetime'2000-01-01T00%3A00%3A00.0000000Z'\"");

    private readonly StoreClock _clock = new(time);

    /// <summary>The store's time, as far as it is known without asking; null where it is not.</summary>
    public DateTimeOffset? Now => _clock.Now;

    /// <exception cref="AttemptRecordUnreadableException">A row stands there, is no record, and is not out of date.</exception>
    /// <exception cref="RequestFailedException">The store is away, or the table is.</exception>
    public async Task<(StoredAttempts Stored, DateTimeOffset Now)> ReadAsync(string key, AttemptPolicy policy, CancellationToken cancellation)
    {
        var (row, answer) = await tables.Attempts.ReadRowAsync(key, key + Format, Columns, cancellation);
        var now = Observe(answer);
        if (row is null)
        {
            return (StoredAttempts.None, now);
        }

        if (RecordOf(row, policy.IdBytes, now) is { } record)
        {
            return (new StoredAttempts(record, row.ETag), now);
        }

        if (row.Timestamp <= now - policy.Memory)
        {
            return (new StoredAttempts(AttemptRecord.Empty, row.ETag), now);
        }

        log.AttemptRecordUnreadable(row.Fault!.Table, key, row.Fault.Column, row.Fault.Problem);
        throw new AttemptRecordUnreadableException();
    }

    /// <summary>
    /// Writes if what stands there is still what was read, and gives what stands there then; null where another has written meanwhile.
    /// Where neither is anything to remember, the store is asked by a deletion that cannot match: "not found" says that there is still no
    /// row.
    /// </summary>
    /// <exception cref="RequestFailedException">The store is away, or the table is.</exception>
    public async Task<StoredAttempts?> CommitAsync(
        string key, StoredAttempts read, AttemptRecord next, AttemptPolicy policy, CancellationToken cancellation)
    {
        try
        {
            if (next.IsEmpty)
            {
                using var deletion = await tables.Attempts.DeleteEntityAsync(key, key + Format, read.ETag ?? NoRowHasIt, cancellation);
                Observe(deletion);
                var isGone = deletion.Status == 404;
                return isGone == read.ETag is null ? StoredAttempts.None : null;
            }

            var row = new TableEntity(key, key + Format) { [Column] = next.Write(policy.IdBytes) };
            using var answer = read.ETag is { } etag
                ? await tables.Attempts.UpdateEntityAsync(row, etag, TableUpdateMode.Replace, cancellation)
                : await tables.Attempts.AddEntityAsync(row, cancellation);
            Observe(answer);
            return new StoredAttempts(next, answer.Headers.ETag);
        }
        catch (RequestFailedException fault) when (fault.IsTaken() || fault.IsOvertaken())
        {
            return null;
        }
    }

    /// <summary>Deletes a bucket's record.</summary>
    public async Task DeleteAsync(string key, CancellationToken cancellation)
    {
        using var answer = await tables.Attempts.DeleteEntityAsync(key, key + Format, cancellationToken: cancellation);
    }

    /// <summary>Clears a name's short window as a right login does, whatever is written meanwhile; what counts for the day stays.</summary>
    /// <exception cref="AttemptRecordUnreadableException">A row stands there, is no record, and is not out of date.</exception>
    public async Task ClearAsync(string key, AttemptPolicy policy, CancellationToken cancellation)
    {
        ImmutableHashSet<ulong>? found = null;
        while (true)
        {
            var (stored, now) = await ReadAsync(key, policy, cancellation);
            // Later failures stay.
            found ??= stored.Record.Uncleared;
            if (!stored.Record.Failures.Any(failure => !failure.IsCleared && found.Contains(failure.Id))
                || await CommitAsync(key, stored, stored.Record.WithCleared(found, policy, now), policy, cancellation) is not null)
            {
                return;
            }
        }
    }

    /// <summary>What is wrong with the first rows of the table.</summary>
    public async Task<IReadOnlyList<RowFault>> FaultsAsync(int count, CancellationToken cancellation)
    {
        var faults = new List<RowFault>();
        await foreach (var row in tables.Attempts.ReadRowsAsync(filter: null, count, Columns, cancellation))
        {
            if (row.Row.EndsWith(Format, StringComparison.Ordinal))
            {
                _ = RecordOf(row, IdBytesOf(row.Partition), time.GetUtcNow());
            }

            faults.AddRange(row.Fault is { } fault ? [fault] : []);

            if (--count == 0)
            {
                break;
            }
        }

        return faults;
    }

    /// <summary>Whether this instance is to sweep now: it has taken the day's turn, which one instance gets.</summary>
    public async Task<bool> TakeSweepAsync(CancellationToken cancellation)
    {
        var (turn, read) = await tables.Attempts.ReadRowAsync(SweepKey, SweepKey, [], cancellation);
        var now = Observe(read);
        if (turn is not null && turn.Timestamp > now - AttemptPolicy.Day)
        {
            return false;
        }

        try
        {
            var row = new TableEntity(SweepKey, SweepKey);
            using var answer = turn is not null
                ? await tables.Attempts.UpdateEntityAsync(row, turn.ETag, TableUpdateMode.Replace, cancellation)
                : await tables.Attempts.AddEntityAsync(row, cancellation);
            return true;
        }
        catch (RequestFailedException fault) when (fault.IsTaken() || fault.IsOvertaken())
        {
            return false;
        }
    }

    /// <summary>Deletes the rows that nothing has written for longer than anything in them matters; gives their number.</summary>
    public async Task<int> SweepAsync(CancellationToken cancellation)
    {
        var (_, read) = await tables.Attempts.ReadRowAsync(SweepKey, SweepKey, [], cancellation);
        var before = Observe(read) - AttemptPolicy.Day - TimeSpan.FromHours(1);
        var filter = string.Create(CultureInfo.InvariantCulture, $"Timestamp lt datetime'{before.UtcDateTime:yyyy-MM-ddTHH:mm:ssZ}'");
        var swept = 0;
        await foreach (var old in tables.Attempts.ReadKeysAsync(filter, cancellation))
        {
            try
            {
                using var answer = await tables.Attempts.DeleteEntityAsync(old.Partition, old.Row, old.ETag, cancellation);
                swept += answer.Status == 404 ? 0 : 1;
            }
            catch (RequestFailedException fault) when (fault.Status == 412)
            {
                // Written again since.
            }
        }

        return swept;
    }

    /// <summary>
    /// Null, and the row has a fault, where it is no record. A failure that is still to come would close the name for years.
    /// </summary>
    private static AttemptRecord? RecordOf(StoredRow row, int idBytes, DateTimeOffset now)
    {
        var record = AttemptRecord.TryRead(row.Bytes(Column), idBytes);
        if (record is null || record.Failures.Any(failure => failure.Time > now + ClockTolerance))
        {
            row.Refuse(Column, "is no record of failures");
        }

        return row.Fault is null ? record : null;
    }

    /// <summary>As <see cref="LoginAttempts"/> has them: an address's ids are short.</summary>
    private static int IdBytesOf(string key) => key.StartsWith('@') ? sizeof(uint) : sizeof(ulong);

    private DateTimeOffset Observe(Response answer) => _clock.Observe(
        answer.Headers.Date ?? throw new RequestFailedException(answer.Status, "The store's answer has no date."));
}
