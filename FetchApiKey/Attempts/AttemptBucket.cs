// One bucket of failures as this instance knows it, and the commits to it.

using System.Collections.Immutable;
using System.Security.Cryptography;

namespace FetchApiKey.Attempts;

/// <summary>What became of a verdict that was to be committed.</summary>
/// <param name="IsCommitted">Only then may the verdict leave.</param>
/// <param name="Room">Failures that fit after this verdict, a right one counted like a wrong one.</param>
/// <param name="RetryAfter">Where it was not committed: when another attempt is allowed.</param>
public readonly record struct Commitment(bool IsCommitted, int Room, TimeSpan RetryAfter);

/// <summary>
/// What this instance's requests on one bucket share. <b>Why the limit is exact</b>, over any number of instances: a verdict leaves only
/// after a write that the store accepts if the row is still the one whose failures were counted (its ETag, or that there is no row). So
/// the accepted writes of one bucket are a chain, each made from the one before. A wrong verdict's write adds one failure and is made
/// only from a state with fewer failures than the limit; nothing but a success's write, an operator or the end of the window takes
/// failures away. Between two accepted successes, therefore, at most as many wrong verdicts are accepted as the limit allows, and a right
/// one, which asks the same of the state that it is written from, is accepted only while fewer failures stand there.
/// A verdict whose write was not accepted is computed from the new state again, and stays inside where the limit is reached by then;
/// one whose process dies never left. A write that was accepted and not acknowledged is found by its id.
/// </summary>
internal sealed class AttemptBucket : IDisposable
{
    /// <summary>For how long it may be taken as still true, without asking, that a bucket has no failures, or that it is full.</summary>
    private static readonly TimeSpan Freshness = TimeSpan.FromSeconds(2);

    private readonly AttemptPolicy _policy;
    private readonly AttemptTable _table;
    private readonly TimeProvider _time;
    private readonly SemaphoreSlim _committing = new(1);
    private readonly Lock _lock = new();
    private StoredAttempts? _known;
    private long _knownSince;

    public AttemptBucket(string key, AttemptPolicy policy, AttemptTable table, TimeProvider time)
    {
        (Key, _policy, _table, _time) = (key, policy, table, time);
        Turns = new AttemptTurns(() => Allowance);
    }

    /// <summary>Requests that hold the bucket; the owner's to change.</summary>
    public int Users { get; set; }

    /// <summary>It is not in the registry any more.</summary>
    public bool IsGone { get; set; }

    /// <summary>When it was used last, as a timestamp.</summary>
    public long LastUsed { get; set; }

    public string Key { get; }

    public AttemptPolicy Policy => _policy;

    /// <summary>The standing if it need not be asked for: there were no failures a moment ago, or no room. Null otherwise.</summary>
    public AttemptStanding? Remembered
    {
        get
        {
            lock (_lock)
            {
                return _known is { } known && _table.Now is { } now && _time.GetElapsedTime(_knownSince) < Freshness
                    && known.Record.Judge(_policy, now) is var standing && (standing.IsBlocked || standing.Room == _policy.Limit)
                    ? standing
                    : null;
            }
        }
    }

    /// <summary>Whether failures with room for more are known to stand there, however long ago they were read.</summary>
    public bool HasFailures
    {
        get
        {
            lock (_lock)
            {
                return _known is { Record.IsEmpty: false } known && _table.Now is { } now && !known.Record.Judge(_policy, now).IsBlocked;
            }
        }
    }

    /// <summary>Who may try at once: no more attempts are in flight than there is room for failures.</summary>
    public AttemptTurns Turns { get; }

    /// <summary>
    /// While nothing is known, one. The same where it was full some time ago; where that was a moment ago, all: they are refused unread.
    /// </summary>
    private int Allowance
    {
        get
        {
            lock (_lock)
            {
                return _known is not { } known || _table.Now is not { } now ? 1
                    : known.Record.Judge(_policy, now) is { IsBlocked: false, Room: var room } ? room
                    : _time.GetElapsedTime(_knownSince) < Freshness ? int.MaxValue
                    : 1;
            }
        }
    }

