// The one spelling of a host name that is compared.

using System.Globalization;
using System.Text;

namespace FetchApiKey;

public static class HostName
{
    private static readonly IdnMapping Idna = new() { UseStd3AsciiRules = true };

    /// <summary>
    /// In lower case, without a full stop at the end, and in ASCII, where letters outside it become punycode. Punycode itself stays as it
    /// is, so that nothing a client sends is decoded. Null for what cannot be a host name.
    /// </summary>
    public static string? Normalize(string text)
    {
        var name = text.EndsWith('.') ? text[..^1] : text;
        if (Ascii.IsValid(name))
        {
            return name.Length > 0 ? name.ToLowerInvariant() : null;
        }

        try
        {
            return Idna.GetAscii(name.ToLowerInvariant());
        }
        catch (ArgumentException)
        {
            return null;
        }
    }
}
