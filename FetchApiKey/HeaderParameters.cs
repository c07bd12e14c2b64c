// A header's value and the parameters behind it, such as multipart/form-data; boundary=b.

using System.Globalization;
using System.Text;

namespace FetchApiKey;

/// <summary>
/// As tolerant as a Zulip server, since some clients send what no grammar allows, such as a boundary that begins with "=" without quotes. A
/// parameter ends at a semicolon outside quotes, its name at the first "=". The last of a name wins.
/// </summary>
internal sealed class HeaderParameters
{
    private readonly Dictionary<string, string> _byName = new(StringComparer.Ordinal);

    private HeaderParameters(string value) => Value = value;

    /// <summary>What stands before the parameters, in lower case.</summary>
    public string Value { get; }

    public static HeaderParameters Parse(string header)
    {
        var end = EndOf(header, 0);
        var parsed = new HeaderParameters(header[..end].Trim().ToLowerInvariant());
        while (end < header.Length)
        {
            var start = end + 1;
            end = EndOf(header, start);
            parsed.Add(header[start..end]);
        }

        return parsed;
    }

    /// <summary>Null when there is none of that name.</summary>
    public string? Named(string name) => _byName.GetValueOrDefault(name);

    private static int EndOf(string header, int start)
    {
        var isQuoted = false;
        for (var i = start; i < header.Length; i++)
        {
            switch (header[i])
            {
                case '\\' when isQuoted:
                    i++;
                    break;

                case '"':
                    isQuoted = !isQuoted;
                    break;

                case ';' when !isQuoted:
                    return i;

                default:
                    break;
            }
        }

        return header.Length;
    }

    private void Add(string parameter)
    {
        var equals = parameter.IndexOf('=', StringComparison.Ordinal);
        if (equals < 0)
        {
            return;
        }

        var name = parameter[..equals].Trim().ToLowerInvariant();
        var value = Unquoted(parameter[(equals + 1)..].Trim());
        _byName[name.TrimEnd('*')] = name.EndsWith('*') && value.Split('\'') is [var charset, _, var encoded]
            ? Decoded(charset, encoded)
            : value;
    }

    private static string Unquoted(string value) =>
        value is ['"', _, ..] && value[^1] == '"'
            ? value[1..^1].Replace(@"\\", @"\", StringComparison.Ordinal).Replace("\\\"", "\"", StringComparison.Ordinal)
            : value;

    /// <summary>
    /// RFC 8187; a charset other than the two that it names is taken for UTF-8. What is not percent-encoded stays as it is.
    /// </summary>
    private static string Decoded(string charset, string encoded)
    {
        var encoding = charset.Equals("iso-8859-1", StringComparison.OrdinalIgnoreCase) ? Encoding.Latin1 : Encoding.UTF8;
        var (text, bytes) = (new StringBuilder(), new List<byte>());
        for (var i = 0; i < encoded.Length; i++)
        {
            if (encoded[i] == '%' && i + 2 < encoded.Length
                && byte.TryParse(encoded.AsSpan(i + 1, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value))
            {
                bytes.Add(value);
                i += 2;
            }
            else
            {
                text.Append(encoding.GetString([.. bytes])).Append(encoded[i]);
                bytes.Clear();
            }
        }

        return text.Append(encoding.GetString([.. bytes])).ToString();
    }
}
