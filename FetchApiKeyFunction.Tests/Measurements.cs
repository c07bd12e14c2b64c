// What the endpoint's meter records while a test runs. Other tests run at the same time, so a test looks for its own.

using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using FetchApiKey.Telemetry;

namespace FetchApiKeyFunction.Tests;

internal sealed class Measurements : IDisposable
{
    private readonly MeterListener _listener = new();

    public Measurements(string instrument)
    {
        _listener.InstrumentPublished = (published, listener) =>
        {
            if (published.Meter.Name == Instruments.Name && published.Name == instrument)
            {
                listener.EnableMeasurementEvents(published);
            }
        };
        _listener.SetMeasurementEventCallback<double>((_, value, tags, _) => Keep(value, tags));
        _listener.SetMeasurementEventCallback<long>((_, value, tags, _) => Keep(value, tags));
        _listener.SetMeasurementEventCallback<int>((_, value, tags, _) => Keep(value, tags));
        _listener.Start();
    }

    /// <summary>The tags of each measurement, and its value under the empty name.</summary>
    public ConcurrentQueue<Dictionary<string, object?>> Taken { get; } = new();

    public void Dispose() => _listener.Dispose();

    private void Keep(object value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var taken = new Dictionary<string, object?> { [""] = value };
        foreach (var (name, tag) in tags)
        {
            taken[name] = tag;
        }

        Taken.Enqueue(taken);
    }
}
