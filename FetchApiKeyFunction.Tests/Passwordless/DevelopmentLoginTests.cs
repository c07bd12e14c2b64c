// The development variant: absent unless wanted, never where others can ask, and what it answers.

using System.Net;
using FetchApiKey.Accounts;
using FetchApiKey.Cli;
using FetchApiKey.Passwordless;
using static FetchApiKeyFunction.Tests.TestServer;

namespace FetchApiKeyFunction.Tests.Passwordless;

public sealed class DevelopmentLoginTests(Organisation organisation) : IClassFixture<Organisation>, IAsyncLifetime
{
    private const string Fetch = "/api/v1/dev_fetch_api_key";
    private const string List = "/api/v1/dev_list_users";

    private TestServer _server = null!;

    public async Task InitializeAsync() => _server = await PasswordlessServer.StartAsync(organisation.Tables, DevelopmentLoginMode.On);

    public async Task DisposeAsync() => await _server.DisposeAsync();

    // ---- Whether it is there ----

    [Theory]
    [InlineData(Fetch)]
    [InlineData(List)]
    public async Task Unless_it_is_wanted_its_paths_are_unknown_ones_for_every_method(string path)
    {
        foreach (var method in new[] { "GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW", "HEAD" })
        {
            var answer = await organisation.Server.SendAsync(new HttpMethod(method), path + "?username=iago@zulip.com");

            Assert.Equal((404, method == "HEAD" ? "" : Golden("not-found")), (answer.Status, answer.Body));
            Assert.DoesNotContain("Allow", answer.Headers.Keys);
        }
    }

    [Theory]
    [InlineData("true")]
    [InlineData("refuse")]
    public void On_Azure_the_process_does_not_start_with_it(string value)
    {
        var fault = Assert.Throws<InvalidSettingsException>(
            () => PasswordlessServer.Read(("DevelopmentLogin", value), ("WEBSITE_HOSTNAME", "app.azurewebsites.net")));

        Assert.StartsWith("DevelopmentLogin: ", Assert.Single(fault.Faults), StringComparison.Ordinal);
    }

    public static TheoryData<string, bool> PublicListeners => new()
    {
        { "127.0.0.1", true }, { "0.0.0.0", false }, { "::", false }, { "10.0.0.4", false },
    };

