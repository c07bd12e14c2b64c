// What load balancers and the Functions host ask, and when the endpoint calls itself ready.

using FetchApiKey.Accounts;
using FetchApiKey.Passwords;

namespace FetchApiKeyFunction.Tests;

public sealed class HealthTests(Organisation organisation) : IClassFixture<Organisation>
{
    private const string Ready = "/api/v1/health/ready";

    [Theory]
    [InlineData("/")]
    [InlineData("/api/v1/health")]
    [InlineData(Ready)]
    public async Task A_healthy_endpoint_says_so_to_whoever_asks(string path)
    {
        var answer = await organisation.Server.SendAsync(HttpMethod.Get, path, host: "anything.example.net");
        var head = await organisation.Server.SendAsync(HttpMethod.Head, path);
        var post = await organisation.Server.SendAsync(HttpMethod.Post, path);

        Assert.Equal((200, """{"result":"success","msg":""}""" + "\n"), (answer.Status, answer.Body));
        Assert.Equal((200, ""), (head.Status, head.Body));
        Assert.Equal((405, "GET, HEAD"), (post.Status, post.Headers["Allow"]));
        Assert.Equal("no-store", answer.Headers["Cache-Control"]);
    }

    [Fact]
    public async Task Without_a_table_the_endpoint_lives_but_is_not_ready_and_only_the_log_says_why()
    {
        var tables = await SharedAzurite.NewTablesAsync();
        await tables.Attempts.DeleteAsync();
        await using var server = await TestServer.StartAsync(tables);

        var ready = await server.SendAsync(HttpMethod.Get, Ready);
        var live = await server.SendAsync(HttpMethod.Get, "/api/v1/health");

        Assert.Equal((503, TestServer.Golden("E18")), (ready.Status, ready.Body));
        Assert.Equal("5", ready.Headers["Retry-After"]);
        Assert.Equal(200, live.Status);
        Assert.Contains(server.Log, line => line.Contains("Not ready", StringComparison.Ordinal) && line.Contains("attempts", StringComparison.Ordinal));
    }

    [Fact]
    public async Task With_storage_away_the_endpoint_is_not_ready()
    {
        var (proxy, connection) = await FaultProxy.StartAsync();
        await using (proxy)
        {
            await using var server = await TestServer.StartAsync(AccountTables.Open(new StorageSettings { ConnectionString = connection, TablePrefix = organisation.TablePrefix }));
            proxy.Fault = StorageFault.Unavailable;

            Assert.Equal(503, (await server.SendAsync(HttpMethod.Get, Ready)).Status);
        }
    }

    [Fact]
    public async Task With_a_key_that_opens_no_stored_API_key_the_endpoint_is_not_ready()
    {
        var settings = TestServer.NewSettings();
        var others = new ApiKeySettings(new Dictionary<string, byte[]> { ["one"] = new byte[32] }, "one");
        await using var server = await TestServer.StartAsync(organisation.Tables, new Settings
        {
            Storage = settings.Storage, ExternalHosts = settings.ExternalHosts, Hashing = settings.Hashing, ApiKeys = others,
        });

        Assert.Equal(503, (await server.SendAsync(HttpMethod.Get, Ready)).Status);
        Assert.Contains(server.Log, line => line.Contains("do not open with the configured keys", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Asking_often_costs_storage_one_look()
    {
        var tables = await SharedAzurite.NewTablesAsync();
        await using var server = await TestServer.StartAsync(tables);
        using var storage = new Measurements("fetch_api_key.storage.duration");

        var answers = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => server.SendAsync(HttpMethod.Get, Ready)));

        Assert.All(answers, answer => Assert.Equal(200, answer.Status));
        Assert.Single(storage.Taken, taken => (string?)taken["table"] == tables.Accounts.Name);
    }
}
