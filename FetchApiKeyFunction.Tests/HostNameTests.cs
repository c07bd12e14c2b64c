// Which realm a host name stands for, whatever it looks like and however the settings list the hosts.

using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using FetchApiKey.Accounts;
using Microsoft.AspNetCore.Http;
using static FetchApiKeyFunction.Tests.TestServer;

namespace FetchApiKeyFunction.Tests;

public sealed class HostNameTests(Organisation organisation) : IClassFixture<Organisation>
{
    private const string Punycode = "xn--bcher-kva.example.com";

    /// <summary>Every path that looks at the host.</summary>
    private static readonly (HttpMethod Method, string Path)[] Paths =
    [
        (HttpMethod.Post, "/api/v1/fetch_api_key"), (HttpMethod.Get, "/api/v1/server_settings"), (HttpMethod.Post, "/api/v1/jwt/fetch_api_key"),
        (HttpMethod.Post, "/api/v1/users/me/api_key/regenerate"), (HttpMethod.Get, "/api/v1/api_key"), (HttpMethod.Get, "/api/v1/password_reset"),
        (HttpMethod.Get, "/api/v1/health"), (HttpMethod.Get, "/api/v1/openapi.json"), (HttpMethod.Get, "/nowhere"),
    ];

    [Theory]
    [InlineData("example.com", "", "example.com")]
    [InlineData("login.example.com", "", "login.example.com")]
    [InlineData("acme.example.com", "acme", "example.com")]
    [InlineData("acme.login.example.com", "acme", "login.example.com")]
    [InlineData("LOGIN.Example.com.", "", "login.example.com")]
    [InlineData("acme.example.com.:8443", "acme", "example.com")]
    [InlineData("www.example.com", "www", "example.com")]
    [InlineData("bücher.example.com", "", Punycode)]
    [InlineData("XN--Bcher-KVA.example.com", "", Punycode)]
    [InlineData("acme.xn--bcher-kva.example.com", "acme", Punycode)]
    [InlineData("chat.acme.org", "acme", null)]
    [InlineData("chat.acme.org.", "acme", null)]
    [InlineData("root.acme.org", "", null)]
    [InlineData("[::1]:7071", "", "[::1]")]
    [InlineData("a.b.example.com", null, null)]
    [InlineData("example.com..", null, null)]
    [InlineData(".example.com", null, null)]
    [InlineData("notexample.com", null, null)]
    [InlineData("example.com.evil.org", null, null)]
    [InlineData("acme.chat.acme.org", null, null)]
    [InlineData("xn--99999999.localhost", null, null)]
    [InlineData("a\u0000b", null, null)]
    [InlineData("", null, null)]
    public void The_order_of_the_settings_means_nothing(string host, string? subdomain, string? external)
    {
        string[] hosts = ["example.com", "login.example.com", Punycode, "[::1]"];
        foreach (var order in new[] { hosts, [.. hosts.OrderDescending(StringComparer.Ordinal)], [.. hosts.Order(StringComparer.Ordinal)] })
        {
            var addressed = Addressed(host, order);

            Assert.Equal(subdomain, addressed?.Subdomain);
            if (external is not null)
            {
                Assert.Equal(external, addressed!.External);
            }
        }
    }

