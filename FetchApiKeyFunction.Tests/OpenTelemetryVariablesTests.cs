// OTEL_ variables: what OpenTelemetry's own code would throw at or pass over is a faulty setting, and what is accepted starts.

using FetchApiKey;
using Microsoft.Extensions.Configuration;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;

namespace FetchApiKeyFunction.Tests;

public sealed class OpenTelemetryVariablesTests
{
    [Theory]
    [InlineData("OTEL_EXPORTER_OTLP_HEADERS", "s3cr3t")]
    [InlineData("OTEL_EXPORTER_OTLP_HEADERS", "a=b,s3cr3t")]
    [InlineData("OTEL_EXPORTER_OTLP_HEADERS", "a=b,")]
    [InlineData("OTEL_EXPORTER_OTLP_HEADERS", "=s3cr3t")]
    [InlineData("OTEL_EXPORTER_OTLP_HEADERS", "a b=s3cr3t")]
    [InlineData("OTEL_EXPORTER_OTLP_HEADERS", "a=s3cr3t%0d%0aevil:1")]
    [InlineData("OTEL_EXPORTER_OTLP_HEADERS", "a=s3cr3t\u00e9")]
    [InlineData("OTEL_EXPORTER_OTLP_HEADERS", "a=")]
    [InlineData("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "s3cr3t")]
    [InlineData("OTEL_EXPORTER_OTLP_METRICS_HEADERS", "s3cr3t")]
    [InlineData("OTEL_EXPORTER_OTLP_LOGS_HEADERS", "s3cr3t")]
    [InlineData("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")]
    [InlineData("OTEL_EXPORTER_OTLP_PROTOCOL", "GRPC")]
    [InlineData("OTEL_EXPORTER_OTLP_PROTOCOL", "s3cr3t")]
    [InlineData("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "thrift")]
    [InlineData("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "s3cr3t:4317")]
    [InlineData("OTEL_EXPORTER_OTLP_TIMEOUT", "10s")]
    [InlineData("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "-1")]
    [InlineData("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd")]
    [InlineData("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere/s3cr3t.pem")]
    [InlineData("OTEL_EXPORTER_OTLP_TIMEOUT", "0")]
    [InlineData("OTEL_METRIC_EXPORT_INTERVAL", "0")]
    [InlineData("OTEL_BSP_MAX_QUEUE_SIZE", "0")]
    [InlineData("OTEL_BLRP_SCHEDULE_DELAY", "soon")]
    public void What_cannot_be_used_is_named_with_the_others_and_not_quoted(string name, string value)
    {
        var fault = Assert.Throws<InvalidSettingsException>(
            () => Read((name, value), ("TablePrefix", "1x"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317")));

        Assert.Equal(2, fault.Faults.Count);
        Assert.Contains(fault.Faults, line => line.StartsWith($"{name}: must be", StringComparison.Ordinal));
        Assert.DoesNotContain("s3cr3t", fault.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("OTEL_EXPORTER_OTLP_HEADERS", "api-key=abc")]
    [InlineData("OTEL_EXPORTER_OTLP_HEADERS", "Authorization=Basic%20dXNlcjpwYXNz, x-tenant = 7")]
    [InlineData("OTEL_EXPORTER_OTLP_HEADERS", "Authorization=Basic dXNlcjpwYXNzOg==")]
    [InlineData("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "a=b,c=d")]
    [InlineData("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")]
    [InlineData("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]
    [InlineData("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")]
    [InlineData("OTEL_EXPORTER_OTLP_TIMEOUT", "1")]
    [InlineData("OTEL_METRIC_EXPORT_INTERVAL", "1")]
    [InlineData("OTEL_BSP_SCHEDULE_DELAY", "1")]
    public async Task What_is_accepted_starts(string name, string value)
    {
        var tables = await SharedAzurite.NewTablesAsync();
        await using var server = await TestServer.StartAsync(
            tables, Read((name, value), ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")));

        Assert.NotNull(server.Part<TracerProvider>());
        Assert.NotNull(server.Part<MeterProvider>());
        Assert.Equal(200, (await server.SendAsync(HttpMethod.Get, "/api/v1/health")).Status);
    }

    private static Settings Read(params (string Name, string Value)[] more) => Settings.Read(
        new ConfigurationBuilder()
            .AddInMemoryCollection(
            [
                new("AccountStorage", "UseDevelopmentStorage=true"), new("ExternalHost", "zulip.example.com"),
                new(TestServer.KeyVariable.Name.Replace("__", ":", StringComparison.Ordinal), TestServer.KeyVariable.Value),
                new("Argon2:memoryKib", "64"), new("Argon2:passes", "1"), new("Argon2:lanes", "1"),
            ])
            .AddInMemoryCollection(more.Select(each => KeyValuePair.Create(each.Name, (string?)each.Value)))
            .Build(),
        answersRequests: true);
}
