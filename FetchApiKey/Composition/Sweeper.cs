// Deletes what the attempt limit no longer needs and what the audit trail need not keep.

using FetchApiKey.Accounts;
using FetchApiKey.Attempts;
using FetchApiKey.Audit;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace FetchApiKey.Composition;

/// <summary>Once a day, by one of the instances: the others ask for one row and find that it is done.</summary>
internal sealed class Sweeper(AttemptTable attempts, AuditTable audit, Settings settings, TimeProvider time, ILogger<Sweeper> log) : BackgroundService
{
    /// <summary>Soon after the start, since an instance need not live for an hour; not at once, when logins wait.</summary>
    private static readonly TimeSpan First = TimeSpan.FromMinutes(1);

    /// <summary>Between two looks whether the day is over.</summary>
    private static readonly TimeSpan Interval = TimeSpan.FromHours(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        for (var wait = First; ; wait = Interval)
        {
            try
            {
                await Task.Delay(wait, time, stoppingToken);
                if (await attempts.TakeSweepAsync(stoppingToken))
                {
                    log.AttemptsSwept(await attempts.SweepAsync(stoppingToken));
                    log.AuditSwept(await audit.SweepAsync(time.GetUtcNow() - settings.AuditRetention, stoppingToken));
                }
            }
            catch (Exception) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception fault)
            {
                // Whatever a row holds, it must not end the process.
                log.NotSwept(fault.GetType().Name);
            }
        }
    }
}
