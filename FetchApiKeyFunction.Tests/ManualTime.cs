// A clock that goes when it is told to.

namespace FetchApiKeyFunction.Tests;

internal sealed class ManualTime : TimeProvider
{
    private long _now = 1;
    private TimeSpan _slept;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => _now;

    public override DateTimeOffset GetUtcNow() => DateTimeOffset.UnixEpoch + TimeSpan.FromTicks(_now) + _slept;

    public void Advance(TimeSpan by) => _now += by.Ticks;

    /// <summary>Time that the monotonic clock does not count.</summary>
    public void Sleep(TimeSpan duration) => _slept += duration;
}
