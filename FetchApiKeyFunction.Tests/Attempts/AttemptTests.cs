// The attempt limit over the wire, on one instance and on several, and its rules by themselves.

using System.Globalization;
using System.Net;
using System.Text.RegularExpressions;
using FetchApiKey.Accounts;
using FetchApiKey.Attempts;
using FetchApiKey.Passwords;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Time.Testing;
using Microsoft.Extensions.Logging.Abstractions;
using static FetchApiKeyFunction.Tests.TestServer;

namespace FetchApiKeyFunction.Tests.Attempts;

public sealed partial class AttemptTests(Organisation organisation) : IClassFixture<Organisation>, IAsyncLifetime
{
    private static readonly AttemptSettings Defaults = new() { PerAddress = 1000 };

    private readonly List<TestServer> _instances = [];
    private int _users;

    public async Task InitializeAsync()
    {
        for (var i = 0; i < 3; i++)
        {
            _instances.Add(await StartAsync(Defaults));
        }
    }

    public async Task DisposeAsync()
    {
        foreach (var instance in _instances)
        {
            await instance.DisposeAsync();
        }
    }

    // ---- One after the other ----

    [Fact]
    public async Task Known_and_unknown_names_get_401_five_times_and_then_429()
    {
        var known = await NewUserAsync();

        foreach (var name in new[] { known, "nobody-at-all@zulip.com" })
        {
            for (var attempt = 1; attempt <= 5; attempt++)
            {
                var refused = await _instances[attempt % 3].LogInAsync(name, "wrong");
                Assert.Equal((401, Golden("E5")), (refused.Status, refused.Body));
                Assert.Equal(("5", $"{5 - attempt}"), (refused.Headers["X-RateLimit-Limit"], refused.Headers["X-RateLimit-Remaining"]));
            }

            var blocked = await _instances[0].LogInAsync(name, "wrong");
            Assert.Equal(429, blocked.Status);
            Assert.Equal(Golden("E16"), RetryAfter().Replace(blocked.Body, "$1RETRY_AFTER"));
            var seconds = double.Parse(RetryAfter().Match(blocked.Body).Groups["seconds"].Value, CultureInfo.InvariantCulture);
            Assert.InRange(seconds, 1700, 1801);
            Assert.Equal(Math.Ceiling(seconds).ToString(CultureInfo.InvariantCulture), blocked.Headers["Retry-After"]);
            Assert.Equal(("5", "0"), (blocked.Headers["X-RateLimit-Limit"], blocked.Headers["X-RateLimit-Remaining"]));
            Assert.InRange(
                long.Parse(blocked.Headers["X-RateLimit-Reset"], CultureInfo.InvariantCulture) - TimeProvider.System.GetUtcNow().ToUnixTimeSeconds(), 1700, 1801);
        }

        Assert.Equal(429, (await _instances[1].LogInAsync(known, "abcd1234")).Status);
    }

    [Fact]
    public async Task Every_spelling_of_an_address_is_one_bucket_and_every_realm_another()
    {
        await NewUserAsync();
        var spellings = new[] { "CASE@zulip.com", "case@ZULIP.com", "Case@Zulip.Com", "cAsE@zulip.com", "case@zulip.COM", "case@zulip.com" };

        var statuses = new List<int>();
        foreach (var spelling in spellings)
        {
            statuses.Add((await _instances[0].LogInAsync(spelling, "wrong")).Status);
        }

        Assert.Equal([401, 401, 401, 401, 401, 429], statuses);
        Assert.Equal(401, (await _instances[0].LogInAsync("case@zulip.com", "wrong", "acme.zulip.example.com")).Status);
    }

    [Fact]
    public async Task A_success_clears_the_window_and_shows_the_figures_from_before()
    {
        var user = await NewUserAsync();
        for (var round = 0; round < 3; round++)
        {
            for (var attempt = 0; attempt < 4; attempt++)
            {
                Assert.Equal(401, (await _instances[0].LogInAsync(user, "wrong")).Status);
            }

            var success = await _instances[1].LogInAsync(user, "abcd1234");
            Assert.Equal((200, "0"), (success.Status, success.Headers["X-RateLimit-Remaining"]));
        }
    }

    [Fact]
    public async Task No_success_clears_the_day()
    {
        var user = await NewUserAsync();
        await using var server = await StartAsync(Defaults with { PerAccountDaily = 6 });
        var statuses = new List<int>();
        for (var attempt = 0; attempt < 9; attempt++)
        {
            statuses.Add((await server.LogInAsync(user, attempt % 3 == 2 ? "abcd1234" : "wrong")).Status);
        }

        Assert.Equal([401, 401, 200, 401, 401, 200, 401, 401, 429], statuses);
    }

