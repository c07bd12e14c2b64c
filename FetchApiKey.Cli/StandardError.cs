// Standard error: what cannot be written there is lost, and changes nothing about what a command does and how it ends.

using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;

namespace FetchApiKey.Cli;

/// <summary>It may be closed, or a file on a disk that is full.</summary>
internal sealed class StandardError : TextWriter
{
    private readonly TextWriter _inner;

    private StandardError(TextWriter inner)
        : base(CultureInfo.InvariantCulture) => _inner = inner;

    /// <summary>Of this process.</summary>
    public static TextWriter Writer { get; } =
        InheritedDescriptor.IsOpen(InheritedDescriptor.Error) ? new StandardError(Console.Error) : Null;

    public override Encoding Encoding => _inner.Encoding;

    [AllowNull]
    public override string NewLine
    {
        get => _inner.NewLine;
        set => _inner.NewLine = value;
    }

    public override void Write(char value) => Try(() => _inner.Write(value));

    public override void Write(string? value) => Try(() => _inner.Write(value));

    public override void WriteLine() => Try(_inner.WriteLine);

    public override void Flush() => Try(_inner.Flush);

    private static void Try(Action write)
    {
        try
        {
            write();
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            // There is no other place to tell it.
        }
    }
}
