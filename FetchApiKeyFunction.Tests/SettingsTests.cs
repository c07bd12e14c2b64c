// Settings: what they read, what they refuse, and that every fault is told at once.

using FetchApiKey.Attempts;
using FetchApiKey.Passwords;
using Microsoft.Extensions.Configuration;

namespace FetchApiKeyFunction.Tests;

public sealed class SettingsTests
{
    private static readonly string Key = Convert.ToBase64String(new byte[32]);

    private const string Local = "UseDevelopmentStorage=true";

    [Fact]
    public void The_defaults_are_those_of_the_documentation()
    {
        var settings = Read(("AccountStorage", Local), ("ExternalHost", "Zulip.Example.com, api.example.com"));

        Assert.Equal(["zulip.example.com", "api.example.com"], settings.ExternalHosts);
        Assert.Equal(new Argon2Cost(102400, 2, 8), settings.Hashing.Cost);
        Assert.Equal("Settings", $"{settings}");
        Assert.Equal(TimeSpan.FromSeconds(30), settings.RealmMaxAge);
        Assert.Equal(
            new GateLimits { MemoryBytes = 0, Slots = 0, LaneThreads = 0, QueueLength = 256, MaxWait = TimeSpan.FromSeconds(5) },
            settings.Hashing.Gate);
        Assert.False(settings.Hashing.UseKonscious);
        Assert.Equal(
            new AttemptSettings { PerAccount = 5, Window = TimeSpan.FromMinutes(30), PerAccountDaily = 50, PerAddress = 100, PerSharedAddress = 1000 },
            settings.Attempts);
        Assert.Null(settings.ClientAddress);
        Assert.Empty(settings.CorsAllowedOrigins);
        Assert.Equal("", settings.Storage.TablePrefix);
        Assert.Equal(TimeSpan.FromDays(400), settings.AuditRetention);
        Assert.False(settings.Telemetry.IsExported);
        Assert.Equal(10, settings.Telemetry.TracePercent);
    }

