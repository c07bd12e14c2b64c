// How many attempts on one name are in flight in this instance.

namespace FetchApiKey.Attempts;

/// <summary>Those for which there is no room wait, the first come first.</summary>
/// <param name="room">How many may be in flight, as far as is known now.</param>
internal sealed class AttemptTurns(Func<int> room)
{
    private readonly LinkedList<TaskCompletionSource> _waiting = new();
    private readonly Lock _lock = new();
    private int _admitted;

    /// <summary>Attempts that wait.</summary>
    public int Waiting
    {
        get
        {
            lock (_lock)
            {
                return _waiting.Count;
            }
        }
    }

    /// <exception cref="OperationCanceledException">It is not admitted then.</exception>
    public async Task EnterAsync(CancellationToken cancellation)
    {
        LinkedListNode<TaskCompletionSource> turn;
        lock (_lock)
        {
            if (_waiting.Count == 0 && _admitted < room())
            {
                _admitted++;
                return;
            }

            turn = _waiting.AddLast(new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        }

        using var withdrawal = cancellation.Register(() => Withdraw(turn, cancellation));
        await turn.Value.Task;
    }

    public void Leave()
    {
        lock (_lock)
        {
            _admitted--;
            Admit();
        }
    }

    /// <summary>Something new is known: there may be more room.</summary>
    public void LookAgain()
    {
        lock (_lock)
        {
            Admit();
        }
    }

    private void Admit()
    {
        while (_waiting.First is { } first && _admitted < room())
        {
            _waiting.RemoveFirst();
            _admitted++;
            first.Value.SetResult();
        }
    }

    private void Withdraw(LinkedListNode<TaskCompletionSource> turn, CancellationToken cancellation)
    {
        lock (_lock)
        {
            if (turn.List is null)
            {
                // Admitted meanwhile.
                return;
            }

            _waiting.Remove(turn);
        }

        turn.Value.SetCanceled(cancellation);
    }
}
