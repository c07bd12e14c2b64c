// Ctrl-C and SIGTERM: the command is told to end, and ends the process by itself.

using System.Runtime.InteropServices;

namespace FetchApiKey.Cli;

/// <summary>The first such signal does nothing but to cancel the command; a second one ends the process at once.</summary>
internal sealed class EndingSignal : IDisposable
{
    /// <summary>For a command that is cancelled and does not end.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly CancellationTokenSource _cancellation = new();
    private readonly TaskCompletionSource<int> _received = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly PosixSignalRegistration[] _registrations;

    public EndingSignal() => _registrations =
    [
        Register(PosixSignal.SIGINT, FetchApiKey.ExitCode.Interrupted), Register(PosixSignal.SIGTERM, FetchApiKey.ExitCode.Terminated),
    ];

    /// <summary>How a command ends that it cut short; null where there was none.</summary>
    public int? ExitCode => _received.Task.IsCompleted ? _received.Task.Result : null;

    /// <summary>The exit code of a command, or the signal's where the command goes on in spite of it.</summary>
    public async Task<int> EndAsync(Func<CancellationToken, Task<int>> command, TimeProvider time)
    {
        // On a thread of its own: what waits for the system must not keep the signal from ending the process.
        var running = Task.Run(() => command(_cancellation.Token));
        return await await Task.WhenAny(running, GiveUpAsync(time));
    }

    /// <summary>The source of the cancellation stays: a signal may be on its way to it.</summary>
    public void Dispose() => Array.ForEach(_registrations, registration => registration.Dispose());

    private async Task<int> GiveUpAsync(TimeProvider time)
    {
        var code = await _received.Task;
        await Task.Delay(Patience, time);
        return code;
    }

    private PosixSignalRegistration Register(PosixSignal signal, int exitCode) => PosixSignalRegistration.Create(signal, context =>
    {
        context.Cancel = _received.TrySetResult(exitCode);
        if (context.Cancel)
        {
            _cancellation.Cancel();
        }
    });
}

/// <summary>A signal cut a command short, which had done a part of its work. The message is for the operator.</summary>
public sealed class InterruptedException(string message, Exception cause) : OperationCanceledException(message, cause);