    [Fact]
    public void Telemetry_goes_where_the_variables_of_OpenTelemetry_and_Azure_say()
    {
        var telemetry = Read(
            ("AccountStorage", Local), ("ExternalHost", "zulip.example.com"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"), ("APPLICATIONINSIGHTS_CONNECTION_STRING", $"InstrumentationKey={Guid.Empty};IngestionEndpoint=https://x/"),
            ("APPLICATIONINSIGHTS_AUTHENTICATION_STRING", "Authorization=AAD;ClientId=id"), ("Telemetry:tracePercent", "100")).Telemetry;

        Assert.True(telemetry.ToOtlp);
        Assert.Equal("http/protobuf", telemetry.OpenTelemetry["OTEL_EXPORTER_OTLP_PROTOCOL"]);
        Assert.Equal((true, "id", 100), (telemetry.UsesIdentity, telemetry.IdentityClientId, telemetry.TracePercent));
        Assert.NotNull(telemetry.ApplicationInsights);
    }

    [Fact]
    public void A_managed_identity_takes_a_URI_and_a_client_id()
    {
        var storage = Read(
            ("AccountStorage:tableServiceUri", "https://example.table.core.windows.net"), ("AccountStorage:clientId", "id"),
            ("AccountStorage:credential", "managedidentity"), ("ExternalHost", "zulip.example.com")).Storage;

        Assert.Null(storage.ConnectionString);
        Assert.Equal(
            ("https://example.table.core.windows.net/", "id"), (storage.TableServiceUri?.AbsoluteUri, storage.ManagedIdentityClientId));
    }

    [Theory]
    [InlineData("app.azurewebsites.net", true, "app.azurewebsites.net")]
    [InlineData("App.AzureWebsites.net:443", true, "app.azurewebsites.net")]
    [InlineData("10.0.0.4:80", true, "10.0.0.4")]
    [InlineData("localhost.example.com", true, "localhost.example.com")]
    [InlineData("localhost:7071", false, "localhost")]
    [InlineData("LOCALHOST", false, "localhost")]
    [InlineData("127.0.0.1:7071", false, "127.0.0.1")]
    [InlineData("[::1]:7071", false, "[::1]")]
    public void The_website_host_name_tells_Azure_and_is_the_default_of_the_external_host(string name, bool isOnAzure, string host)
    {
        var alone = Read(("AccountStorage", Local), ("WEBSITE_HOSTNAME", name));
        var besides = Read(("AccountStorage", Local), ("WEBSITE_HOSTNAME", name), ("ExternalHost", "chat.example.com"));

        Assert.Equal((isOnAzure, isOnAzure), (alone.IsOnAzure, besides.IsOnAzure));
        Assert.Equal([host], alone.ExternalHosts);
        Assert.Equal(["chat.example.com"], besides.ExternalHosts);
        Assert.Equal(isOnAzure, Record.Exception(() =>
            Read(("AccountStorage", Local), ("WEBSITE_HOSTNAME", name), ("DevelopmentLogin", "true"))) is InvalidSettingsException);
    }

    [Fact]
    public void A_website_host_name_that_is_none_counts_as_Azure_and_is_no_external_host()
    {
        var besides = Read(("AccountStorage", Local), ("WEBSITE_HOSTNAME", "a b"), ("ExternalHost", "chat.example.com"));
        var alone = Assert.Throws<InvalidSettingsException>(() => Read(("AccountStorage", Local), ("WEBSITE_HOSTNAME", "a b")));

        Assert.True(besides.IsOnAzure);
        Assert.Equal("ExternalHost: must name the host that clients reach this endpoint by", Assert.Single(alone.Faults));
    }

    [Theory]
    [InlineData(1, 10)]
    [InlineData(5, 50)]
    [InlineData(101, 1000)]
    [InlineData(1000, 1000)]
    public void The_limit_of_a_day_is_ten_times_that_of_the_window_as_far_as_a_row_can_hold(int perAccount, int daily)
    {
        var limit = Read(("AccountStorage", Local), ("ExternalHost", "chat.example.com"), ("AttemptLimit:perAccount", $"{perAccount}")).Attempts;

        Assert.Equal((perAccount, daily), (limit.PerAccount, limit.PerAccountDaily));
    }

    [Fact]
    public void An_operators_command_needs_no_external_host() =>
        Assert.Empty(Settings.Read(Configuration(("AccountStorage", Local)), answersRequests: false).ExternalHosts);

    [Fact]
    public void Every_fault_is_told_at_once_by_the_name_of_its_variable()
    {
        var fault = Assert.Throws<InvalidSettingsException>(() => Read(
            ("AccountStorage", "AccountKey=s3cr3t"), ("TablePrefix", "1x-s3cr3t"), ("ExternalHost", "chat.example.com, https://s3cr3t/"),
            ("Argon2:memoryKib", "63-s3cr3t"), ("Argon2:passes", "11"), ("Argon2:memoryKB", "s3cr3t"), ("Argon2:engine", "s3cr3t"),
            ("Hashing:memoryMib", "1"), ("Hashing:threads", "s3cr3t"), ("Hashing:alsoInUse", "19456:2:1, pbkdf2:260000, s3cr3t, 8:1:2"),
            ("HashCeiling:bytes", "s3cr3t"), ("AttemptLimit:perAccount", "s3cr3t"), ("AttemptLimit:perDay", "s3cr3t"),
            ("ClientAddress:header", "X s3cr3t"), ("ClientAddress:trustedHops", "11"), ("CorsAllowedOrigins", "*, https://a.example/s3cr3t"),
            ("Telemetry:tracePercent", "101"), ("Audit:retentionDays", "0"), ("DevelopmentLogin", "s3cr3t"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "s3cr3t:4317"), ("APPLICATIONINSIGHTS_CONNECTION_STRING", "InstrumentationKey=s3cr3t"),
            ("APPLICATIONINSIGHTS_AUTHENTICATION_STRING", "ClientId=s3cr3t"),
            ("Jwt:portal:realms", "s3cr3t!"), ("Ldap:people:uri", "http://s3cr3t")));

        string[] named =
        [
            "AccountStorage:", "TablePrefix:", "ExternalHost: entry 2 must be a host name",
            "Argon2__memoryKib:", "Argon2__passes: must be a whole number from 1 to 10",
            "Argon2__memoryKB: there is no such setting; Argon2__ takes", "CorsAllowedOrigins: entry 2 must be an origin", "Argon2__engine:",
            "Hashing__memoryMib:", "Hashing__threads:", "Hashing__alsoInUse: entry 3 must be KIB:PASSES:LANES", "Hashing__alsoInUse: entry 4",
            "HashCeiling__bytes: there is no such setting", "Telemetry__tracePercent:", "Audit__retentionDays:", "DevelopmentLogin:",
            "OTEL_EXPORTER_OTLP_ENDPOINT:",
            "APPLICATIONINSIGHTS_CONNECTION_STRING:", "APPLICATIONINSIGHTS_AUTHENTICATION_STRING:",
            "AttemptLimit__perAccount:", "AttemptLimit__perDay:", "ClientAddress__header:", "ClientAddress__trustedHops:",
            "Jwt__portal__realms:", "Jwt__portal__algorithms:", "Jwt__portal__key:",
            "Ldap__people__realms:", "Ldap__people__uri:", "Ldap__people__userSearchBase:",
        ];
        Assert.All(named, name => Assert.Contains(fault.Faults, line => line.StartsWith(name, StringComparison.Ordinal)));
        Assert.Equal(named.Length, fault.Faults.Count);
        Assert.DoesNotContain("s3cr3t", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Host_names_are_read_in_the_spelling_that_is_compared()
    {
        var settings = Read(
            ("AccountStorage", Local), ("ExternalHost", "Bücher.example., [::1]"),
            ("RealmHosts", "Chat.Acme.org. = acme, münchen.example=@"));

        Assert.Equal(["xn--bcher-kva.example", "[::1]"], settings.ExternalHosts);
        Assert.Equal(new Dictionary<string, string> { ["chat.acme.org"] = "acme", ["xn--mnchen-3ya.example"] = "" }, settings.RealmHosts);
    }

    [Theory]
    [InlineData("chat.acme.org=acme,CHAT.acme.org.=lear")]
    [InlineData("zulip.example.com=acme")]
    [InlineData("chat.acme.org")]
    [InlineData("chat.acme.org=")]
    [InlineData("chat.acme.org=a.b")]
    [InlineData("https://chat.acme.org=acme")]
    public void A_host_belongs_to_one_realm(string value)
    {
        var fault = Assert.Throws<InvalidSettingsException>(
            () => Read(("AccountStorage", Local), ("ExternalHost", "zulip.example.com"), ("RealmHosts", value)));

        Assert.StartsWith("RealmHosts:", Assert.Single(fault.Faults), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("AccountStorage")]
    [InlineData("ExternalHost")]
    public void What_must_be_set_is_missed(string name)
    {
        var given = new[] { ("AccountStorage", Local), ("ExternalHost", "zulip.example.com") }.Where(setting => setting.Item1 != name);

        var fault = Assert.Throws<InvalidSettingsException>(() => Read([.. given]));

        Assert.StartsWith(name, Assert.Single(fault.Faults), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("AccountStorage:tableServiceUri", "http://example.table.core.windows.net", "AccountStorage__tableServiceUri")]
    [InlineData("AccountStorage:credential", "password", "AccountStorage__credential")]
    [InlineData("AccountStorage:credential", "azurecli", "AccountStorage__credential")]
    [InlineData("AccountStorage", Local, "AccountStorage")]
    public void Storage_is_reached_in_one_way_and_over_TLS(string name, string value, string variable)
    {
        var fault = Assert.Throws<InvalidSettingsException>(() => Read(
            [("ExternalHost", "zulip.example.com"), ("AccountStorage:tableServiceUri", "https://example.table.core.windows.net"), (name, value)]));

        Assert.StartsWith(variable, Assert.Single(fault.Faults), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("ApiKeys:keys:one", "", "ApiKeys__keys__one")]
    [InlineData("ApiKeys:keys:one", "c2hvcnQ=", "ApiKeys__keys__one")]
    [InlineData("ApiKeys:keys:two", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "ApiKeys__writeWith")]
    [InlineData("ApiKeys:keys:t.w.o", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "ApiKeys__keys__t.w.o")]
    [InlineData("ApiKeys:writeWith", "none", "ApiKeys__writeWith")]
    public void A_key_is_32_bytes_and_one_of_them_writes(string name, string value, string variable)
    {
        var fault = Assert.Throws<InvalidSettingsException>(
            () => Read(("AccountStorage", Local), ("ExternalHost", "zulip.example.com"), (name, value)));

        Assert.StartsWith(variable, fault.Faults[0], StringComparison.Ordinal);
    }

    [Fact]
    public void Without_a_key_nothing_starts() =>
        Assert.StartsWith(
            "ApiKeys__keys__ID",
            Assert.Single(Assert.Throws<InvalidSettingsException>(() => Settings.Read(
                new ConfigurationBuilder().AddInMemoryCollection(
                    [new("AccountStorage", Local), new("ExternalHost", "zulip.example.com")]).Build(),
                answersRequests: true)).Faults),
            StringComparison.Ordinal);

    [Theory]
    [InlineData("Argon2:memoryKib", "262144", null)]
    [InlineData("Argon2:memoryKib", "262145", "Argon2__memoryKib: must be a whole number from 64 to 262144")]
    [InlineData("Argon2:passes", "10", null)]
    [InlineData("Argon2:passes", "11", "Argon2__passes: must be a whole number from 1 to 10")]
    [InlineData("Argon2:lanes", "16", null)]
    [InlineData("Argon2:lanes", "17", "Argon2__lanes: must be a whole number from 1 to 16")]
    public void A_cost_that_exceeds_the_limits_for_stored_hashes_is_refused(string name, string value, string? fault)
    {
        var settings = new[] { ("AccountStorage", Local), ("ExternalHost", "zulip.example.com"), ("Hashing:memoryMib", "1024"), (name, value) };

        if (fault is null)
        {
            Read(settings);
        }
        else
        {
            Assert.Equal(fault, Assert.Single(Assert.Throws<InvalidSettingsException>(() => Read(settings)).Faults));
        }
    }

    [Fact]
    public void Costs_in_use_are_read_in_the_syntax_of_any_format()
    {
        var hashing = Read(
            ("AccountStorage", Local), ("ExternalHost", "zulip.example.com"), ("Hashing:alsoInUse", "19456:2:1, pbkdf2:260000")).Hashing;

        Assert.Equal([new Argon2Cost(19456, 2, 1), new Pbkdf2Cost(260_000)], hashing.AlsoInUse);
        Assert.Equal("19456:2:1,pbkdf2:260000", string.Join(',', hashing.AlsoInUse));
    }

    [Fact]
    public void More_hashing_memory_than_the_process_may_use_is_refused_where_requests_are_answered()
    {
        var tooMuch = (GC.GetGCMemoryInfo().TotalAvailableMemoryBytes >> 20) + 1;
        var settings = new[] { ("AccountStorage", Local), ("ExternalHost", "zulip.example.com"), ("Hashing:memoryMib", $"{tooMuch}") };

        Assert.Equal(
            "Hashing__memoryMib: is more memory than this process may use; lower it, or give the process more",
            Assert.Single(Assert.Throws<InvalidSettingsException>(() => Read(settings)).Faults));
        Assert.NotNull(Settings.Read(Configuration(settings), answersRequests: false));
    }

    [Theory]
    [InlineData("8:1:2")]
    [InlineData("262145:1:1")]
    [InlineData("64:11:1")]
    [InlineData("1024:1:17")]
    [InlineData("64:0:1")]
    [InlineData("64:1:0")]
    [InlineData("64:1:-1")]
    [InlineData("2147483647:1:2147483647")]
    [InlineData("64:1")]
    [InlineData("64:1:1:1")]
    [InlineData("pbkdf2:0")]
    [InlineData("pbkdf2:2000001")]
    [InlineData("pbkdf2:1:1")]
    [InlineData("md5:1")]
    public void A_cost_in_use_of_no_format_or_beyond_the_limits_is_refused(string cost)
    {
        var fault = Assert.Throws<InvalidSettingsException>(() => Read(
            ("AccountStorage", Local), ("ExternalHost", "zulip.example.com"), ("Hashing:alsoInUse", cost)));

        var line = Assert.Single(fault.Faults);
        Assert.StartsWith("Hashing__alsoInUse: entry 1 must be KIB:PASSES:LANES or pbkdf2:ITERATIONS", line, StringComparison.Ordinal);
        Assert.EndsWith(" within the limits for stored hashes", line, StringComparison.Ordinal);
    }

    private static Settings Read(params (string Name, string Value)[] settings) =>
        Settings.Read(Configuration(settings), answersRequests: true);

    private static IConfigurationRoot Configuration(params (string Name, string Value)[] settings)
    {
        var values = new Dictionary<string, string?>(StringComparer.OrdinalIgnoreCase) { ["ApiKeys:keys:one"] = Key };
        foreach (var (name, value) in settings)
        {
            values[name] = value;
        }

        return new ConfigurationBuilder().AddInMemoryCollection(values).Build();
    }
}