    [Fact]
    public async Task Requests_that_fail_an_earlier_check_and_blocked_tries_do_not_count()
    {
        var user = await NewUserAsync();
        for (var i = 0; i < 10; i++)
        {
            await _instances[0].SendAsync(HttpMethod.Post, "/api/v1/fetch_api_key", Form(("username", user)));
            var misshapen = await _instances[0].LogInAsync("not-an-address", "x");
            Assert.DoesNotContain("X-RateLimit-Limit", misshapen.Headers.Keys);
        }

        Assert.Equal("4", (await _instances[0].LogInAsync(user, "wrong")).Headers["X-RateLimit-Remaining"]);
    }

    [Fact]
    public async Task The_operator_unlocks_a_name()
    {
        for (var attempt = 0; attempt < 6; attempt++)
        {
            await _instances[0].LogInAsync("locked@zulip.com", "wrong");
        }

        await new AttemptTable(organisation.Tables, TimeProvider.System, NullLogger<AttemptTable>.Instance).DeleteAsync(
            LoginAttempts.KeyOf("", EmailAddress.TryParse("Locked@zulip.com")!), CancellationToken.None);

        // An instance may remember for two seconds that a name is locked.
        await Task.Delay(TimeSpan.FromSeconds(2.1));
        Assert.Equal(401, (await _instances[0].LogInAsync("locked@zulip.com", "wrong")).Status);
    }

    // ---- All at once ----

    [Theory]
    [InlineData(60)]
    [InlineData(500)]
    public async Task Of_many_wrong_guesses_at_once_over_three_instances_five_are_judged(int guesses)
    {
        var user = await NewUserAsync();

        var answers = await Task.WhenAll(Enumerable.Range(0, guesses).Select(i => _instances[i % 3].LogInAsync(user, $"wrong{i}")));

        Assert.Equal(5, answers.Count(answer => answer.Status == 401));
        Assert.All(answers, answer => Assert.Contains(answer.Status, new[] { 401, 429, 503 }));
    }

    [Fact]
    public async Task Guesses_that_claim_to_be_one_request_are_counted_each()
    {
        var user = await NewUserAsync();

        var answers = await Task.WhenAll(Enumerable.Range(0, 30).Select(i => _instances[i % 3].SendAsync(
            HttpMethod.Post, "/api/v1/fetch_api_key", Form(("username", user), ("password", $"wrong{i}")), RootHost,
            ("X-Azure-Functions-InvocationId", "6f9619ff-8b86-d011-b42d-00c04fc964ff"))));

        Assert.Equal(5, answers.Count(answer => answer.Status == 401));
    }

