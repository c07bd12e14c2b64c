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
/// <para>
/// What this instance's requests want of one bucket is written together: while one write is under way the others gather,
/// and the next write carries them all. So instances contend on the ETag and requests do not.
/// </para>
/// </summary>
public sealed class AttemptLimiter(AccountTables tables, TimeProvider time)
{
    /// <summary>How long an attempt waits for the verdicts of others, and for its turn to be written.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(6);

    private readonly ConcurrentDictionary<string, Bucket> _buckets = new(StringComparer.Ordinal);

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

    private async Task EndAsync(Reservation reservation, Action<AttemptRecord> change, CancellationToken cancellation)
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
                if (!await ServeAsync(key, bucket, wishes))
                {
                    // Verdicts in flight are written by this instance, which is news, or by another, which is not.
                    await bucket.HasNews.WaitAsync(TimeSpan.FromMilliseconds(RandomNumberGenerator.GetInt32(10, 35)));
                }
            }
            catch (Exception fault)
            {
                // It goes to every request that waited for it.
                bucket.Known = null;
                wishes.ForEach(wish => wish.Outcome.TrySetException(fault));
            }
        }
    }

    /// <summary>One reading, if it takes one, and one writing. False when nothing could be granted.</summary>
    private async Task<bool> ServeAsync(string key, Bucket bucket, List<Wish> wishes)
    {
        // To end reservations, what this instance wrote last is most often what is there, which saves a reading.
        var (record, etag, now) = bucket.Known is { } known && wishes.TrueForAll(wish => wish.Change is not null)
            ? (known.Record, known.ETag, default)
            : await ReadAsync(key, CancellationToken.None);
        bucket.Known = null;
        var granted = new List<(Wish Wish, ReservationOutcome Outcome)>();
        var isChanged = false;
        foreach (var wish in wishes)
        {
            if (wish.Change is { } change)
            {
                change(record);
                isChanged = true;
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
            if (await WriteAsync(key, record, etag, CancellationToken.None) is not { } written)
            {
                return false;
            }

            bucket.Known = (record, written);
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

    /// <summary>The record, the ETag of its row (null when there is none) and the store's time.</summary>
    private async Task<(AttemptRecord Record, ETag? ETag, DateTimeOffset Now)> ReadAsync(string key, CancellationToken cancellation)
    {
        var row = await tables.Attempts.GetEntityIfExistsAsync<TableEntity>(key, key, cancellationToken: cancellation);
        var now = row.GetRawResponse().Headers.Date ?? throw new RequestFailedException("The store's answer has no date.");
        return row is { HasValue: true, Value: { } value }
            ? (AttemptRecord.Read(value.GetInt64("Last") ?? 0, value.GetInt64("Cleared") ?? 0, value.GetBinary("Entries")), value.ETag, now)
            : (new AttemptRecord(), null, now);
    }

    /// <summary>The new ETag; null when the row is not the one that was read.</summary>
    private async Task<ETag?> WriteAsync(string key, AttemptRecord record, ETag? etag, CancellationToken cancellation)
    {
        var row = new TableEntity(key, key)
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

    private void Leave(string key)
    {
        if (_buckets.TryGetValue(key, out var bucket))
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
    }

    /// <summary>What a request wants of a bucket: a reservation, or the change that ends one.</summary>
    private sealed record Wish(string Key, AttemptPolicy Policy, Guid Id)
    {
        public Action<AttemptRecord>? Change { get; init; }

        public TaskCompletionSource<ReservationOutcome> Outcome { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    /// <summary>What this instance's requests on one bucket share while there are any, or reservations of theirs.</summary>
    private sealed class Bucket
    {
        public List<Wish> Wishes { get; } = [];

        public SemaphoreSlim HasNews { get; } = new(0);

        public bool IsBeingServed { get; set; }

        /// <summary>What this instance wrote last and under which ETag; null when another may have written since.</summary>
        public (AttemptRecord Record, ETag? ETag)? Known { get; set; }

        /// <summary>Requests that wait, and reservations that have not ended.</summary>
        public int Users { get; set; }

        public bool IsGone { get; set; }
    }
}