    [Theory]
    [InlineData("xn--99999999.localhost")]
    [InlineData("xn--99999999.zulip.example.com")]
    [InlineData("xn--.zulip.example.com")]
    [InlineData("xn--zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz")]
    [InlineData("zulip.example.com:0")]
    [InlineData("zulip.example.com:99999999999")]
    [InlineData("[::1")]
    [InlineData("..")]
    public async Task No_host_makes_a_fault_on_any_path(string host)
    {
        foreach (var (method, path) in Paths)
        {
            var response = await RawAsync(organisation.Server,
                $"{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");

            Assert.DoesNotMatch("^HTTP/1.1 5", response);
        }

        Assert.DoesNotContain(organisation.Server.Log, line => line.StartsWith("Error", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_host_of_nobody_is_refused_without_storage()
    {
        var (proxy, connection) = await FaultProxy.StartAsync();
        await using var shutdown = proxy;
        var tables = AccountTables.Open(new StorageSettings { ConnectionString = connection, TablePrefix = organisation.TablePrefix });
        await using var server = await StartAsync(tables);
        proxy.Fault = StorageFault.Unavailable;
        foreach (var host in new[] { "evil.example", "a.b.zulip.example.com", "xn--99999999.zulip.example.com.evil", "-.zulip.example.com", "[::2]" })
        {
            Assert.Equal((404, Golden("E3")), Outcome(await server.LogInAsync("iago@zulip.com", "abcd1234", host)));
            Assert.Equal(400, (await server.SendAsync(HttpMethod.Get, "/api/v1/server_settings", null, host)).Status);
            Assert.Equal(404, (await server.SendAsync(HttpMethod.Get, "/api/v1/api_key", null, host)).Status);
        }

        Assert.Equal(503, (await server.LogInAsync("iago@zulip.com", "abcd1234")).Status);
    }

    [Theory]
    [InlineData("www.zulip.example.com", "http://zulip.example.com")]
    [InlineData("zulip.example.com.", "http://zulip.example.com")]
    [InlineData("zulip.example.com.:7071", "http://zulip.example.com:7071")]
    [InlineData("www.zulip.example.com:7071", "http://zulip.example.com:7071")]
    public async Task The_root_realm_is_named_by_its_own_host(string host, string url)
    {
        var settings = await organisation.Server.SendAsync(HttpMethod.Get, "/api/v1/server_settings", null, host);
        var login = await organisation.Server.LogInAsync("iago@zulip.com", "abcd1234", host);

        using var document = JsonDocument.Parse(settings.Body);
        Assert.Equal(url, document.RootElement.GetProperty("realm_uri").GetString());
        Assert.Equal((200, Golden("success")), (login.Status, login.Body));
    }

    [Fact]
    public async Task A_realm_www_from_before_is_reached_at_its_host()
    {
        var own = new Organisation();
        await own.InitializeAsync();
        await new RealmStore(own.Tables, TimeSpan.Zero, TimeProvider.System)
            .AddAsync(
                new Realm("www", "From before", "", "", PublicUrl: null, IsActive: true, PasswordBackends.Email), CancellationToken.None);

        var settings = await own.Server.SendAsync(HttpMethod.Get, "/api/v1/server_settings", null, "www.zulip.example.com");

        Assert.Contains("\"realm_name\":\"From before\"", settings.Body, StringComparison.Ordinal);
        await own.DisposeAsync();
    }

    [Theory]
    [InlineData("//api/v1/fetch_api_key", false, 200)]
    [InlineData("///api/v1/fetch_api_key", false, 200)]
    [InlineData("/%2Fapi/v1/fetch_api_key", false, 404)]
    [InlineData("//evil.example/api/v1/fetch_api_key", false, 404)]
    [InlineData("//api/v1//fetch_api_key", false, 404)]
    [InlineData("//api/v1/fetch_api_key", true, 404)]
    public async Task Slashes_before_the_path_are_merged_where_no_Functions_host_is(string path, bool behindFunctionsHost, int status)
    {
        await using var server = await StartAsync(organisation.Tables, behindFunctionsHost: behindFunctionsHost);

        var response = await RawAsync(server, $"POST {path}?username=iago@zulip.com&password=abcd1234 HTTP/1.1\r\nHost: zulip.example.com\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");

        Assert.StartsWith($"HTTP/1.1 {status} ", response, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_form_is_sent_to_its_own_path_whatever_was_asked()
    {
        var response = await RawAsync(
            organisation.Server, "GET //api/v1/api_key?x=//evil.example HTTP/1.1\r\nHost: zulip.example.com\r\nConnection: close\r\n\r\n");

        Assert.StartsWith("HTTP/1.1 200 ", response, StringComparison.Ordinal);
        Assert.Contains("action=\"/api/v1/api_key\"", response, StringComparison.Ordinal);
        Assert.DoesNotContain("evil", response, StringComparison.Ordinal);
    }

    private static AddressedRealm? Addressed(string host, string[] externalHosts)
    {
        var context = new DefaultHttpContext();
        context.Request.Headers.Host = host;
        return RequestOrigin.Of(context.Request, behindFunctionsHost: false).Addressed(NewSettings() with
        {
            ExternalHosts = externalHosts,
            RealmHosts = new Dictionary<string, string> { ["chat.acme.org"] = "acme", ["root.acme.org"] = "" },
        });
    }

    private static (int Status, string Body) Outcome(Answer answer) => (answer.Status, answer.Body);

    /// <summary>What no HTTP client sends, to paths that the API description does not have.</summary>
    private static async Task<string> RawAsync(TestServer server, string request)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, server.Origin.Port);
        await client.GetStream().WriteAsync(Encoding.Latin1.GetBytes(request));
        using var reader = new StreamReader(client.GetStream(), Encoding.UTF8);
        return await reader.ReadToEndAsync();
    }
}
