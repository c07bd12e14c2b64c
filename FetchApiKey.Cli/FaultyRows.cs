// Stored rows that cannot be read: told on the standard error, while the command goes on with the others.

using FetchApiKey.Accounts;

namespace FetchApiKey.Cli;

public sealed class FaultyRows(TextWriter error)
{
    public int Count { get; private set; }

    /// <summary>How a command ends that did all that it could.</summary>
    public int ExitCode => Count == 0 ? FetchApiKey.ExitCode.Done : FetchApiKey.ExitCode.Refused;

    public void Meet(RowFault fault)
    {
        Count++;
        error.WriteLine($"A stored row cannot be read: {fault}");
    }
}
