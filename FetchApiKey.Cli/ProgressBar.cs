// How far a long command has come, at a terminal.

namespace FetchApiKey.Cli;

/// <summary>A bar that grows in place on standard error; nothing where that is no terminal. Lines that are told go above it.</summary>
public sealed class ProgressBar(TextWriter error, string what, long all)
{
    private const int Width = 40;
    private const string ClearLine = "\r\e[K";

    private readonly Lock _lock = new();
    private readonly PrintableWriter? _terminal = all > 0 && error is PrintableWriter { IsTerminal: true } terminal ? terminal : null;
    private long _done;
    private long _drawn = -1;

    public void Advance(long count = 1)
    {
        lock (_lock)
        {
            MoveTo(_done + count);
        }
    }

    public void Reach(long done)
    {
        lock (_lock)
        {
            MoveTo(done);
        }
    }

    public void Tell(string line)
    {
        lock (_lock)
        {
            _terminal?.Draw(ClearLine);
            error.WriteLine(line);
            _drawn = -1;
        }
    }

    /// <summary>
    /// For work that goes on where it was when its command is run again. Takes the bar away.
    /// </summary>
    /// <param name="counted">What the bar counts, such as "accounts".</param>
    /// <exception cref="InterruptedException">It was cut short: how far it came.</exception>
    public async Task AccompanyAsync(string counted, Func<Task> work, CancellationToken cancellation)
    {
        try
        {
            await work();
        }
        catch (OperationCanceledException end) when (cancellation.IsCancellationRequested)
        {
            throw new InterruptedException(
                $"Interrupted after {_done} of {all} {counted}. Run the same command again: it goes on with the others.", end);
        }
        finally
        {
            End();
        }
    }

    /// <summary>Takes the bar away, whatever it had reached.</summary>
    public void End()
    {
        _terminal?.Draw(ClearLine);
    }

    private void MoveTo(long done)
    {
        _done = Math.Min(done, all);
        if (_terminal is not null && _done * 1000 / all is var thousandths && thousandths != _drawn)
        {
            _drawn = thousandths;
            var filled = (int)(_done * Width / all);
            _terminal.Draw($"{ClearLine}{what} [{new string('#', filled)}{new string(' ', Width - filled)}] {thousandths / 10}%");
        }
    }
}
