// What a server in a process of its own tells of itself when it is asked: what it has allocated, and which storage calls it has made.

using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Text.Json;
using FetchApiKey.Accounts;
using FetchApiKey.Cli;
using FetchApiKey.Telemetry;
using Microsoft.Extensions.Configuration;

namespace FetchApiKey.Benchmarks;

/// <param name="AllocatedBytes">Since the process began.</param>
/// <param name="Calls">Since it began, by method and table.</param>
/// <param name="Types">Allocated bytes since it began, by type, as sampled.</param>
internal sealed record ServerReport(long AllocatedBytes, Dictionary<string, long> Calls, Dictionary<string, long> Types)
{
    /// <summary>Hidden: the endpoint, with somebody who listens to its instruments.</summary>
    public const string Verb = "counted";

    public static Task<LoginStack> StartEndpointAsync(LoadedStore store) => LoginStack.StartEndpointAsync(store, "endpoint", port =>
    {
        var start = LoginStack.Verb(store, Verb, $"{port}");
        start.RedirectStandardInput = true;
        return start;
    });

    /// <summary>Serves until it is killed.</summary>
    public static async Task RunEndpointAsync(int port)
    {
        var calls = new ConcurrentDictionary<(string Method, string Table), long>();
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, self) =>
        {
            if (instrument.Meter.Name == Instruments.Name && instrument.Name == "fetch_api_key.storage.duration")
            {
                self.EnableMeasurementEvents(instrument);
            }
        };
        listener.SetMeasurementEventCallback<double>((_, _, tags, _) =>
        {
            var (method, table) = ("", "");
            foreach (var (name, value) in tags)
            {
                (method, table) = name switch { "method" => ((string)value!, table), "table" => (method, (string)value!), _ => (method, table) };
            }

            calls.AddOrUpdate((method, table), 1, (_, count) => count + 1);
        });
        listener.Start();
        var settings = Settings.Read(new ConfigurationBuilder().AddEnvironmentVariables().Build(), answersRequests: true);
        await Task.WhenAll(
            EndpointServer.RunAsync(
                settings, new Listener(Address: null, port, IsFunctionsHost: false), Console.Out, CancellationToken.None),
            PrintWhenAskedAsync(calls, sampleTypes: true));
    }

    /// <summary>A line for each line that comes.</summary>
    /// <param name="sampleTypes">Whether to sample types, from the second report on: sampling allocates, too.</param>
    public static async Task PrintWhenAskedAsync(
        IEnumerable<KeyValuePair<(string Method, string Table), long>> calls, bool sampleTypes = false)
    {
        await Task.Yield();
        AllocationProfile? profile = null;
        for (var reports = 1; await Console.In.ReadLineAsync() is not null; reports++)
        {
            var report = new ServerReport(
                GC.GetTotalAllocatedBytes(precise: true), calls.ToDictionary(call => $"{call.Key.Method} {call.Key.Table}", call => call.Value),
                profile?.Bytes ?? []);
            Console.WriteLine(JsonSerializer.Serialize(report));
            profile ??= sampleTypes && reports == 2 ? new AllocationProfile() : null;
        }

        profile?.Dispose();
    }

    public static async Task<ServerReport> OfAsync(LoginStack stack) =>
        JsonSerializer.Deserialize<ServerReport>(await stack.AskAsync())!;

    /// <summary>What each of so many logins took, between this report and a later one.</summary>
    public (double AllocatedBytes, Dictionary<string, double> Calls, Dictionary<string, double> Types) Per(int logins, ServerReport later)
    {
        return ((later.AllocatedBytes - AllocatedBytes) / (double)logins, Each(later.Calls, Calls), Each(later.Types, Types));

        Dictionary<string, double> Each(Dictionary<string, long> after, Dictionary<string, long> before) =>
            after.ToDictionary(count => count.Key, count => (count.Value - before.GetValueOrDefault(count.Key)) / (double)logins);
    }
}
