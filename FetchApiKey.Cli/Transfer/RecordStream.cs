// The bytes of a file that is imported: found, kept so that they can be read twice, and of one encoding.

namespace FetchApiKey.Cli.Transfer;

/// <summary>
/// UTF-8, with a byte order mark or without. Nothing is guessed: bytes of another encoding would become other names, or other passwords.
/// </summary>
internal static class RecordStream
{
    /// <summary>
    /// What cannot be read twice, such as standard input or a pipe, is first written to a temporary file that nobody else can open, and
    /// that on Unix has no name any more. Whatever it is, it must be the same each time.
    /// </summary>
    /// <exception cref="OperatorException">There is no such file, it cannot be read, or it is UTF-16.</exception>
    public static async Task<Stream> OpenAsync(string path, StandardInput input, CancellationToken cancellation)
    {
        var isInput = path == RecordFile.StandardInput;
        var name = isInput ? "Standard input" : path;
        var stream = isInput ? await KeepAsync(name, input.Bytes, cancellation) : await OpenAsync(path, cancellation);
        if (await IsUtf16Async(stream, cancellation))
        {
            await stream.DisposeAsync();
            throw new OperatorException($"{name} is UTF-16. Save it as UTF-8, or convert it with iconv -f UTF-16 -t UTF-8.");
        }

        return new RereadStream(stream, name);
    }

    /// <summary>A file whatever its encoding.</summary>
    /// <exception cref="OperatorException">There is no such file, or it cannot be read.</exception>
    public static async Task<Stream> OpenAsync(string path, CancellationToken cancellation)
    {
        if (!File.Exists(path))
        {
            throw new OperatorException($"There is no file {Path.GetFullPath(path)}.", ExitCode.Missing);
        }

        // To open a named pipe takes until somebody writes into it.
        var stream = await ReadingAsync(path, () => Task.Run(() => File.OpenRead(path)), cancellation);
        return stream.CanSeek ? stream : await KeepAsync(path, stream, cancellation);
    }

    /// <summary>For a format whose records have no end of their own where bytes are wrong.</summary>
    /// <exception cref="OperatorException">A line is not UTF-8.</exception>
    public static async Task RequireUtf8Async(Stream stream, CancellationToken cancellation)
    {
        stream.Position = 0;
        var lines = new BoundedLines(stream);
        for (var number = 1; await lines.ReadAsync(cancellation) is { IsEnd: false } line; number++)
        {
            if (line.Text() is null)
            {
                throw NotUtf8($"line {number}");
            }
        }
    }

    public static OperatorException NotUtf8(string where) => new(
        $"{where}: is not UTF-8. Save the file as UTF-8, or convert it, for instance with iconv -f WINDOWS-1252 -t UTF-8. "
        + "Nothing was imported.");

    private static async Task<bool> IsUtf16Async(Stream stream, CancellationToken cancellation)
    {
        var mark = new byte[2];
        stream.Position = 0;
        await stream.ReadAtLeastAsync(mark, mark.Length, throwOnEndOfStream: false, cancellation);
        return mark is [0xFF, 0xFE] or [0xFE, 0xFF];
    }

    /// <summary>What the system waits for here cannot be cut off, but is not waited for.</summary>
    private static async Task<T> ReadingAsync<T>(string name, Func<Task<T>> read, CancellationToken cancellation)
    {
        try
        {
            return await read().WaitAsync(cancellation);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new OperatorException(
                $"{name} cannot be read: {fault.Message}", MachineFault.Explain(fault)?.Code ?? ExitCode.CannotWrite);
        }
    }

    private static Task<FileStream> KeepAsync(string name, Stream input, CancellationToken cancellation) =>
        ReadingAsync(name, () => KeepAsync(input, cancellation), cancellation);

    private static async Task<FileStream> KeepAsync(Stream input, CancellationToken cancellation)
    {
        var kept = new FileStream(
            Path.GetTempFileName(), FileMode.Open, FileAccess.ReadWrite, FileShare.Delete, 64 * 1024, FileOptions.DeleteOnClose);
        if (!OperatingSystem.IsWindows())
        {
            File.Delete(kept.Name);
        }

        try
        {
            await using var once = input;
            await input.CopyToAsync(kept, cancellation);
            return kept;
        }
        catch
        {
            await kept.DisposeAsync();
            throw;
        }
    }
}
