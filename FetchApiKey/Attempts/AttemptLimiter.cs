// Who may try: counts attempts in the store, so that any number of instances together let through no more than the limit.

using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using Azure;
using Azure.Data.Tables;
using FetchApiKey.Accounts;

namespace FetchApiKey.Attempts;

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
/// One row a bucket, changed only under its ETag, and none where there is nothing to remember. Fails closed: where the row cannot be read or
/// written, an exception ends the login before its password is looked at. The time is the store's (<see cref="StoreClock"/>), so that an instance
/// whose clock is wrong admits nobody. A reservation is durable before this returns it; one that nobody settles counts as a failure.
/// <para>
/// To save a reading, a writing begins from what this instance wrote last, or from no row; the store refuses it where that is not so, and then
/// the row is read. Nobody is refused, and nobody let through, on what is only remembered.
/// </para>
/// <para>
/// What this instance's requests want of one bucket is written together: while one write is under way the others gather,
/// and the next write carries them all. So instances contend on the ETag and requests do not.
/// </para>
/// </summary>
public sealed class AttemptLimiter(AccountTables tables, TimeProvider time)
{
    /// <summary>How long an attempt waits for the verdicts of others, and for its turn to be written.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(6);

    /// <summary>Rows that this instance wrote and nobody uses, remembered at the most.</summary>
    private const int MaxRemembered = 10_000;

    private readonly ConcurrentDictionary<string, Bucket> _buckets = new(StringComparer.Ordinal);
    private readonly StoreClock _clock = new(time);

    /// <summary>
    /// Counts an attempt, after waiting shortly where attempts in flight fill the limit: they may be right and make room.
    /// Of one bucket's requests in this instance the first to come is the first to be counted.
    /// </summary>
    /// <exception cref="AttemptsContendedException">The wait was too long.</exception>
    /// <exception cref="RequestFailedException">The store is away.</exception>
    public async Task<ReservationOutcome> ReserveAsync(string key, AttemptPolicy policy, CancellationToken cancellation)
    {
        using var patience = new CancellationTokenSource(Patience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellation);
        // The id is our own, never one of a header's: with one that a client can choose, many guesses could share a reservation.
        var wish = new Wish(key, policy, Guid.NewGuid());
        try
        {
            return await GrantAsync(wish, either.Token);
        }
        catch (OperationCanceledException) when (patience.IsCancellationRequested && !cancellation.IsCancellationRequested)
        {
            throw new AttemptsContendedException();
        }
    }

    /// <summary>Turns a reservation into a failure, or takes it away and clears what its policy lets a success clear.</summary>
    public Task SettleAsync(Reservation reservation, bool isSuccess, CancellationToken cancellation) =>
        EndAsync(reservation, record => record.Settle(reservation.Id, reservation.Number, isSuccess, reservation.Policy), cancellation);

    /// <summary>Takes a reservation back: the attempt was refused for another reason and does not count.</summary>
    public Task WithdrawAsync(Reservation reservation, CancellationToken cancellation) =>
        EndAsync(reservation, record => record.Withdraw(reservation.Id), cancellation);

    /// <summary>Forgets everything about a bucket.</summary>
    public async Task ForgetAsync(string key, CancellationToken cancellation) =>
        await tables.Attempts.DeleteEntityAsync(key, key, cancellationToken: cancellation);

