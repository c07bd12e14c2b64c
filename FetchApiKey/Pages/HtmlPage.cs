// What all pages share: the document around them, its style, and what a browser may do with it.

using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using FetchApiKey.Accounts;

namespace FetchApiKey.Pages;

/// <summary>A field of a form.</summary>
/// <param name="Attributes">What tells browsers and password managers what belongs in it.</param>
/// <param name="Hint">Stands below the label; empty for none.</param>
/// <param name="Value">What it is filled with; never a password.</param>
public sealed record Field(string Name, string Label, Html Attributes, string Hint = "", string Value = "");

/// <summary>
/// Pages for people: no script, no picture, no cookie, one style sheet inside the page, which the Content-Security-Policy names by its digest.
/// An error is an alert, stands in the title too, and is what the field that it belongs to is described by and begins with the focus.
/// </summary>
public static class HtmlPage
{
    private const string Style = """

        :root { color-scheme: light dark; --page: #f3f4f8; --card: #fff; --text: #1c1e26; --soft: #565b6b; --line: #767c8e; --accent: #3f4fd8; --on-accent: #fff; --error: #a8121f; --error-page: #fdeeee; }
        @media (prefers-color-scheme: dark) {
          :root { --page: #14151b; --card: #1f212a; --text: #eceef5; --soft: #b0b5c5; --line: #868ca0; --accent: #a9b4ff; --on-accent: #14151b; --error: #ffb3b3; --error-page: #3a1c20; }
        }
        * { box-sizing: border-box; }
        body { margin: 0; background: var(--page); color: var(--text); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
        main { max-width: 27rem; margin: clamp(1rem, 8vh, 5rem) auto; padding: 1.75rem; background: var(--card); border-radius: .75rem; box-shadow: 0 1px 3px #0003, 0 8px 24px #00000014; }
        @media (max-width: 28rem) { main { margin: 0; min-height: 100vh; border-radius: 0; box-shadow: none; padding: 1.25rem; } }
        .realm { margin: 0; color: var(--soft); font-weight: 600; }
        h1 { margin: 0 0 1rem; font-size: 1.5rem; line-height: 1.25; }
        label { display: block; margin-top: 1rem; font-weight: 600; }
        .hint { margin: 0; color: var(--soft); font-size: .9rem; }
        input { width: 100%; min-height: 2.75rem; margin-top: .25rem; padding: .5rem .75rem; font: inherit; color: inherit; background: var(--card); border: 1px solid var(--line); border-radius: .5rem; }
        input[readonly] { border-style: dashed; }
        input[aria-invalid] { border-color: var(--error); border-width: 2px; }
        button { width: 100%; min-height: 2.75rem; margin-top: 1.5rem; padding: .5rem 1rem; font: inherit; font-weight: 600; color: var(--on-accent); background: var(--accent); border: 1px solid transparent; border-radius: .5rem; cursor: pointer; }
        a { color: var(--accent); }
        code { font-size: .95em; }
        :focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
        .error { margin: 0 0 1rem; padding: .75rem 1rem; color: var(--error); background: var(--error-page); border-left: 4px solid; border-radius: .25rem; }

        """;

    private const string ErrorId = "error";

    private static readonly string Policy =
        $"default-src 'none'; style-src 'sha256-{Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(Style)))}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

    /// <summary>404 for a host that belongs to no realm.</summary>
    public static Reply NoOrganization { get; } = Notice(404, null, "No organization here", Html.Of($"<p>There is no organization at this address. Look at the address again.</p>"));

    /// <summary>403 for a form that another site sent.</summary>
    public static Reply SentFromElsewhere(Realm realm) => Notice(403, realm, "Sent from another site", Html.Of(
        $"<p>Your browser says that another site sent this form, so nothing was done with it. Open the address or the link that you were given, and fill in the form there.</p>"));

    /// <summary>400, 408 or 413, for what no browser makes of a form of ours.</summary>
    public static Reply Unreadable(Realm realm, int status) => Notice(status, realm, "Not readable", Html.Of($"<p>What was sent is no form of this page's. Nothing was done with it.</p>"));

    /// <summary>503, E18 for people.</summary>
    public static Reply Unavailable { get; } = Notice(503, null, "Not available just now", Html.Of(
        $"<p>Nothing was done. Go back and try again in a minute.</p>")).After(Reply.UnavailableRetrySeconds);

