// Traces, metrics and logs as they leave a whole process, and what never leaves it.

using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using FetchApiKey.Accounts;
using FetchApiKey.Cli;
using FetchApiKey.Telemetry;
using FetchApiKeyFunction.Tests.Hosts;

namespace FetchApiKeyFunction.Tests;

public sealed class TelemetryTests(Organisation organisation) : IClassFixture<Organisation>
{
    private const string Canary = "c4n4ry-p4ssw0rd";

    [Fact]
    public Task A_login_and_a_refusal_are_told_to_a_collector_and_the_console_without_a_secret() => AssertToldAsync(TestedProgram.Usual);

    [PackageFact]
    public async Task The_packaged_program_tells_a_collector_and_the_console_the_same() => await AssertToldAsync(await TestedProgram.PackagedAsync());

    private async Task AssertToldAsync(TestedProgram program)
    {
        await using var collector = await Collector.StartAsync();
        var port = Azurite.FreePort();
        using var run = program.Start(
            ["serve", "--port", $"{port}", "--show-telemetry"],
            EveryHost.Settings(await SharedAzurite.ConnectionStringAsync(), organisation.TablePrefix, collector.Settings));
        await run.WaitForAsync("Listening on");
        using var client = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{port}") };
        using var login = await client.PostAsync(
            new Uri("/api/v1/fetch_api_key", UriKind.Relative), TestServer.Form(("username", "iago@zulip.com"), ("password", "abcd1234")));
        using var refusal = await client.PostAsync(new Uri($"/api/v1/fetch_api_key?username=canary@zulip.com&password={Canary}&{Canary}=1", UriKind.Relative), null);
        using var link = await client.GetAsync(new Uri($"/api/v1/password_reset?token={Canary}", UriKind.Relative));
        using var nowhere = await client.GetAsync(new Uri($"/{Canary}", UriKind.Relative));
        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.Unauthorized), (login.StatusCode, refusal.StatusCode));

        // The end of the process sends what waits to be sent.
        run.Terminate();
        Assert.Equal(ExitCode.Done, await run.ExitCodeAsync());

        foreach (var told in new[]
        {
            "POST /api/v1/fetch_api_key", "fetch_api_key.outcome: logged_in", "fetch_api_key.outcome: unknown_user", "fetch_api_key.hash.queue_wait:",
            "fetch_api_key.hash.duration:", $"GET {organisation.TablePrefix}accounts", $"PUT {organisation.TablePrefix}attempts", "http.route: unknown", "http.route: /api/v1/password_reset",
            "Metric Name: fetch_api_key.logins", "Metric Name: fetch_api_key.hash.duration", "Metric Name: fetch_api_key.hash.queue_depth",
            "Metric Name: fetch_api_key.storage.duration", "Metric Name: http.server.request.duration", "outcome: unknown_user realm: ",
        })
        {
            Assert.True(run.Output.Contains(told, StringComparison.Ordinal), $"{told} is not in {run.Output}");
        }

        Assert.Contains("fetch_api_key.outcome", collector.Received("/v1/traces"), StringComparison.Ordinal);
        Assert.Contains("fetch_api_key.logins", collector.Received("/v1/metrics"), StringComparison.Ordinal);
        Assert.Contains("Security event", collector.Received("/v1/logs"), StringComparison.Ordinal);
        foreach (var told in new[] { "POST /api/v1/fetch_api_key", "fetch_api_key.logins", "Security event" })
        {
            Assert.Contains(told, collector.Received("/v2.1/track"), StringComparison.Ordinal);
        }

        foreach (var secret in new[] { Canary, "canary", "iago", Organisation.IagosKey, "abcd1234", "argon2id", TestServer.KeyVariable.Value })
        {
            Assert.DoesNotContain(secret, run.Output, StringComparison.OrdinalIgnoreCase);
            Assert.DoesNotContain(secret, collector.All, StringComparison.OrdinalIgnoreCase);
        }
    }

    [Fact]
    public async Task Each_way_a_login_ends_is_counted_under_its_name_and_realm()
    {
        using var logins = new Measurements("fetch_api_key.logins");
        await organisation.Server.LogInAsync("iago@zulip.com", "abcd1234", "closed.zulip.example.com");
        await organisation.Server.LogInAsync("iago@zulip.com", "abcd1234", "nopasswords.zulip.example.com");
        await organisation.Server.LogInAsync("only@acme.com", "abcd1234", "acme.zulip.example.com");

        Assert.Single(logins.Taken, Is("realm_deactivated", "closed"));
        Assert.Single(logins.Taken, Is("password_auth_disabled", "nopasswords"));
        Assert.Single(logins.Taken, Is("logged_in", "acme"));
    }

    [Fact]
    public async Task Storage_that_fails_is_counted_with_its_retries_and_the_login_as_unavailable()
    {
        var (proxy, connection) = await FaultProxy.StartAsync();
        await using (proxy)
        {
            var given = TestServer.NewSettings();
            await using var server = await TestServer.StartAsync(
                AccountTables.Open(new StorageSettings { ConnectionString = connection, TablePrefix = organisation.TablePrefix }),
                new Settings { Storage = given.Storage, ExternalHosts = given.ExternalHosts, Hashing = given.Hashing, ApiKeys = given.ApiKeys });
            Assert.Equal(401, (await server.LogInAsync("nobody@zulip.com", "x", "acme.zulip.example.com")).Status);
            using var retries = new Measurements("fetch_api_key.storage.retries");
            using var calls = new Measurements("fetch_api_key.storage.duration");
            using var logins = new Measurements("fetch_api_key.logins");
            proxy.Fault = StorageFault.Unavailable;
            Assert.Equal(503, (await server.LogInAsync("nobody@zulip.com", "x", "acme.zulip.example.com")).Status);

            Assert.Single(logins.Taken, Is("unavailable", "acme"));
            Assert.Contains(retries.Taken, taken => (string?)taken["status"] == "503");
            Assert.Contains(calls.Taken, taken => (string?)taken["status"] == "503" && (string?)taken["table"] == $"{organisation.TablePrefix}attempts");
        }
    }

    [Fact]
    public async Task A_trace_goes_on_from_the_Functions_host_and_from_nobody_else()
    {
        const string parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        var spans = new ConcurrentQueue<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == Instruments.Name,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = spans.Enqueue,
        };
        ActivitySource.AddActivityListener(listener);
        await using var behind = await TestServer.StartAsync(organisation.Tables, behindFunctionsHost: true);

        await organisation.Server.SendAsync(HttpMethod.Get, "/api/v1/health", headers: [("traceparent", parent)]);
        Assert.DoesNotContain(spans, span => span.TraceId.ToHexString() == parent[3..35]);
        await behind.SendAsync(HttpMethod.Put, "/api/v1/health", headers: [("traceparent", parent), ("X-Azure-Functions-InvocationId", "6f9619ff-8b86-d011-b42d-00c04fc964ff")]);
        await behind.SendAsync(HttpMethod.Get, "/", headers: [("traceparent", parent)]);

        var span = Assert.Single(spans, span => span.TraceId.ToHexString() == parent[3..35]);
        Assert.Equal("PUT /api/v1/health", span.DisplayName);
        Assert.Equal("6f9619ff-8b86-d011-b42d-00c04fc964ff", span.GetTagItem("faas.invocation_id"));
        Assert.Equal(405, span.GetTagItem("http.response.status_code"));
    }

    private static Predicate<Dictionary<string, object?>> Is(string outcome, string realm) =>
        taken => (string?)taken["outcome"] == outcome && (string?)taken["realm"] == realm;
}
