// What happens when the process starts: the tables are looked for and what the first login needs is fetched, while the port is open.

using FetchApiKey.Accounts;
using FetchApiKey.Passwords;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace FetchApiKey.Composition;

/// <summary>
/// Requests are answered at once; logins wait for the same work. A table that does not exist ends the process as soon as storage
/// can be asked, and until then nobody gets in, since realms are read through the same check.
/// </summary>
public sealed class StartUp(
    AccountTables tables, RealmStore realms, PasswordHasher hasher, Settings settings, TimeProvider time, IHostApplicationLifetime lifetime, ILogger<StartUp> log)
    : BackgroundService
{
    /// <summary>Between two looks for the tables, where storage could not be asked at start.</summary>
    private static readonly TimeSpan CheckInterval = TimeSpan.FromSeconds(5);

    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Ends when the first look at storage is over, whatever it found, and logins can be answered.</summary>
    public Task Ready => _ready.Task;

    /// <summary>What ended the process; null for a stop that was asked for.</summary>
    public Exception? Fault { get; private set; }

    /// <summary>
    /// Begun on a thread of the pool: whoever starts the host must not wait for storage. Begun in any case, so that it is over, and no
    /// fault, where the stop comes first.
    /// </summary>
    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Task.Run(() => RunAsync(stoppingToken), CancellationToken.None);

    private async Task RunAsync(CancellationToken stopping)
    {
        try
        {
            await WarmUpAsync(stopping);
            if (settings.Hashing.Cost.IsBelowAdvice)
            {
                log.HashCostIsLow(settings.Hashing.Cost.MemoryKib, settings.Hashing.Cost.Passes);
            }
        }
        catch (Exception) when (stopping.IsCancellationRequested)
        {
            // What the stop has cut off is nobody's fault.
        }
        catch (Exception fault)
        {
            Fault = fault;
            // A stop before the host has started would make its start fail, and hide this fault behind that.
            lifetime.ApplicationStarted.Register(lifetime.StopApplication);
        }
        finally
        {
            _ready.TrySetResult();
        }
    }

    private async Task WarmUpAsync(CancellationToken stopping)
    {
        var storage = tables.WarmUpAsync(stopping);
        Task root = realms.FindAsync("", stopping);
        await hasher.WarmUpAsync();
        // A realm that cannot be read is for each login to tell.
        await root.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        try
        {
            await storage;
        }
        catch (Exception fault) when (fault is not MissingTablesException && AccountTables.IsUnavailability(fault) && !stopping.IsCancellationRequested)
        {
            log.StorageUncheckedAtStart(fault.GetType().Name);
            _ready.TrySetResult();
            await CheckLaterAsync(stopping);
        }
    }

    /// <summary>Ends when the tables are there.</summary>
    /// <exception cref="MissingTablesException">Storage is back, and a table does not exist.</exception>
    private async Task CheckLaterAsync(CancellationToken stopping)
    {
        while (true)
        {
            await Task.Delay(CheckInterval, time, stopping);
            try
            {
                await tables.CheckAsync(stopping);
                return;
            }
            catch (Exception fault) when (fault is not MissingTablesException && AccountTables.IsUnavailability(fault) && !stopping.IsCancellationRequested)
            {
                // Still away; each login says so, and readiness.
            }
        }
    }
}
