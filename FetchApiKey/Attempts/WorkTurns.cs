// Which attempts may begin to cost something.

namespace FetchApiKey.Attempts;

/// <summary>
/// Networks take turns (<see cref="ClientQueue{TWork}"/>). An attempt holds one from before its first read until its hash begins or its
/// bind is sent, so that no more is read than is soon hashed: who must be told 503, or goes away, has mostly cost no storage call. An
/// attempt on a name has one of that name's (<see cref="AttemptTurns"/>) with it, and holds it until its verdict is committed.
/// <para>
/// <b>Both are given at once.</b> Who held the name's and waited for the other would wait behind all that its network has sent, and
/// whoever logs in to the name from elsewhere would wait with it. Who held the other and waited for the name's would take it from other
/// names: those who wait for one attacked name would soon hold them all. So who waits holds nothing, and there is no circle to wait in.
/// Who has a turn waits for the store, a hash or a directory alone, and at the latter two networks take turns, too. One whose name has
/// no turn for its network is passed over, keeps its place, and costs its network no turn.
/// </para>
/// </summary>
/// <param name="atOnce">How many have a turn at once.</param>
internal sealed class WorkTurns(int atOnce)
{
    private readonly Lock _lock = new();
    private readonly ClientQueue<WorkTurn> _queue = new();
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

    /// <summary>Ends when it is this client's turn, which is given back by disposing of it.</summary>
    /// <param name="name">The turns of the name that is tried; null for none.</param>
    /// <exception cref="OperationCanceledException">There is no turn then.</exception>
    public async Task<WorkTurn> TakeAsync(ClientAddress client, AttemptTurns? name, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        var turn = new WorkTurn(this, client, name);
        lock (_lock)
        {
            // Of those who wait nobody could go on.
            if (_taken < atOnce && turn.IsPossible)
            {
                Take(turn);
                return turn;
            }

            _queue.Add(turn);
        }

        using var withdrawal = cancellation.Register(() => Withdraw(turn, cancellation));
        await turn.Given.Task;
        return turn;
    }

    /// <summary>Something new is known of a name: it may have more turns.</summary>
    public void LookAgain()
    {
        lock (_lock)
        {
            GiveTurns();
        }
    }

    internal void Begin(WorkTurn turn)
    {
        lock (_lock)
        {
            if (turn.Stage == WorkTurnStage.Waiting)
            {
                GoOn(turn);
                GiveTurns();
            }
        }
    }

    internal void Return(WorkTurn turn)
    {
        lock (_lock)
        {
            if (turn.Stage == WorkTurnStage.Over)
            {
                return;
            }

            if (turn.Stage == WorkTurnStage.Waiting)
            {
                GoOn(turn);
            }

            turn.Stage = WorkTurnStage.Over;
            turn.Name?.Return();
            GiveTurns();
        }
    }

    private void GiveTurns()
    {
        while (_taken < atOnce && _queue.TakeFirst(turn => turn.IsPossible) is { } next)
        {
            Take(next);
            next.Given.SetResult();
        }
    }

    private void Take(WorkTurn turn)
    {
        _taken++;
        turn.Name?.Take(turn.Client.Network);
    }

    private void GoOn(WorkTurn turn)
    {
        turn.Stage = WorkTurnStage.Begun;
        _taken--;
        turn.Name?.Begin(turn.Client.Network);
    }

    private void Withdraw(WorkTurn turn, CancellationToken cancellation)
    {
        lock (_lock)
        {
            if (!_queue.Remove(turn))
            {
                return;
            }
        }

        turn.Given.SetCanceled(cancellation);
    }
}

internal enum WorkTurnStage
{
    /// <summary>For its turn, or with it for the work.</summary>
    Waiting = 0,
    Begun,
    Over,
}

/// <summary>One attempt's turn.</summary>
internal sealed class WorkTurn(WorkTurns turns, ClientAddress client, AttemptTurns? name) : IQueuedWork, IDisposable
{
    public ClientAddress Client => client;

    internal AttemptTurns? Name => name;

    /// <summary>Whether its name has a turn for it now.</summary>
    internal bool IsPossible => name?.IsFreeFor(client.Network) != false;

    internal WorkTurnStage Stage { get; set; }

    internal TaskCompletionSource Given { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Its work begins: nothing is read for it any more, and another may be next. Its name's turn stays with it.</summary>
    public void Begin() => turns.Begin(this);

    /// <summary>Gives back what it still has.</summary>
    public void Dispose() => turns.Return(this);
}
