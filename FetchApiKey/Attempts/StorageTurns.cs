// Which attempts may begin to read the store.

namespace FetchApiKey.Attempts;

/// <summary>
/// An attempt that has cost nothing yet waits here until few enough others read. Networks take turns (<see cref="ClientQueue{TWork}"/>), and a
/// client that goes away while it waits has cost no storage call. Writing a verdict needs no turn: what has begun is seen through.
/// </summary>
internal sealed class StorageTurns
{
    /// <summary>Attempts that read at once. Each makes up to three calls side by side.</summary>
    internal const int AtOnce = 32;

    private readonly Lock _lock = new();
    private readonly ClientQueue<Waiter> _queue = new();
    private int _taken;

    /// <summary>Attempts that wait.</summary>
    internal int Waiting
    {
        get
        {
            lock (_lock)
            {
                return _queue.Count;
            }
        }
    }

    /// <summary>Ends when it is this client's turn, which is given back by <see cref="Return"/>.</summary>
    /// <exception cref="OperationCanceledException">There is no turn then.</exception>
    public async Task TakeAsync(ClientAddress client, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        Waiter waiter;
        lock (_lock)
        {
            if (_taken < AtOnce)
            {
                _taken++;
                return;
            }

            waiter = new Waiter(client);
            _queue.Add(waiter);
        }

        using var withdrawal = cancellation.Register(() => Withdraw(waiter, cancellation));
        await waiter.Turn.Task;
    }

    public void Return()
    {
        Waiter? next = null;
        lock (_lock)
        {
            if (_queue.Count > 0)
            {
                next = _queue.TakeNext();
            }
            else
            {
                _taken--;
            }
        }

        next?.Turn.SetResult();
    }

    private void Withdraw(Waiter waiter, CancellationToken cancellation)
    {
        lock (_lock)
        {
            if (!_queue.Remove(waiter))
            {
                return;
            }
        }

        waiter.Turn.SetCanceled(cancellation);
    }

    private sealed class Waiter(ClientAddress client) : IQueuedWork
    {
        public ClientAddress Client => client;

        public TaskCompletionSource Turn { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
