// Which attempts may begin to cost something.

namespace FetchApiKey.Attempts;

/// <summary>
/// Networks take turns (<see cref="ClientQueue{TWork}"/>). An attempt holds one from before its first read until its hash begins or its
/// bind is sent, so that no more is read than is soon hashed: who must be told 503, or goes away, has mostly cost no storage call.
/// </summary>
/// <param name="atOnce">How many have a turn at once.</param>
internal sealed class WorkTurns(int atOnce)
{
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
            if (_taken < atOnce)
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
