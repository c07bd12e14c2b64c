// Every answer the endpoint can give: statuses, bodies and headers, byte for byte as the wire contract has them.

using System.Globalization;
using System.Text;
using FetchApiKey.Attempts;
using Microsoft.AspNetCore.Http;

namespace FetchApiKey;

/// <summary>
/// A complete HTTP answer: compact JSON with one LF at the end, or for people a page or a file; and the headers of contract section 1.6.
/// </summary>
public sealed class Reply : IResult
{
    /// <summary>Seconds after which a client may try again when storage was away or the hashing queue was full.</summary>
    public const int UnavailableRetrySeconds = 5;

    private readonly ReadOnlyMemory<byte> _body;

    private Reply(int status, ReadOnlyMemory<byte> body)
    {
        Status = status;
        _body = body;
    }

    private Reply(Reply other)
        : this(other.Status, other._body)
    {
        ContentType = other.ContentType;
        FileName = other.FileName;
        ContentSecurityPolicy = other.ContentSecurityPolicy;
        ReferrerPolicy = other.ReferrerPolicy;
        Allow = other.Allow;
        Challenge = other.Challenge;
        RateLimit = other.RateLimit;
        RetryAfter = other.RetryAfter;
    }

    public int Status { get; }

    /// <summary>The body as it goes out; empty for a 204.</summary>
    public ReadOnlyMemory<byte> Body => _body;

    private string ContentType { get; init; } = "application/json";

    /// <summary>For a file: the name under which a browser saves it.</summary>
    private string? FileName { get; init; }

    /// <summary>For a page: what it may load, and where its forms may go.</summary>
    private string? ContentSecurityPolicy { get; init; }

    private string? ReferrerPolicy { get; init; }

    /// <summary>The methods that the path accepts, for a 405.</summary>
    private string? Allow { get; init; }

    /// <summary>What the answer says of the attempt limit, where check 6 ran.</summary>
    private RateLimit? RateLimit { get; init; }

    /// <summary>The authentication that the path wants, for a 401 which lacks it.</summary>
    private string? Challenge { get; init; }

    /// <summary>Whole seconds, as RFC 9110 section 10.2.3 wants them.</summary>
    private int? RetryAfter { get; init; }

    // ---- Outcomes of a login, in the order of the checks (contract sections 1.3 and 1.4) ----

    /// <summary>405, contract section 3. <paramref name="allowed"/> is sent as the Allow header and in the body.</summary>
    public static Reply MethodNotAllowed(params string[] allowed) => Json(405, json =>
    {
        json.WriteString("result", "error");
        json.WriteString("msg", "Method Not Allowed");
        json.WriteStartArray("allowed_methods");
        foreach (var method in allowed)
        {
            json.WriteStringValue(method);
        }

        json.WriteEndArray();
    }, allow: string.Join(", ", allowed));

    /// <summary>400 for a body that breaks its own format or our field limit (contract section 1.1, "limits").</summary>
    public static Reply BadRequest(string message) => Error(400, message, "BAD_REQUEST");

    /// <summary>408: the body did not arrive in time.</summary>
    public static Reply BodyTimedOut { get; } = Error(408, "Request timed out", "BAD_REQUEST");

    /// <summary>413 for a body over <see cref="RequestForm.MaxBodyBytes"/>.</summary>
    public static Reply BodyTooLarge { get; } = Error(413, "Request body too large", "BAD_REQUEST");

    /// <summary>E1 and E2.</summary>
    public static Reply Missing(string parameter) => Json(400, json =>
    {
        json.WriteString("result", "error");
        json.WriteString("msg", $"Missing '{parameter}' argument");
        json.WriteString("var_name", parameter);
        json.WriteString("code", "REQUEST_VARIABLE_MISSING");
    });

    /// <summary>E3.</summary>
    public static Reply NonexistentSubdomain { get; } = Error(404, "Invalid subdomain", "NONEXISTENT_SUBDOMAIN");

    /// <summary>E4.</summary>
    public static Reply InvalidEmail { get; } = Error(400, "Enter a valid email address.", "BAD_REQUEST");

    /// <summary>E16. The time in the body is a number with a fraction; the header's is rounded up to whole seconds.</summary>
    public static Reply RateLimited(TimeSpan retryAfter) => Json(429, json =>
    {
        json.WriteString("result", "error");
        json.WriteString("msg", "API usage exceeded rate limit");
        json.WriteString("code", "RATE_LIMIT_HIT");
        json.WriteSeconds("retry-after", retryAfter);
    }, retryAfter: (int)Math.Ceiling(retryAfter.TotalSeconds));

