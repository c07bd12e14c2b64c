// multipart/form-data (RFC 7578), as a Zulip server reads it.

using System.Text;

namespace FetchApiKey;

/// <summary>A part that is a parameter.</summary>
/// <param name="Value">A piece of the body.</param>
internal readonly record struct MultipartField(string Name, Memory<byte> Value, bool IsBase64);

internal static class MultipartBody
{
    /// <summary>As many as a Zulip server takes; RFC 2046 allows 70.</summary>
    private const int MaxBoundaryLength = 201;

    private static ReadOnlySpan<byte> HeadersEnd => "\r\n\r\n"u8;

    /// <summary>Printable ASCII that does not end in a blank.</summary>
    public static bool IsBoundary(string text) =>
        text.Length is > 0 and <= MaxBoundaryLength && text[^1] != ' ' && text.All(character => character is >= ' ' and <= '~');

    /// <summary>The parameters in their order; null when no boundary closes the body. An empty body has none.</summary>
    public static List<MultipartField>? Read(Memory<byte> body, string boundary)
    {
        var fields = new List<MultipartField>();
        if (body.IsEmpty)
        {
            return fields;
        }

        var delimiter = Encoding.ASCII.GetBytes("--" + boundary);
        if (Next(body.Span, 0, delimiter) is not { } last)
        {
            return null;
        }

        while (!last.IsClosing)
        {
            if (Next(body.Span, last.After, delimiter) is not { } next)
            {
                return null;
            }

            if (FieldOf(body[last.After..Math.Max(last.After, next.Before)]) is { } field)
            {
                fields.Add(field);
            }

            last = next;
        }

        return fields;
    }

    /// <summary>
    /// The next line that is the boundary: where the part before it ends, to which the line break belongs no more, and where the next one
    /// begins.
    /// </summary>
    private static (int Before, int After, bool IsClosing)? Next(ReadOnlySpan<byte> body, int from, ReadOnlySpan<byte> delimiter)
    {
        while (body[from..].IndexOf(delimiter) is >= 0 and var found)
        {
            var start = from + found;
            var rest = body[(start + delimiter.Length)..];
            var isClosing = rest.StartsWith("--"u8);
            var blanks = rest.IndexOfAnyExcept((byte)' ', (byte)'\t');
            var line = blanks < 0 ? [] : rest[blanks..];
            if ((start == 0 || body[start - 1] == '\n') && (isClosing || line.StartsWith("\r\n"u8) || line.StartsWith("\n"u8)))
            {
                var before = start == 0 ? 0 : start - 1;
                before -= before > 0 && body[before - 1] == '\r' ? 1 : 0;
                return (before, body.Length - line.Length + (line is [(byte)'\r', ..] ? 2 : 1), isClosing);
            }

            from = start + 1;
        }

        return null;
    }

    /// <summary>Null for a file, for a part without a name, and for one without headers.</summary>
    private static MultipartField? FieldOf(Memory<byte> part)
    {
        var end = part.Span.IndexOf(HeadersEnd);
        if (end < 0)
        {
            return null;
        }

        HeaderParameters? disposition = null;
        var isBase64 = false;
        foreach (var line in Encoding.UTF8.GetString(part.Span[..end]).Split("\r\n"))
        {
            var colon = line.IndexOf(':', StringComparison.Ordinal);
            switch (colon < 0 ? "" : line[..colon].Trim().ToLowerInvariant())
            {
                case "content-disposition":
                    disposition = HeaderParameters.Parse(line[(colon + 1)..]);
                    break;

                case "content-transfer-encoding":
                    isBase64 = HeaderParameters.Parse(line[(colon + 1)..]).Value == "base64";
                    break;

                default:
                    break;
            }
        }

        return disposition?.Named("name")?.Trim() is { } name && string.IsNullOrEmpty(disposition.Named("filename"))
            ? new MultipartField(name, part[(end + HeadersEnd.Length)..], isBase64)
            : null;
    }
}
