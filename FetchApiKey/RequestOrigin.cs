// Which scheme and host a client addressed, and whose realm that is.

using FetchApiKey.Accounts;
using Microsoft.AspNetCore.Http;

namespace FetchApiKey;

/// <summary>Which realm a host stands for, if there is one of that subdomain.</summary>
/// <param name="External">The external host that other realms are reached below.</param>
/// <param name="IsAlias">The subdomain is www: without such a realm it is the root realm.</param>
public sealed record AddressedRealm(string Subdomain, string External, bool IsAlias);

/// <summary>
/// The origin of a request. Behind the Functions host it comes from X-Forwarded-Host and X-Forwarded-Proto, which that
/// host overwrites on every request; everywhere else those headers are a client's word and do not count.
/// </summary>
/// <param name="Host">The name as <see cref="HostName.Normalize"/> gives it, with the port that was given; empty for what is none.</param>
public sealed record RequestOrigin(string Scheme, HostString Host)
{
    public static RequestOrigin Of(HttpRequest request, bool behindFunctionsHost)
    {
        var forwardedHost = behindFunctionsHost ? request.Headers["X-Forwarded-Host"].ToString() : "";
        var forwardedScheme = behindFunctionsHost ? request.Headers["X-Forwarded-Proto"].ToString() : "";
        // Not the framework's Host, which decodes punycode: what is malformed makes it throw, what is well-formed is not what was configured.
        var host = new HostString(forwardedHost.Length > 0 ? forwardedHost : request.Headers.Host.ToString());
        return new RequestOrigin(
            forwardedScheme is "http" or "https" ? forwardedScheme : request.Scheme,
            WithPort(HostName.Normalize(host.Host) ?? "", host.Port));
    }

    /// <summary>Null for a host that is none of ours, for which nothing needs to be read.</summary>
    public AddressedRealm? Addressed(Settings settings)
    {
        var name = Host.Host;
        if (settings.ExternalHosts.Contains(name))
        {
            return new AddressedRealm("", name, IsAlias: false);
        }

        if (settings.RealmHosts.TryGetValue(name, out var subdomain))
        {
            return new AddressedRealm(subdomain, settings.ExternalHosts[0], IsAlias: false);
        }

        var external = settings.ExternalHosts
            .Where(host => name.EndsWith(host, StringComparison.Ordinal) && name.Length > host.Length && name[^(host.Length + 1)] == '.')
            .MaxBy(host => host.Length);
        var label = external is null ? "" : name[..^(external.Length + 1)];
        return label.Length > 0 && Realm.IsSubdomain(label) ? new AddressedRealm(label, external!, label == Realm.RootAlias) : null;
    }

    /// <summary>Null for a host that is none of ours, or of a realm that does not exist.</summary>
    public async Task<Realm?> RealmAsync(RealmStore realms, Settings settings, CancellationToken cancellation)
    {
        if (Addressed(settings) is not { } addressed)
        {
            return null;
        }

        var realm = await realms.FindAsync(addressed.Subdomain, cancellation);
        return realm is null && addressed.IsAlias ? await realms.FindAsync("", cancellation) : realm;
    }

    /// <summary>Where a realm is reached: at the host that was addressed if that is its own, else below the same external host.</summary>
    public RequestOrigin OfRealm(string subdomain, AddressedRealm addressed) =>
        subdomain == addressed.Subdomain ? this
        : this with { Host = WithPort(subdomain.Length == 0 ? addressed.External : $"{subdomain}.{addressed.External}", Host.Port) };

    public override string ToString() => $"{Scheme}://{Host.Value}";

    private static HostString WithPort(string name, int? port) => 
        new(port is > 0 ? FormattableString.Invariant($"{name}:{port}") : name);
}
