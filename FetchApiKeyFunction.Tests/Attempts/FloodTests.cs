// What a flood of one network must not take from others: the name that it aims at, other names, and places.

using FetchApiKey.Accounts;
using FetchApiKey.Argon2;
using FetchApiKey.Attempts;
using FetchApiKey.Passwords;
using FetchApiKeyFunction.Tests.Ldap;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using static FetchApiKeyFunction.Tests.TestServer;

namespace FetchApiKeyFunction.Tests.Attempts;

public sealed class FloodTests : IAsyncLifetime, IDisposable
{
    /// <summary>Attempts that may read, or have read and wait for their hash.</summary>
    private const int Reading = 32;

    private static readonly EmailAddress Target = EmailAddress.TryParse("target@example.com")!;
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(10);

    private readonly FakeTimeProvider _time = new(TimeProvider.System.GetUtcNow());
    private readonly CancellationTokenSource _over = new();
    private AccountTables _tables = null!;
    private AttemptTable _table = null!;
    private LoginAttempts _attempts = null!;
    private int _read;
    private int _names;

    public async Task InitializeAsync()
    {
        _tables = await SharedAzurite.NewTablesAsync();
        _table = new AttemptTable(_tables, _time, NullLogger<AttemptTable>.Instance);
        _attempts = NewAttempts(isOnAzure: false);
    }

    public Task DisposeAsync() => _over.CancelAsync();

    public void Dispose() => _over.Dispose();

    // ---- The name that it aims at ----

    [Fact]
    public async Task Whoever_logs_in_to_the_same_name_from_elsewhere_does_not_wait_behind_a_floods_queue()
    {
        var working = await Task.WhenAll(Enumerable.Range(0, Reading).Select(_ => OpenAsync(NewName(), "flood")));
        var queued = Enumerable.Range(0, 60).Select(_ => OpenAsync(NewName(), "flood")).ToList();
        var aimed = Enumerable.Range(0, 10).Select(_ => OpenAsync(Target, "flood")).ToList();
        var person = OpenAsync(Target, "elsewhere");

        // Networks take turns, so the second to be free is the person's.
        working[0].Begin();
        working[1].Begin();
        await person.WaitAsync(Soon);

        Assert.InRange(queued.Concat(aimed).Count(each => each.IsCompleted), 0, 1);
        // Nothing was read for those who wait.
        Assert.InRange(_read, Reading + 1, Reading + 2);
    }

