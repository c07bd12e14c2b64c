// GET and POST /api/v1/api_key: a person logs in and downloads a zuliprc.

using FetchApiKey.Accounts;
using FetchApiKey.Attempts;
using Microsoft.AspNetCore.Http;

namespace FetchApiKey.Pages;

/// <summary>
/// The manual way to a key. The login is the same as everybody's, with its limits and its audit trail; only the answers are for people.
/// </summary>
public sealed class ApiKeyPage(RealmStore realms, Login login, Settings settings)
{
    public const string Path = "/api/v1/api_key";

    public async Task<Reply> AnswerAsync(EndpointRequest request, CancellationToken cancellation)
    {
        if (await request.Origin.RealmAsync(realms, settings, cancellation) is not { } realm)
        {
            return HtmlPage.NoOrganization;
        }

        if (!HttpMethods.IsPost(request.Http.Method))
        {
            return Form(200, realm);
        }

        if (FormOrigin.IsElsewhere(request.Http, request.Origin, realm, hasProof: false))
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
            var username = form.TakeText("username") ?? "";
            using var password = form.TakePassword("password");
            if (login.NameOf(realm, username) is not { } name)
            {
                return Form(400, realm, username, "Enter a valid e-mail address.", "username");
            }

            if (password is null)
            {
                return Form(400, realm, username, "Enter your password.", "password");
            }

            var result = await login.TryAsync(realm, name, password, request.Client, request.Invocation, request.Lifetime);
            return ReplyTo(result, realm, realm.PublicUrl ?? request.Origin.ToString(), username).With(result.RateLimit);
        }
    }

    /// <summary>The same statuses as the API's; a page tells no more than they do.</summary>
    private static Reply ReplyTo(LoginResult result, Realm realm, string site, string username) => result.Outcome switch
    {
        LoginOutcome.LoggedIn => Reply.Download(Zuliprc.Write(result.Account!.Email, result.ApiKey, site), Zuliprc.FileName),
        LoginOutcome.RateLimited => HtmlPage.RateLimited(realm, result.RetryAfter),
        LoginOutcome.Unavailable or LoginOutcome.DirectoryUnavailable => HtmlPage.Unavailable,
        LoginOutcome.PasswordAuthDisabled => Notice(realm, "Logging in with a password is switched off in this organization."),
        LoginOutcome.RealmDeactivated => Notice(realm, "This organization has been deactivated."),
        LoginOutcome.UserDeactivated => Notice(realm, "Your account is deactivated. Ask the people who run this organization."),
        LoginOutcome.PasswordResetRequired => Notice(realm, "Your password was right, but it is too weak to be kept and has been disabled. Ask the people who run this organization for a link to choose a new one."),
        _ => Form(401, realm, username, "Your e-mail address or password is incorrect.", "password"),
    };

    private static Reply Notice(Realm realm, string text) => HtmlPage.Notice(401, realm, "You cannot log in", Html.Of($"<p>{text}</p>"));

    private static Reply Form(int status, Realm realm, string username = "", string error = "", string errorField = "") => HtmlPage.Form(
        status, realm, "Get your API key", Path,
        Html.Of($"""
            <p>Log in to download your <code>zuliprc</code>, the file in which clients and bots find your API key. Save it as <code>.zuliprc</code> in your home directory, and keep it as secret as your password.</p>

            """),
        [
            new Field("username", "E-mail address", Html.Of($"type=\"text\" inputmode=\"email\" autocomplete=\"username\" autocapitalize=\"none\" spellcheck=\"false\" required"), Value: username),
            new Field("password", "Password", Html.Of($"type=\"password\" autocomplete=\"current-password\" required")),
        ],
        Html.Nothing, "Download zuliprc", error, errorField, MayName.SameOrigin);
}
