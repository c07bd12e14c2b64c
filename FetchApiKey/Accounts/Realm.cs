// An organisation: its rows in the realms table, and the rule for a subdomain.

using System.Text.RegularExpressions;
using Azure.Data.Tables;

namespace FetchApiKey.Accounts;

[Flags]
public enum PasswordBackends
{
    None = 0,
    Email = 1,
}

/// <summary>
/// An organisation. Row: PartitionKey "realm", RowKey the subdomain and a full stop (the root realm's subdomain is
/// empty); columns Name, Description, Icon, PublicUrl (strings), IsActive, EmailBackend (booleans).
/// </summary>
/// <param name="Subdomain">Empty for the root realm, else one DNS label in lower case.</param>
/// <param name="Name">Shown by clients.</param>
/// <param name="Description">Shown by clients, which read it as HTML.</param>
/// <param name="Icon">A URL, absolute or from the root of the realm's origin; may be empty.</param>
/// <param name="PublicUrl">The origin clients reach the realm at; null where the request's own origin is right.</param>
public sealed partial record Realm(
    string Subdomain, string Name, string Description, string Icon, string? PublicUrl, bool IsActive, PasswordBackends Backends)
{
    public const string Partition = "realm";

    /// <summary>A subdomain that stands for the root realm, unless there is a realm of that name from before.</summary>
    public const string RootAlias = "www";

    internal static readonly string[] Columns = ["Name", "Description", "Icon", "PublicUrl", "IsActive", "EmailBackend"];

    public static bool IsSubdomain(string text) => text.Length == 0 || Label().IsMatch(text);

    /// <summary>
    /// Null when <paramref name="text"/> is not the URL of an origin: http or https, no user information, path, query
    /// or fragment. Gives it as clients want it, without a slash at the end.
    /// </summary>
    public static string? OriginOf(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var url)
        && (url.Scheme == Uri.UriSchemeHttps || url.Scheme == Uri.UriSchemeHttp)
        && url is { UserInfo: "", PathAndQuery: "/", Fragment: "" } && !text.Contains('\\', StringComparison.Ordinal)
            ? url.GetLeftPart(UriPartial.Authority)
            : null;

    /// <summary>
    /// Whether it is a picture's address that clients can be told: http or https without user information, or a path from the root of the
    /// realm's origin. Browsers leave blanks and control characters out, so that "java\nscript:" is a scheme to them: none may be in it.
    /// </summary>
    public static bool IsIcon(string text) =>
        text.Length == 0
        || (!text.Any(c => char.IsControl(c) || char.IsWhiteSpace(c) || c is '\\' or '"' or '<' or '>')
            && (text[0] == '/' ? !text.StartsWith("//", StringComparison.Ordinal) : IsWebAddress(text)));

    private static bool IsWebAddress(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var url)
        && (url.Scheme == Uri.UriSchemeHttps || url.Scheme == Uri.UriSchemeHttp)
        && url is { UserInfo: "", Host.Length: > 0 }
        && text.StartsWith($"{url.Scheme}://{url.Host[0]}", StringComparison.OrdinalIgnoreCase);

    public static string RowKey(string subdomain) => subdomain + ".";

    /// <summary>The subdomain that a row is of; null where its name is that of no realm.</summary>
    internal static string? SubdomainOf(StoredRow row) => row.Row is [.., '.'] && IsSubdomain(row.Row[..^1]) ? row.Row[..^1] : null;

    /// <summary>Null for a row that has a fault. What another program wrote is held to the rules of what an operator may say.</summary>
    internal static Realm? From(StoredRow row)
    {
        var url = row.Text("PublicUrl");
        var origin = OriginOf(url);
        var realm = new Realm(
            SubdomainOf(row) ?? "", row.Text("Name"), row.Text("Description"), row.Text("Icon"), origin, row.Flag("IsActive"),
            row.Flag("EmailBackend") ? PasswordBackends.Email : PasswordBackends.None);
        if (SubdomainOf(row) is null)
        {
            row.Refuse("RowKey", "is no subdomain and a full stop");
        }

        if (url.Length > 0 && origin is null)
        {
            row.Refuse("PublicUrl", "is no origin");
        }

        if (!IsIcon(realm.Icon))
        {
            row.Refuse("Icon", "is no address of a picture");
        }

        return row.Fault is null ? realm : null;
    }

    public TableEntity ToRow() => new(Partition, RowKey(Subdomain))
    {
        ["Name"] = Name,
        ["Description"] = Description,
        ["Icon"] = Icon,
        ["PublicUrl"] = PublicUrl ?? "",
        ["IsActive"] = IsActive,
        ["EmailBackend"] = Backends.HasFlag(PasswordBackends.Email),
    };

    /// <summary>RFC 1035 section 2.3.1 with RFC 1123 section 2.1's leading digit.</summary>
    [GeneratedRegex("""\A[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\z""", RegexOptions.CultureInvariant)]
    private static partial Regex Label();
}
