// A new API key for the old one: what the contract says, the limit, and that the old key is dead everywhere.

using System.Text;
using System.Text.Json;
using FetchApiKey.Accounts;
using FetchApiKey.Attempts;
using Microsoft.AspNetCore.Http;
using static FetchApiKeyFunction.Tests.TestServer;

namespace FetchApiKeyFunction.Tests.Passwordless;

public sealed class KeyRegenerationTests(Organisation organisation) : IClassFixture<Organisation>
{
    private const string Path = "/api/v1/users/me/api_key/regenerate";
    private const string ClosedHost = "closed.zulip.example.com";

    private static int _userId = 1000;

    [Fact]
    public async Task The_old_key_is_dead_at_once_on_every_instance_and_a_login_has_the_new_one()
    {
        var (email, oldKey) = await AddAsync();
        await using var other = await StartAsync(organisation.Tables);

        var answer = await SendAsync(email, oldKey);
        var newKey = KeyOf(answer);
        var again = await SendAsync(email, oldKey, server: other);
        var login = await other.LogInAsync(email, "abcd1234");
        var next = await SendAsync(email, newKey, server: other);

        Assert.Equal(
            (200, Golden("key-changed").Replace(Organisation.IagosKey, newKey, StringComparison.Ordinal)), (answer.Status, answer.Body));
        Assert.Equal("999", answer.Headers["X-RateLimit-Remaining"]);
        Assert.NotEqual(oldKey, newKey);
        Assert.Equal((401, Golden("key-invalid")), (again.Status, again.Body));
        Assert.Contains($"\"api_key\":\"{newKey}\"", login.Body, StringComparison.Ordinal);
        Assert.Equal(200, next.Status);
        Assert.NotEqual(newKey, KeyOf(next));
    }

    [Fact]
    public async Task Nothing_but_the_key_changes_and_none_is_quoted_in_the_log()
    {
        var (email, oldKey) = await AddAsync();
        var before = await organisation.FindAsync(email);

        var newKey = KeyOf(await SendAsync(email.ToUpperInvariant(), oldKey));

        var after = await organisation.FindAsync(email);
        Assert.Equal(before with { SealedApiKey = after.SealedApiKey, ETag = after.ETag }, after);
        Assert.NotEqual(before.SealedApiKey, after.SealedApiKey);
        Assert.Contains(organisation.Server.Log, line => line.Contains($"Security event api_key_changed: api_key_changed in realm '', user {before.UserId}", StringComparison.Ordinal));
        Assert.DoesNotContain(organisation.Server.Log, line =>
            line.Contains(oldKey, StringComparison.Ordinal) || line.Contains(newKey, StringComparison.Ordinal) || line.Contains(email, StringComparison.OrdinalIgnoreCase));
    }

    [Theory]
    [InlineData("key-missing", 401, null)]
    [InlineData("key-missing", 401, "")]
    [InlineData("key-no-pair", 401, "Basic")]
    [InlineData("key-no-pair", 401, "Basic a b")]
    [InlineData("key-no-pair", 401, "Basic !!!")]
    [InlineData("key-no-pair", 401, "Basic aWFnb0B6dWxpcC5jb20=")]
    [InlineData("key-not-basic", 400, "Bearer gjA04ZYcqXKalvYMA8OeXSfzUOLrtbZv")]
    public async Task A_header_without_address_and_key_is_told_what_it_lacks(string golden, int status, string? authorization)
    {
        var answer = await organisation.Server.SendAsync(
            HttpMethod.Post, Path, host: RootHost, headers: authorization is null ? [] : [("Authorization", authorization)]);

        Assert.Equal((status, Golden(golden)), (answer.Status, answer.Body));
        Assert.Equal(status == 401 ? "Basic realm=\"zulip\"" : null, answer.Headers.GetValueOrDefault("WWW-Authenticate"));
        Assert.DoesNotContain("X-RateLimit-Limit", answer.Headers.Keys);
    }

