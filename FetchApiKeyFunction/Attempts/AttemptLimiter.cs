// Who may try: counts attempts in the store, so that any number of instances together let through no more than the limit.

using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using Azure;
using Azure.Data.Tables;
using FetchApiKeyFunction.Accounts;

namespace FetchApiKeyFunction.Attempts;

/// <summary>Verdicts or other instances kept an attempt waiting for too long; it was not judged.</summary>
public sealed class AttemptsContendedException : Exception
{
    public AttemptsContendedException()
        : base("Too many attempts at once.")
    {
    }
}

/// <summary>An attempt that is counted already and whose verdict is still to come.</summary>
/// <param name="Number">Its place in the order of reservations.</param>
public sealed record Reservation(string Key, AttemptPolicy Policy, Guid Id, long Number, int Remaining, DateTimeOffset Now);

/// <summary>What became of a request to reserve: a reservation, or when to come back.</summary>
public readonly record struct ReservationOutcome(Reservation? Reservation, TimeSpan RetryAfter);

/// <summary>
/// One row a bucket, changed only under its ETag. Fails closed: where the row cannot be read or written, an exception ends
/// the login before its password is looked at. The time is the store's, taken from its answers, so that an instance whose
/// clock is wrong admits nobody. A reservation is durable before this returns it; one that nobody settles counts as a failure.
/// </summary>
public sealed class AttemptLimiter(AccountTables tables, TimeProvider time)
{
    private const string RowKey = "attempts";

    /// <summary>How long an attempt waits for the verdicts of others, and for its turn to write.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(6);
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(20);

    private readonly ConcurrentDictionary<string, Bucket> _buckets = new(StringComparer.Ordinal);

    /// <summary>
    /// Counts an attempt, after waiting shortly where attempts in flight fill the limit: they may be right and make room.
    /// Of one bucket's requests in this instance one at a time asks, in the order in which they came.
    /// </summary>
    /// <exception cref="AttemptsContendedException">The wait was too long.</exception>
    /// <exception cref="RequestFailedException">The store is away.</exception>
    public async Task<ReservationOutcome> ReserveAsync(string key, AttemptPolicy policy, CancellationToken cancellation)
    {
        // Our own, never one of a header's: with an id that a client can choose, many guesses could share one reservation.
        var id = Guid.NewGuid();
        using var patience = new CancellationTokenSource(Patience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellation);
        var bucket = Enter(key);
        try
        {
            await bucket.Turn.WaitAsync(either.Token);
            try
            {
                while (true)
                {
                    if (await TryReserveAsync(bucket, key, policy, id, either.Token) is { } outcome)
                    {
                        return outcome;
                    }

                    await Task.Delay(Poll + TimeSpan.FromMilliseconds(RandomNumberGenerator.GetInt32(20)), time, either.Token);
                }
            }
            finally
            {
                bucket.Turn.Release();
            }
        }
        catch (OperationCanceledException) when (patience.IsCancellationRequested && !cancellation.IsCancellationRequested)
        {
            throw new AttemptsContendedException();
        }
        finally
        {
            Leave(key, bucket);
        }
    }

    /// <summary>Turns a reservation into a failure, or takes it away and clears what its policy lets a success clear.</summary>
    public Task SettleAsync(Reservation reservation, bool isSuccess, CancellationToken cancellation) =>
        ChangeAsync(reservation, record => record.Settle(reservation.Id, reservation.Number, isSuccess, reservation.Policy), cancellation);

    /// <summary>Takes a reservation back: the attempt was refused for another reason and does not count.</summary>
    public Task WithdrawAsync(Reservation reservation, CancellationToken cancellation) =>
        ChangeAsync(reservation, record => record.Withdraw(reservation.Id), cancellation);

    /// <summary>Forgets everything about a bucket.</summary>
    public async Task ForgetAsync(string key, CancellationToken cancellation) =>
        await tables.Attempts.DeleteEntityAsync(key, RowKey, cancellationToken: cancellation);

    /// <summary>Deletes the rows that nothing has touched for longer than anything in them matters; gives their number.</summary>
    public async Task<int> SweepAsync(CancellationToken cancellation)
    {
        var swept = 0;
        var (_, _, now) = await ReadAsync("clock", cancellation);
        var before = now - AttemptRecord.Day - TimeSpan.FromHours(1);
        var filter = string.Create(CultureInfo.InvariantCulture, $"Timestamp lt datetime'{before.UtcDateTime:yyyy-MM-ddTHH:mm:ssZ}'");
        await foreach (var row in tables.Attempts.QueryAsync<TableEntity>(filter, select: ["PartitionKey", "RowKey"], cancellationToken: cancellation))
        {
            try
            {
                await tables.Attempts.DeleteEntityAsync(row.PartitionKey, row.RowKey, row.ETag, cancellation);
                swept++;
            }
            catch (RequestFailedException fault) when (fault.Status is 412 or 404)
            {
                // Somebody tried again, or another instance swept it.
            }
        }

        return swept;
    }

