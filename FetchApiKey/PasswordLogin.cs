// POST /api/v1/fetch_api_key: the request and its answers. What happens between them is Login.cs.

using FetchApiKey.Accounts;
using FetchApiKey.Attempts;
using Microsoft.AspNetCore.Http;

namespace FetchApiKey;

/// <summary>
/// Answers a user name and a password with the account's API key. The steps stand in the order of contract section 1.2,
/// and a step that refuses ends the request.
/// </summary>
public sealed class PasswordLogin(RealmStore realms, Login login, Settings settings)
{
    public async Task<Reply> AnswerAsync(EndpointRequest request, CancellationToken cancellation)
    {
        var (form, refusal) = await RequestForm.ReadAsync(request.Http, request.Lifetime);
        if (form is null)
        {
            return refusal!;
        }

        using (form)
        {
            if (form.TakeText("username") is not { } username)
            {
                return Reply.Missing("username");
            }

            using var password = form.TakePassword("password");
            if (password is null)
            {
                return Reply.Missing("password");
            }

            // Names the client in a Zulip server's statistics, which we do not keep.
            form.Accept("client");

            if (await request.Origin.RealmAsync(realms, settings, cancellation) is not { } realm)
            {
                return Reply.NonexistentSubdomain;
            }

            if (login.NameOf(realm, username) is not { } name)
            {
                return Reply.InvalidEmail;
            }

            var result = await login.TryAsync(realm, name, password, request.Client, request.Invocation, request.Lifetime);
            return ReplyTo(result, form.Unconsumed()).With(result.RateLimit);
        }
    }

    /// <summary>What the wire tells of an outcome, which is less than the operator learns.</summary>
    internal static Reply ReplyTo(LoginResult result, IReadOnlyCollection<string> ignored) => result.Outcome switch
    {
        LoginOutcome.LoggedIn => Reply.LoggedIn(result.ApiKey, result.Account!.Email, result.Account.UserId, ignored),
        LoginOutcome.RateLimited => Reply.RateLimited(result.RetryAfter),
        LoginOutcome.Unavailable or LoginOutcome.DirectoryUnavailable => Reply.Unavailable,
        LoginOutcome.PasswordAuthDisabled => Reply.PasswordAuthDisabled,
        LoginOutcome.RealmDeactivated => Reply.RealmDeactivated,
        LoginOutcome.UserDeactivated => Reply.UserDeactivated,
        LoginOutcome.PasswordResetRequired => Reply.PasswordResetRequired,
        _ => Reply.AuthenticationFailed,
    };
}
