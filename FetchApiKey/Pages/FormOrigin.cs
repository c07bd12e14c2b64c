// Where a form was sent from, as far as the browser says.

using FetchApiKey.Accounts;
using Microsoft.AspNetCore.Http;

namespace FetchApiKey.Pages;

/// <summary>
/// Keeps another site from filling in our forms with a visitor's browser, for instance to hand them the key of an account that is not theirs. Browsers
/// say where a form comes from in Sec-Fetch-Site (over https and on this machine), older ones and plain http in Origin alone; a client
/// that says neither is no browser, and nobody is lured into using one.
/// </summary>
public static class FormOrigin
{
    /// <param name="hasProof">
    /// Whether the form carries something that only our page could have given it. Its page names nobody as referrer, so its Origin is "null".
    /// </param>
    public static bool IsElsewhere(HttpRequest request, RequestOrigin origin, Realm realm, bool hasProof)
    {
        var site = request.Headers["Sec-Fetch-Site"].ToString();
        if (site.Length > 0)
        {
            return site is not ("same-origin" or "none");
        }

        var sender = request.Headers.Origin.ToString();
        if (sender.Length == 0 || (hasProof && sender == "null"))
        {
            return false;
        }

        // The scheme is the proxy's affair: one that ends TLS leaves us http.
        return !(Uri.TryCreate(sender, UriKind.Absolute, out var url)
            && (IsOf(url, origin.ToString()) || (realm.PublicUrl is { } publicUrl && IsOf(url, publicUrl))));
    }

    private static bool IsOf(Uri sender, string origin) =>
        Uri.TryCreate(origin, UriKind.Absolute, out var own) && sender.Host == own.Host && (sender.Port == own.Port || (sender.IsDefaultPort && own.IsDefaultPort));
}
