// Standard input as bytes: UTF-8, whatever the locale says of it.

using FetchApiKey.Cli.Transfer;

namespace FetchApiKey.Cli;

/// <param name="bytes">Null where the process was started without any.</param>
/// <param name="isTerminal">Whether somebody types there, in the terminal's own encoding.</param>
public sealed class StandardInput(Stream? bytes, bool isTerminal)
{
    /// <summary>Of this process.</summary>
    public static StandardInput Open() => new(
        InheritedDescriptor.IsOpen(InheritedDescriptor.Input) ? Console.OpenStandardInput() : null, !Console.IsInputRedirected);

    /// <exception cref="OperatorException">There is none.</exception>
    public Stream Bytes =>
        bytes ?? throw new OperatorException(
            "There is no standard input: it is closed. Give the command a file, or a pipe.", ExitCode.Missing);

    public bool IsTerminal => isTerminal;

    /// <summary>The first line, without its end and without a byte order mark. Null where there is none.</summary>
    /// <exception cref="OperatorException">It is not UTF-8, or too long. The message quotes nothing.</exception>
    public async Task<string?> ReadFirstLineAsync(CancellationToken cancellation)
    {
        var line = await new BoundedLines(Bytes).ReadAsync(cancellation);
        return line.IsEnd ? null
            : line.IsTooLong
                ? throw new OperatorException($"The first line of standard input is longer than {BoundedLines.MaxLength} bytes.")
            : line.Text() ?? throw new OperatorException("The first line of standard input is not UTF-8.");
    }
}
