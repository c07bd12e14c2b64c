// What differs between the hosts that carry the endpoint.

using FetchApiKey.Attempts;

namespace FetchApiKey.Composition;

/// <summary>How requests reach the process, which decides what of them can be believed.</summary>
/// <param name="IsFunctionsHost">The Functions host alone reaches this process, and overwrites the headers that <see cref="RequestOrigin"/> reads.</param>
/// <param name="ClientAddress">Where the client's address is left, unless the operator says otherwise.</param>
/// <param name="IsLoopbackOnly">Nobody but this machine can reach the endpoint.</param>
public sealed record HostTraits(bool IsFunctionsHost, ClientAddressSettings ClientAddress, bool IsLoopbackOnly)
{
    /// <summary>The worker's ASP.NET Core integration has taken X-Forwarded-For before us: the address of the connection is the client's.</summary>
    public static HostTraits IsolatedWorker { get; } = new(true, ClientAddressSettings.Direct, false);

    public static HostTraits CustomHandler { get; } = new(true, ClientAddressSettings.BehindFunctionsHost, false);

    /// <param name="isLoopbackOnly">Whether it listens on loopback addresses alone.</param>
    public static HostTraits OwnServer(bool isLoopbackOnly) => new(false, ClientAddressSettings.Direct, isLoopbackOnly);
}
