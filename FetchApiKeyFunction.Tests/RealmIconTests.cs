// A realm's picture: what clients are told to load is an address of a picture's and nothing that runs.

using FetchApiKey;
using FetchApiKey.Accounts;
using FetchApiKey.Cli;

namespace FetchApiKeyFunction.Tests;

public sealed class RealmIconTests
{
    [Theory]
    [InlineData("", true)]
    [InlineData("/icon.png", true)]
    [InlineData("/user_avatars/2/realm/icon.png?version=3", true)]
    [InlineData("https://secure.gravatar.com/avatar/0?d=identicon&version=1", true)]
    [InlineData("HTTP://example.com/a.png", true)]
    [InlineData("https://bücher.example/ü.png", true)]
    [InlineData("javascript:alert(1)", false)]
    [InlineData("JavaScript:alert(1)", false)]
    [InlineData(" javascript:alert(1)", false)]
    [InlineData("java\nscript:alert(1)", false)]
    [InlineData("\u0001javascript:alert(1)", false)]
    [InlineData("vbscript:x", false)]
    [InlineData("data:image/svg+xml,<svg onload=alert(1)>", false)]
    [InlineData("file:///etc/passwd", false)]
    [InlineData("blob:https://example.com/1", false)]
    [InlineData("//evil.example.net/x.png", false)]
    [InlineData("/\\evil.example.net/x.png", false)]
    [InlineData("\\\\evil.example.net\\x.png", false)]
    [InlineData("https://user:pass@example.com/x.png", false)]
    [InlineData("https:///x.png", false)]
    [InlineData("https:x.png", false)]
    [InlineData("/a b.png", false)]
    [InlineData("/\"onerror=alert(1)", false)]
    [InlineData("icon.png", false)]
    public void An_address_of_a_picture_is_told_from_what_runs(string icon, bool isOne) => Assert.Equal(isOne, Realm.IsIcon(icon));

    [Fact]
    public async Task No_command_takes_another_and_a_realm_that_has_one_stored_is_not_served()
    {
        var desk = await OperatorDesk.OpenAsync();

        foreach (var command in new[] { "realms set --icon javascript:alert(1)", "realms add acme --icon data:text/html,x", "realms set --icon //evil.example.net/x" })
        {
            var refused = await desk.RunAsync(command);
            Assert.Equal(ExitCode.Refused, refused.Code);
            Assert.Contains("is not the URL of a picture", refused.Error, StringComparison.Ordinal);
        }

        var imported = await desk.RunAsync("realms import -", """{"subdomain":"acme","name":"Acme","icon":"vbscript:x"}""");
        Assert.Equal(ExitCode.Refused, imported.Code);
        Assert.StartsWith("line 1: icon: is not the URL of a picture", imported.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("acme", (await desk.RunAsync("realms list")).Output, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Done, (await desk.RunAsync("realms set --icon /icon.png")).Code);

        await desk.Tables.Realms.UpsertEntityAsync(
            new Realm("", "Root", "", "javascript:alert(1)", null, true, PasswordBackends.Email).ToRow());
        await using var server = await TestServer.StartAsync(desk.Tables);
        Assert.Equal(503, (await server.SendAsync(HttpMethod.Get, "/api/v1/server_settings")).Status);
        Assert.Contains(server.Log, line => line.Contains("column Icon is no address of a picture", StringComparison.Ordinal));
        Assert.Contains("column Icon: is no address of a picture", (await desk.RunAsync("realms list")).Error, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Done, (await desk.RunAsync("realms set --icon /icon.png")).Code);
    }

    [Theory]
    [InlineData("https://example.com/", "https://example.com")]
    [InlineData("HTTPS://EXAMPLE.COM", "https://example.com")]
    [InlineData("https://example.com:443", "https://example.com")]
    public async Task An_origin_that_another_program_stored_is_told_as_a_command_would_have_written_it(string stored, string told)
    {
        var desk = await OperatorDesk.OpenAsync();
        await desk.Tables.Realms.UpsertEntityAsync(new Realm("", "Root", "", "", stored, true, PasswordBackends.Email).ToRow());

        await using var server = await TestServer.StartAsync(desk.Tables);

        var settings = await server.SendAsync(HttpMethod.Get, "/api/v1/server_settings");
        Assert.Contains($"\"realm_uri\":\"{told}\"", settings.Body, StringComparison.Ordinal);
    }
}
