// A process that is started again when it dies, as the Functions host and service managers do.

using System.Collections.Concurrent;

namespace FetchApiKeyFunction.Tests.Hosts;

/// <summary>
/// One process after another: the next when one has ended with another code than 0, and three at the most, as the Functions host has it.
/// </summary>
/// <param name="start">Starts a process.</param>
/// <param name="onEnded">Called before the next is started.</param>
internal sealed class SupervisedProcess(Func<ProcessRun> start, Action? onEnded = null) : IAsyncDisposable
{
    private const int MostStarts = 3;

    private readonly ConcurrentQueue<ProcessRun> _runs = new();
    private Task _supervision = Task.CompletedTask;
    private volatile bool _isStopping;

    /// <summary>The process that runs now, or ran last.</summary>
    public ProcessRun Current => _runs.Last();

    public int Starts => _runs.Count;

    /// <summary>What all of them printed, to either stream.</summary>
    public string Printed => string.Concat(_runs.Select(run => run.Output));

    public void Start()
    {
        var first = start();
        _runs.Enqueue(first);
        _supervision = SuperviseAsync(first);
    }

    /// <summary>Its next end is wanted.</summary>
    public void ExpectEnd() => _isStopping = true;

    public async ValueTask DisposeAsync()
    {
        _isStopping = true;
        foreach (var run in _runs)
        {
            run.Kill();
        }

        await _supervision;
        foreach (var run in _runs)
        {
            run.Dispose();
        }
    }

    private async Task SuperviseAsync(ProcessRun run)
    {
        while (await run.ExitCodeAsync(Timeout.InfiniteTimeSpan) != 0 && !_isStopping && Starts < MostStarts)
        {
            onEnded?.Invoke();
            run = start();
            _runs.Enqueue(run);
        }

        onEnded?.Invoke();
    }
}
