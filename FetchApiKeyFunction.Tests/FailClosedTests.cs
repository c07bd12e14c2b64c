// Storage that fails as it does in life: nobody is judged, nobody is told a lie, and all is well again by itself.

using System.Diagnostics;
using FetchApiKeyFunction.Accounts;
using FetchApiKeyFunction.Attempts;
using static FetchApiKeyFunction.Tests.TestServer;

namespace FetchApiKeyFunction.Tests;

public sealed class FailClosedTests(Organisation organisation) : IClassFixture<Organisation>
{
    /// <summary>The promise; far above what a healthy store takes, so not a measurement.</summary>
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(10);

    [Theory]
    [InlineData(StorageFault.Delay)]
    [InlineData(StorageFault.Reset)]
    [InlineData(StorageFault.Throttled)]
    [InlineData(StorageFault.Unavailable)]
    [InlineData(StorageFault.Truncated)]
    public async Task A_store_that_fails_makes_503_in_time_and_recovers(StorageFault fault)
    {
        var (proxy, server, user) = await StartAsync();
        await using var _ = proxy;
        await using var __ = server;
        Assert.Equal(200, (await server.LogInAsync(user, "abcd1234")).Status);

        proxy.Fault = fault;
        var started = Stopwatch.GetTimestamp();
        var answers = await Task.WhenAll(server.LogInAsync(user, "abcd1234"), server.LogInAsync(user, "wrong"), server.LogInAsync("nobody@zulip.com", "wrong"));
        Assert.True(Stopwatch.GetElapsedTime(started) < Deadline + TimeSpan.FromSeconds(5));
        Assert.All(answers, answer =>
        {
            Assert.Equal((503, Golden("E18")), (answer.Status, answer.Body));
            Assert.Matches("\\A[1-9][0-9]*\\z", answer.Headers["Retry-After"]);
        });

        proxy.Fault = StorageFault.None;
        started = Stopwatch.GetTimestamp();
        while ((await server.LogInAsync(user, "abcd1234")).Status != 200)
        {
            Assert.True(Stopwatch.GetElapsedTime(started) < Deadline, "It did not recover.");
            await Task.Delay(100);
        }
    }

    [Fact]
    public async Task A_lost_acknowledgement_counts_an_attempt_once_or_more_and_never_refuses_a_right_password()
    {
        var (proxy, server, user) = await StartAsync();
        await using var _ = proxy;
        await using var __ = server;

        proxy.Fault = StorageFault.LostAcknowledgement;
        var right = await server.LogInAsync(user, "abcd1234");
        Assert.Contains(right.Status, new[] { 200, 503 });

        var judged = 0;
        for (var guess = 0; guess < 7; guess++)
        {
            // Now and then an answer comes through, so that guesses can be judged at all.
            proxy.Fault = guess % 3 == 0 ? StorageFault.None : StorageFault.LostAcknowledgement;
            var answer = await server.LogInAsync(user, "wrong");
            Assert.Contains(answer.Status, new[] { 401, 429, 503 });
            judged += answer.Status == 401 ? 1 : 0;
        }

        Assert.InRange(judged, 1, 5);
        Assert.True(proxy.Changes > 0);
    }

    [Fact]
    public async Task A_table_that_goes_away_is_503_and_not_an_unknown_user()
    {
        var tables = await SharedAzurite.NewTablesAsync();
        var realm = new Realm("", "Zulip", "", "", null, true, PasswordBackends.Email);
        await new RealmStore(tables, TimeSpan.Zero, TimeProvider.System).AddAsync(realm, CancellationToken.None);
        await using var server = await TestServer.StartAsync(tables);
        Assert.Equal(401, (await server.LogInAsync("iago@zulip.com", "abcd1234")).Status);

        await tables.Attempts.DeleteAsync();

        Assert.Equal(503, (await server.LogInAsync("iago@zulip.com", "abcd1234")).Status);
    }

    private async Task<(FaultProxy Proxy, TestServer Server, string User)> StartAsync()
    {
        var (proxy, connection) = await FaultProxy.StartAsync();
        var tables = AccountTables.Open(new StorageSettings { ConnectionString = connection, TablePrefix = organisation.TablePrefix });
        var defaults = NewSettings();
        var server = await TestServer.StartAsync(tables, new Settings
        {
            Storage = defaults.Storage,
            ExternalHosts = defaults.ExternalHosts,
            RealmMaxAge = TimeSpan.Zero,
            Hashing = defaults.Hashing,
            ApiKeys = defaults.ApiKeys,
            Attempts = new AttemptSettings { PerAddress = 1000 },
        });
        var id = System.Security.Cryptography.RandomNumberGenerator.GetInt32(1_000, 2_000_000_000);
        await organisation.AddAsync("", id, $"user{id}@zulip.com", await Organisation.HashAsync("abcd1234"));
        return (proxy, server, $"user{id}@zulip.com");
    }
}
