// The rule for what is e-mail shaped, and the form under which an address is looked up.

using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using FetchApiKey.Backends;

namespace FetchApiKey;

/// <summary>
/// An e-mail address as a Zulip server (Django's validator) accepts it; contract section 1.5. Dot-atom or quoted local part in ASCII; a
/// domain of two labels or more, "localhost", or an IP literal in brackets. Labels outside ASCII are accepted where IDNA can encode them.
/// </summary>
public sealed partial class EmailAddress
{
    private const int MaxLength = 320;
    private const int MaxEncodedLabel = 63;
    private static readonly IdnMapping Idna = new() { AllowUnassigned = false, UseStd3AsciiRules = true };

    private EmailAddress(string text)
    {
        Text = text;
        Canonical = LoginName.CanonicalOf(text);
    }

    /// <summary>The address as it was written.</summary>
    public string Text { get; }

    /// <summary>
    /// The look-up form: ASCII letters in lower case and every other character as it was. Nothing is normalised, so
    /// that full-width letters, the Kelvin sign or a dotless i never reach the account of the letter they resemble.
    /// </summary>
    public string Canonical { get; }

    /// <summary>
    /// Null when <paramref name="text"/> is not e-mail shaped as a login asks for it where no directory knows people; nothing is
    /// trimmed.
    /// </summary>
    public static EmailAddress? TryParseInShape(string text) =>
        TryParse(text) is { } email && IsDomain(text[(text.LastIndexOf('@') + 1)..]) ? email : null;

    /// <summary>
    /// Null when <paramref name="text"/> is no address that an account can have; nothing is trimmed. A directory's people may have a
    /// domain of one label.
    /// </summary>
    public static EmailAddress? TryParse(string text)
    {
        if (text.Length > MaxLength)
        {
            return null;
        }

        var at = text.LastIndexOf('@');
        return at > 0 && LocalPart().IsMatch(text.AsSpan(0, at)) && (IsDomain(text[(at + 1)..]) || Label().IsMatch(text.AsSpan(at + 1)))
            ? new EmailAddress(text)
            : null;
    }

    private static bool IsDomain(string domain) =>
        domain.Equals("localhost", StringComparison.OrdinalIgnoreCase)
        || DomainName().IsMatch(domain)
        || IsInternationalName(domain)
        || IsAddressLiteral(domain);

    private static bool IsInternationalName(string domain)
    {
        if (domain.All(char.IsAscii) || domain.Any(c => char.IsWhiteSpace(c) || char.IsControl(c)))
        {
            return false;
        }

        try
        {
            var encoded = Idna.GetAscii(domain);
            return DomainName().IsMatch(encoded) && encoded.Split('.').All(label => label.Length <= MaxEncodedLabel);
        }
        catch (ArgumentException)
        {
            return false;
        }
    }

    private static bool IsAddressLiteral(string domain) =>
        domain is ['[', .., ']']
        && AddressCharacters().IsMatch(domain.AsSpan(1, domain.Length - 2))
        && IPAddress.TryParse(domain.AsSpan(1, domain.Length - 2), out var address)
        // The framework also takes "1" and "0x7f.1" for IPv4; only four decimal parts are an address literal.
        && (address.AddressFamily == AddressFamily.InterNetworkV6 || address.ToString() == domain[1..^1]);

    [GeneratedRegex("""
        \A(?:[-!#$%&'*+/=?^_`{}|~0-9A-Za-z]+(?:\.[-!#$%&'*+/=?^_`{}|~0-9A-Za-z]+)*|"(?:[\x01-\x08\x0B\x0C\x0E-\x1F!#-\[\]-\x7F]|\\[\x01-\x09\x0B\x0C\x0E-\x7F])*")\z
        """, RegexOptions.CultureInvariant)]
    private static partial Regex LocalPart();

    [GeneratedRegex("""\A(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+(?!-)[A-Za-z0-9-]{2,63}(?<!-)\z""", RegexOptions.CultureInvariant)]
    private static partial Regex DomainName();

    [GeneratedRegex("""\A[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\z""", RegexOptions.CultureInvariant)]
    private static partial Regex Label();

    [GeneratedRegex("""\A[A-Fa-f0-9:.]+\z""", RegexOptions.CultureInvariant)]
    private static partial Regex AddressCharacters();
}