    /// <summary>E13.</summary>
    public static Reply PasswordAuthDisabled { get; } =
        Error(401, "Password authentication is disabled in this organization", "PASSWORD_AUTH_DISABLED");

    /// <summary>E5, the one answer to every wrong pair of name and password, whatever was wrong with it.</summary>
    public static Reply AuthenticationFailed { get; } =
        Error(401, "Your username or password is incorrect", "AUTHENTICATION_FAILED");

    /// <summary>E11, only for someone who gave the right password.</summary>
    public static Reply RealmDeactivated { get; } =
        Error(401, "This organization has been deactivated", "REALM_DEACTIVATED");

    /// <summary>E9, only for someone who gave the right password.</summary>
    public static Reply UserDeactivated { get; } = Error(401, "Account is deactivated", "USER_DEACTIVATED");

    /// <summary>E15.</summary>
    public static Reply PasswordResetRequired { get; } =
        Error(401, "Your password has been disabled and needs to be reset", "PASSWORD_RESET_REQUIRED");

    /// <summary>200, contract section 1.3; <paramref name="ignored"/> as in section 2, left out when empty.</summary>
    public static Reply LoggedIn(string apiKey, string email, int userId, IReadOnlyCollection<string> ignored) => Json(200, json =>
    {
        json.WriteString("result", "success");
        json.WriteString("msg", "");
        json.WriteString("api_key", apiKey);
        json.WriteString("email", email);
        json.WriteNumber("user_id", userId);
        WriteIgnored(json, ignored);
    });

    /// <summary>200 for a JSON web token, contract section 5: without the user id, and with the profile where it was asked for.</summary>
    /// <param name="profile">Writes the members of the profile; null where nobody asked.</param>
    public static Reply LoggedInByToken(string apiKey, string email, Action<JsonBody>? profile, IReadOnlyCollection<string> ignored) => Json(200, json =>
    {
        json.WriteString("result", "success");
        json.WriteString("msg", "");
        json.WriteString("api_key", apiKey);
        json.WriteString("email", email);
        if (profile is not null)
        {
            json.WriteStartObject("user");
            profile(json);
            json.WriteEndObject();
        }

        WriteIgnored(json, ignored);
    });

    /// <summary>200 for a new API key, contract section 5.</summary>
    public static Reply KeyChanged(string apiKey) => Json(200, json =>
    {
        json.WriteString("result", "success");
        json.WriteString("msg", "");
        json.WriteString("api_key", apiKey);
    });

    /// <summary>200 for the accounts of the development variant, contract section 5.</summary>
    public static Reply DevelopmentUsers(IEnumerable<(string Email, string Url)> admins, IEnumerable<(string Email, string Url)> users) => Json(200, json =>
    {
        json.WriteString("result", "success");
        json.WriteString("msg", "");
        foreach (var (name, some) in new[] { ("direct_admins", admins), ("direct_users", users) })
        {
            json.WriteStartArray(name);
            foreach (var (email, url) in some)
            {
                json.WriteStartObject();
                json.WriteString("email", email);
                json.WriteString("realm_url", url);
                json.WriteEndObject();
            }

            json.WriteEndArray();
        }
    });

    /// <summary>401 for who wants in with an API key and has not the right one, contract section 5.</summary>
    public static Reply Unauthorized(string message) => new(401, Error(401, message, "UNAUTHORIZED")._body) { Challenge = "Basic realm=\"zulip\"" };

    // ---- Answers that are not about one login ----

    /// <summary>200 for who asks whether all is well.</summary>
    public static Reply Healthy { get; } = Json(200, json =>
    {
        json.WriteString("result", "success");
        json.WriteString("msg", "");
    });

    /// <summary>404 for a path that is not ours (contract section 3).</summary>
    public static Reply NotFound { get; } = Error(404, "Not found", "BAD_REQUEST");

    /// <summary>400 of server_settings for a host that belongs to no realm (contract section 6).</summary>
    public static Reply InvalidSubdomain { get; } = Error(400, "Invalid subdomain", "BAD_REQUEST");

    /// <summary>204, the answer to a CORS preflight that the operator's settings allow.</summary>
    public static Reply PreflightAccepted { get; } = new(204, default);

    /// <summary>E17.</summary>
    public static Reply InternalError { get; } = Json(500, json =>
    {
        json.WriteString("result", "error");
        json.WriteString("msg", "Internal server error");
    });

