// Search filters as an operator writes them, and the one place where a typed name gets into one.

using System.Globalization;
using System.Text;

namespace FetchApiKey.Backends.Ldap;

/// <summary>A filter of RFC 4515 with a placeholder as Zulip's settings have it, %(user)s or %(email)s.</summary>
public sealed class LdapFilter
{
    private readonly string _text;
    private readonly string _placeholder;

    private LdapFilter(string text, string placeholder) => (_text, _placeholder) = (text, placeholder);

    /// <summary>Null when the text is no filter in balanced parentheses, or lacks the placeholder.</summary>
    /// <param name="placeholder">Empty for a filter without one.</param>
    public static LdapFilter? TryParse(string text, string placeholder)
    {
        var depth = 0;
        for (var i = 0; i < text.Length; i++)
        {
            var isPlaceholder = placeholder.Length > 0 && text.AsSpan(i).StartsWith(placeholder, StringComparison.Ordinal);
            if (isPlaceholder)
            {
                i += placeholder.Length - 1;
                continue;
            }

            depth += text[i] switch { '(' => 1, ')' => -1, _ => 0 };
            if (depth < 0 || (depth == 0 && i < text.Length - 1))
            {
                return null;
            }
        }

        return text.StartsWith('(') && depth == 0 && (placeholder.Length == 0 || text.Contains(placeholder, StringComparison.Ordinal))
            ? new LdapFilter(text, placeholder)
            : null;
    }

    /// <summary>The filter with an escaped value in the place of the placeholder.</summary>
    public string With(string value) => _text.Replace(_placeholder, Escape(value), StringComparison.Ordinal);

    public override string ToString() => _text;

    /// <summary>RFC 4515 section 3: whatever has a meaning in a filter, and whatever is not printable ASCII, as a backslash and two digits for each octet of UTF-8.</summary>
    private static string Escape(string value)
    {
        var escaped = new StringBuilder();
        foreach (var octet in Encoding.UTF8.GetBytes(value))
        {
            if (octet is (byte)'*' or (byte)'(' or (byte)')' or (byte)'\\' or < 0x20 or > 0x7E)
            {
                escaped.Append(CultureInfo.InvariantCulture, $"\\{octet:x2}");
            }
            else
            {
                escaped.Append((char)octet);
            }
        }

        return escaped.ToString();
    }
}
