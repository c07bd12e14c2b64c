// PostgreSQL's COPY in its text format: https://www.postgresql.org/docs/current/sql-copy.html, "Text Format".

using System.Globalization;
using System.Text;
using System.Text.Unicode;

namespace FetchApiKey.Cli.Transfer;

/// <summary>
/// A row a line, fields between tabs, \N for NULL, \. alone for the end. In a field \b \f \n \r \t \v stand for control characters, \nnn
/// (one to three octal digits) and \xhh (one or two hexadecimal digits) for a byte, and a backslash before anything else for that
/// character.
/// </summary>
public static class CopyText
{
    public const string End = "\\.";
    private const string Null = "\\N";

    /// <summary>Null, with the fault, when an escape is cut short, or escaped bytes are no text.</summary>
    public static string?[]? Split(string line, out string fault)
    {
        fault = "";
        var fields = line.Split('\t');
        var values = new string?[fields.Length];
        for (var i = 0; i < fields.Length; i++)
        {
            if (fields[i] != Null)
            {
                if (Unescape(fields[i], out fault) is not { } value)
                {
                    return null;
                }

                values[i] = value;
            }
        }

        return values;
    }

    private static string? Unescape(string field, out string fault)
    {
        fault = "";
        if (!field.Contains('\\', StringComparison.Ordinal))
        {
            return field;
        }

        // Escapes are of bytes, several of which may make a character, and so is what else a backslash stands before.
        var source = Encoding.UTF8.GetBytes(field);
        var bytes = new List<byte>(source.Length);
        for (var i = 0; i < source.Length; i++)
        {
            if (source[i] != '\\')
            {
                bytes.Add(source[i]);
                continue;
            }

            i++;
            if (i == source.Length)
            {
                fault = "ends in a backslash";
                return null;
            }

            if (Digits(source, i, 3, digit => digit is >= '0' and <= '7') is { Length: > 0 } octal)
            {
                bytes.Add((byte)Convert.ToInt32(octal, 8));
                i += octal.Length - 1;
            }
            else if (source[i] == 'x' && Digits(source, i + 1, 2, char.IsAsciiHexDigit) is { Length: > 0 } hex)
            {
                bytes.Add(byte.Parse(hex, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture));
                i += hex.Length;
            }
            else
            {
                bytes.Add((char)source[i] switch
                {
                    'b' => (byte)'\b',
                    'f' => (byte)'\f',
                    'n' => (byte)'\n',
                    'r' => (byte)'\r',
                    't' => (byte)'\t',
                    'v' => (byte)'\v',
                    _ => source[i],
                });
            }
        }

        if (!Utf8.IsValid([.. bytes]))
        {
            fault = "has escaped bytes that are not UTF-8";
            return null;
        }

        return Encoding.UTF8.GetString([.. bytes]);
    }

    private static string Digits(byte[] source, int from, int atMost, Func<char, bool> isDigit) =>
        new([.. source.Skip(from).Take(atMost).Select(code => (char)code).TakeWhile(isDigit)]);
}
