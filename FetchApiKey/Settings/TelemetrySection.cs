// Telemetry__, and the variables of OpenTelemetry and Application Insights.

using FetchApiKey.Telemetry;

namespace FetchApiKey;

internal static class TelemetrySection
{
    private const string Connection = "APPLICATIONINSIGHTS_CONNECTION_STRING";
    private const string OtlpHeaders = "OTEL_EXPORTER_OTLP_HEADERS";
    private const string Authentication = "APPLICATIONINSIGHTS_AUTHENTICATION_STRING";

    public static TelemetrySettings Read(SettingsReader settings)
    {
        var insights = settings.Secret(Connection, hasParts: true)?.Trim() is { Length: > 0 } text ? text : null;
        settings.Secret(OtlpHeaders, hasParts: true);
        if (insights is not null && (!Parts(insights).TryGetValue("InstrumentationKey", out var key) || !Guid.TryParse(key, out _)))
        {
            settings.Fault(Connection, "is not a connection string of Application Insights");
        }

        var identity = Parts(settings.Text(Authentication));
        if (identity.Count > 0 && identity.GetValueOrDefault("Authorization") != "AAD")
        {
            settings.Fault(Authentication, "must be Authorization=AAD, with ClientId=... for a user-assigned identity");
        }

        OpenTelemetryVariables.Check(settings);
        var telemetry = settings.Section("Telemetry");
        var read = new TelemetrySettings
        {
            ApplicationInsights = insights,
            UsesIdentity = identity.Count > 0,
            IdentityClientId = identity.GetValueOrDefault("ClientId"),
            OpenTelemetry = settings.Beginning("OTEL_"),
            TracePercent = telemetry.Integer("tracePercent", new TelemetrySettings().TracePercent, 0, 100),
        };
        telemetry.RefuseUnknown();
        return read;
    }

    /// <summary>NAME=VALUE, separated by semicolons.</summary>
    private static Dictionary<string, string> Parts(string? text) => (text ?? "")
        .Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
        .Select(part => part.Split('=', 2))
        .GroupBy(part => part[0], StringComparer.OrdinalIgnoreCase)
        .ToDictionary(part => part.Key, part => part.Last().ElementAtOrDefault(1) ?? "", StringComparer.OrdinalIgnoreCase);
}
