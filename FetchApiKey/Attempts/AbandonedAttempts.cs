// What an attempt counts that ended before its work had begun.

using FetchApiKey.Accounts;
using Microsoft.Extensions.Logging;

namespace FetchApiKey.Attempts;

internal sealed class AbandonedAttempts(TimeProvider time, ILogger log)
{
    /// <summary>A client that left after a longer wait for us is not charged: our slowness must lock no office out.</summary>
    private static readonly TimeSpan ChargedWait = TimeSpan.FromSeconds(2);

    /// <summary>See <see cref="LoginAttempts.EndedWaitingAsync"/>.</summary>
    public async Task<Exception?> EndedAsync(LoginAttempt attempt, Exception fault, CancellationToken abandoned)
    {
        if (fault is not OperationCanceledException || attempt.HasBegun || !attempt.Waiting.IsCancellationRequested)
        {
            return null;
        }

        if (!abandoned.IsCancellationRequested)
        {
            return new AttemptsContendedException();
        }

        if (time.GetElapsedTime(attempt.Began) < ChargedWait)
        {
            await ChargeAsync(attempt);
        }

        return null;
    }

    private async Task ChargeAsync(LoginAttempt attempt)
    {
        attempt.ReturnTurn();
        using var limit = new CancellationTokenSource(LoginAttempts.CommitLimit, time);
        try
        {
            var (isCommitted, room, _) = await attempt.Address.CommitUnreadFailureAsync(limit.Token);
            attempt.FillsAddress = isCommitted && room == 0;
        }
        catch (Exception fault) when (AccountTables.IsUnavailability(fault) || fault is AttemptsContendedException)
        {
            log.AbandonedAttemptNotCounted(fault.GetType().Name);
        }
    }
}