    [Theory]
    [InlineData("key-malformed", "iago@zulip.com:")]
    [InlineData("key-malformed", "iago@zulip.com:abcd1234")]
    [InlineData("key-malformed", "iago@zulip.com:gjA04ZYcqXKalvYMA8OeXSfzUOLrtbZ!")]
    [InlineData("key-malformed", "iago@zulip.com:gjA04ZYcqXKalvYMA8OeXSfzUOLrtbZvv")]
    [InlineData("key-malformed", "iago@zulip.com:gjA04ZYcqXKalvYMA8OeXSfzUOLrtbZé")]
    [InlineData("key-no-pair", "iago@zulip.com:gjA04ZYcqXKalvYMA8OeXSfzUOLrtbZv:")]
    [InlineData("key-invalid", "iago@zulip.com:GjA04ZYcqXKalvYMA8OeXSfzUOLrtbZv")]
    [InlineData("key-invalid", "iago@zulip.com:gjA04ZYcqXKalvYMA8OeXSfzUOLrtbZw")]
    [InlineData("key-invalid", "nobody@zulip.com:gjA04ZYcqXKalvYMA8OeXSfzUOLrtbZv")]
    [InlineData("key-invalid", "bot@zulip.com:gjA04ZYcqXKalvYMA8OeXSfzUOLrtbZv")]
    [InlineData("key-invalid", "iago:gjA04ZYcqXKalvYMA8OeXSfzUOLrtbZv")]
    [InlineData("key-invalid", ":gjA04ZYcqXKalvYMA8OeXSfzUOLrtbZv")]
    [InlineData("key-invalid", "gone@zulip.com:gjA04ZYcqXKalvYMA8OeXSfzUOLrtbZv")]
    public async Task A_key_that_is_not_the_accounts_changes_nothing(string golden, string pair)
    {
        var before = await organisation.FindAsync("iago@zulip.com");

        var answer = await SendPairAsync(pair);

        Assert.Equal((401, Golden(golden)), (answer.Status, answer.Body));
        Assert.Equal("Basic realm=\"zulip\"", answer.Headers["WWW-Authenticate"]);
        Assert.Equal(before.ETag, (await organisation.FindAsync("iago@zulip.com")).ETag);
    }

    [Fact]
    public async Task Deactivation_is_told_only_to_the_right_key()
    {
        var (gone, gonesKey) = await AddAsync(isActive: false);
        var (closed, closedKey) = await AddAsync("closed");

        var ofUser = await SendAsync(gone, gonesKey);
        var ofRealm = await SendAsync(closed, closedKey, ClosedHost);
        var wrong = await SendAsync(closed, gonesKey, ClosedHost);
        var elsewhere = await SendAsync(closed, closedKey);
        var nowhere = await SendAsync(closed, closedKey, "unknown.zulip.example.com");

        Assert.Equal((401, Golden("key-user-deactivated")), (ofUser.Status, ofUser.Body));
        Assert.Equal((401, Golden("key-realm-deactivated")), (ofRealm.Status, ofRealm.Body));
        Assert.Equal((401, Golden("key-invalid")), (wrong.Status, wrong.Body));
        Assert.Equal((401, Golden("key-invalid")), (elsewhere.Status, elsewhere.Body));
        Assert.Equal((404, Golden("E3")), (nowhere.Status, nowhere.Body));
    }

    [Fact]
    public async Task White_space_around_address_and_key_is_taken_off_as_a_Zulip_server_does()
    {
        var (email, key) = await AddAsync();

        Assert.Equal(200, (await SendPairAsync($" {email} :\t{key}\n")).Status);
    }

    [Fact]
    public async Task Wrong_keys_and_wrong_passwords_share_a_limit_and_then_the_right_key_gets_429_too()
    {
        var (email, key) = await AddAsync();
        await using var server = await PasswordlessServer.StartAsync(organisation.Tables, attempts: ManyAttempts with { PerAccount = 5 });
        var statuses = new List<int>();
        for (var i = 0; i < 3; i++)
        {
            statuses.Add((await SendAsync(email, Account.NewApiKey(), server: server)).Status);
        }

        statuses.Add((await server.LogInAsync(email, "wrong")).Status);
        statuses.Add((await SendAsync(email, Account.NewApiKey(), server: server)).Status);
        var blocked = await SendAsync(email, key, server: server);
        var login = await server.LogInAsync(email, "abcd1234");

        Assert.All(statuses, status => Assert.Equal(401, status));
        Assert.Equal((429, 429), (blocked.Status, login.Status));
        Assert.DoesNotContain("WWW-Authenticate", blocked.Headers.Keys);
        Assert.True(int.Parse(blocked.Headers["Retry-After"], System.Globalization.CultureInfo.InvariantCulture) > 1000);
    }

    [Fact]
    public async Task Known_and_unknown_names_are_limited_alike_however_many_keys_come_at_once()
    {
        var (email, _) = await AddAsync();
        await using var server = await PasswordlessServer.StartAsync(organisation.Tables, attempts: ManyAttempts with { PerAccount = 5 });
        foreach (var name in new[] { email, "nobody.at.all@zulip.com" })
        {
            var answers = await Task.WhenAll(Enumerable.Range(0, 30).Select(_ => SendAsync(name, Account.NewApiKey(), server: server)));

            Assert.Equal((5, 25), (answers.Count(answer => answer.Status == 401), answers.Count(answer => answer.Status == 429)));
        }
    }

