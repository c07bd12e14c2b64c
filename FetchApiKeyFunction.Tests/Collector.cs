// A stand-in for the collectors that telemetry is exported to.

using System.Collections.Concurrent;
using System.Net;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace FetchApiKeyFunction.Tests;

/// <summary>
/// Takes OTLP over HTTP and Azure Monitor's uploads. Names and values are UTF-8 in protobuf and in JSON, so they can be searched for as text.
/// </summary>
internal sealed class Collector : IAsyncDisposable
{
    private readonly ConcurrentQueue<(string Path, string Text)> _received = new();
    private readonly WebApplication _app;

    private Collector(WebApplication app) => _app = app;

    public string Endpoint => _app.Urls.Single();

    public string All => string.Concat(_received.Select(message => message.Text));

    /// <summary>Makes a process export everything to here.</summary>
    public (string Name, string Value)[] Settings =>
    [
        ("Telemetry__tracePercent", "100"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", Endpoint),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ("APPLICATIONINSIGHTS_CONNECTION_STRING", $"InstrumentationKey={Guid.NewGuid()};IngestionEndpoint={Endpoint}/"),
        ("APPLICATIONINSIGHTS_STATSBEAT_DISABLED", "true"),
    ];

    public static async Task<Collector> StartAsync()
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        var app = builder.Build();
        var collector = new Collector(app);
        app.Run(async context =>
        {
            using var body = new MemoryStream();
            await context.Request.Body.CopyToAsync(body);
            collector._received.Enqueue((context.Request.Path.Value!, Encoding.UTF8.GetString(body.ToArray())));
            context.Response.ContentType = "application/x-protobuf";
        });
        await app.StartAsync();
        return collector;
    }

    /// <param name="path">/v1/traces, /v1/metrics or /v1/logs of OTLP, /v2.1/track of Azure Monitor.</param>
    public string Received(string path) => string.Concat(_received.Where(message => message.Path == path).Select(message => message.Text));

    public ValueTask DisposeAsync() => _app.DisposeAsync();
}
