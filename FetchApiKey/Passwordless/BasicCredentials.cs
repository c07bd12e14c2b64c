// E-mail address and API key of a request, as HTTP Basic authentication (RFC 7617) carries them.

using System.Text;

namespace FetchApiKey.Passwordless;

/// <summary>As a Zulip server reads them: white space around either is taken off, and there is one colon only.</summary>
public readonly record struct BasicCredentials(string Email, string ApiKey)
{
    /// <summary>The credentials, or the answer of a Zulip server to a header without them.</summary>
    public static (BasicCredentials? Credentials, Reply? Refusal) Read(string authorization)
    {
        if (authorization.Length == 0)
        {
            return (null, Reply.Unauthorized("Not logged in: API authentication or user session required"));
        }

        var parts = authorization.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        if (parts.Length == 2 && !parts[0].Equals("Basic", StringComparison.OrdinalIgnoreCase))
        {
            return (null, Reply.BadRequest("This endpoint requires HTTP basic authentication."));
        }

        var bytes = new byte[authorization.Length];
        return parts.Length == 2 && Convert.TryFromBase64String(parts[1], bytes, out var length) && Encoding.UTF8.GetString(bytes, 0, length).Split(':') is [var email, var key]
            ? (new BasicCredentials(email.Trim(), key.Trim()), null)
            : (null, Reply.Unauthorized("Invalid authorization header for basic auth"));
    }

    /// <summary>Nothing of it belongs in a log.</summary>
    public override string ToString() => nameof(BasicCredentials);
}
