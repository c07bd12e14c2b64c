// Which attempts may begin to cost something.

namespace FetchApiKey.Attempts;

/// <summary>
/// A turn is held from before the first read until the hash begins or the bind is sent, so that no more is read than is soon hashed: who must be
/// told 503, or goes away, has mostly cost no storage call. Networks take turns (<see cref="ClientQueue{TWork}"/>).
/// </summary>
internal sealed class WorkTurns
{
    /// <summary>Attempts that read, or have read and wait for their hash. Each makes up to three calls side by side.</summary>
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
