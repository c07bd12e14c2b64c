// The name that somebody logs in with, and the form under which its attempts are counted.

using System.Diagnostics.CodeAnalysis;

namespace FetchApiKey.Backends;

/// <summary>An e-mail address, or, where a directory knows people by other names, whatever was typed.</summary>
public sealed class LoginName
{
    private LoginName(string text, string canonical, EmailAddress? email) => (Text, Canonical, Email) = (text, canonical, email);

    /// <summary>As it was typed.</summary>
    public string Text { get; }

    /// <summary>
    /// ASCII letters in lower case. A user name that a domain is appended to has the address's form, so that both are one name.
    /// </summary>
    public string Canonical { get; }

    /// <summary>Null for a name that is not e-mail shaped.</summary>
    public EmailAddress? Email { get; }

    /// <summary>Blanks around an address are no part of it where a directory is asked, which would not see them either.</summary>
    /// <param name="appendDomain">Null where the directory does not make addresses that way.</param>
    public static LoginName Of(string text, string? appendDomain)
    {
        var email = EmailAddress.TryParse(text.Trim());
        var address = email ?? (appendDomain is null ? null : EmailAddress.TryParse($"{text}@{appendDomain}"));
        return new LoginName(email?.Text ?? text, address?.Canonical ?? CanonicalOf(text), email);
    }

    [return: NotNullIfNotNull(nameof(email))]
    public static implicit operator LoginName?(EmailAddress? email) => email is null ? null : new(email.Text, email.Canonical, email);

    /// <summary>Only ASCII letters lose their case, so that no look-alike becomes the name it resembles.</summary>
    public static string CanonicalOf(string text) => string.Create(text.Length, text, static (canonical, typed) =>
    {
        for (var i = 0; i < typed.Length; i++)
        {
            canonical[i] = char.IsAsciiLetterUpper(typed[i]) ? (char)(typed[i] | 0x20) : typed[i];
        }
    });

    public override string ToString() => "(login name)";
}
