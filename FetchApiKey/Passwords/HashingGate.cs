// Who hashes when: a bounded number of hashes at once, on threads and in memory of their own, and a short queue before them.

using FetchApiKey.Argon2;
using FetchApiKey.Attempts;
using FetchApiKey.Telemetry;
using Microsoft.Extensions.Logging;

namespace FetchApiKey.Passwords;

/// <summary>The queue was full, or a place in it was not reached in time. The client may try again.</summary>
public sealed class HashingGateFullException : Exception
{
    public HashingGateFullException()
        : base("Too busy to hash.")
    {
    }
}

/// <summary>What bounds the gate.</summary>
public sealed record GateLimits
{
    /// <summary>Bytes for all hashes together; 0 for half of the memory that the process may use.</summary>
    public long MemoryBytes { get; init; }

    /// <summary>Hashes at once; 0 for one a processor, as far as the memory goes.</summary>
    public int Slots { get; init; }

    /// <summary>Threads that a hash which begins alone may use; 0 for one a processor.</summary>
    public int LaneThreads { get; init; }

    /// <summary>Hashes that may wait.</summary>
    public int QueueLength { get; init; } = 256;

    /// <summary>How long one may wait.</summary>
    public TimeSpan MaxWait { get; init; } = TimeSpan.FromSeconds(5);
}

/// <summary>
/// Slots are memory: each has room for one hash of the configured cost, and a thread of lowered priority, so that requests which hash
/// nothing are answered at once however busy the gate is. A stored hash that needs more than a slot waits until it has all the memory to
/// itself, and a reserve besides where the slots together are smaller than the largest hash; one that needs more than the limits have is
/// not computed (<see cref="Fits"/>). Networks and addresses take turns (<see cref="ClientQueue{TWork}"/>): a flood makes its own logins
/// wait, not everybody's. While the hash whose turn it is waits for room, nobody overtakes it. When the queue is full, a client of a less
/// busy network displaces the last of the busiest.
/// </summary>
public sealed class HashingGate : IDisposable
{
    private readonly object _lock = new();

    private readonly ClientQueue<HashingJob> _queue = new();
    private readonly Thread[] _workers;
    private readonly HashingMemory? _memory;
    private readonly Lazy<LaneWorkers?> _laneWorkers;
    private readonly long _slotBytes;
    private readonly long _largestBytes;
    private readonly GateLimits _limits;
    private readonly TimeProvider _time;
    private int _running;
    private bool _isExclusive;
    private bool _isDisposed;

    /// <summary>Takes the memory, which is as long as some hashes: not on a thread that others wait for.</summary>
    /// <param name="slotKib">Memory of the most expensive hash of a configured cost.</param>
    /// <param name="largestKib">Memory of the most expensive stored hash, if the limits have as much.</param>
    /// <exception cref="InsufficientMemoryException">The system has no such memory.</exception>
    internal HashingGate(IArgon2 argon2, int slotKib, int largestKib, GateLimits limits, TimeProvider time, ILogger log)
    {
        var hashBytes = Bytes(slotKib);
        (Slots, _limits, _time) = (SlotsFor(argon2.MemoryFactor * hashBytes, limits), limits, time);
        _slotBytes = hashBytes;
        _largestBytes = Math.Max(Slots * hashBytes, Math.Min(Bytes(largestKib), MemoryOf(limits) / argon2.MemoryFactor));
        _memory = argon2 is BuiltInArgon2 ? NewMemory(log) : null;
        var laneThreads = limits.LaneThreads == 0 ? Environment.ProcessorCount : limits.LaneThreads;
        _laneWorkers = new(() => laneThreads > 1 && argon2 is BuiltInArgon2 ? new LaneWorkers(laneThreads) : null);
        _workers = new Thread[Slots];
        for (var i = 0; i < Slots; i++)
        {
            var slot = i;
            _workers[i] = new Thread(() => Work(slot)) { IsBackground = true, Name = $"hashing-{slot}" };
            _workers[i].Start();
        }
    }

    /// <summary>Hashes computed at once.</summary>
    public int Slots { get; }

    /// <summary>How many slots the limits leave room for; 0 when not even one.</summary>
    public static int SlotsFor(long slotBytes, GateLimits limits) =>
        (int)Math.Min(MemoryOf(limits) / slotBytes, limits.Slots == 0 ? Environment.ProcessorCount : limits.Slots);

    internal static long Bytes(int kib) => kib * 1024L;

    /// <summary>Whether a hash of that much memory can be computed at all.</summary>
    public bool Fits(int memoryKib) => Bytes(memoryKib) <= _largestBytes;

