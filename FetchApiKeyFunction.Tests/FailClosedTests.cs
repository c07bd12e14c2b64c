// Storage that fails as it does in life: nobody is judged, nobody is told a lie, and all is well again by itself.

using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.RegularExpressions;
using FetchApiKey.Accounts;
using FetchApiKey.Attempts;
using Microsoft.Extensions.Logging.Abstractions;
using static FetchApiKeyFunction.Tests.TestServer;

namespace FetchApiKeyFunction.Tests;

public sealed partial class FailClosedTests(Organisation organisation) : IClassFixture<Organisation>
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

    [Fact]
    public async Task Before_there_are_tables_a_login_is_503_and_not_an_unknown_user()
    {
        var tables = AccountTables.Open(await SharedAzurite.NewStorageAsync());
        await using var server = await TestServer.StartAsync(tables);
        Assert.Equal(503, (await server.LogInAsync("iago@zulip.com", "abcd1234")).Status);

        await tables.CreateAsync(CancellationToken.None);
        Assert.Equal(404, (await server.LogInAsync("iago@zulip.com", "abcd1234")).Status);
    }

    [Fact]
    public async Task A_right_login_costs_three_storage_calls_a_wrong_one_four_and_a_refused_one_two()
    {
        // The other tests leave failures of the same address.
        var own = new Organisation();
        await own.InitializeAsync();
        var (proxy, server, user) = await StartAsync(own);
        await using var _ = proxy;
        await using var __ = server;
        var calls = new ConcurrentQueue<string>();
        // Requests on rows; the audit trail is written in the background and not waited for.
        proxy.Meets = request =>
        {
            if (TableOf().Match(request.Path) is { Success: true, Groups: [_, var table] } && table.Value != "audit")
            {
                calls.Enqueue($"{request.Method} {table.Value}");
            }

            return true;
        };
        async Task<string[]> CallsOfAsync(string username, string password, int status)
        {
            Assert.Equal(status, (await server.LogInAsync(username, password)).Status);
            var made = calls.Where(call => !call.EndsWith("realms", StringComparison.Ordinal)).Order(StringComparer.Ordinal).ToArray();
            calls.Clear();
            return made;
        }

        const string Account = "GET accounts", Read = "GET attempts", Add = "POST attempts", Change = "PUT attempts", NoRow = "DELETE attempts";
        // The address is new to the instance.
        Assert.Equal([NoRow, Account, Read, Read], await CallsOfAsync(user, "abcd1234", 200));
        Assert.Equal([NoRow, Account, Read], await CallsOfAsync(user, "abcd1234", 200));
        Assert.Equal([Account, Read, Add, Add], await CallsOfAsync(user, "wrong", 401));
        Assert.Equal([Account, Read, Add, Change], await CallsOfAsync("nobody@zulip.com", "wrong", 401));
        Assert.Equal([Account, Read, Change, Change], await CallsOfAsync(user, "wrong", 401));
        // The address has failures, so it is read when a right verdict is committed; the name's are kept for the day.
        Assert.Equal([Account, Read, Read, Change], await CallsOfAsync(user, "abcd1234", 200));
        for (var guess = 0; guess < 5; guess++)
        {
            Assert.Equal([Account, Read, Change, Change], await CallsOfAsync(user, "wrong", 401));
        }

        // Full a moment ago, and then read once more.
        Assert.Empty(await CallsOfAsync(user, "abcd1234", 429));
        await Task.Delay(TimeSpan.FromSeconds(2.1));
        Assert.Equal([Account, Read], await CallsOfAsync(user, "abcd1234", 429));
        await own.DisposeAsync();
    }

    [Fact]
    public async Task What_an_instance_remembers_of_a_name_refuses_nobody_whom_another_instance_cleared()
    {
        var (proxy, first, user) = await StartAsync();
        await using var _ = proxy;
        await using var __ = first;
        await using var second = await TestServer.StartAsync(organisation.Tables);
        for (var guess = 0; guess < 4; guess++)
        {
            Assert.Equal(401, (await first.LogInAsync(user, "wrong")).Status);
        }

        Assert.Equal(200, (await second.LogInAsync(user, "abcd1234")).Status);
        for (var guess = 0; guess < 5; guess++)
        {
            Assert.Equal(401, (await first.LogInAsync(user, "wrong")).Status);
        }

        Assert.Equal(429, (await first.LogInAsync(user, "wrong")).Status);
        await new AttemptTable(organisation.Tables, TimeProvider.System, NullLogger<AttemptTable>.Instance).DeleteAsync(
            LoginAttempts.KeyOf("", EmailAddress.TryParse(user)!), CancellationToken.None);
        // An instance may remember for two seconds that a name is locked.
        await Task.Delay(TimeSpan.FromSeconds(2.1));
        Assert.Equal(200, (await first.LogInAsync(user, "abcd1234")).Status);
    }

    private async Task<(FaultProxy Proxy, TestServer Server, string User)> StartAsync(Organisation? own = null)
    {
        var of = own ?? organisation;
        var (proxy, connection) = await FaultProxy.StartAsync();
        var tables = AccountTables.Open(new StorageSettings { ConnectionString = connection, TablePrefix = of.TablePrefix });
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
        await of.AddAsync("", id, $"user{id}@zulip.com", await Organisation.HashAsync("abcd1234"));
        return (proxy, server, $"user{id}@zulip.com");
    }

    [GeneratedRegex("(accounts|attempts|audit|realms|userids)\\b")]
    private static partial Regex TableOf();
}
