// HTML that is put together from literals and values, where every value is encoded.

using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Encodings.Web;

namespace FetchApiKey.Pages;

/// <summary>A piece of HTML. Made of an interpolated string alone, so that no value gets in unencoded.</summary>
public sealed class Html
{
    private readonly string _text;

    private Html(string text) => _text = text;

    public static Html Nothing { get; } = new("");

    /// <summary>Values that are strings are encoded for text and for quoted attributes; pieces of HTML stay as they are.</summary>
    public static Html Of(Builder builder) => new(builder.ToString());

    /// <summary>A style sheet, which knows no encoding: a constant of the program's.</summary>
    public static Html StyleElement(string sheet) => new($"<style>{sheet}</style>");

    public override string ToString() => _text;

    [InterpolatedStringHandler]
    public readonly struct Builder(int literalLength, int formattedCount)
    {
        private readonly StringBuilder _text = new(literalLength + (formattedCount * 32));

        public void AppendLiteral(string markup) => _text.Append(markup);

        public void AppendFormatted(string value) => _text.Append(HtmlEncoder.Default.Encode(value));

        public void AppendFormatted(Html piece) => _text.Append(piece._text);

        public override string ToString() => _text.ToString();
    }
}
