// Several servers, several bases, and connections that are kept.

using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using FetchApiKey.Attempts;
using FetchApiKey.Backends.Ldap;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace FetchApiKeyFunction.Tests.Ldap;

public sealed class DirectoryServersTests
{
    private static ScriptedDirectory NewDirectory() => new ScriptedDirectory().With("hamlet", "right");

    [Theory]
    [InlineData("stopped")]
    [InlineData("silent")]
    [InlineData("busy")]
    [InlineData("search 52")]
    public async Task Where_the_first_server_fails_the_next_is_asked_and_then_first_for_a_while(string failure)
    {
        using var first = NewDirectory();
        using var second = NewDirectory();
        switch (failure)
        {
            case "stopped":
                first.Stop();
                break;
            case "silent":
                first.ServiceBind = _ => new ScriptedReply(null);
                break;
            case "busy":
                first.ServiceBind = _ => new ScriptedReply(51);
                break;
            default:
                first.Search = _ => new ScriptedReply(52);
                break;
        }

        await using var endpoint = await DirectoryEndpoint.StartAsync(
            first, hasOwnPasswords: false, ("uri", $"ldap://127.0.0.1:{first.Port} ldap://127.0.0.1:{second.Port}"));

        Assert.Equal(200, await endpoint.LogInAsync("hamlet", "right"));
        Assert.Equal(401, await endpoint.LogInAsync("hamlet", "wrong"));
        Assert.Equal(401, await endpoint.LogInAsync("nobody", "wrong"));

        Assert.Equal((0, 3), (first.Binds, second.Binds));
        Assert.InRange(first.Connections, 0, 1);
        Assert.Equal(1, endpoint.Server.Log.Count(line => line.Contains($"127.0.0.1:{first.Port} failed", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_server_that_answers_no_persons_bind_costs_one_attempt_and_is_then_asked_after_the_others()
    {
        using var first = NewDirectory();
        using var second = NewDirectory();
        first.UserBind = (_, _) => new ScriptedReply(null);
        await using var endpoint = await DirectoryEndpoint.StartAsync(
            first, hasOwnPasswords: false, ("uri", $"ldap://127.0.0.1:{first.Port} ldap://127.0.0.1:{second.Port}"));

        Assert.Equal(503, await endpoint.LogInAsync("hamlet", "right"));
        Assert.Equal(200, await endpoint.LogInAsync("hamlet", "right"));
        Assert.Equal(401, await endpoint.LogInAsync("hamlet", "wrong"));

        Assert.Equal((1, 2), (first.Binds, second.Binds));
    }

    [Fact]
    public async Task Networks_take_turns_at_a_directory_and_whoever_leaves_before_the_bind_has_sent_none()
    {
        using var slow = NewDirectory();
        slow.UserBind = (_, _) => new ScriptedReply(49, TimeSpan.FromMilliseconds(200));
        var settings = DirectoryEndpoint.SettingsFor(slow).Ldap.Single();
        using var directory = new LdapDirectory(settings, TimeProvider.System, NullLogger.Instance);
        var order = new ConcurrentQueue<string>();
        var query = new DirectoryQuery([settings.UserSearchFilter.With("hamlet")], _ => true);
        async Task AskAsync(string address, CancellationToken waiting)
        {
            var caller = new DirectoryCaller(
                ClientAddress.Of(IPAddress.Parse(address)), () => order.Enqueue(address), TimeSpan.FromSeconds(8), waiting);
            await directory.AuthenticateAsync(query, "wrong"u8.ToArray(), caller, CancellationToken.None);
        }

        using var leaving = new CancellationTokenSource();
        var flood = Enumerable.Range(1, 16).Select(host => AskAsync($"198.51.100.{host}", CancellationToken.None)).ToList();
        var gone = AskAsync("192.0.2.1", leaving.Token);
        var other = AskAsync("203.0.113.9", CancellationToken.None);
        await leaving.CancelAsync();
        await Task.WhenAll([other, .. flood]);

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => gone);
        // The directory is asked about four logins at once, and those were there before.
        Assert.InRange(order.ToList().IndexOf("203.0.113.9"), 0, 7);
        Assert.Equal((17, 17), (order.Count, slow.Binds));
    }

    [Fact]
    public async Task With_every_server_away_the_answer_comes_within_one_deadline_and_nothing_counts()
    {
        using var first = NewDirectory();
        using var second = NewDirectory();
        using var third = NewDirectory();
        foreach (var directory in new[] { first, second, third })
        {
            directory.ServiceBind = _ => new ScriptedReply(null);
        }

        await using var endpoint = await DirectoryEndpoint.StartAsync(
            first, hasOwnPasswords: false, ("uri", $"ldap://127.0.0.1:{first.Port},ldap://127.0.0.1:{second.Port},ldap://127.0.0.1:{third.Port}"), ("operationTimeoutMs", "4000"));
        var begun = Stopwatch.GetTimestamp();

        Assert.Equal(503, await endpoint.LogInAsync("hamlet", "right"));

        Assert.InRange(Stopwatch.GetElapsedTime(begun), TimeSpan.FromSeconds(3), TimeSpan.FromSeconds(8));
        Assert.Equal(0, await endpoint.CountedAsync("hamlet@example.com"));
    }

    [Theory]
    [InlineData("hamlet", 200)]
    [InlineData("yorick", 200)]
    [InlineData("twin", 401)]
    [InlineData("nobody", 401)]
    public async Task Every_base_is_searched_and_a_second_match_is_refused(string username, int status)
    {
        const string others = "ou=others,dc=example,dc=com";
        using var directory = NewDirectory().With("twin", "right");
        foreach (var uid in new[] { "yorick", "twin" })
        {
            directory.Everybody.Add(new ScriptedPerson($"uid={uid},{others}", "right", new() { ["uid"] = [uid] }));
        }

        // The last overlaps both, and what is found twice is one.
        await using var endpoint = await DirectoryEndpoint.StartAsync(
            directory, hasOwnPasswords: false, ("userSearchBase", $"{ScriptedDirectory.People}; {others}; dc=example,dc=com"));

        Assert.Equal(status, await endpoint.LogInAsync(username, "right"));

        Assert.Equal((3, 1), (directory.Searches, directory.Binds));
        Assert.Equal(
            username == "twin", endpoint.Server.Log.Any(line => line.Contains("several entries for one name", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_result_that_was_cut_off_is_not_taken_for_a_whole_one()
    {
        using var directory = NewDirectory();
        directory.Search = _ => new ScriptedReply(4);
        await using var endpoint = await DirectoryEndpoint.StartAsync(directory, hasOwnPasswords: false);

        Assert.Equal(401, await endpoint.LogInAsync("hamlet", "right"));
        Assert.Contains(endpoint.Server.Log, line => line.Contains("several entries for one name", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Connections_that_were_forgotten_while_idle_cost_no_login()
    {
        using var directory = NewDirectory();
        await using var endpoint = await DirectoryEndpoint.StartAsync(directory, hasOwnPasswords: false, ("operationTimeoutMs", "1000"));
        Assert.All(
            await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => endpoint.LogInAsync("hamlet", "right"))),
            status => Assert.Equal(200, status));
        directory.ForgetConnections();

        Assert.All(
            await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => endpoint.LogInAsync("hamlet", "right"))),
            status => Assert.Equal(200, status));
        var begun = Stopwatch.GetTimestamp();
        Assert.Equal(200, await endpoint.LogInAsync("hamlet", "right"));
        Assert.InRange(Stopwatch.GetElapsedTime(begun), TimeSpan.Zero, TimeSpan.FromMilliseconds(400));
    }

    [Fact]
    public async Task A_connection_that_was_idle_for_a_minute_or_is_ten_minutes_old_is_not_used_any_more()
    {
        using var scripted = NewDirectory();
        var time = new FakeTimeProvider();
        using var directory = new LdapDirectory(DirectoryEndpoint.SettingsFor(scripted).Ldap[0], time, NullLogger.Instance);
        var bound = new List<int>();
        async Task AskAfterAsync(int seconds)
        {
            time.Advance(TimeSpan.FromSeconds(seconds));
            Assert.True(await directory.AnswersAsync(CancellationToken.None));
            bound.Add(scripted.ServiceBinds);
        }

        await AskAfterAsync(0);
        await AskAfterAsync(59);
        await AskAfterAsync(61);
        for (var i = 0; i < 11; i++)
        {
            await AskAfterAsync(55);
        }

        Assert.Equal([1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3], bound);
    }

    [Fact]
    public async Task A_connection_is_kept_between_logins_and_a_password_has_its_own()
    {
        using var directory = NewDirectory();
        await using var endpoint = await DirectoryEndpoint.StartAsync(directory, hasOwnPasswords: false);

        for (var i = 0; i < 5; i++)
        {
            Assert.Equal(200, await endpoint.LogInAsync("hamlet", "right"));
        }

        Assert.Equal((6, 1, 5), (directory.Connections, directory.ServiceBinds, directory.Binds));
    }
}
