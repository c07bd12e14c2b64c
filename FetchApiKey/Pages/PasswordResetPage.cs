// GET and POST /api/v1/password_reset: somebody with a link chooses a new password.

using FetchApiKey.Accounts;
using FetchApiKey.Attempts;
using FetchApiKey.Passwords;
using Microsoft.AspNetCore.Http;

namespace FetchApiKey.Pages;

/// <summary>
/// The link has its token in the query string, since a page without script cannot read a fragment. What keeps it in: the page names
/// nobody as referrer and loads nothing, the form sends it in its body, nothing here logs a query string, and what others may have logged
/// is used up with the first new password and dead after a while.
/// </summary>
public sealed class PasswordResetPage(RealmStore realms, PasswordReset reset, Settings settings)
{
    public const string Path = "/api/v1/password_reset";

    private const string Title = "Choose a new password";

    /// <summary>What to send to the person whom a token is for.</summary>
    /// <param name="origin">Where the realm is reached, without a slash at the end.</param>
    public static string LinkTo(string origin, InvitationToken token) => $"{origin}{Path}?token={token.Reveal()}";

    public async Task<Reply> AnswerAsync(EndpointRequest request, CancellationToken cancellation)
    {
        if (await request.Origin.RealmAsync(realms, settings, cancellation) is not { } realm)
        {
            return HtmlPage.NoOrganization;
        }

        var isPost = HttpMethods.IsPost(request.Http.Method);
        if (isPost && FormOrigin.IsElsewhere(request.Http, request.Origin, realm, hasProof: true))
        {
            return HtmlPage.SentFromElsewhere(realm);
        }

        var (form, refusal) = await RequestForm.ReadAsync(request.Http, request.Lifetime);
        if (form is null)
        {
            return HtmlPage.Unreadable(realm, refusal!.Status);
        }

        using (form)
        {
            var token = form.TakeText("token") ?? "";
            using var first = form.TakePassword("password") ?? TypedPassword.FromText("");
            using var again = form.TakePassword("password_again") ?? TypedPassword.FromText("");
            var result = await reset.TryAsync(
                realm, token, isPost ? new ChosenPassword(first, again) : null, request.Client, request.Invocation, request.Lifetime);
            return ReplyTo(result, realm, token);
        }
    }

    private static Reply ReplyTo(ResetResult result, Realm realm, string token) => result.Outcome switch
    {
        ResetOutcome.LinkGood => Form(200, realm, result.Account!, token),
        ResetOutcome.PasswordsDiffer => Form(
            400, realm, result.Account!, token, "The two passwords differ. Type the same one twice.", "password"),
        ResetOutcome.PasswordWeak => Form(400, realm, result.Account!, token, result.Weakness!.Value.Explanation(), "password"),
        ResetOutcome.PasswordChanged => HtmlPage.Notice(200, realm, "Your new password is set", Html.Of($"""
            <p>Log in with it from now on. If the account was locked after failed attempts, it should be open again. If it is not, ask the people who run this organization.</p>
            <p>Your API key is the same as before, so programs that were logged in stay logged in. If somebody else may have known your old password, ask the people who run this organization for a new key too.</p>
            <p><a href="{ApiKeyPage.Path}">Download your zuliprc</a></p>
            """)),
        ResetOutcome.PasswordUncertain => HtmlPage.Notice(503, realm, "Your new password may be set", Html.Of(
            $"<p>Something failed while it was being set. Try to log in with it in a minute. If it is refused, open the link again.</p>"))
            .After(Reply.UnavailableRetrySeconds),
        ResetOutcome.RateLimited => HtmlPage.RateLimited(realm, result.RetryAfter),
        ResetOutcome.RealmDeactivated => Refusal(realm, "This organization has been deactivated."),
        ResetOutcome.PasswordAuthDisabled => Refusal(realm, "Logging in with a password of its own is switched off in this organization."),
        ResetOutcome.UserDeactivated => Refusal(realm, "Your account is deactivated. Ask the people who run this organization."),
        _ => HtmlPage.Notice(404, realm, "This link cannot be used", Html.Of(
            $"<p>It has been used already, has expired, has been replaced by a newer one, or is not whole. Ask whoever sent it to you for a new one.</p>")),
    };

    private static Reply Refusal(Realm realm, string text) =>
        HtmlPage.Notice(403, realm, "You cannot choose a password", Html.Of($"<p>{text}</p>"));

    private static Reply Form(int status, Realm realm, Account account, string token, string error = "", string errorField = "") =>
        HtmlPage.Form(
        status, realm, Title, Path, Html.Nothing,
        [
            new Field("username", "Account", Html.Of($"type=\"text\" autocomplete=\"username\" readonly"), Value: account.Email),
            new Field("password", "New password", Html.Of($"type=\"password\" autocomplete=\"new-password\" required"),
                FormattableString.Invariant($"{PasswordStrength.MinCharacters} to {PasswordStrength.MaxCharacters} characters, and not easy to guess. Some words that have nothing to do with each other are good.")),
            new Field("password_again", "New password again", Html.Of($"type=\"password\" autocomplete=\"new-password\" required")),
        ],
        Html.Of($"<input type=\"hidden\" name=\"token\" value=\"{token}\">\n"), "Set the password", error, errorField, MayName.Nobody);
}