    /// <summary>
    /// Runs <paramref name="work"/> on one of the gate's threads when its turn comes. Once it has begun it is seen through,
    /// whatever becomes of the request, so that what it reads may be wiped as soon as this returns.
    /// </summary>
    /// <param name="client">Whose work it is: clients take turns.</param>
    /// <param name="memoryKib">What the work takes from its workspace; 0 for none.</param>
    /// <exception cref="HashingGateFullException">No turn came in time.</exception>
    /// <exception cref="OperationCanceledException">The request was given up before its turn.</exception>
    internal async Task<bool> RunAsync(
        ClientAddress client, int memoryKib, Func<HashingWorkspace, bool> work, CancellationToken cancellation)
    {
        var job = new HashingJob(work, client, needsAllSlots: Bytes(memoryKib) > _slotBytes, _time.GetTimestamp());
        using var span = Instruments.Spans.StartActivity("hash");
        HashingJob? displaced = null;
        lock (_lock)
        {
            if (_queue.Count >= _limits.QueueLength)
            {
                displaced = _queue.Displace(client) ?? throw new HashingGateFullException();
            }

            Instruments.HashQueued(_queue.Count);
            _queue.Add(job);
            Monitor.PulseAll(_lock);
        }

        displaced?.Result.TrySetException(new HashingGateFullException());
        using var patience = new CancellationTokenSource(_limits.MaxWait, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellation);
        using var withdrawal = either.Token.Register(() => Withdraw(job, cancellation));
        var result = await job.Result.Task;
        span?.SetTag("fetch_api_key.hash.queue_wait", job.Waited.TotalSeconds).SetTag("fetch_api_key.hash.duration", job.Took.TotalSeconds);
        return result;
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _isDisposed = true;
            Monitor.PulseAll(_lock);
        }

        foreach (var worker in _workers)
        {
            worker.Join();
        }

        if (_laneWorkers.IsValueCreated)
        {
            _laneWorkers.Value?.Dispose();
        }

        _memory?.Dispose();
    }

    private static long MemoryOf(GateLimits limits) =>
        limits.MemoryBytes == 0 ? GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 2 : limits.MemoryBytes;

    private void Withdraw(HashingJob job, CancellationToken cancellation)
    {
        lock (_lock)
        {
            if (!_queue.Remove(job))
            {
                return;
            }

            // The one that waited for it to go may be next.
            Monitor.PulseAll(_lock);
        }

        if (cancellation.IsCancellationRequested)
        {
            job.Result.TrySetCanceled(cancellation);
        }
        else
        {
            job.Result.TrySetException(new HashingGateFullException());
        }
    }

    private void Work(int slot)
    {
        HashingThreadPriority.Lower();
        while (Next(out var isAlone) is { } job)
        {
            var workspace = WorkspaceOf(slot, job, isAlone);
            job.Waited = _time.GetElapsedTime(job.Queued);
            Instruments.HashBegun(job.Waited);
            try
            {
                var result = job.Work(workspace);
                job.Took = _time.GetElapsedTime(job.Queued) - job.Waited;
                Instruments.HashEnded(job.Took);
                job.Result.TrySetResult(result);
            }
            catch (Exception fault)
            {
                // Not swallowed: it goes to whoever asked for the work.
                job.Result.TrySetException(fault);
            }
            finally
            {
                lock (_lock)
                {
                    _running--;
                    _isExclusive = false;
                    Monitor.PulseAll(_lock);
                }
            }
        }
    }

    /// <summary>Waits until the hash whose turn it is has room; null when the gate closes.</summary>
    /// <param name="isAlone">Whether nothing else runs or waits, so that the work may use other processors too.</param>
    private HashingJob? Next(out bool isAlone)
    {
        lock (_lock)
        {
            while (!_isDisposed)
            {
                if (_queue.Next is { } job && !_isExclusive && (_running == 0 || !job.NeedsAllSlots))
                {
                    _queue.TakeNext();
                    isAlone = _running == 0 && _queue.Count == 0;
                    _running++;
                    _isExclusive = job.NeedsAllSlots;
                    return job;
                }

                Monitor.Wait(_lock);
            }

            isAlone = false;
            return null;
        }
    }

    /// <summary>The slot, or all of the memory. None for Konscious, which takes memory of its own.</summary>
    private HashingWorkspace WorkspaceOf(int slot, HashingJob job, bool isAlone) => _memory is not { } memory ? default
        : job.NeedsAllSlots ? new HashingWorkspace(memory, 0, _largestBytes, isAlone ? _laneWorkers.Value : null)
        : new HashingWorkspace(memory, slot * _slotBytes, _slotBytes, isAlone ? _laneWorkers.Value : null);

    private HashingMemory NewMemory(ILogger log)
    {
        var memory = new HashingMemory(_slotBytes * Slots, _largestBytes);
        // So that memory which the system has promised and has not is missed now, and not by a login.
        memory.Touch();
        if (memory.Unprotected.Count > 0)
        {
            log.HashingMemoryUnprotected(string.Join(" and ", memory.Unprotected));
        }

        return memory;
    }
}
