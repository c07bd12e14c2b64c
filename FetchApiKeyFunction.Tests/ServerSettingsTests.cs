// server_settings over the wire: every field, its type and its order.

using static FetchApiKeyFunction.Tests.TestServer;

namespace FetchApiKeyFunction.Tests;

public sealed class ServerSettingsTests(Organisation organisation) : IClassFixture<Organisation>
{
    private const string Path = "/api/v1/server_settings";

    [Theory]
    [InlineData("settings-root", RootHost)]
    [InlineData("settings-public-url", "acme.zulip.example.com:9991")]
    public async Task A_realm_describes_itself(string golden, string host)
    {
        var answer = await organisation.Server.SendAsync(HttpMethod.Get, Path + "?", host: host);

        Assert.Equal((200, Golden(golden)), (answer.Status, answer.Body));
        Assert.Equal("application/json", answer.Headers["Content-Type"]);
        Assert.Equal("no-store", answer.Headers["Cache-Control"]);
    }

    [Fact]
    public async Task The_root_host_without_a_realm_leaves_the_realms_fields_out()
    {
        await using var empty = await StartAsync(await SharedAzurite.NewTablesAsync());

        var answer = await empty.SendAsync(HttpMethod.Get, Path);

        Assert.Equal((200, Golden("settings-no-realm")), (answer.Status, answer.Body));
    }

    [Theory]
    [InlineData("unknown.zulip.example.com")]
    [InlineData("evil.example.net")]
    [InlineData("[::1]")]
    public async Task A_host_of_no_realm_gets_400(string host)
    {
        var answer = await organisation.Server.SendAsync(HttpMethod.Get, Path, host: host);

        Assert.Equal((400, Golden("settings-unknown-subdomain")), (answer.Status, answer.Body));
    }

    [Fact]
    public async Task A_realm_without_password_backends_says_so()
    {
        var answer = await organisation.Server.SendAsync(HttpMethod.Get, Path, host: "nopasswords.zulip.example.com");

        Assert.Contains("\"authentication_methods\":{\"password\":false,\"dev\":false,\"email\":false,", answer.Body, StringComparison.Ordinal);
        Assert.Contains("\"email_auth_enabled\":false", answer.Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task HEAD_gets_the_headers_of_GET_and_no_body()
    {
        var get = await organisation.Server.SendAsync(HttpMethod.Get, Path);
        var head = await organisation.Server.SendAsync(HttpMethod.Head, Path);

        Assert.Equal((200, ""), (head.Status, head.Body));
        Assert.Equal(get.Headers["Content-Length"], head.Headers["Content-Length"]);
        Assert.Equal("application/json", head.Headers["Content-Type"]);
    }

    [Theory]
    [InlineData("POST")]
    [InlineData("OPTIONS")]
    [InlineData("DELETE")]
    public async Task Another_method_gets_405(string method)
    {
        var answer = await organisation.Server.SendAsync(new HttpMethod(method), Path);

        Assert.Equal((405, Golden("settings-method-not-allowed")), (answer.Status, answer.Body));
        Assert.Equal("GET, HEAD", answer.Headers["Allow"]);
    }

    [Theory]
    [InlineData("ZulipInvalid/1.0", true)]
    [InlineData("ZulipInvalid", true)]
    [InlineData("ZulipInvalidish/1.0", false)]
    [InlineData("ZulipMobile/27.1", false)]
    public async Task Only_the_product_made_for_it_is_incompatible(string userAgent, bool isIncompatible)
    {
        var answer = await organisation.Server.SendAsync(HttpMethod.Get, Path, null, RootHost, ("User-Agent", userAgent));

        Assert.Contains($"\"is_incompatible\":{(isIncompatible ? "true" : "false")}", answer.Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Behind_the_Functions_host_the_origin_is_the_one_it_forwards()
    {
        await using var behindHost = await StartAsync(organisation.Tables, behindFunctionsHost: true);

        var answer = await behindHost.SendAsync(
            HttpMethod.Get, Path, null, "127.0.0.1", ("X-Forwarded-Host", "zulip.example.com"), ("X-Forwarded-Proto", "https"));

        Assert.Contains("\"realm_uri\":\"https://zulip.example.com\"", answer.Body, StringComparison.Ordinal);
    }
}

public sealed class CorsTests(Organisation organisation) : IClassFixture<Organisation>
{
    private const string App = "https://app.example.com";

    private static readonly (string, string)[] Preflight = [("Origin", App), ("Access-Control-Request-Method", "POST")];

    [Fact]
    public async Task Without_the_setting_no_CORS_header_is_sent()
    {
        var preflight = await organisation.Server.SendAsync(HttpMethod.Options, "/api/v1/fetch_api_key", null, RootHost, Preflight);
        var request = await organisation.Server.SendAsync(HttpMethod.Get, "/api/v1/server_settings", null, RootHost, ("Origin", App));

        Assert.Equal(405, preflight.Status);
        Assert.DoesNotContain("Access-Control-Allow-Origin", preflight.Headers.Keys.Concat(request.Headers.Keys));
    }

    [Fact]
    public async Task With_the_setting_the_named_origin_and_no_other_is_allowed()
    {
        await using var server = await StartAsync(organisation.Tables, NewSettings(App));
        var preflight = await server.SendAsync(HttpMethod.Options, "/api/v1/fetch_api_key", null, RootHost, Preflight);
        var request = await server.SendAsync(HttpMethod.Get, "/api/v1/server_settings", null, RootHost, ("Origin", App));
        var foreign = await server.SendAsync(HttpMethod.Get, "/api/v1/server_settings", null, RootHost, ("Origin", "https://evil.example.net"));

        Assert.Equal((204, ""), (preflight.Status, preflight.Body));
        Assert.Equal(App, preflight.Headers["Access-Control-Allow-Origin"]);
        Assert.Contains("POST", preflight.Headers["Access-Control-Allow-Methods"], StringComparison.Ordinal);
        Assert.Equal(App, request.Headers["Access-Control-Allow-Origin"]);
        Assert.DoesNotContain("Access-Control-Allow-Origin", foreign.Headers.Keys);
    }
}
