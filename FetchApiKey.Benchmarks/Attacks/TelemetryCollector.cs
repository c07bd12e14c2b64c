// Takes the metrics and the logged errors of a server in another process, as OTLP over HTTP brings them.

using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Text;
using Google.Protobuf;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;

namespace FetchApiKey.Benchmarks.Attacks;

/// <summary>
/// Counts by metric and attributes, cumulative, and the texts that were logged as errors. Field numbers are those of
/// opentelemetry/proto/metrics/v1/metrics.proto, logs/v1/logs.proto and common/v1/common.proto.
/// </summary>
internal sealed class TelemetryCollector : IAsyncDisposable
{
    /// <summary>SEVERITY_NUMBER_ERROR.</summary>
    private const ulong Error = 17;

    private const int IntervalMs = 500;

    private readonly WebApplication _app;
    private readonly ConcurrentDictionary<(string Metric, string Attributes), long> _counts = new();
    private readonly ConcurrentDictionary<string, int> _errors = new(StringComparer.Ordinal);

    private TelemetryCollector(WebApplication app) => _app = app;

    /// <summary>Texts of the lines that were logged as errors, and how often each was.</summary>
    public IReadOnlyDictionary<string, int> Errors => _errors;

    /// <summary>What makes a server send here.</summary>
    public Dictionary<string, string> Environment => new()
    {
        ["OTEL_EXPORTER_OTLP_ENDPOINT"] = _app.Urls.Single(), ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf",
        ["OTEL_METRIC_EXPORT_INTERVAL"] = IntervalMs.ToString(CultureInfo.InvariantCulture), ["Telemetry__tracePercent"] = "0",
    };

    public static async Task<TelemetryCollector> StartAsync()
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        var app = builder.Build();
        var collector = new TelemetryCollector(app);
        app.Run(collector.TakeAsync);
        await app.StartAsync();
        return collector;
    }

    /// <summary>What a counter says, or how often a histogram was recorded to, over the attributes that hold all of these pairs.</summary>
    public long Count(string metric, params string[] pairs) => _counts
        .Where(count => count.Key.Metric == metric && pairs.All(pair => count.Key.Attributes.Contains($"{pair};", StringComparison.Ordinal)))
        .Sum(count => count.Value);

    /// <summary>Waits until three exports in a row have counted nothing new.</summary>
    public async Task SettleAsync(TimeSpan limit)
    {
        using var late = new CancellationTokenSource(limit);
        var (last, still) = (-1L, 0);
        while (still < 3 && !late.IsCancellationRequested)
        {
            await Task.Delay(IntervalMs + 100, CancellationToken.None);
            var now = Count("fetch_api_key.storage.duration") + Count("http.server.request.duration");
            (still, last) = (now == last ? still + 1 : 0, now);
        }
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private async Task TakeAsync(HttpContext context)
    {
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body, context.RequestAborted);
        switch (context.Request.Path.Value)
        {
            case "/v1/metrics":
                TakeMetrics(body.ToArray());
                break;
            case "/v1/logs":
                TakeErrors(body.ToArray());
                break;
        }

        context.Response.ContentType = "application/x-protobuf";
    }

    private void TakeMetrics(byte[] request)
    {
        foreach (var metric in Inside(Inside(Inside([request], 1), 2), 2))
        {
            var fields = Fields(metric);
            var name = Text(fields, 1);
            // A sum, or a histogram, with its points; attributes and the count are elsewhere in each.
            foreach (var (data, attributes, count) in new[] { (7, 7, 6), (9, 9, 4) })
            {
                foreach (var point in Inside(Inside([metric], data), 1).Select(Fields))
                {
                    var tags = string.Concat(point.Where(field => field.Number == attributes).Select(field => Tag(field.Bytes!)).Order(StringComparer.Ordinal));
                    _counts[(name, tags)] = (long)point.FirstOrDefault(field => field.Number == count).Value;
                }
            }
        }
    }

    private void TakeErrors(byte[] request)
    {
        foreach (var record in Inside(Inside(Inside([request], 1), 2), 2).Select(Fields))
        {
            if (record.FirstOrDefault(field => field.Number == 2).Value >= Error && record.FirstOrDefault(field => field.Number == 5).Bytes is { } body)
            {
                _errors.AddOrUpdate(Text(Fields(body), 1), 1, (_, times) => times + 1);
            }
        }
    }

    private static string Tag(byte[] pair)
    {
        var fields = Fields(pair);
        var value = fields.FirstOrDefault(field => field.Number == 2).Bytes is { } any ? Fields(any) : [];
        return $"{Text(fields, 1)}={(value.Find(field => field.Number == 1).Bytes is { } text ? Encoding.UTF8.GetString(text) : value.FirstOrDefault().Value)};";
    }

    private static string Text(List<(int Number, byte[]? Bytes, ulong Value)> fields, int number) =>
        Encoding.UTF8.GetString(fields.Find(field => field.Number == number).Bytes ?? []);

    /// <summary>The messages in one field of each.</summary>
    private static IEnumerable<byte[]> Inside(IEnumerable<byte[]> messages, int number) =>
        messages.SelectMany(Fields).Where(field => field.Number == number && field.Bytes is not null).Select(field => field.Bytes!);

    private static List<(int Number, byte[]? Bytes, ulong Value)> Fields(byte[] message)
    {
        var fields = new List<(int, byte[]?, ulong)>();
        using var input = new CodedInputStream(message);
        while (input.ReadTag() is > 0 and var tag)
        {
            var number = WireFormat.GetTagFieldNumber(tag);
            fields.Add(WireFormat.GetTagWireType(tag) switch
            {
                WireFormat.WireType.LengthDelimited => (number, input.ReadBytes().ToByteArray(), 0),
                WireFormat.WireType.Fixed64 => (number, null, input.ReadFixed64()),
                WireFormat.WireType.Fixed32 => (number, null, input.ReadFixed32()),
                _ => (number, null, input.ReadUInt64()),
            });
        }

        return fields;
    }
}
