// POST /api/v1/jwt/fetch_api_key: the key of whom a token names that somebody trusted has signed.

using System.Globalization;
using System.Text;
using System.Text.Json;
using FetchApiKey.Accounts;
using FetchApiKey.Attempts;
using FetchApiKey.Audit;
using Microsoft.AspNetCore.Http;

namespace FetchApiKey.Passwordless;

/// <summary>
/// There is no password to guess, but a token that does not hold counts as a failure of the client's address, so that nobody
/// tries secrets at will. What follows from a token that holds is not counted: its signer knows the secret.
/// </summary>
public sealed class JwtLogin(RealmStore realms, Login login, Settings settings, TimeProvider time)
{
    /// <summary>Of a boolean; whatever is nested deeper is told as no JSON.</summary>
    private const int MaxParameterDepth = 64;

    private static readonly Reply NotEnabled = Reply.BadRequest("JWT authentication is not enabled for this organization");
    private static readonly Reply NoToken = Reply.BadRequest("No JSON web token passed in request");
    private static readonly Reply BadToken = Reply.BadRequest("Bad JSON web token");
    private static readonly Reply NoEmail = Reply.BadRequest("No email specified in JSON web token claims");

    private readonly Dictionary<string, TokenValidator> _validators =
        settings.Jwt.ToDictionary(section => section.Key, section => new TokenValidator(section.Value, time), StringComparer.Ordinal);

    /// <summary>The steps stand in the order of contract section 5.</summary>
    public async Task<Reply> AnswerAsync(EndpointRequest request, CancellationToken cancellation)
    {
        var (form, refusal) = await RequestForm.ReadAsync(request.Http, request.Lifetime);
        if (form is null)
        {
            return refusal!;
        }

        using (form)
        {
            var token = form.TakeText("token") ?? "";
            form.Accept("client");
            if (!TryReadBoolean(form.TakeText("include_profile"), out var includeProfile, out var fault))
            {
                return Reply.BadRequest($"include_profile {fault}");
            }

            if (await request.Origin.RealmAsync(realms, settings, cancellation) is not { } realm)
            {
                return Reply.NonexistentSubdomain;
            }

            if (!_validators.TryGetValue(realm.Subdomain, out var validator))
            {
                return NotEnabled;
            }

            if (token.Length == 0)
            {
                return NoToken;
            }

            var reading = default(TokenReading);
            var result = await login.LimitAsync(
                SecurityEventKind.TokenLogin, realm, name: null, request.Client, request.Invocation, request.Lifetime,
                async attempt =>
                {
                    attempt.Begin();
                    reading = await validator.ReadAsync(token);
                    return reading.Holds
                        ? await login.AdmitAsync(realm, reading.Email is { } email ? EmailAddress.TryParse(email.Trim()) : null, request.Lifetime.Deadline)
                        : new LoginResult(LoginOutcome.TokenRefused, null);
                });
            return ReplyTo(result, reading, includeProfile, form.Unconsumed()).With(result.RateLimit);
        }
    }

    private static Reply ReplyTo(LoginResult result, TokenReading reading, bool includeProfile, IReadOnlyCollection<string> ignored) =>
        result switch
    {
        { Outcome: LoginOutcome.LoggedIn, Account: { } account } =>
            Reply.LoggedInByToken(result.ApiKey, account.Email, includeProfile ? json => WriteProfile(json, account) : null, ignored),
        { Outcome: LoginOutcome.TokenRefused } => BadToken,
        _ when reading is { Holds: true, Email: null } => NoEmail,
        _ => PasswordLogin.ReplyTo(result, ignored),
    };

    /// <summary>
    /// A Zulip server's user object, in its order, as far as an account's row fills it: without avatar_version, which it has not, and
    /// without full_name and date_joined where they are not known. The accounts here are persons', so is_bot is false.
    /// </summary>
    private static void WriteProfile(JsonBody json, Account account)
    {
        json.WriteString("email", account.Email);
        json.WriteNumber("user_id", account.UserId);
        json.WriteBoolean("is_admin", account.IsAdministrator);
        json.WriteBoolean("is_owner", account.Role == Account.Owner);
        json.WriteBoolean("is_guest", account.Role == Account.Guest);
        json.WriteNumber("role", account.Role);
        json.WriteBoolean("is_bot", false);
        if (account.FullName.Length > 0)
        {
            json.WriteString("full_name", account.FullName);
        }

        json.WriteString("timezone", "");
        json.WriteBoolean("is_active", account.IsActive);
        if (account.Created > DateTimeOffset.MinValue)
        {
            json.WriteString(
                "date_joined", account.Created.ToUniversalTime().ToString("yyyy-MM-dd'T'HH:mm'+00:00'", CultureInfo.InvariantCulture));
        }

        json.WriteString("delivery_email", account.Email);
        json.WriteNull("avatar_url");
    }

    /// <summary>A parameter that is JSON; false where it is absent.</summary>
    private static bool TryReadBoolean(string? text, out bool value, out string fault)
    {
        (value, fault) = (false, "");
        if (text is null)
        {
            return true;
        }

        var json = JsonMembers.Value(Encoding.UTF8.GetBytes(text), MaxParameterDepth, out _);
        fault = json is null ? "is not valid JSON" : "is not a boolean";
        value = json?.ValueKind == JsonValueKind.True;
        return json?.ValueKind is JsonValueKind.True or JsonValueKind.False;
    }
}
