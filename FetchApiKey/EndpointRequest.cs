// A request as the endpoints see it, whatever host it came through.

using FetchApiKey.Attempts;
using Microsoft.AspNetCore.Http;

namespace FetchApiKey;

/// <summary>A request, and what the host that it came through vouches for.</summary>
/// <param name="Origin">The scheme and host that the client addressed.</param>
/// <param name="Client">Whose attempts this one counts with.</param>
/// <param name="Invocation">The id that the Functions host gave the request; empty without that host. Never a client's own.</param>
public sealed record EndpointRequest(HttpRequest Http, RequestOrigin Origin, ClientAddress Client, string Invocation, RequestLifetime Lifetime);