    // ---- Reading and committing ----

    public async Task<AttemptStanding> ReadAsync(CancellationToken cancellation)
    {
        var began = _time.GetTimestamp();
        var (stored, now) = await _table.ReadAsync(Key, _policy, cancellation);
        return Know(stored, began).Record.Judge(_policy, now);
    }

    /// <summary>Commits a wrong verdict: one more failure, stamped now.</summary>
    /// <exception cref="Exception">Storage is away, or there was no time left: the verdict must not leave.</exception>
    public Task<Commitment> CommitFailureAsync(CancellationToken cancellation) => CommitAsync(NewId(), isUnread: false, cancellation);

    /// <summary>
    /// The same where nothing has been read, as most often there is no row: written as if there were none, which the store refuses where
    /// there is one, and read only then.
    /// </summary>
    /// <exception cref="Exception">Storage is away, or there was no time left.</exception>
    public Task<Commitment> CommitUnreadFailureAsync(CancellationToken cancellation) => CommitAsync(NewId(), isUnread: true, cancellation);

    /// <summary>Commits a right verdict, and clears the failures before it where the policy says so.</summary>
    /// <exception cref="Exception">Storage is away, or there was no time left: the verdict must not leave.</exception>
    public Task<Commitment> CommitSuccessAsync(CancellationToken cancellation) => CommitAsync(null, isUnread: false, cancellation);

    public void Dispose() => _committing.Dispose();

    private async Task<Commitment> CommitAsync(ulong? failure, bool isUnread, CancellationToken cancellation)
    {
        // One after the other: of two that are written from one state the store would refuse the second.
        await _committing.WaitAsync(cancellation);
        try
        {
            ImmutableHashSet<ulong>? cleared = null;
            while (true)
            {
                var isGuess = isUnread && _known is null && _table.Now is not null;
                isUnread = false;
                var known = isGuess ? StoredAttempts.None : _known ?? await ReadKnownAsync(cancellation);
                var now = _table.Now ?? throw new AttemptsContendedException();
                // Those found at first: where the acknowledgement of a clearing is lost, later failures stay.
                cleared ??= known.Record.Uncleared;
                var step = known.Record.Step(failure, cleared, _policy, now);
                if (step.Decision == CommitDecision.Done)
                {
                    return new Commitment(true, step.Standing.Room, TimeSpan.Zero);
                }

                if (step.Decision == CommitDecision.Withheld)
                {
                    return new Commitment(false, 0, step.Standing.RetryAfter);
                }

                if (await _table.CommitAsync(Key, known, step.Next, _policy, cancellation) is { } stored)
                {
                    Know(stored, _time.GetTimestamp());
                    return new Commitment(true, step.Standing.Room - 1, TimeSpan.Zero);
                }

                Forget();
                if (isGuess)
                {
                    // Nobody was in the way: there was a row before.
                    continue;
                }

                await Task.Delay(TimeSpan.FromMilliseconds(RandomNumberGenerator.GetInt32(1, 15)), _time, cancellation);
            }
        }
        catch
        {
            // Whether it was written is not known.
            Forget();
            throw;
        }
        finally
        {
            _committing.Release();
        }
    }

    private async Task<StoredAttempts> ReadKnownAsync(CancellationToken cancellation)
    {
        var began = _time.GetTimestamp();
        var (stored, _) = await _table.ReadAsync(Key, _policy, cancellation);
        return Know(stored, began);
    }

    /// <summary>Keeps what was learnt last; gives what is known then.</summary>
    /// <param name="began">When the reading began, or the writing ended: what was read before a write is older than it.</param>
    private StoredAttempts Know(StoredAttempts stored, long began)
    {
        lock (_lock)
        {
            if (_known is null || began >= _knownSince)
            {
                (_known, _knownSince) = (stored, began);
            }

            return _known;
        }
    }

    /// <summary>It is read again before anything else.</summary>
    public void Forget()
    {
        lock (_lock)
        {
            _known = null;
        }
    }

    private ulong NewId()
    {
        var id = BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong)));
        return _policy.IdBytes == sizeof(uint) ? (uint)id : id;
    }
}
