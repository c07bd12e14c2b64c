// The figures of the attempt limit.

namespace FetchApiKey.Attempts;

/// <summary>The figures of the limit.</summary>
public sealed record AttemptSettings
{
    /// <summary>A bucket is one row: more than this do not fit into it.</summary>
    public const int MaxFailures = 1000;

    /// <summary>AttemptLimit__perAccount, 1 to 1000: failures in the window, which a success clears.</summary>
    public int PerAccount { get; init; } = 5;

    /// <summary>A Zulip server's.</summary>
    public TimeSpan Window { get; init; } = TimeSpan.FromMinutes(30);

    /// <summary>Failures in a day, which no success clears.</summary>
    public int PerAccountDaily { get; init; } = 50;

    /// <summary>AttemptLimit__perAddress, 1 to 1000: failures of an address in the window.</summary>
    public int PerAddress { get; init; } = 100;

    /// <summary>The same on Azure, where only a private address can be seen and so all share it.</summary>
    public int PerSharedAddress { get; init; } = MaxFailures;

    /// <summary>What <see cref="PerAccountDaily"/> is for a <see cref="PerAccount"/> of the operator's choice.</summary>
    public static int DailyOf(int perAccount) => Math.Min(10 * perAccount, MaxFailures);
}
