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
internal sealed record ServerReport(long AllocatedBytes, Dictionary<string, long> Calls)
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
            EndpointServer.RunAsync(settings, new Listener(Address: null, port, IsFunctionsHost: false), Console.Out, CancellationToken.None),
            PrintWhenAskedAsync(calls));
    }

    /// <summary>A line for each line that comes.</summary>
    public static async Task PrintWhenAskedAsync(IEnumerable<KeyValuePair<(string Method, string Table), long>> calls)
    {
        await Task.Yield();
        while (await Console.In.ReadLineAsync() is not null)
        {
            var report = new ServerReport(GC.GetTotalAllocatedBytes(precise: true), calls.ToDictionary(call => $"{call.Key.Method} {call.Key.Table}", call => call.Value));
            Console.WriteLine(JsonSerializer.Serialize(report));
        }
    }

    public static async Task<ServerReport> OfAsync(LoginStack stack) =>
        JsonSerializer.Deserialize<ServerReport>(await stack.AskAsync($"{{\"{nameof(AllocatedBytes)}\""))!;

    /// <summary>What each of so many logins took, between this report and a later one.</summary>
    public (double AllocatedBytes, Dictionary<string, double> Calls) Per(int logins, ServerReport later) => (
        (later.AllocatedBytes - AllocatedBytes) / (double)logins,
        later.Calls.ToDictionary(call => call.Key, call => (call.Value - Calls.GetValueOrDefault(call.Key)) / (double)logins));
}
