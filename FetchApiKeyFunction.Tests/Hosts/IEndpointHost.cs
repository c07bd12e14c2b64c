// What carries the endpoint in a test: one of the hosts that it is deployed under.

namespace FetchApiKeyFunction.Tests.Hosts;

internal interface IEndpointHost : IAsyncDisposable
{
    /// <summary>Where clients reach the endpoint.</summary>
    Uri Origin { get; }

    /// <summary>The endpoint's process, and those before it that died.</summary>
    SupervisedProcess Process { get; }

    /// <summary>Messages that the process logged to its host; none where it has the standard streams alone.</summary>
    IReadOnlyCollection<string> Log { get; }

    /// <summary>The ids that the host gave requests; none without a Functions host.</summary>
    IReadOnlyCollection<string> Invocations { get; }

    /// <summary>Starts the process and does not wait for it.</summary>
    Task StartAsync();

    /// <summary>Returns when the host would send the process its first request.</summary>
    Task WaitUntilReadyAsync();

    /// <summary>Ends the process as this host does when it stops, and gives the code that it ended with.</summary>
    Task<int> StopProcessAsync();
}
