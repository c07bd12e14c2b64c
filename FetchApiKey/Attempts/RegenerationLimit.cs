// How many new API keys an account may get.

using FetchApiKey.Accounts;

namespace FetchApiKey.Attempts;

/// <summary>
/// Counts successes: each is an event that is kept for long. In a bucket of the account's own, so that no login is refused for it.
/// </summary>
public sealed class RegenerationLimit(AttemptTable table, TimeProvider time)
{
    /// <summary>New API keys of one account within <see cref="Window"/>.</summary>
    public const int MaxRegenerations = 10;

    public static readonly TimeSpan Window = TimeSpan.FromHours(1);

    private static readonly AttemptPolicy Policy = new(MaxRegenerations, Window, DailyLimit: null, IsClearedBySuccess: false);

    private readonly AttemptBuckets _buckets = new(table, time);

    /// <summary>The key of an account's bucket.</summary>
    public static string KeyOf(string subdomain, EmailAddress email) => $"{LoginAttempts.KeyOf(subdomain, email)}.key";

    /// <summary>Counts a new API key before it is made.</summary>
    /// <returns>That it may not be made, where the account has had as many as it may.</returns>
    /// <exception cref="Exception">Storage is away: no key is to be made.</exception>
    public async Task<VerdictCommitment> CountAsync(string subdomain, EmailAddress email, CancellationToken cancellation)
    {
        var bucket = _buckets.Enter(KeyOf(subdomain, email), Policy);
        try
        {
            var (isCommitted, _, retryAfter) = await bucket.CommitFailureAsync(cancellation);
            return new VerdictCommitment(isCommitted, retryAfter);
        }
        finally
        {
            _buckets.Exit(bucket);
        }
    }
}