    /// <summary>E18.</summary>
    public static Reply Unavailable { get; } = Json(503, json =>
    {
        json.WriteString("result", "error");
        json.WriteString("msg", "Service temporarily unavailable");
        json.WriteString("code", "SERVICE_UNAVAILABLE");
    }, retryAfter: UnavailableRetrySeconds);

    /// <summary>An answer whose members <paramref name="members"/> writes, in the order in which they shall appear.</summary>
    public static Reply Json(int status, Action<JsonBody> members, string? allow = null, int? retryAfter = null) =>
        new(status, JsonBody.Of(members)) { Allow = allow, RetryAfter = retryAfter };

    // ---- Answers for people ----

    /// <param name="contentSecurityPolicy">Content Security Policy Level 3.</param>
    /// <param name="referrerPolicy">What a browser may tell of the page's address to where it goes next.</param>
    public static Reply Page(int status, string html, string contentSecurityPolicy, string referrerPolicy) => new(status, Encoding.UTF8.GetBytes(html))
    {
        ContentType = "text/html; charset=utf-8",
        ContentSecurityPolicy = contentSecurityPolicy,
        ReferrerPolicy = referrerPolicy,
    };

    /// <summary>200 with a file to be saved and not shown.</summary>
    /// <param name="fileName">Letters alone, so that the header needs no encoding.</param>
    public static Reply Download(string content, string fileName) => new(200, Encoding.UTF8.GetBytes(content))
    {
        ContentType = "application/octet-stream",
        FileName = fileName,
    };

    /// <summary>The same answer with the headers of the attempt limit.</summary>
    public Reply With(RateLimit rateLimit) => new(this) { RateLimit = rateLimit };

    /// <summary>The same answer with the whole seconds after which it is worth trying again.</summary>
    public Reply After(int seconds) => new(this) { RetryAfter = seconds };

    /// <summary>Writes the answer. A HEAD request gets the headers alone, the length of the body among them.</summary>
    public async Task ExecuteAsync(HttpContext httpContext)
    {
        var response = httpContext.Response;
        response.StatusCode = Status;
        response.Headers.CacheControl = "no-store";
        response.Headers.XContentTypeOptions = "nosniff";
        response.Headers.Vary = response.Headers.Vary.Count == 0
            ? "Accept-Language"
            : string.Concat(response.Headers.Vary, ", Accept-Language");
        response.Headers.ContentLanguage = "en";
        if (Status == StatusCodes.Status408RequestTimeout)
        {
            // What may still arrive is nobody's: RFC 9110 section 15.5.9.
            response.Headers.Connection = "close";
        }

        if (Allow is not null)
        {
            response.Headers.Allow = Allow;
        }

        if (Challenge is not null)
        {
            response.Headers.WWWAuthenticate = Challenge;
        }

        if (RetryAfter is { } seconds)
        {
            response.Headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
        }

        if (RateLimit is { } limit)
        {
            response.Headers["X-RateLimit-Limit"] = limit.Limit.ToString(CultureInfo.InvariantCulture);
            response.Headers["X-RateLimit-Remaining"] = limit.Remaining.ToString(CultureInfo.InvariantCulture);
            response.Headers["X-RateLimit-Reset"] = limit.Reset.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        }

        if (FileName is not null)
        {
            response.Headers.ContentDisposition = $"attachment; filename=\"{FileName}\"";
        }

        if (ContentSecurityPolicy is not null)
        {
            response.Headers.ContentSecurityPolicy = ContentSecurityPolicy;
            response.Headers["Referrer-Policy"] = ReferrerPolicy;
        }

        if (_body.IsEmpty)
        {
            return;
        }

        response.ContentType = ContentType;
        response.ContentLength = _body.Length;
        if (!HttpMethods.IsHead(httpContext.Request.Method))
        {
            await response.Body.WriteAsync(_body, httpContext.RequestAborted);
        }
    }

    private static void WriteIgnored(JsonBody json, IReadOnlyCollection<string> ignored)
    {
        if (ignored.Count == 0)
        {
            return;
        }

        json.WriteStartArray("ignored_parameters_unsupported");
        foreach (var name in ignored)
        {
            json.WriteStringValue(name);
        }

        json.WriteEndArray();
    }

    private static Reply Error(int status, string message, string code) => Json(status, json =>
    {
        json.WriteString("result", "error");
        json.WriteString("msg", message);
        json.WriteString("code", code);
    });
}
