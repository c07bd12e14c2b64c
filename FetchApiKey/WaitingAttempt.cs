// An attempt that may still be given up: what becomes of it, for every way in that waits.

using FetchApiKey.Attempts;
using FetchApiKey.Audit;

namespace FetchApiKey;

internal static class WaitingAttempt
{
    /// <summary>Has an attempt judged, unless its client has gone. One that ends before its work is counted as the limit has it.</summary>
    /// <exception cref="Exception">Whatever kept it from being judged, or the limit's word in its place.</exception>
    public static async Task<T> JudgeAsync<T>(
        this LoginAttempts attempts, LoginAttempt attempt, LoginEvents events, string subdomain, string invocation, Func<Task<T>> judge,
        CancellationToken abandoned)
    {
        try
        {
            attempt.Waiting.ThrowIfCancellationRequested();
            return await judge();
        }
        catch (Exception fault)
        {
            var other = await attempts.EndedWaitingAsync(attempt, fault, abandoned);
            if (attempt.FillsAddress)
            {
                events.AddressFilled(subdomain, attempt.Client, invocation);
            }

            if (other is not null)
            {
                throw other;
            }

            throw;
        }
    }
}
