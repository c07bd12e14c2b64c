// Whether Azure runs this process, and under which name.

namespace FetchApiKey;

/// <summary>WEBSITE_HOSTNAME, which Azure sets to the app's name, and Core Tools to a port of this machine.</summary>
/// <param name="Name">In lower case, without the port.</param>
internal sealed record WebsiteHost(string Name, bool IsLoopback)
{
    private const string Variable = "WEBSITE_HOSTNAME";

    /// <summary>Null where the variable is not set. A value that is no host counts as Azure's, since that allows less.</summary>
    public static WebsiteHost? Read(SettingsReader reader) => reader.Text(Variable) is not { } text ? null
        : Uri.TryCreate($"http://{text}", UriKind.Absolute, out var uri) ? new WebsiteHost(uri.Host, uri.IsLoopback)
        : new WebsiteHost(text.ToLowerInvariant(), IsLoopback: false);
}
