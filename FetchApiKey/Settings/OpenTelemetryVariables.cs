// OTEL_: variables that OpenTelemetry's own code reads, judged before it does.

using System.Globalization;

namespace FetchApiKey;

/// <summary>
/// That code throws where it cannot read a header or gets a size of 0, and passes over a protocol or a time-out that it does not know:
/// the first ends the process without a word on what to do, the second sends telemetry elsewhere than the operator thinks.
/// </summary>
internal static class OpenTelemetryVariables
{
    private const string Exporter = "OTEL_EXPORTER_OTLP_";

    /// <summary>Each has the variables of the exporter under a name of its own, too.</summary>
    private static readonly string[] Signals = ["", "TRACES_", "METRICS_", "LOGS_"];

    /// <summary>Sizes and times of what is gathered before it is sent: the SDK throws for what is not above 0.</summary>
    private static readonly string[] Positive =
    [
        "OTEL_METRIC_EXPORT_INTERVAL", "OTEL_METRIC_EXPORT_TIMEOUT",
        .. new[] { "OTEL_BSP_", "OTEL_BLRP_" }.SelectMany(processor =>
            new[] { "MAX_QUEUE_SIZE", "MAX_EXPORT_BATCH_SIZE", "SCHEDULE_DELAY", "EXPORT_TIMEOUT" }.Select(name => processor + name)),
    ];

    public static void Check(SettingsReader settings)
    {
        foreach (var signal in Signals.Select(signal => Exporter + signal))
        {
            Require(settings, $"{signal}ENDPOINT", IsEndpoint, "must be an http or https URI");
            Require(settings, $"{signal}PROTOCOL", text => text is "grpc" or "http/protobuf", "must be grpc or http/protobuf");
            Require(settings, $"{signal}HEADERS", AreHeaders, "must be NAME=VALUE pairs, separated by commas; a comma in a value is %2C");
            Require(settings, $"{signal}COMPRESSION", text => text is "gzip" or "none", "must be gzip or none");
            Require(settings, $"{signal}TIMEOUT", IsPositive, "must be a whole number above 0");
        }

        foreach (var file in new[] { "CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY" })
        {
            Require(settings, Exporter + file, File.Exists, "must be the path of a file");
        }

        foreach (var name in Positive)
        {
            Require(settings, name, IsPositive, "must be a whole number above 0");
        }
    }

    private static void Require(SettingsReader settings, string name, Predicate<string> isSound, string what)
    {
        if (settings.Text(name) is { } text && !isSound(text))
        {
            settings.Fault(name, what);
        }
    }

    private static bool IsEndpoint(string text) => Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https";

    /// <summary>
    /// W3C Baggage without properties, as OpenTelemetry defines it. A value is percent-encoded, and decoded it must be one of HTTP.
    /// </summary>
    private static bool AreHeaders(string text) => text.Split(',').All(pair =>
        pair.Split('=', 2) is [var name, var value]
        && IsToken(name.Trim())
        && Uri.UnescapeDataString(value.Trim()) is var decoded && decoded.Length > 0 && decoded.All(c => c is >= ' ' and <= '~'));

    /// <summary>RFC 9110 section 5.6.2.</summary>
    private static bool IsToken(string text) =>
        text.Length > 0 && text.All(c => char.IsAsciiLetterOrDigit(c) || "!#$%&'*+-.^_`|~".Contains(c, StringComparison.Ordinal));

    private static bool IsPositive(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number > 0;
}