    /// <summary>Deletes the rows that nothing has touched for longer than anything in them matters; gives their number.</summary>
    public async Task<int> SweepAsync(CancellationToken cancellation)
    {
        Forget();
        var swept = 0;
        var (_, now) = await ReadAsync("clock", cancellation);
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

    private async Task EndAsync(Reservation reservation, Func<AttemptRecord, bool> change, CancellationToken cancellation)
    {
        try
        {
            await GrantAsync(new Wish(reservation.Key, reservation.Policy, reservation.Id) { Change = change }, cancellation);
        }
        finally
        {
            Leave(reservation.Key);
        }
    }

    // ---- Wishes, gathered for each bucket and written together ----

    private async Task<ReservationOutcome> GrantAsync(Wish wish, CancellationToken cancellation)
    {
        var bucket = Enter(wish.Key);
        var isReserved = false;
        try
        {
            lock (bucket)
            {
                bucket.Wishes.Add(wish);
                if (!bucket.IsBeingServed)
                {
                    bucket.IsBeingServed = true;
                    _ = ServeAsync(wish.Key, bucket);
                }
                else if (bucket.HasNews.CurrentCount == 0)
                {
                    bucket.HasNews.Release();
                }
            }

            using var giveUp = cancellation.Register(() => wish.Outcome.TrySetCanceled(cancellation));
            var outcome = await wish.Outcome.Task;
            // The bucket stays, with what was written last, until the reservation has ended.
            isReserved = outcome.Reservation is not null;
            return outcome;
        }
        finally
        {
            if (!isReserved)
            {
                Leave(wish.Key);
            }
        }
    }

    /// <summary>Grants the wishes of a bucket until there are none.</summary>
    private async Task ServeAsync(string key, Bucket bucket)
    {
        while (true)
        {
            List<Wish> wishes;
            lock (bucket)
            {
                bucket.Wishes.RemoveAll(wish => wish.Outcome.Task.IsCompleted);
                wishes = [.. bucket.Wishes.OrderBy(wish => wish.Change is null)];
                if (wishes.Count == 0)
                {
                    bucket.IsBeingServed = false;
                    return;
                }
            }

            try
            {
                if (!await ServeFromMemoryAsync(key, bucket, wishes) && !await ServeFromStoreAsync(key, bucket, wishes))
                {
                    // Verdicts in flight are written by this instance, which is news, or by another, which is not.
                    await bucket.HasNews.WaitAsync(TimeSpan.FromMilliseconds(RandomNumberGenerator.GetInt32(10, 35)));
                }
            }
            catch (Exception fault)
            {
                // It goes to every request that waited for it.
                bucket.Remembered = null;
                wishes.ForEach(wish => wish.Outcome.TrySetException(fault));
            }
        }
    }

    /// <summary>One writing, of what follows from what is remembered. False when that is not what stands there, or nothing is to be written.</summary>
    private async Task<bool> ServeFromMemoryAsync(string key, Bucket bucket, List<Wish> wishes)
    {
        var isEnding = wishes.TrueForAll(wish => wish.Change is not null);
        // While other instances write the row too, what is remembered is most often not the latest.
        if (bucket.Remembered is not { } row || (!isEnding && bucket.IsShared) || _clock.Now is not { } now)
        {
            return false;
        }

        bucket.Remembered = null;
        return await ServeAsync(key, bucket, wishes, row, now, isRead: false);
    }

    /// <summary>One reading and one writing. False when nothing could be granted.</summary>
    private async Task<bool> ServeFromStoreAsync(string key, Bucket bucket, List<Wish> wishes)
    {
        bucket.Remembered = null;
        var (row, now) = await ReadAsync(key, CancellationToken.None);
        return await ServeAsync(key, bucket, wishes, row, now, isRead: true);
    }

    /// <param name="isRead">Whether the row was just read, so that it can be answered from without being written.</param>
    private async Task<bool> ServeAsync(string key, Bucket bucket, List<Wish> wishes, Row row, DateTimeOffset now, bool isRead)
    {
        var record = row.Record;
        var granted = new List<(Wish Wish, ReservationOutcome Outcome)>();
        var isChanged = false;
        foreach (var wish in wishes)
        {
            if (wish.Change is { } change)
            {
                isChanged |= change(record);
                granted.Add((wish, default));
                continue;
            }

            var standing = record.Judge(wish.Policy, now);
            // There already, where an earlier write was carried out and its acknowledgement lost.
            var number = record.NumberOf(wish.Id);
            if (number is null && standing.Decision == AttemptDecision.Wait)
            {
                break;
            }

            if (number is null && standing.Decision == AttemptDecision.Allowed)
            {
                number = record.Reserve(wish.Id, now);
                isChanged = true;
            }

            granted.Add((wish, number is { } reserved
                ? new ReservationOutcome(new Reservation(key, wish.Policy, wish.Id, reserved, standing.Remaining, now), TimeSpan.Zero)
                : new ReservationOutcome(null, standing.RetryAfter)));
        }

        if (isChanged)
        {
            if (await WriteAsync(key, row, CancellationToken.None) is not { } written)
            {
                bucket.IsShared |= row.ETag is not null;
                return false;
            }

            bucket.Remembered = written;
        }
        else if (!isRead)
        {
            return false;
        }

        foreach (var (wish, outcome) in granted)
        {
            if (!wish.Outcome.TrySetResult(outcome) && outcome.Reservation is not null)
            {
                // Given up while it was written: nobody will settle it, so it is taken back.
                lock (bucket)
                {
                    bucket.Wishes.Add(new Wish(key, wish.Policy, wish.Id) { Change = record => record.Withdraw(wish.Id) });
                }
            }
        }

        return granted.Count > 0;
    }

    /// <summary>The row, and the store's time.</summary>
    private async Task<(Row Row, DateTimeOffset Now)> ReadAsync(string key, CancellationToken cancellation)
    {
        var row = await tables.Attempts.GetEntityIfExistsAsync<TableEntity>(key, key, cancellationToken: cancellation);
        var now = _clock.Hear(row.GetRawResponse().Headers.Date ?? throw new RequestFailedException("The store's answer has no date."));
        return row is { HasValue: true, Value: { } value }
            ? (new Row(AttemptRecord.Read(value.GetInt64("Last") ?? 0, value.GetInt64("Cleared") ?? 0, value.GetBinary("Entries")), value.ETag), now)
            : (Row.None, now);
    }

    /// <summary>The row as it is now; null when what stands there is not the one that was changed.</summary>
    private async Task<Row?> WriteAsync(string key, Row changed, CancellationToken cancellation)
    {
        if (changed.Record.IsEmpty)
        {
            return await DeleteAsync(key, changed.ETag, cancellation) ? Row.None : null;
        }

        var entity = new TableEntity(key, key)
        {
            ["Last"] = changed.Record.LastNumber,
            ["Cleared"] = changed.Record.ClearedNumber,
            ["Entries"] = changed.Record.WriteEntries(),
        };
        try
        {
            var answer = changed.ETag is { } read
                ? await tables.Attempts.UpdateEntityAsync(entity, read, TableUpdateMode.Replace, cancellation)
                : await tables.Attempts.AddEntityAsync(entity, cancellation);
            Hear(answer);
            return changed with { ETag = answer.Headers.ETag };
        }
        catch (RequestFailedException fault) when (fault.Status is 412 or 409 || (fault.Status == 404 && fault.ErrorCode != "TableNotFound" && changed.ETag is not null))
        {
            return null;
        }
    }

    /// <summary>False when what stands there is not the row that was read.</summary>
    private async Task<bool> DeleteAsync(string key, ETag? etag, CancellationToken cancellation)
    {
        if (etag is not { } read)
        {
            return true;
        }

        try
        {
            var answer = await tables.Attempts.DeleteEntityAsync(key, key, read, cancellation);
            Hear(answer);
            return answer.Status != 404;
        }
        catch (RequestFailedException fault) when (fault.Status == 412)
        {
            return false;
        }
    }

    private void Hear(Response answer)
    {
        if (answer.Headers.Date is { } date)
        {
            _clock.Hear(date);
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

    private void Leave(string key)
    {
        if (_buckets.TryGetValue(key, out var bucket))
        {
            lock (bucket)
            {
                // Where there are failures, the next attempt is likely to come here.
                if (--bucket.Users == 0 && (bucket.Remembered?.ETag is null || _buckets.Count > MaxRemembered))
                {
                    Remove(key, bucket);
                }
            }
        }
    }

    /// <summary>Forgets the rows that nobody uses; none of what is stored.</summary>
    private void Forget()
    {
        foreach (var (key, bucket) in _buckets)
        {
            lock (bucket)
            {
                if (bucket.Users == 0)
                {
                    Remove(key, bucket);
                }
            }
        }
    }

    private void Remove(string key, Bucket bucket)
    {
        bucket.IsGone = true;
        _buckets.TryRemove(key, out _);
    }

    /// <summary>What stands in the store, or is thought to.</summary>
    /// <param name="ETag">Null where there is no row.</param>
    private sealed record Row(AttemptRecord Record, ETag? ETag)
    {
        public static Row None => new(new AttemptRecord(), null);
    }

    /// <summary>What a request wants of a bucket: a reservation, or the change that ends one.</summary>
    private sealed record Wish(string Key, AttemptPolicy Policy, Guid Id)
    {
        /// <summary>Says whether it changed anything.</summary>
        public Func<AttemptRecord, bool>? Change { get; init; }

        public TaskCompletionSource<ReservationOutcome> Outcome { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    /// <summary>What this instance's requests on one bucket share while there are any, or reservations of theirs.</summary>
    private sealed class Bucket
    {
        public List<Wish> Wishes { get; } = [];

        public SemaphoreSlim HasNews { get; } = new(0);

        public bool IsBeingServed { get; set; }

        /// <summary>What this instance wrote last, or at first the guess that there is no row; null when another may have written since.</summary>
        public Row? Remembered { get; set; } = Row.None;

        /// <summary>Whether another instance was found to write the row.</summary>
        public bool IsShared { get; set; }

        /// <summary>Requests that wait, and reservations that have not ended.</summary>
        public int Users { get; set; }

        public bool IsGone { get; set; }
    }
}
