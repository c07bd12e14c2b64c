// How many failures are allowed, and what a record of failures means by that measure.

namespace FetchApiKey.Attempts;

/// <summary>How many failures one bucket may hold.</summary>
/// <param name="Limit">Failures within <paramref name="Window"/>, but for those that a success has cleared.</param>
/// <param name="DailyLimit">Failures within a day, cleared or not; null for none.</param>
/// <param name="IsClearedBySuccess">Whether a success clears the failures before it.</param>
/// <param name="IdBytes">How much of a failure's id is stored, 4 or 8: an address has many failures and its row must stay small.</param>
public sealed record AttemptPolicy(int Limit, TimeSpan Window, int? DailyLimit, bool IsClearedBySuccess, int IdBytes = 8)
{
    public static readonly TimeSpan Day = TimeSpan.FromDays(1);

    /// <summary>For how long a failure means anything.</summary>
    public TimeSpan Memory => DailyLimit is null || Window > Day ? Window : Day;
}

/// <summary>What a record says of another attempt.</summary>
/// <param name="Room">Failures that still fit; 0 where the limit is reached.</param>
/// <param name="RetryAfter">Where it is reached: when one failure will have room again.</param>
public readonly record struct AttemptStanding(int Room, TimeSpan RetryAfter)
{
    public bool IsBlocked => Room <= 0;
}
