// Where telemetry goes: OTLP, Azure Monitor, the console, as the settings say, and nowhere without them.

using Azure.Identity;
using Azure.Monitor.OpenTelemetry.Exporter;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using OpenTelemetry.Logs;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace FetchApiKey.Telemetry;

/// <summary>What is exported, and where to.</summary>
public sealed record TelemetrySettings
{
    public const string OtlpEndpointVariable = "OTEL_EXPORTER_OTLP_ENDPOINT";

    /// <summary>APPLICATIONINSIGHTS_CONNECTION_STRING; null for no Azure Monitor.</summary>
    public string? ApplicationInsights { get; init; }

    /// <summary>Whether APPLICATIONINSIGHTS_AUTHENTICATION_STRING asks for a managed identity ("Authorization=AAD").</summary>
    public bool UsesIdentity { get; init; }

    /// <summary>The ClientId of APPLICATIONINSIGHTS_AUTHENTICATION_STRING; null for the system-assigned identity.</summary>
    public string? IdentityClientId { get; init; }

    /// <summary>Every OTEL_ variable, as OpenTelemetry's own specification has them; the exporter reads them.</summary>
    public IReadOnlyDictionary<string, string?> OpenTelemetry { get; init; } = new Dictionary<string, string?>();

    /// <summary>Whether OTEL_EXPORTER_OTLP_ENDPOINT is there.</summary>
    public bool ToOtlp => OpenTelemetry.ContainsKey(OtlpEndpointVariable);

    /// <summary>Telemetry__tracePercent, 0 to 100: how many requests are traced. Metrics and logs are never sampled.</summary>
    public int TracePercent { get; init; } = 10;

    public bool IsExported => ApplicationInsights is not null || ToOtlp;
}

public static class Exporters
{
    public static string[] Meters { get; } = [Instruments.Name, "Microsoft.AspNetCore.Hosting", "Microsoft.AspNetCore.Server.Kestrel", "System.Runtime"];

    /// <summary>
    /// Exports this process's own spans, its meters and what it logs. No instrumentation of HTTP or of the storage client is
    /// added: theirs quote URLs. Whether a request is traced is for the ratio alone, not for the flags that a client sent.
    /// </summary>
    public static void AddTelemetry(this IServiceCollection services, TelemetrySettings settings)
    {
        if (!settings.IsExported)
        {
            return;
        }

        services.AddOpenTelemetry()
            .ConfigureResource(resource => resource.AddService(Instruments.Name, serviceVersion: typeof(Exporters).Assembly.GetName().Version?.ToString(3)))
            .WithTracing(traces =>
            {
                traces.AddSource(Instruments.Name);
                if (settings.ApplicationInsights is null)
                {
                    traces.SetSampler(new TraceIdRatioBasedSampler(settings.TracePercent / 100.0));
                }
                else
                {
                    // It brings a sampler of its own, which writes down what Azure Monitor multiplies counts by.
                    traces.AddAzureMonitorTraceExporter(options => Configure(options, settings));
                }

                if (settings.ToOtlp)
                {
                    traces.AddOtlpExporter();
                }
            })
            .WithMetrics(metrics =>
            {
                metrics.AddMeter(Meters);
                if (settings.ToOtlp)
                {
                    metrics.AddOtlpExporter();
                }

                if (settings.ApplicationInsights is not null)
                {
                    metrics.AddAzureMonitorMetricExporter(options => Configure(options, settings));
                }
            });

        // The console has the log already.
        if (settings.ToOtlp || settings.ApplicationInsights is not null)
        {
            services.AddLogging(logging => logging.AddOpenTelemetry(logs =>
            {
                if (settings.ToOtlp)
                {
                    logs.AddOtlpExporter();
                }

                if (settings.ApplicationInsights is not null)
                {
                    logs.AddAzureMonitorLogExporter(options => Configure(options, settings));
                }
            }));
        }
    }

    private static void Configure(AzureMonitorExporterOptions options, TelemetrySettings settings)
    {
        options.ConnectionString = settings.ApplicationInsights;
        options.Credential = settings.UsesIdentity ? Identity(settings.IdentityClientId) : null;
        // A ratio, and not its default of so many traces a second.
        options.TracesPerSecond = null;
        options.SamplingRatio = settings.TracePercent / 100f;
        // Logs are not traces: they are sent whether theirs was sampled or not.
        options.EnableTraceBasedLogsSampler = false;
        options.EnableLiveMetrics = false;
    }

    private static ManagedIdentityCredential Identity(string? clientId) => new ManagedIdentityCredential(clientId is null
        ? ManagedIdentityId.SystemAssigned
        : ManagedIdentityId.FromUserAssignedClientId(clientId));
}
