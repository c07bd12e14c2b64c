// An attempt that was let go on, until its verdict has left or been withheld.

namespace FetchApiKey.Attempts;

/// <summary>What the answer to an attempt says of the limit: the X-RateLimit headers of contract section 1.6.</summary>
/// <param name="Reset">When every attempt made so far will be out of the window.</param>
public readonly record struct RateLimit(int Limit, int Remaining, DateTimeOffset Reset);

/// <summary>What became of a verdict.</summary>
/// <param name="MayLeave">It is committed. Where it is not, the limit was reached meanwhile, and the answer is 429.</param>
public readonly record struct VerdictCommitment(bool MayLeave, TimeSpan RetryAfter);

/// <summary>Held until it is disposed: by then its verdict is committed, or nobody will learn of it.</summary>
public sealed class LoginAttempt : IDisposable
{
    private readonly OpenAttempt _open;
    private readonly AttemptBuckets _buckets;
    private readonly CancellationTokenSource _waiting;
    private WorkTurn? _turn;

    internal LoginAttempt(
        OpenAttempt open, AttemptBuckets buckets, AttemptBucket? name, AttemptBucket address, CancellationTokenSource waiting, long began)
    {
        (_open, _buckets, Name, Address, _waiting, Began) = (open, buckets, name, address, waiting, began);
    }

    /// <summary>What the answer says of the limit, once the verdict is committed.</summary>
    public RateLimit RateLimit { get; internal set; }

    /// <summary>The verdict was the last failure that the name had room for.</summary>
    public bool FillsName { get; internal set; }

    public bool FillsAddress { get; internal set; }

    internal ClientAddress Client => _open.Client;

    /// <summary>For waiting before the work: cancelled when the client goes away, the place is needed, or the time is over.</summary>
    public CancellationToken Waiting => _waiting.Token;

    /// <summary>The work has begun: it is seen through and counted, whatever becomes of the client.</summary>
    public bool HasBegun => _open.HasBegun;

    /// <summary>Null where no name was typed, and so the address alone is limited.</summary>
    internal AttemptBucket? Name { get; }

    internal AttemptBucket Address { get; }

    /// <summary>When it came, as a timestamp.</summary>
    internal long Began { get; }

    /// <summary>To be called when a hash or a bind is about to be computed or sent.</summary>
    public void Begin()
    {
        _open.HasBegun = true;
        _turn?.Begin();
    }

    public void Dispose()
    {
        ReturnTurn();
        if (Name is not null)
        {
            _buckets.Exit(Name);
        }

        _buckets.Exit(Address);
        _waiting.Dispose();
        _open.Dispose();
    }

    internal async Task TakeTurnAsync(WorkTurns turns) => _turn = await turns.TakeAsync(Client, Name?.Turns, Waiting);

    /// <summary>Its verdict is committed, or it comes to none.</summary>
    internal void ReturnTurn() => _turn?.Dispose();
}
