// Zulip's own clients: one for real, the others by the requests that they send and what they need back.

using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using FetchApiKey.Cli;
using FetchApiKeyFunction.Tests.Hosts;
using static FetchApiKeyFunction.Tests.TestServer;

namespace FetchApiKeyFunction.Tests.Clients;

public sealed class ClientTests(Organisation organisation) : IClassFixture<Organisation>
{
    private const string Login = "/api/v1/fetch_api_key";
    private const string Settings = "/api/v1/server_settings";

    private static readonly (string, string) PythonAgent = ("User-Agent", "ZulipPython/0.9.1 (Debian; 12)");

    [Fact]
    public async Task Zulip_js_logs_in_unchanged()
    {
        var loggedIn = await ZulipJsAsync("iago@zulip.com", "abcd1234");
        var refused = await ZulipJsAsync("iago@zulip.com", "wrong");

        Assert.Equal(Organisation.IagosKey, loggedIn.GetProperty("apiKey").GetString());
        Assert.False(refused.TryGetProperty("apiKey", out _));
    }

    [Fact]
    public async Task Zulip_terminal_finds_the_login_through_the_servers_settings()
    {
        var settings = await organisation.Server.SendAsync(HttpMethod.Get, Settings, null, RootHost, ("User-Agent", "python-requests/2.31.0"));
        using var offered = JsonDocument.Parse(settings.Body);
        Assert.True(offered.RootElement.GetProperty("email_auth_enabled").GetBoolean());
        Assert.True(offered.RootElement.GetProperty("require_email_format_usernames").GetBoolean());
        var realm = new Uri(offered.RootElement.GetProperty("realm_uri").GetString()!);

        var answer = await organisation.Server.SendAsync(
            HttpMethod.Post, Login, Form(("username", "iago@zulip.com"), ("password", "abcd1234")), realm.Authority);

        Assert.Equal((200, Golden("success")), (answer.Status, answer.Body));
    }

    [Fact]
    public async Task The_Python_package_sends_Basic_authentication_and_repeats_with_dont_block()
    {
        var basic = ("Authorization", "Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes("iago@zulip.com:none")));

        var settings = await organisation.Server.SendAsync(HttpMethod.Get, Settings, null, RootHost, basic, PythonAgent);
        var answer = await organisation.Server.SendAsync(
            HttpMethod.Post, Login, Form(("username", "iago@zulip.com"), ("password", "abcd1234"), ("dont_block", "true")), RootHost, basic, PythonAgent);

        using var version = JsonDocument.Parse(settings.Body);
        Assert.StartsWith("12.", version.RootElement.GetProperty("zulip_version").GetString(), StringComparison.Ordinal);
        Assert.Equal(200, answer.Status);
        Assert.EndsWith(",\"ignored_parameters_unsupported\":[\"dont_block\"]}\n", answer.Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_mobile_apps_name_a_charset_and_put_a_content_type_on_the_GET()
    {
        var type = new MediaTypeHeaderValue("application/x-www-form-urlencoded", "utf-8");
        using var nothing = new ByteArrayContent([]);
        nothing.Headers.ContentType = type;
        using var form = new ByteArrayContent("username=iago%40zulip.com&password=abcd1234"u8.ToArray());
        form.Headers.ContentType = type;

        var settings = await organisation.Server.SendAsync(HttpMethod.Get, Settings + "?", nothing);
        var answer = await organisation.Server.SendAsync(HttpMethod.Post, Login, form);
        using var wrong = new ByteArrayContent("username=iago%40zulip.com&password=wrong"u8.ToArray());
        wrong.Headers.ContentType = type;
        var refused = await organisation.Server.SendAsync(HttpMethod.Post, Login, wrong);

        using var offered = JsonDocument.Parse(settings.Body);
        Assert.True(offered.RootElement.GetProperty("zulip_feature_level").GetInt32() >= 277);
        Assert.All(offered.RootElement.EnumerateObject(), field => Assert.NotEqual(JsonValueKind.Null, field.Value.ValueKind));
        Assert.Equal((200, Golden("success")), (answer.Status, answer.Body));
        Assert.Equal((401, Golden("E5")), (refused.Status, refused.Body));
    }

    /// <summary>The client's configuration after its attempt to log in.</summary>
    private async Task<JsonElement> ZulipJsAsync(string username, string password)
    {
        var source = Path.Combine(AppContext.BaseDirectory, "Clients");
        var modules = await NpmPackages.InstallAsync("zulip-clients", source, Console.WriteLine, CancellationToken.None);
        using var node = ProcessRun.Start("node",
            [Path.Combine(source, "zulip-js-login.js"), modules, organisation.Server.Origin.AbsoluteUri.TrimEnd('/'), username, password]);
        Assert.True(await node.ExitCodeAsync() == 0, node.Output);
        return JsonDocument.Parse(node.Output).RootElement;
    }
}
