// Deletes what the attempt limit no longer needs and what the audit trail need not keep.

using FetchApiKey.Accounts;
using FetchApiKey.Attempts;
using FetchApiKey.Audit;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace FetchApiKey.Composition;

internal sealed class Sweeper(AttemptLimiter limiter, AuditTable audit, Settings settings, TimeProvider time, ILogger<Sweeper> log) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(10);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                log.AttemptsSwept(await limiter.SweepAsync(stoppingToken));
                log.AuditSwept(await audit.SweepAsync(time.GetUtcNow() - settings.AuditRetention, stoppingToken));
            }
            catch (Exception fault) when (!stoppingToken.IsCancellationRequested && AccountTables.IsUnavailability(fault))
            {
                log.NotSwept(fault.GetType().Name);
            }
        }
    }
}
