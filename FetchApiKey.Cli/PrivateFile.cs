// A new file that its owner alone can read, and that is not there before it is whole.

namespace FetchApiKey.Cli;

public sealed class PrivateFile : IAsyncDisposable
{
    private readonly string _path;

    /// <exception cref="OperatorException">There is such a file.</exception>
    public PrivateFile(string path)
    {
        _path = Path.GetFullPath(path);
        if (File.Exists(_path))
        {
            throw new OperatorException($"There is a file {_path} already.");
        }

        // What an earlier try left may belong to others, so it is not written into.
        File.Delete(Unfinished);
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        Stream = new FileStream(Unfinished, options);
    }

    public FileStream Stream { get; }

    private string Unfinished => _path + ".unfinished";

    /// <summary>Gives the file its name.</summary>
    /// <returns>The whole path.</returns>
    public async Task<string> FinishAsync()
    {
        await Stream.DisposeAsync();
        File.Move(Unfinished, _path);
        return _path;
    }

    public ValueTask DisposeAsync() => Stream.DisposeAsync();
}
