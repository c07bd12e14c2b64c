// How the endpoint writes its audit trail: beside the logins, never in their way.

using System.Threading.Channels;
using Azure;
using FetchApiKey.Accounts;
using FetchApiKey.Telemetry;
using Microsoft.Extensions.Logging;

namespace FetchApiKey.Audit;

/// <summary>
/// Fails open, and says so: a login neither waits for its event to be written nor fails with it. Each event is logged first, and then
/// written to the table within <see cref="Gathering"/>, together with what comes meanwhile. While the table is away up to <see
/// cref="Capacity"/> events wait and are written later; what comes on top of them, and what waits when the process is killed, is in the
/// log alone. The log and the metric fetch_api_key.audit.lost tell of the former.
/// </summary>
public sealed class AuditTrail : IDisposable
{
    public const int Capacity = 10_000;

    /// <summary>
    /// One row costs the store much less than many; a process that is killed has no more than this in the log alone.
    /// </summary>
    private static readonly TimeSpan Gathering = TimeSpan.FromMilliseconds(200);

    private static readonly TimeSpan FirstRetry = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LastRetry = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan FarewellLimit = TimeSpan.FromSeconds(2);

    private readonly AuditTable _table;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly Channel<SecurityEvent> _waiting = Channel.CreateBounded<SecurityEvent>(
        new BoundedChannelOptions(Capacity) { SingleReader = true });
    private readonly CancellationTokenSource _closing = new();
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _writing;
    private int _lost;
    private volatile bool _isAway;

    public AuditTrail(AuditTable table, TimeProvider time, ILogger<AuditTrail> log)
    {
        (_table, _time, _log) = (table, time, log);
        _writing = Task.Run(WriteAllAsync);
    }

    /// <summary>Whether events wait since the table takes none.</summary>
    public bool IsAway => _isAway;

    /// <summary>Writes down what is about to be done and cannot be undone. Returns when it stands in the table.</summary>
    /// <exception cref="Exception">It does not, so it must not be done.</exception>
    public async Task StoreAsync(SecurityEvent happening, CancellationToken cancellation)
    {
        await _table.StoreAsync(happening, cancellation);
        Log(happening);
    }

    public void Record(SecurityEvent happened)
    {
        Log(happened);
        if (!_waiting.Writer.TryWrite(happened))
        {
            Lose(1, "the table has been away for too long");
        }
    }

    /// <summary>Writes what still waits, if that is a matter of two seconds.</summary>
    public void Dispose()
    {
        _waiting.Writer.TryComplete();
        _closing.Cancel();
        _stopping.CancelAfter(FarewellLimit);
        _writing.Wait();
        _stopping.Dispose();
        _closing.Dispose();
    }

    private async Task WriteAllAsync()
    {
        var events = new List<SecurityEvent>();
        while (await _waiting.Reader.WaitToReadAsync())
        {
            if (_waiting.Reader.Count < AuditRow.MaxEvents)
            {
                await Task.Delay(Gathering, _time, _closing.Token).ContinueWith(_ => { }, TaskScheduler.Default);
            }

            while (events.Count < AuditRow.MaxEvents && _waiting.Reader.TryRead(out var happened))
            {
                events.Add(happened);
            }

            foreach (var row in _table.ToRows(events))
            {
                await WriteAsync(row);
            }

            events.Clear();
        }
    }

    private void Log(SecurityEvent happened) => _log.SecurityEvent(
        happened.Kind, happened.Outcome, happened.Realm, happened.UserId, happened.Account, happened.Client, happened.Invocation);

    /// <summary>Tries until it is done, or until the table says that it never will be.</summary>
    private async Task WriteAsync(AuditRow row)
    {
        for (var delay = FirstRetry; ; delay = delay * 2 < LastRetry ? delay * 2 : LastRetry)
        {
            try
            {
                await _table.AppendAsync(row, _stopping.Token);
                _isAway = false;
                return;
            }
            catch (Exception fault)
            {
                if (_stopping.IsCancellationRequested)
                {
                    Lose(row.Events.Count, fault.GetType().Name);
                    return;
                }

                if (!IsPassing(fault))
                {
                    await WriteWithoutRefusedAsync(row.Events, fault);
                    return;
                }

                _isAway = true;
                _log.AuditTableAway(fault.GetType().Name, (fault as RequestFailedException)?.Status ?? 0);
            }

            await Task.Delay(delay, _time, _stopping.Token).ContinueWith(_ => { }, TaskScheduler.Default);
        }
    }

    /// <summary>
    /// The table takes all of a row or nothing, so the events that it would take go one by one, and the others are lost to it.
    /// </summary>
    private async Task WriteWithoutRefusedAsync(IReadOnlyList<SecurityEvent> events, Exception fault)
    {
        if (events.Count == 1)
        {
            _isAway = false;
            Lose(1, fault.GetType().Name);
            return;
        }

        foreach (var row in events.SelectMany(happened => _table.ToRows([happened])))
        {
            await WriteAsync(row);
        }
    }

    /// <summary>
    /// A row that the table refuses as such is not offered again. What may pass: no answer, a fault of the store's, a missing table or
    /// role, a table that is being deleted, too many requests.
    /// </summary>
    private static bool IsPassing(Exception fault) => fault is RequestFailedException { Status: >= 400 and < 500 and var status }
        ? status is 401 or 403 or 404 or 408 or 409 or 429
        : AccountTables.IsUnavailability(fault);

    private void Lose(int count, string reason)
    {
        Instruments.AuditEventsLost(count);
        // The first is told at once, and then each thousandth: the log has to have room for the events themselves.
        if ((Interlocked.Add(ref _lost, count) - count) % 1000 == 0)
        {
            _log.AuditEventsLost(reason);
        }
    }
}
