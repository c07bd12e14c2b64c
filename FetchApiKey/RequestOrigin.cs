// Which scheme and host a client addressed, and whose realm that is.

using FetchApiKey.Accounts;
using Microsoft.AspNetCore.Http;

namespace FetchApiKey;

/// <summary>
/// The origin of a request. Behind the Functions host it comes from X-Forwarded-Host and X-Forwarded-Proto, which that
/// host overwrites on every request; everywhere else those headers are a client's word and do not count.
/// </summary>
/// <param name="Host">In lower case, with the port where one was given.</param>
public sealed record RequestOrigin(string Scheme, HostString Host)
{
    public static RequestOrigin Of(HttpRequest request, bool behindFunctionsHost)
    {
        var forwardedHost = behindFunctionsHost ? request.Headers["X-Forwarded-Host"].ToString() : "";
        var forwardedScheme = behindFunctionsHost ? request.Headers["X-Forwarded-Proto"].ToString() : "";
        var host = forwardedHost.Length > 0 ? new HostString(forwardedHost) : request.Host;
        return new RequestOrigin(
            forwardedScheme is "http" or "https" ? forwardedScheme : request.Scheme,
            new HostString((host.Value ?? "").ToLowerInvariant()));
    }

    /// <summary>
    /// Empty for an external host itself, the label before it for a subdomain, null for a host that is none of ours.
    /// </summary>
    public string? SubdomainOf(IReadOnlyList<string> externalHosts)
    {
        var name = Host.Host;
        foreach (var external in externalHosts)
        {
            if (name == external)
            {
                return "";
            }

            if (name.Length > external.Length + 1 && name.EndsWith(external, StringComparison.Ordinal) && name[^(external.Length + 1)] == '.')
            {
                return name[..^(external.Length + 1)];
            }
        }

        return null;
    }

    /// <summary>Null for a host that is none of ours, or of a realm that does not exist.</summary>
    public async Task<Realm?> RealmAsync(RealmStore realms, IReadOnlyList<string> externalHosts, CancellationToken cancellation) =>
        SubdomainOf(externalHosts) is { } subdomain ? await realms.FindAsync(subdomain, cancellation) : null;

    /// <summary>The origin of another realm at the external host that was addressed.</summary>
    /// <param name="addressed">What <see cref="SubdomainOf"/> gives of this one.</param>
    public RequestOrigin OfRealm(string subdomain, string addressed)
    {
        var external = addressed.Length == 0 ? Host.Host : Host.Host[(addressed.Length + 1)..];
        var name = subdomain.Length == 0 ? external : $"{subdomain}.{external}";
        return this with { Host = Host.Port is { } port ? new HostString(name, port) : new HostString(name) };
    }

    public override string ToString() => $"{Scheme}://{Host.Value}";
}
