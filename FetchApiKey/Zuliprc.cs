// The file in which Zulip's clients look for an account and its key.

namespace FetchApiKey;

/// <summary>An INI file with one section, contract section 8. Values stand as they are, since its readers agree on no way to quote them.</summary>
public static class Zuliprc
{
    /// <summary>
    /// As a Zulip server's own page calls it. A leading full stop, which the clients want, does not survive a download: browsers take it away.
    /// </summary>
    public const string FileName = "zuliprc";

    /// <param name="site">An origin: no path, no slash at the end.</param>
    /// <exception cref="ArgumentException">A value has a line break, with which it could bring lines of its own. The message quotes none.</exception>
    public static string Write(string email, string key, string site)
    {
        if (string.Concat(email, key, site).AsSpan().IndexOfAny('\r', '\n') >= 0)
        {
            throw new ArgumentException("A value of a zuliprc has no line breaks.");
        }

        return $"[api]\nemail={email}\nkey={key}\nsite={site}\n";
    }
}