    [Fact]
    public async Task Whoever_logs_in_to_the_same_name_from_elsewhere_does_not_wait_for_those_whose_hash_waits()
    {
        var aimed = Enumerable.Range(0, 20).Select(_ => OpenAsync(Target, "flood")).ToList();
        await CompletedAsync(aimed, 3);

        await OpenAsync(Target, "elsewhere").WaitAsync(Soon);
        await OpenAsync(Target, "another").WaitAsync(Soon);

        Assert.Equal(3, aimed.Count(each => each.IsCompleted));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_login_beside_a_flood_that_aims_at_its_name_too_is_answered_after_a_few_hashes_or_binds(bool isByDirectory)
    {
        using var directory = new ScriptedDirectory();
        directory.UserBind = (_, _) => new ScriptedReply(49, TimeSpan.FromMilliseconds(150));
        await using var server = isByDirectory ? await StartAsync(directory) : await StartAsync();
        var (answered, addresses) = (0, 0);
        async Task FloodAsync(string name)
        {
            await GuessAsync(server, name, $"2001:db8:5:{Interlocked.Increment(ref addresses):x}::1");
            Interlocked.Increment(ref answered);
        }

        var flood = Enumerable.Range(0, 120).Select(_ => FloodAsync(NewName().Text)).ToList();
        await UntilAsync(() => server.Part<OpenAttempts>().Count >= 90);
        flood.AddRange(Enumerable.Range(0, 20).Select(_ => FloodAsync(Target.Text)));
        await Task.Delay(200);

        var before = Volatile.Read(ref answered);
        var status = await GuessAsync(server, Target.Text, "203.0.113.9");
        var meanwhile = Volatile.Read(ref answered) - before;

        Assert.Equal(401, status);
        Assert.InRange(meanwhile, 0, 20);
        await Task.WhenAll(flood);
    }

    [Fact]
    public async Task Attempts_on_one_name_have_a_cap_that_leaves_a_place_for_whoever_comes_from_elsewhere()
    {
        var aimed = Enumerable.Range(0, OpenAttempts.OnName).Select(_ => OpenAsync(Target, "flood")).ToList();
        await CompletedAsync(aimed, 3);

        await OpenAsync(Target, "elsewhere").WaitAsync(Soon);

        // It ends at once, and its judge finds that it was given up.
        Assert.True((await aimed[^1].WaitAsync(Soon)).Waiting.IsCancellationRequested);
    }

    // ---- Other names ----

    [Fact]
    public async Task Those_who_wait_for_one_name_from_many_networks_take_no_turn_from_others()
    {
        var aimed = Enumerable.Range(0, OpenAttempts.OnName).Select(i => OpenAsync(Target, $"network{i}")).ToList();
        await CompletedAsync(aimed, 5);

        var others = Enumerable.Range(0, Reading - 5).Select(_ => OpenAsync(NewName(), "network0")).ToList();

        await Task.WhenAll(others).WaitAsync(Soon);
        Assert.Equal(5, aimed.Count(each => each.IsCompleted));
    }

    // ---- As many as there is room ----

    [Theory]
    [InlineData(0, 5)]
    [InlineData(3, 2)]
    [InlineData(4, 1)]
    public async Task No_more_attempts_on_a_name_are_in_flight_than_may_still_fail(int failures, int room)
    {
        for (var i = 0; i < failures; i++)
        {
            using var failing = await OpenAsync(Target, "elsewhere");
            failing.Begin();
            Assert.True((await _attempts.CommitAsync(failing, isFailure: true)).MayLeave);
        }

        var inFlight = 0;
        var opened = Enumerable.Range(0, OpenAttempts.OnName).Select(async i =>
        {
            using var attempt = await OpenAsync(Target, $"network{i % 8}");
            Assert.InRange(Interlocked.Increment(ref inFlight), 1, room);
            attempt.Begin();
            await Task.Delay(5);
            Interlocked.Decrement(ref inFlight);
        });

        await Task.WhenAll(opened).WaitAsync(Soon);
    }

    [Fact]
    public async Task A_name_that_was_closed_a_while_ago_is_read_by_one_before_others_go_on()
    {
        for (var i = 0; i < 5; i++)
        {
            using var failing = await OpenAsync(Target, "flood");
            failing.Begin();
            await _attempts.CommitAsync(failing, isFailure: true);
        }

        // By the operator.
        await _table.DeleteAsync(LoginAttempts.KeyOf("", Target), CancellationToken.None);
        _time.Advance(TimeSpan.FromSeconds(3));

        var opened = Enumerable.Range(0, 20).Select(i => OpenAsync(Target, $"network{i}")).ToList();
        await CompletedAsync(opened, 5);
        await Task.Delay(100);
        Assert.Equal(5, opened.Count(each => each.IsCompleted));
    }

    // ---- Places ----

    [Theory]
    [InlineData("10.1.2.3", false, OpenAttempts.OfAddress)]
    [InlineData("127.0.0.1", false, OpenAttempts.OfAddress)]
    [InlineData("203.0.113.9", true, OpenAttempts.OfAddress)]
    [InlineData("10.1.2.3", true, OpenAttempts.OfSharedAddress)]
    public async Task Every_address_has_a_cap_and_one_that_all_clients_share_has_a_higher_one(string address, bool isOnAzure, int cap)
    {
        var (attempts, client) = (NewAttempts(isOnAzure), ClientAddress.Of(System.Net.IPAddress.Parse(address)));
        Task BeginAsync() => attempts.BeginAsync("", NewName(), client, () => { }, _over.Token, default);
        var open = Enumerable.Range(0, cap).Select(_ => BeginAsync()).ToList();
        Assert.DoesNotContain(open, each => each.IsFaulted);

        await Assert.ThrowsAsync<AttemptsContendedException>(() => BeginAsync().WaitAsync(Soon));
    }

    // ---- The parts ----

    private LoginAttempts NewAttempts(bool isOnAzure) =>
        new(_table, new OpenAttempts(), new AttemptSettings(), isOnAzure, _time, NullLogger<LoginAttempts>.Instance);

    private EmailAddress NewName() => EmailAddress.TryParse($"guess{Interlocked.Increment(ref _names)}@example.com")!;

    private async Task<LoginAttempt> OpenAsync(EmailAddress name, string network)
    {
        var client = new ClientAddress($"{network} {Interlocked.Increment(ref _names)}", IsShared: false, network);
        var (attempt, _) = await _attempts.BeginAsync("", name, client, () => Interlocked.Increment(ref _read), _over.Token, default);
        return attempt!;
    }

    /// <summary>Waits until so many have their turn.</summary>
    private static Task CompletedAsync(List<Task<LoginAttempt>> attempts, int count) =>
        UntilAsync(() => attempts.Count(each => each.IsCompleted) >= count);

    private static async Task UntilAsync(Func<bool> isSo)
    {
        using var limit = new CancellationTokenSource(Soon);
        while (!isSo())
        {
            await Task.Delay(5, limit.Token);
        }
    }

    private async Task<TestServer> StartAsync()
    {
        await AddRealmAsync(PasswordBackends.Email);
        var defaults = NewSettings(new AttemptSettings { PerAddress = 1000 });
        return await TestServer.StartAsync(
            _tables,
            new Settings
            {
                Storage = defaults.Storage,
                ExternalHosts = defaults.ExternalHosts,
                RealmMaxAge = defaults.RealmMaxAge,
                ApiKeys = defaults.ApiKeys,
                Attempts = defaults.Attempts,
                Hashing = Hashing with { Cost = new Argon2Cost(65536, 3, 1), Gate = new GateLimits { MemoryBytes = 64L << 20, Slots = 1 } },
            },
            behindFunctionsHost: true);
    }

    private async Task<TestServer> StartAsync(ScriptedDirectory directory)
    {
        await AddRealmAsync(PasswordBackends.None);
        return await TestServer.StartAsync(_tables, DirectoryEndpoint.SettingsFor(directory), behindFunctionsHost: true);
    }

    private Task<bool> AddRealmAsync(PasswordBackends backends) => new RealmStore(_tables, TimeSpan.Zero, TimeProvider.System).AddAsync(
        new Realm("", "Flooded", "", "", null, true, backends), CancellationToken.None);

    private static async Task<int> GuessAsync(TestServer server, string name, string address) => (await server.SendAsync(
        HttpMethod.Post, "/api/v1/fetch_api_key", Form(("username", name), ("password", "wrong")), "zulip.example.com",
        ("X-Forwarded-For", address))).Status;
}
