// How long a request has, and whether its client still waits.

namespace FetchApiKey;

/// <summary>The times of one request. Reading the body has the same time as the answer, and takes none of it.</summary>
/// <param name="abandoned">Cancelled when the client goes away.</param>
public sealed class RequestLifetime(TimeProvider time, CancellationToken abandoned) : IDisposable
{
    /// <summary>Whatever storage does, a verdict is reached or given up by then; writing it down may take two seconds more.</summary>
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(8);

    private readonly CancellationTokenSource _deadline = new(Limit, time);
    private long _begun = time.GetTimestamp();

    /// <summary>Cancelled when the time is over. What has begun runs to its end or to this.</summary>
    public CancellationToken Deadline => _deadline.Token;

    /// <summary>Until the deadline.</summary>
    public TimeSpan Left => Limit - time.GetElapsedTime(_begun);

    /// <summary>Cancelled when the client goes away. It ends waiting, and nothing that has begun.</summary>
    public CancellationToken Abandoned => abandoned;

    /// <summary>The body is there: from now on the time counts for the answer.</summary>
    public void BodyArrived()
    {
        _begun = time.GetTimestamp();
        _deadline.CancelAfter(Limit);
    }

    public void Dispose() => _deadline.Dispose();
}