    [Fact]
    public async Task Twenty_right_logins_of_one_account_at_once_all_succeed()
    {
        var user = await NewUserAsync();

        var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => _instances[i % 3].LogInAsync(user, "abcd1234")));

        Assert.All(answers, answer => Assert.Equal(200, answer.Status));
    }

    [Fact]
    public async Task A_right_login_in_a_volley_clears_only_what_precedes_it()
    {
        var user = await NewUserAsync();

        var answers = await Task.WhenAll(Enumerable.Range(0, 60).Select(i => _instances[i % 3].LogInAsync(user, i == 7 ? "abcd1234" : "wrong")));

        var successes = answers.Count(answer => answer.Status == 200);
        Assert.InRange(answers.Count(answer => answer.Status is 200 or 401), 5, 5 * (1 + successes) + successes);
    }

    [Fact]
    public async Task Attempts_that_are_turned_away_unhashed_get_503_and_do_not_count()
    {
        var defaults = NewSettings();
        await using var server = await TestServer.StartAsync(organisation.Tables, new Settings
        {
            Storage = defaults.Storage,
            ExternalHosts = defaults.ExternalHosts,
            RealmMaxAge = defaults.RealmMaxAge,
            ApiKeys = defaults.ApiKeys,
            Attempts = ManyAttempts,
            Hashing = Hashing with { Cost = new Argon2Cost(32768, 2, 1), Gate = new GateLimits { MemoryBytes = 64 << 20, Slots = 1, QueueLength = 1 } },
        });

        var answers = await Task.WhenAll(Enumerable.Range(0, 40).Select(_ => server.LogInAsync("busy@zulip.com", "wrong")));
        var next = await server.LogInAsync("busy@zulip.com", "wrong");

        var turnedAway = answers.Where(answer => answer.Status == 503).ToList();
        Assert.NotEmpty(turnedAway);
        Assert.All(turnedAway, answer => Assert.Equal((Golden("E18"), "5"), (answer.Body, answer.Headers["Retry-After"])));
        var judged = answers.Count(answer => answer.Status == 401);
        Assert.Equal(answers.Length, judged + turnedAway.Count);
        Assert.Equal($"{1000 - judged - 1}", next.Headers["X-RateLimit-Remaining"]);
    }

    [Fact]
    public async Task Right_logins_of_a_client_that_keeps_losing_its_connection_are_not_failures()
    {
        var user = await NewUserAsync();
        var body = $"username={user}&password=abcd1234";
        for (var i = 0; i < 12; i++)
        {
            await _instances[0].SendAndLeaveAsync(
                $"POST /api/v1/fetch_api_key HTTP/1.1\r\nHost: {RootHost}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {body.Length}\r\n\r\n{body}");
            await Task.Delay(i * 2);
        }

        // Those still in flight make this one wait, and leave nothing behind.
        var wrong = await _instances[1].LogInAsync(user, "wrong");
        var right = await _instances[1].LogInAsync(user, "abcd1234");

        Assert.Equal((401, 200), (wrong.Status, right.Status));
        await Task.Delay(500);
        Assert.Equal("4", (await _instances[1].LogInAsync(user, "wrong")).Headers["X-RateLimit-Remaining"]);
    }

    // ---- Addresses ----

    [Fact]
    public async Task One_guess_on_each_of_many_names_from_one_address_is_cut_at_the_limit()
    {
        await using var server = await StartAsync(Defaults with { PerAddress = 20 }, behindFunctionsHost: true, hops: 1);

        var statuses = new List<int>();
        for (var i = 0; i < 40; i++)
        {
            statuses.Add(await GuessAsync(server, $"n{i}@zulip.com", "203.0.113.7:" + (1000 + i)));
        }

        Assert.Equal(20, statuses.Count(status => status == 401));
        Assert.All(statuses.Skip(20), status => Assert.Equal(429, status));
        Assert.Equal(401, await GuessAsync(server, "other@zulip.com", "203.0.113.8"));
    }

    [Fact]
    public async Task A_whole_IPv6_network_is_one_address()
    {
        await using var server = await StartAsync(Defaults with { PerAddress = 3 }, behindFunctionsHost: true, hops: 1);

        var statuses = new List<int>();
        foreach (var address in new[] { "2001:db8:1:2::1", "[2001:db8:1:2:ffff::]:443", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::9", "2001:db8:1:3::1" })
        {
            statuses.Add(await GuessAsync(server, $"v6-{statuses.Count}@zulip.com", address));
        }

        Assert.Equal([401, 401, 401, 429, 401], statuses);
    }

    [Fact]
    public async Task Headers_of_a_client_itself_gain_nothing()
    {
        // Tables of its own: the other tests come from the same address.
        var tables = await SharedAzurite.NewTablesAsync();
        var realm = new Realm("", "Zulip", "", "", null, true, PasswordBackends.Email);
        await new RealmStore(tables, TimeSpan.Zero, TimeProvider.System).AddAsync(realm, CancellationToken.None);
        await using var server = await StartAsync(Defaults with { PerAddress = 3 }, tables: tables);
        string[] headers =
        [
            "X-Forwarded-For", "Forwarded", "X-Real-IP", "Client-IP", "CLIENT-IP", "X-Client-IP", "True-Client-IP", "CF-Connecting-IP",
            "X-Cluster-Client-IP", "X-Azure-ClientIP", "X-Azure-SocketIP", "X-Original-For", "X-Forwarded-Host", "X-Forwarded",
        ];

        var statuses = new List<int>();
        foreach (var header in headers)
        {
            var login = Form(("username", $"spoof{statuses.Count}@zulip.com"), ("password", "wrong"));
            statuses.Add((await server.SendAsync(HttpMethod.Post, "/api/v1/fetch_api_key", login, RootHost, (header, $"198.51.100.{statuses.Count}"))).Status);
        }

        Assert.Equal(3, statuses.Count(status => status == 401));
    }

    private Task<TestServer> StartAsync(AttemptSettings attempts, bool behindFunctionsHost = false, int? hops = null, AccountTables? tables = null)
    {
        var defaults = NewSettings();
        return TestServer.StartAsync(
            tables ?? organisation.Tables,
            new Settings
            {
                Storage = defaults.Storage,
                ExternalHosts = defaults.ExternalHosts,
                RealmMaxAge = defaults.RealmMaxAge,
                Hashing = defaults.Hashing,
                ApiKeys = defaults.ApiKeys,
                Attempts = attempts,
                ClientAddress = hops is { } trusted ? new ClientAddressSettings("X-Forwarded-For", trusted) : null,
            },
            behindFunctionsHost);
    }

    private static async Task<int> GuessAsync(TestServer server, string username, string forwardedFor) => (await server.SendAsync(
        HttpMethod.Post, "/api/v1/fetch_api_key", Form(("username", username), ("password", "wrong")), RootHost, ("X-Forwarded-For", forwardedFor))).Status;

    private async Task<string> NewUserAsync()
    {
        var id = 1000 + Interlocked.Increment(ref _users) + RandomNumber();
        var email = $"user{id}@zulip.com";
        await organisation.AddAsync("", id, email, await Organisation.HashAsync("abcd1234"));
        return email;
    }

    private static int RandomNumber() => System.Security.Cryptography.RandomNumberGenerator.GetInt32(1_000_000_000);

    [GeneratedRegex("""("retry-after":)(?<seconds>[0-9]+\.[0-9]+)""")]
    private static partial Regex RetryAfter();
}
