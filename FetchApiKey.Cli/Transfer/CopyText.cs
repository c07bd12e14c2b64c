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

        // Escapes are of bytes, several of which may make a character.
        var bytes = new List<byte>();
        for (var i = 0; i < field.Length; i++)
        {
            if (field[i] != '\\')
            {
                var length = char.IsHighSurrogate(field[i]) && i + 1 < field.Length ? 2 : 1;
                bytes.AddRange(Encoding.UTF8.GetBytes(field, i, length));
                i += length - 1;
                continue;
            }

            i++;
            if (i == field.Length)
            {
                fault = "ends in a backslash";
                return null;
            }

            if (Digits(field, i, 3, digit => digit is >= '0' and <= '7') is { Length: > 0 } octal)
            {
                bytes.Add((byte)Convert.ToInt32(octal, 8));
                i += octal.Length - 1;
            }
            else if (field[i] == 'x' && Digits(field, i + 1, 2, char.IsAsciiHexDigit) is { Length: > 0 } hex)
            {
                bytes.Add(byte.Parse(hex, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture));
                i += hex.Length;
            }
            else
            {
                bytes.AddRange(Encoding.UTF8.GetBytes(field[i] switch
                {
                    'b' => "\b",
                    'f' => "\f",
                    'n' => "\n",
                    'r' => "\r",
                    't' => "\t",
                    'v' => "\v",
                    var other => other.ToString(),
                }));
            }
        }

        if (!Utf8.IsValid([.. bytes]))
        {
            fault = "has escaped bytes that are not UTF-8";
            return null;
        }

        return Encoding.UTF8.GetString([.. bytes]);
    }

    private static string Digits(string field, int from, int atMost, Func<char, bool> isDigit) =>
        new([.. field.Skip(from).Take(atMost).TakeWhile(isDigit)]);
}
