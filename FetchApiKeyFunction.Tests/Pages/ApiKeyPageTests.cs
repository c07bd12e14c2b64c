// The page to download a zuliprc: the same login as the API's, answered for people.

using System.Net;
using FetchApiKey.Pages;
using static FetchApiKeyFunction.Tests.TestServer;

namespace FetchApiKeyFunction.Tests.Pages;

public sealed class ApiKeyPageTests(Organisation organisation) : IClassFixture<Organisation>
{
    private TestServer Server => organisation.Server;

    [Fact]
    public async Task The_right_password_downloads_a_zuliprc()
    {
        var answer = await LogInAsync("IAGO@zulip.com", "abcd1234");

        Assert.Equal(200, answer.Status);
        Assert.Equal($"[api]\nemail=iago@zulip.com\nkey={Organisation.IagosKey}\nsite=http://{RootHost}\n", answer.Body);
        Assert.Equal("attachment; filename=\"zuliprc\"", answer.Headers["Content-Disposition"]);
        Assert.Equal("application/octet-stream", answer.Headers["Content-Type"]);
        Assert.Equal(("no-store", "nosniff"), (answer.Headers["Cache-Control"], answer.Headers["X-Content-Type-Options"]));
    }

    [Fact]
    public async Task A_zuliprc_names_the_realms_public_URL_where_there_is_one()
    {
        var answer = await LogInAsync("only@acme.com", "abcd1234", "acme.zulip.example.com");

        Assert.EndsWith("site=https://chat.example.org\n", answer.Body, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(401, "iago@zulip.com", "wrong", RootHost, "Your e-mail address or password is incorrect.")]
    [InlineData(401, "nobody@zulip.com", "wrong", RootHost, "Your e-mail address or password is incorrect.")]
    [InlineData(401, "gone@zulip.com", "abcd1234", RootHost, "Your account is deactivated.")]
    [InlineData(401, "iago@zulip.com", "abcd1234", "closed.zulip.example.com", "This organization has been deactivated.")]
    [InlineData(401, "iago@zulip.com", "abcd1234", "nopasswords.zulip.example.com", "is switched off")]
    [InlineData(401, "weak@zulip.com", "abcd1234", RootHost, "too weak to be kept")]
    [InlineData(400, "iago", "abcd1234", RootHost, "Enter a valid e-mail address.")]
    [InlineData(404, "iago@zulip.com", "abcd1234", "nowhere.zulip.example.com", "No organization here")]
    public async Task A_login_that_fails_is_answered_for_people_with_the_status_of_the_API(int status, string username, string password, string host, string text)
    {
        var page = await LogInAsync(username, password, host);
        var api = await Server.LogInAsync(username, password, host);

        Assert.Equal((status, status), (page.Status, api.Status));
        Assert.Contains(text, WebUtility.HtmlDecode(page.Body), StringComparison.Ordinal);
        Assert.DoesNotContain(password, page.Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_form_without_a_field_is_offered_again()
    {
        var noPassword = await Server.SendAsync(HttpMethod.Post, ApiKeyPage.Path, Form(("username", "iago@zulip.com")));
        var nothing = await Server.SendAsync(HttpMethod.Post, ApiKeyPage.Path);

        Assert.Equal((400, 400), (noPassword.Status, nothing.Status));
        Assert.Contains("Enter your password.", noPassword.Body, StringComparison.Ordinal);
        Assert.Contains("value=\"iago@zulip.com\"", noPassword.Body, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\"><script>alert(1)</script>")]
    [InlineData("' onfocus='alert(1)")]
    [InlineData("</title><b>&amp;\u2028\0")]
    public async Task What_was_typed_comes_back_as_text(string username)
    {
        var page = await LogInAsync(username, "abcd1234");

        Assert.Equal(400, page.Status);
        Assert.DoesNotContain(username, page.Body, StringComparison.Ordinal);
        Assert.DoesNotContain("<script", page.Body, StringComparison.Ordinal);
        Assert.DoesNotContain("<b>", page.Body, StringComparison.Ordinal);
        Assert.Contains("value=\"" + System.Text.Encodings.Web.HtmlEncoder.Default.Encode(username) + "\"", page.Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task It_has_the_limits_of_the_API_and_shares_them()
    {
        await using var server = await organisation.StartAsync(ManyAttempts with { PerAccount = 2 });
        var account = await organisation.NewAccountAsync();

        var wrong = await LogInAsync(account.Email, "wrong", server: server);
        var api = await server.LogInAsync(account.Email, "wrong");
        var limited = await LogInAsync(account.Email, Organisation.RightPassword, server: server);

        Assert.Equal((401, 401, 429), (wrong.Status, api.Status, limited.Status));
        Assert.Equal(("2", "1", "0"), (wrong.Headers["X-RateLimit-Limit"], wrong.Headers["X-RateLimit-Remaining"], api.Headers["X-RateLimit-Remaining"]));
        Assert.InRange(int.Parse(limited.Headers["Retry-After"], System.Globalization.CultureInfo.InvariantCulture), 1, 1800);
        Assert.Contains("Try again in 30 minutes.", limited.Body, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(403, "Sec-Fetch-Site", "cross-site")]
    [InlineData(403, "Sec-Fetch-Site", "same-site")]
    [InlineData(403, "Sec-Fetch-Site", "anything")]
    [InlineData(403, "Origin", "null")]
    [InlineData(403, "Origin", "https://evil.example.net")]
    [InlineData(403, "Origin", "https://zulip.example.com.evil.example.net:9991")]
    [InlineData(403, "Origin", "https://zulip.example.com")]
    [InlineData(403, "Origin", "https://acme.zulip.example.com:9991")]
    [InlineData(200, "Sec-Fetch-Site", "same-origin")]
    [InlineData(200, "Sec-Fetch-Site", "none")]
    [InlineData(200, "Origin", "http://zulip.example.com:9991")]
    [InlineData(200, "Origin", "https://zulip.example.com:9991")]
    public async Task Another_site_cannot_log_a_visitor_in(int status, string header, string value)
    {
        var answer = await Server.SendAsync(
            HttpMethod.Post, ApiKeyPage.Path, Form(("username", "iago@zulip.com"), ("password", "abcd1234")), RootHost, (header, value));

        Assert.Equal(status, answer.Status);
    }

    [Fact]
    public async Task The_realms_public_URL_is_no_other_site()
    {
        var answer = await Server.SendAsync(
            HttpMethod.Post, ApiKeyPage.Path, Form(("username", "only@acme.com"), ("password", "abcd1234")), "acme.zulip.example.com", ("Origin", "https://chat.example.org"));

        Assert.Equal(200, answer.Status);
    }

    [Fact]
    public async Task HEAD_gets_the_headers_of_the_form()
    {
        var get = await Server.SendAsync(HttpMethod.Get, ApiKeyPage.Path);
        var head = await Server.SendAsync(HttpMethod.Head, ApiKeyPage.Path);

        Assert.Equal((200, 200, ""), (get.Status, head.Status, head.Body));
        Assert.Equal(get.Headers["Content-Length"], head.Headers["Content-Length"]);
        Assert.Equal("same-origin", get.Headers["Referrer-Policy"]);
    }

    [Theory]
    [InlineData("a@b.com\nsite=https://evil.example.net", "k", "https://x")]
    [InlineData("a@b.com", "k\r", "https://x")]
    [InlineData("a@b.com", "k", "https://x\n")]
    public void No_value_of_a_zuliprc_brings_a_line_of_its_own(string email, string key, string site) =>
        Assert.Throws<ArgumentException>(() => Zuliprc.Write(email, key, site));

    private Task<Answer> LogInAsync(string username, string password, string host = RootHost, TestServer? server = null) =>
        (server ?? Server).SendAsync(HttpMethod.Post, ApiKeyPage.Path, Form(("username", username), ("password", password)), host);
}
