// The published worker behind the tests' Functions host.

using FetchApiKeyFunction.Tests.Hosts;

namespace FetchApiKey.Benchmarks;

/// <summary>The host has a process of its own, so that the clients are not charged with it; the worker is its child.</summary>
internal static class WorkerServer
{
    /// <summary>Hidden: the host's process.</summary>
    public const string Verb = "functions-host";

    /// <summary>Serves until it is killed.</summary>
    public static async Task RunAsync(string folder, int port)
    {
        await using var host = new FunctionsHost(folder, new Dictionary<string, string>(), port);
        await host.StartAsync();
        await Task.Delay(Timeout.Infinite);
    }
}