    [Fact]
    public async Task Of_many_that_come_with_one_key_at_once_one_gets_the_new_one()
    {
        var (email, key) = await AddAsync();
        await using var other = await StartAsync(organisation.Tables);

        var answers = await Task.WhenAll(
            Enumerable.Range(0, 8).Select(i => SendAsync(email, key, server: i % 2 == 0 ? organisation.Server : other)));
        var login = await organisation.Server.LogInAsync(email, "abcd1234");

        var winner = Assert.Single(answers, answer => answer.Status == 200);
        Assert.All(
            answers.Where(answer => answer != winner), answer => Assert.Equal((401, Golden("key-invalid")), (answer.Status, answer.Body)));
        Assert.Contains($"\"api_key\":\"{KeyOf(winner)}\"", login.Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_eleventh_new_key_of_an_account_within_an_hour_is_refused_and_the_tenth_stays()
    {
        var (email, key) = await AddAsync();
        for (var i = 0; i < RegenerationLimit.MaxRegenerations; i++)
        {
            var answer = await SendAsync(email, key);
            Assert.Equal(200, answer.Status);
            key = KeyOf(answer);
        }

        var refused = await SendAsync(email, key);
        Assert.Equal(429, refused.Status);
        Assert.InRange(int.Parse(refused.Headers["Retry-After"], System.Globalization.CultureInfo.InvariantCulture), 3000, 3600);
        Assert.Contains($"\"api_key\":\"{key}\"", (await organisation.Server.LogInAsync(email, "abcd1234")).Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_new_key_whose_writing_was_not_acknowledged_is_given_all_the_same()
    {
        var (email, key) = await AddAsync();
        var (proxy, connection) = await FaultProxy.StartAsync();
        await using var _ = proxy;
        await using var server = await StartAsync(
            AccountTables.Open(new StorageSettings { ConnectionString = connection, TablePrefix = organisation.TablePrefix }));
        var writes = 0;
        proxy.Meets = request => !HttpMethods.IsGet(request.Method) && request.Path.Value!.Contains("accounts", StringComparison.Ordinal) && Interlocked.Increment(ref writes) == 1;
        proxy.Fault = StorageFault.LostAcknowledgement;

        var answer = await SendAsync(email, key, server: server);
        var login = await server.LogInAsync(email, "abcd1234");

        Assert.Equal(200, answer.Status);
        Assert.True(writes > 1, $"{writes} writes");
        Assert.Contains($"\"api_key\":\"{KeyOf(answer)}\"", login.Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_seal_that_is_not_the_accounts_own_opens_to_no_key()
    {
        var (email, _) = await AddAsync();
        var account = await organisation.FindAsync(email);
        await organisation.Accounts.SetSealedApiKeyAsync(
            account, Cipher.Seal("", EmailAddress.TryParse(account.Email)!, 5, Organisation.IagosKey), CancellationToken.None);

        var answer = await SendAsync(email, Organisation.IagosKey);

        Assert.Equal((401, Golden("key-invalid")), (answer.Status, answer.Body));
    }

    [Fact]
    public async Task Storage_that_is_away_judges_nobody()
    {
        var tables = await SharedAzurite.NewTablesAsync();
        await new RealmStore(tables, TimeSpan.Zero, TimeProvider.System).AddAsync(new Realm("", "Root", "", "", null, true, PasswordBackends.Email), CancellationToken.None);
        await tables.Attempts.DeleteAsync();
        await using var server = await StartAsync(tables);

        var answer = await SendAsync("iago@zulip.com", Organisation.IagosKey, server: server);

        Assert.Equal((503, Golden("E18")), (answer.Status, answer.Body));
        Assert.DoesNotContain("WWW-Authenticate", answer.Headers.Keys);
    }

    [Theory]
    [InlineData("GET")]
    [InlineData("OPTIONS")]
    [InlineData("DELETE")]
    public async Task Another_method_gets_405_before_anything_is_looked_at(string method)
    {
        var answer = await organisation.Server.SendAsync(new HttpMethod(method), Path);

        Assert.Equal((405, Golden("method-not-allowed"), "POST"), (answer.Status, answer.Body, answer.Headers["Allow"]));
    }

    private async Task<(string Email, string Key)> AddAsync(string subdomain = "", bool isActive = true)
    {
        var userId = Interlocked.Increment(ref _userId);
        var (email, key) = ($"person{userId}@zulip.com", Account.NewApiKey());
        await organisation.AddAsync(subdomain, userId, email, await Organisation.HashAsync("abcd1234"), isActive, key);
        return (email, key);
    }

    private Task<Answer> SendAsync(string email, string key, string host = RootHost, TestServer? server = null) =>
        SendPairAsync($"{email}:{key}", host, server);

    private Task<Answer> SendPairAsync(string pair, string host = RootHost, TestServer? server = null) =>
        (server ?? organisation.Server).SendAsync(
            HttpMethod.Post, Path, host: host, headers: ("Authorization", "Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes(pair))));

    private static string KeyOf(Answer answer)
    {
        using var body = JsonDocument.Parse(answer.Body);
        return body.RootElement.GetProperty("api_key").GetString()!;
    }
}
