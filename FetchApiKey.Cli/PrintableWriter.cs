// The one way to the terminal: whatever is printed goes through here.

using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;

namespace FetchApiKey.Cli;

/// <summary>
/// Characters that a terminal would act on are written as \uXXXX: control characters, line and paragraph separators, what turns the
/// direction of text, and halves of surrogate pairs. Names in tables, lines of files and answers of servers are other people's. JSON
/// keeps its meaning.
/// </summary>
/// <param name="isTerminal">Whether somebody looks at it, so that there may be a bar that moves.</param>
/// <param name="keepsLines">Whether a line may have line breaks in it, as what the framework prints for itself has. Otherwise a line that is
/// written is one line, so that no value can look like another line.</param>
public sealed class PrintableWriter(TextWriter inner, bool isTerminal = false, bool keepsLines = false) : TextWriter(CultureInfo.InvariantCulture)
{
    public bool IsTerminal => isTerminal;

    /// <summary>Where it goes.</summary>
    public TextWriter Inner => inner;

    public override Encoding Encoding => inner.Encoding;

    [AllowNull]
    public override string NewLine
    {
        get => inner.NewLine;
        set => inner.NewLine = value;
    }

    public static string Escape(string text) => Escape(text, keepsLines: false);

    /// <summary>Our own movements of the cursor, and no value.</summary>
    public void Draw(string movement) => inner.Write(movement);

    public override void Write(char value) => Write([value]);

    public override void Write(char[] buffer, int index, int count) => Write(buffer.AsSpan(index, count));

    public override void Write(ReadOnlySpan<char> buffer) => Write(buffer.ToString());

    public override void Write(string? value) => inner.Write(Escape(value ?? "", keepsLines: true));

    public override void WriteLine() => inner.WriteLine();

    public override void WriteLine(string? value) => inner.Write(Escape(value ?? "", keepsLines) + NewLine);

    public override Task WriteAsync(string? value)
    {
        Write(value);
        return Task.CompletedTask;
    }

    public override Task WriteLineAsync(string? value)
    {
        WriteLine(value);
        return Task.CompletedTask;
    }

    public override void Flush() => inner.Flush();

    public override Task FlushAsync() => inner.FlushAsync();

    private static string Escape(string text, bool keepsLines)
    {
        var escaped = default(StringBuilder);
        for (var i = 0; i < text.Length; i++)
        {
            var isPair = char.IsSurrogatePair(text, i);
            if (isPair || !ActsOnTerminal(text[i]) || (keepsLines && IsLineBreak(text, i)))
            {
                escaped?.Append(text, i, isPair ? 2 : 1);
                i += isPair ? 1 : 0;
                continue;
            }

            escaped ??= new StringBuilder(text.Length + 16).Append(text, 0, i);
            escaped.Append(CultureInfo.InvariantCulture, $"\\u{(int)text[i]:x4}");
        }

        return escaped?.ToString() ?? text;
    }

    private static bool ActsOnTerminal(char c) =>
        char.IsControl(c) || char.IsSurrogate(c) || c is '\u2028' or '\u2029'
        || c is '\u061c' or '\u200e' or '\u200f' or (>= '\u202a' and <= '\u202e') or (>= '\u2066' and <= '\u2069');

    private static bool IsLineBreak(string text, int i) =>
        text[i] == '\n' || (text[i] == '\r' && i + 1 < text.Length && text[i + 1] == '\n');
}
