// Keeps what would go on after an await, so that something else can come between.

namespace FetchApiKeyFunction.Tests;

internal sealed class HeldContinuations : SynchronizationContext
{
    private readonly Queue<Action> _held = new();

    public override void Post(SendOrPostCallback d, object? state)
    {
        lock (_held)
        {
            _held.Enqueue(() => d(state));
        }
    }

    /// <summary>Begins something whose continuations are held.</summary>
    public Task Begin(Func<Task> begin)
    {
        var before = Current;
        SetSynchronizationContext(this);
        try
        {
            return begin();
        }
        finally
        {
            SetSynchronizationContext(before);
        }
    }

    public void LetGo()
    {
        lock (_held)
        {
            while (_held.TryDequeue(out var next))
            {
                next();
            }
        }
    }
}
