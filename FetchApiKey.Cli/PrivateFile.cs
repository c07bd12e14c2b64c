// A new file that its owner alone can read: whole under its name, or not there at all.

using System.Buffers;
using System.Runtime.InteropServices;

namespace FetchApiKey.Cli;

/// <summary>
/// Written without a name, where the file system has such files; it gets one when it is whole. Elsewhere it is written under another name,
/// and deleted whatever comes between: a fault, a cancellation, a full disk, and a signal at once, before anything else is tried.
/// </summary>
public sealed class PrivateFile : IDisposable
{
    private const int BufferBytes = 64 * 1024;

    /// <summary>
    /// SIGXFSZ, by its number: the file grew beyond what the process may write. It would end the process, and is a fault of the write
    /// instead.
    /// </summary>
    private const PosixSignal FileTooLarge = (PosixSignal)25;

    private static readonly PosixSignal[] EndingSignals =
        [PosixSignal.SIGHUP, PosixSignal.SIGINT, PosixSignal.SIGQUIT, PosixSignal.SIGTERM];

    private readonly string _path;
    private readonly bool _hasName;
    private readonly FileStream _stream;
    private readonly ArrayBufferWriter<byte> _buffer = new();

    private PrivateFile(string path, bool mayBeUnnamed)
    {
        _path = path;
        if (File.Exists(Unfinished))
        {
            // Left by a process that was killed: it may belong to others, so it is not written into. One that is being written is locked.
            new FileStream(Unfinished, FileMode.Open, FileAccess.Write, FileShare.None).Dispose();
            File.Delete(Unfinished);
        }

        var unnamed = mayBeUnnamed ? UnnamedFile.TryCreate(Path.GetDirectoryName(path)!) : null;
        _hasName = unnamed is null;
        _stream = unnamed ?? CreateNamed(Unfinished);
        if (!OperatingSystem.IsWindows())
        {
            // A umask may have taken rights of the owner's away.
            File.SetUnixFileMode(_stream.SafeFileHandle, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        }
    }

    private string Unfinished => _path + ".unfinished";

    /// <param name="error">Is told when there is no file in the end.</param>
    /// <param name="write">Writes what is to be in it.</param>
    /// <param name="mayBeUnnamed">False to write it as where there are no files without a name.</param>
    /// <returns>The whole path.</returns>
    /// <exception cref="OperatorException">There is such a file, or it cannot be written.</exception>
    public static async Task<string> CreateAsync(
        string path, TextWriter error, Func<PrivateFile, Task> write, bool mayBeUnnamed = true)
    {
        path = Path.GetFullPath(path);
        if (File.Exists(path) || Directory.Exists(path))
        {
            throw new OperatorException($"There is a file {path} already.");
        }

        using var file = Faulty(path, () => new PrivateFile(path, mayBeUnnamed));
        using var watch = new Watch(file.Delete);
        try
        {
            await write(file);
            file.Finish();
            return path;
        }
        catch
        {
            file.Delete();
            await error.WriteLineAsync($"{path} was not written; nothing is left of it.");
            throw;
        }
    }

    /// <exception cref="OperatorException">The disk is full, or fails.</exception>
    public void Write(ReadOnlySpan<byte> bytes)
    {
        _buffer.Write(bytes);
        if (_buffer.WrittenCount >= BufferBytes)
        {
            Flush();
        }
    }

    private void Flush() => Faulty(_path, () =>
    {
        _stream.Write(_buffer.WrittenSpan);
        _buffer.Clear();
        return true;
    });

    private void Finish()
    {
        Flush();
        Faulty(_path, () =>
        {
            // Only what is on the disk may get the name.
            _stream.Flush(flushToDisk: true);
            if (_hasName)
            {
                File.Move(Unfinished, _path);
            }
            else
            {
                UnnamedFile.GiveName(_stream, _path);
            }

            return true;
        });
    }

    public void Dispose() => _stream.Dispose();

    private void Delete()
    {
        if (_hasName)
        {
            File.Delete(Unfinished);
        }
    }

    private static FileStream CreateNamed(string path)
    {
        var options = new FileStreamOptions
        {
            Mode = FileMode.CreateNew, Access = FileAccess.Write, Share = FileShare.None, BufferSize = 0,
        };
        if (OperatingSystem.IsWindows())
        {
            // There an open file keeps its name otherwise.
            options.Share = FileShare.Delete;
        }
        else
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        return new FileStream(path, options);
    }

    /// <summary>A fault of the file is the operator's to mend, and none of the account storage.</summary>
    private static T Faulty<T>(string path, Func<T> act)
    {
        try
        {
            return act();
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException or ArgumentOutOfRangeException)
        {
            // The last is what the framework makes of a file that is larger than the process may write.
            throw new OperatorException(
                $"{path} cannot be written: {fault.Message}", MachineFault.Explain(fault)?.Code ?? ExitCode.CannotWrite);
        }
    }

    /// <summary>Deletes at a signal that ends the process. Others that listen to it are not in the way.</summary>
    private sealed class Watch : IDisposable
    {
        private readonly List<PosixSignalRegistration> _registrations;

        public Watch(Action delete)
        {
            _registrations = [.. EndingSignals.Select(signal => PosixSignalRegistration.Create(signal, _ => delete()))];
            if (!OperatingSystem.IsWindows())
            {
                _registrations.Add(PosixSignalRegistration.Create(FileTooLarge, context => context.Cancel = true));
            }
        }

        public void Dispose() => _registrations.ForEach(registration => registration.Dispose());
    }
}
