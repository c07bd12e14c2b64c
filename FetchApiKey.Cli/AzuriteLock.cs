// Keeps two Azurites out of one folder, where they would overwrite each other's data, and off the standard port.

using System.Diagnostics;
using System.Globalization;

namespace FetchApiKey.Cli;

/// <summary>
/// A file that is locked while a command runs; the lock goes with the process, however it ends. In the file stands which Azurite
/// was started: one that outlives its command is still saving, and has what the command had.
/// </summary>
internal sealed class AzuriteLock : IDisposable
{
    /// <summary>EWOULDBLOCK of Linux and macOS, and ERROR_SHARING_VIOLATION of Windows.</summary>
    private static readonly int[] Locked = [11, 35, unchecked((int)0x80070020)];

    /// <summary>An Azurite whose command was killed saves and ends at once.</summary>
    private static readonly TimeSpan SavingLimit = TimeSpan.FromSeconds(30);

    /// <summary>The system tells the start of a process to about a hundredth of a second.</summary>
    private static readonly TimeSpan StartTolerance = TimeSpan.FromSeconds(1);

    private readonly FileStream _file;

    private AzuriteLock(FileStream file) => _file = file;

    /// <summary>Null where another command has it, or an Azurite that was left behind does not end.</summary>
    /// <exception cref="Exception">The file cannot be opened at all.</exception>
    public static async Task<AzuriteLock?> TryTakeAsync(string path, CancellationToken cancellation)
    {
        FileStream file;
        try
        {
            file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException fault) when (Locked.Contains(fault.HResult))
        {
            return null;
        }

        var isTaken = false;
        try
        {
            isTaken = await HasLastEndedAsync(file, cancellation);
            return isTaken ? new AzuriteLock(file) : null;
        }
        finally
        {
            if (!isTaken)
            {
                await file.DisposeAsync();
            }
        }
    }

    /// <summary>Writes down which process it is for, unless that has ended by now.</summary>
    public void Give(Process azurite)
    {
        if (azurite.HasExited)
        {
            return;
        }

        _file.SetLength(0);
        using var writer = new StreamWriter(_file, leaveOpen: true);
        writer.Write(string.Create(CultureInfo.InvariantCulture, $"{azurite.Id} {azurite.StartTime.ToUniversalTime().Ticks}"));
    }

    public void Dispose() => _file.Dispose();

    private static async Task<bool> HasLastEndedAsync(FileStream file, CancellationToken cancellation)
    {
        using var reader = new StreamReader(file, leaveOpen: true);
        if ((await reader.ReadToEndAsync(cancellation)).Split(' ') is not [var idText, var startText]
            || !int.TryParse(idText, NumberStyles.None, CultureInfo.InvariantCulture, out var id)
            || !long.TryParse(startText, NumberStyles.None, CultureInfo.InvariantCulture, out var started)
            || Find(id, started) is not { } last)
        {
            return true;
        }

        using (last)
        using (var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation))
        {
            limit.CancelAfter(SavingLimit);
            try
            {
                await last.WaitForExitAsync(limit.Token);
                return true;
            }
            catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
            {
                return false;
            }
        }
    }

    /// <summary>Null where it has ended; another process may have its number by now.</summary>
    private static Process? Find(int id, long startedTicks)
    {
        Process? process = null;
        try
        {
            process = Process.GetProcessById(id);
            if (Math.Abs(process.StartTime.ToUniversalTime().Ticks - startedTicks) < StartTolerance.Ticks)
            {
                return process;
            }
        }
        catch (Exception fault) when (fault is ArgumentException or InvalidOperationException or System.ComponentModel.Win32Exception)
        {
            // It has ended, or is not ours to look at.
        }

        process?.Dispose();
        return null;
    }
}