    [Theory]
    [MemberData(nameof(PublicListeners))]
    public void Behind_the_Functions_host_or_at_an_address_that_others_reach_it_does_not_start_either(
        string address, bool behindFunctionsHost)
    {
        var listener = new Listener(IPAddress.Parse(address), 0, behindFunctionsHost);

        var fault = Assert.Throws<InvalidSettingsException>(() => EndpointServer.Build(
            PasswordlessServer.SettingsWith(DevelopmentLoginMode.On), listener, organisation.Tables, TimeProvider.System));

        Assert.StartsWith("DevelopmentLogin: ", Assert.Single(fault.Faults), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("true", "*", false)]
    [InlineData("true", "https://app.example.com, *", false)]
    [InlineData("true", "https://app.example.com", true)]
    [InlineData("refuse", "*", true)]
    [InlineData("false", "*", true)]
    public void It_does_not_start_where_every_page_of_the_internet_could_read_its_answers(string value, string origins, bool starts)
    {
        var fault = Record.Exception(() => PasswordlessServer.Read(("DevelopmentLogin", value), ("CorsAllowedOrigins", origins))) as InvalidSettingsException;

        Assert.Equal(starts, fault is null);
        Assert.All(
            fault?.Faults ?? [],
            line => Assert.StartsWith("CorsAllowedOrigins: must not be * with DevelopmentLogin", line, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("yes")]
    [InlineData("True")]
    public void Another_word_than_its_own_is_refused(string value) =>
        Assert.StartsWith(
            "DevelopmentLogin: must be", Assert.Single(Assert.Throws<InvalidSettingsException>(() => PasswordlessServer.Read(("DevelopmentLogin", value))).Faults), StringComparison.Ordinal);

    [Fact]
    public async Task The_server_settings_tell_whether_it_is_on()
    {
        Assert.Contains(
            "\"dev\":true", (await _server.SendAsync(HttpMethod.Get, "/api/v1/server_settings")).Body, StringComparison.Ordinal);
        Assert.Contains(
            "\"dev\":false", (await organisation.Server.SendAsync(HttpMethod.Get, "/api/v1/server_settings")).Body,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Told_to_refuse_it_answers_as_a_server_whose_backend_is_off()
    {
        await using var refusing = await PasswordlessServer.StartAsync(organisation.Tables, DevelopmentLoginMode.Refuse);

        var fetch = await refusing.SendAsync(HttpMethod.Post, Fetch, Form(("username", "not an address")));
        var missing = await refusing.SendAsync(HttpMethod.Post, Fetch);
        var list = await refusing.SendAsync(HttpMethod.Get, List);

        Assert.Equal((400, Golden("dev-backend-off")), (fetch.Status, fetch.Body));
        Assert.Equal((400, Golden("E1")), (missing.Status, missing.Body));
        Assert.Equal((400, Golden("dev-backend-off")), (list.Status, list.Body));
        Assert.Contains(
            "\"dev\":false", (await refusing.SendAsync(HttpMethod.Get, "/api/v1/server_settings")).Body, StringComparison.Ordinal);
    }

    // ---- What it answers ----

    [Theory]
    [InlineData("success", 200, "username=iago%40zulip.com", RootHost)]
    [InlineData("success", 200, "username=IAGO@ZULIP.COM&client=website", RootHost)]
    [InlineData("E1", 400, "", RootHost)]
    [InlineData("E4", 400, "username=iago", RootHost)]
    [InlineData("E4", 400, "username=iago", "unknown.zulip.example.com")]
    [InlineData("E3", 404, "username=iago@zulip.com", "unknown.zulip.example.com")]
    [InlineData("E3", 404, "username=iago@zulip.com", "evil.example.net")]
    [InlineData("E11", 401, "username=iago@zulip.com", "closed.zulip.example.com")]
    [InlineData("E9", 401, "username=gone@zulip.com", RootHost)]
    [InlineData("E5", 401, "username=nobody@zulip.com", RootHost)]
    [InlineData("E5", 401, "username=only@acme.com", RootHost)]
    public async Task A_name_alone_is_answered_as_the_contract_says(string golden, int status, string body, string host)
    {
        var answer = await _server.SendAsync(
            HttpMethod.Post, Fetch, new StringContent(body, new System.Net.Http.Headers.MediaTypeHeaderValue("application/x-www-form-urlencoded")), host);

        Assert.Equal((status, Golden(golden)), (answer.Status, answer.Body));
    }

    [Fact]
    public async Task The_login_tells_what_nothing_took_and_the_list_does_not()
    {
        var login = await _server.SendAsync(HttpMethod.Post, Fetch + "?x=1", Form(("username", "iago@zulip.com"), ("password", "y")));
        var list = await _server.SendAsync(HttpMethod.Get, List + "?x=1");

        Assert.EndsWith(",\"user_id\":5,\"ignored_parameters_unsupported\":[\"password\",\"x\"]}\n", login.Body, StringComparison.Ordinal);
        Assert.Equal(200, list.Status);
        Assert.DoesNotContain("ignored", list.Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_list_has_the_active_accounts_of_every_realm_with_their_realms_origin()
    {
        var tables = await SharedAzurite.NewTablesAsync();
        var realms = new RealmStore(tables, TimeSpan.Zero, TimeProvider.System);
        await realms.AddAsync(new Realm("", "Root", "", "", null, true, PasswordBackends.Email), CancellationToken.None);
        await realms.AddAsync(
            new Realm("acme", "Acme", "", "", "https://chat.example.org", true, PasswordBackends.None), CancellationToken.None);
        await AddAsync(tables, "", 1, "iago@zulip.com", Account.Member, isActive: true);
        await AddAsync(tables, "", 2, "gone@zulip.com", Account.Administrator, isActive: false);
        await AddAsync(tables, "acme", 1, "boss@acme.com", Account.Owner, isActive: true);
        await using var server = await PasswordlessServer.StartAsync(tables, DevelopmentLoginMode.On);

        var answer = await server.SendAsync(HttpMethod.Get, List);
        var head = await server.SendAsync(HttpMethod.Head, List);

        Assert.Equal((200, Golden("dev-users")), (answer.Status, answer.Body));
        Assert.Equal((200, ""), (head.Status, head.Body));

        await realms.AddAsync(new Realm("sub", "Sub", "", "", null, true, PasswordBackends.Email), CancellationToken.None);
        await AddAsync(tables, "sub", 1, "a@sub.com", Account.Administrator, isActive: true);
        var fromSubdomain = await server.SendAsync(HttpMethod.Get, List, host: "acme.zulip.example.com:9991");
        Assert.Contains(
            """[{"email":"a@sub.com","realm_url":"http://sub.zulip.example.com:9991"},{"email":"boss@acme.com","realm_url":"https://chat.example.org"}]""",
            fromSubdomain.Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_page_of_the_internet_that_points_its_name_to_this_machine_learns_nobodys_name()
    {
        var answer = await _server.SendAsync(HttpMethod.Get, List, host: "evil.example.net");

        Assert.Equal((404, Golden("E3")), (answer.Status, answer.Body));
    }

    [Theory]
    [InlineData("GET", Fetch, "method-not-allowed", "POST")]
    [InlineData("OPTIONS", Fetch, "method-not-allowed", "POST")]
    [InlineData("POST", List, "settings-method-not-allowed", "GET, HEAD")]
    public async Task Another_method_gets_405(string method, string path, string golden, string allow)
    {
        var answer = await _server.SendAsync(new HttpMethod(method), path);

        Assert.Equal((405, Golden(golden), allow), (answer.Status, answer.Body, answer.Headers["Allow"]));
    }

    private static async Task AddAsync(AccountTables tables, string subdomain, int userId, string email, int role, bool isActive) =>
        Assert.Equal(Addition.Added, await new AccountStore(tables).AddAsync(
            new Account(
                subdomain, userId, email, "!", Cipher.Seal(subdomain, EmailAddress.TryParse(email)!, userId, Account.NewApiKey()), isActive,
                role, DateTimeOffset.UnixEpoch),
            EmailAddress.TryParse(email)!, CancellationToken.None));
}