    /// <summary>500, E17 for people.</summary>
    public static Reply InternalError { get; } = Notice(500, null, "Something went wrong", Html.Of(
        $"<p>This is a fault of the server's. Tell the people who run it if it happens again.</p>"));

    /// <summary>429. The time is rounded up to whole minutes.</summary>
    public static Reply RateLimited(Realm realm, TimeSpan retryAfter)
    {
        var minutes = Math.Max(1, (int)Math.Ceiling(retryAfter.TotalMinutes));
        var wait = minutes == 1 ? "a minute" : string.Create(CultureInfo.InvariantCulture, $"{minutes} minutes");
        return Notice(429, realm, "Too many attempts", Html.Of($"<p>Try again in {wait}.</p>")).After((int)Math.Ceiling(retryAfter.TotalSeconds));
    }

    /// <summary>A page that says something and asks nothing.</summary>
    public static Reply Notice(int status, Realm? realm, string title, Html content) => Document(status, realm, title, title, content, MayName.Nobody);

    /// <param name="error">What was wrong with what came in; empty for a form that is offered for the first time.</param>
    /// <param name="errorField">The field that the error is about.</param>
    public static Reply Form(
        int status, Realm realm, string title, string path, Html introduction, IReadOnlyList<Field> fields, Html hidden, string button, string error, string errorField, MayName referrer)
    {
        var alert = error.Length > 0 ? Html.Of($"<p class=\"error\" id=\"{ErrorId}\" role=\"alert\">{error}</p>") : Html.Nothing;
        var focus = errorField.Length > 0 ? errorField : fields.First(field => field.Value.Length == 0).Name;
        var inputs = fields.Aggregate(Html.Nothing, (before, field) => Html.Of($"{before}{Input(field, field.Name == focus, field.Name == errorField)}"));
        var content = Html.Of($"""
            {alert}{introduction}<form method="post" action="{path}">
            {hidden}{inputs}<button type="submit">{button}</button>
            </form>
            """);
        return Document(status, realm, title, error.Length > 0 ? $"Error: {title}" : title, content, referrer);
    }

    private static Html Input(Field field, bool isFocused, bool isInvalid)
    {
        var hint = field.Hint.Length > 0 ? Html.Of($"<p class=\"hint\" id=\"{field.Name}-hint\">{field.Hint}</p>\n") : Html.Nothing;
        var described = string.Join(' ', new[] { isInvalid ? ErrorId : "", field.Hint.Length > 0 ? $"{field.Name}-hint" : "" }.Where(id => id.Length > 0));
        var description = described.Length > 0 ? Html.Of($" aria-describedby=\"{described}\"") : Html.Nothing;
        var invalid = isInvalid ? Html.Of($" aria-invalid=\"true\"") : Html.Nothing;
        var focus = isFocused ? Html.Of($" autofocus") : Html.Nothing;
        var value = field.Value.Length > 0 ? Html.Of($" value=\"{field.Value}\"") : Html.Nothing;
        return Html.Of($"""
            <label for="{field.Name}">{field.Label}</label>
            {hint}<input id="{field.Name}" name="{field.Name}"{value} {field.Attributes}{description}{invalid}{focus}>

            """);
    }

    private static Reply Document(int status, Realm? realm, string heading, string title, Html content, MayName referrer)
    {
        var name = realm?.Name is { Length: > 0 } known ? known : "";
        var above = name.Length > 0 ? Html.Of($"<p class=\"realm\">{name}</p>\n") : Html.Nothing;
        var document = Html.Of($"""
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>{title}{(name.Length > 0 ? $" - {name}" : "")}</title>
            {Html.StyleElement(Style)}
            </head>
            <body>
            <main>
            {above}<h1>{heading}</h1>
            {content}
            </main>
            </body>
            </html>

            """);
        return Reply.Page(status, document.ToString(), Policy, referrer == MayName.SameOrigin ? "same-origin" : "no-referrer");
    }
}

/// <summary>Whom a browser may tell the page's address, in Referer and, for a form that is sent, in Origin.</summary>
public enum MayName
{
    Nobody = 0,
    SameOrigin,
}