    private async Task<ReservationOutcome?> TryReserveAsync(Bucket bucket, string key, AttemptPolicy policy, Guid id, CancellationToken cancellation)
    {
        await bucket.Write.WaitAsync(cancellation);
        try
        {
            var (record, etag, now) = await ReadAsync(key, cancellation);
            var standing = record.Judge(policy, now);
            if (record.NumberOf(id) is { } number)
            {
                // Written by an earlier try whose acknowledgement was lost.
                return Reserved(number);
            }

            if (standing.Decision != AttemptDecision.Allowed)
            {
                return standing.Decision == AttemptDecision.Blocked ? new ReservationOutcome(null, standing.RetryAfter) : null;
            }

            number = record.Reserve(id, now);
            if (await WriteAsync(key, record, etag, cancellation) is not { } written)
            {
                return null;
            }

            bucket.Known = (record, written);
            return Reserved(number);

            ReservationOutcome Reserved(long number) =>
                new(new Reservation(key, policy, id, number, standing.Remaining, now), TimeSpan.Zero);
        }
        finally
        {
            bucket.Write.Release();
        }
    }

    private async Task ChangeAsync(Reservation reservation, Action<AttemptRecord> change, CancellationToken cancellation)
    {
        var bucket = Enter(reservation.Key);
        try
        {
            await bucket.Write.WaitAsync(cancellation);
            try
            {
                while (true)
                {
                    // What this instance wrote last is most often what is there, which saves a reading.
                    var (record, etag) = bucket.Known ?? await ReadForChangeAsync(reservation.Key, cancellation);
                    bucket.Known = null;
                    change(record);
                    if (await WriteAsync(reservation.Key, record, etag, cancellation) is { } written)
                    {
                        bucket.Known = (record, written);
                        return;
                    }

                    await Task.Delay(TimeSpan.FromMilliseconds(RandomNumberGenerator.GetInt32(1, 15)), time, cancellation);
                }
            }
            finally
            {
                bucket.Write.Release();
            }
        }
        finally
        {
            Leave(reservation.Key, bucket);
        }
    }

    private async Task<(AttemptRecord Record, ETag? ETag)> ReadForChangeAsync(string key, CancellationToken cancellation)
    {
        var (record, etag, _) = await ReadAsync(key, cancellation);
        return (record, etag);
    }

    /// <summary>The record, the ETag of its row (null when there is none) and the store's time.</summary>
    private async Task<(AttemptRecord Record, ETag? ETag, DateTimeOffset Now)> ReadAsync(string key, CancellationToken cancellation)
    {
        var row = await tables.Attempts.GetEntityIfExistsAsync<TableEntity>(key, RowKey, cancellationToken: cancellation);
        var now = row.GetRawResponse().Headers.Date ?? throw new RequestFailedException("The store's answer has no date.");
        return row is { HasValue: true, Value: { } value }
            ? (AttemptRecord.Read(value.GetInt64("Last") ?? 0, value.GetInt64("Cleared") ?? 0, value.GetBinary("Entries")), value.ETag, now)
            : (new AttemptRecord(), null, now);
    }

    /// <summary>The new ETag; null when the row is not the one that was read.</summary>
    private async Task<ETag?> WriteAsync(string key, AttemptRecord record, ETag? etag, CancellationToken cancellation)
    {
        var row = new TableEntity(key, RowKey)
        {
            ["Last"] = record.LastNumber,
            ["Cleared"] = record.ClearedNumber,
            ["Entries"] = record.WriteEntries(),
        };
        try
        {
            var answer = etag is { } read
                ? await tables.Attempts.UpdateEntityAsync(row, read, TableUpdateMode.Replace, cancellation)
                : await tables.Attempts.AddEntityAsync(row, cancellation);
            return answer.Headers.ETag;
        }
        catch (RequestFailedException fault) when (fault.Status is 412 or 409 || (fault.Status == 404 && fault.ErrorCode != "TableNotFound" && etag is not null))
        {
            return null;
        }
    }

    private Bucket Enter(string key)
    {
        while (true)
        {
            var bucket = _buckets.GetOrAdd(key, _ => new Bucket());
            lock (bucket)
            {
                if (!bucket.IsGone)
                {
                    bucket.Users++;
                    return bucket;
                }
            }
        }
    }

    private void Leave(string key, Bucket bucket)
    {
        lock (bucket)
        {
            if (--bucket.Users == 0)
            {
                bucket.IsGone = true;
                _buckets.TryRemove(key, out _);
            }
        }
    }

    /// <summary>What this instance's requests on one bucket share while there are any.</summary>
    private sealed class Bucket
    {
        /// <summary>One at a time asks for a reservation, and keeps its turn while it waits for verdicts.</summary>
        public SemaphoreSlim Turn { get; } = new(1, 1);

        /// <summary>One at a time reads and writes, so that instances contend on the ETag and requests do not.</summary>
        public SemaphoreSlim Write { get; } = new(1, 1);

        /// <summary>What this instance wrote last and under which ETag; null when another may have written since.</summary>
        public (AttemptRecord Record, ETag? ETag)? Known { get; set; }

        public int Users { get; set; }

        public bool IsGone { get; set; }
    }
}
