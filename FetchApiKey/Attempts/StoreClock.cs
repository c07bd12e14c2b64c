// The store's time between two of its answers.

namespace FetchApiKey.Attempts;

/// <summary>
/// Goes on from the date of an answer by this process's monotonic clock, so that an attempt can be dated before the store has said anything.
/// An instance whose own clock is wrong has the right time all the same.
/// </summary>
public sealed class StoreClock(TimeProvider time)
{
    /// <summary>How long it may go on by itself.</summary>
    private static readonly TimeSpan MaxAge = TimeSpan.FromMinutes(1);

    /// <summary>An answer has its date in whole seconds.</summary>
    private static readonly TimeSpan Resolution = TimeSpan.FromSeconds(1);

    private Reading? _last;

    private sealed record Reading(DateTimeOffset Date, long Timestamp, DateTimeOffset OwnTime);

    /// <summary>
    /// Null where nothing was heard of the store for a minute; by this machine's clock, too, which goes on while a machine that was put to
    /// sleep counts no time.
    /// </summary>
    public DateTimeOffset? Now =>
        _last is { } last && time.GetElapsedTime(last.Timestamp) is var elapsed && elapsed < MaxAge && time.GetUtcNow() - last.OwnTime < MaxAge
            ? last.Date + elapsed
            : null;

    /// <param name="date">Of an answer that has just come.</param>
    /// <returns>The time now.</returns>
    public DateTimeOffset Observe(DateTimeOffset date)
    {
        // The time so far is the finer one as long as it is within the second that the answer names.
        var now = Now is { } soFar && soFar >= date && soFar < date + Resolution ? soFar : date;
        _last = new Reading(now, time.GetTimestamp(), time.GetUtcNow());
        return now;
    }
}
