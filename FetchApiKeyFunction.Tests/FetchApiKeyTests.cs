// The login over the wire: the contract's rows one by one, each body byte for byte.

using System.Net.Http.Headers;
using System.Text;
using FetchApiKey.Cli;
using FetchApiKey.Passwords;
using static FetchApiKeyFunction.Tests.TestServer;

namespace FetchApiKeyFunction.Tests;

public sealed class FetchApiKeyTests(Organisation organisation) : IClassFixture<Organisation>
{
    private const string Path = "/api/v1/fetch_api_key";

    private TestServer Server => organisation.Server;

    [Theory]
    [InlineData("success", 200, "username=iago%40zulip.com&password=abcd1234")]
    [InlineData("success", 200, "username=IAGO@ZULIP.COM&password=abcd1234")]
    [InlineData("success", 200, "username=iago@zulip.com&password=abcd1234&client=website")]
    [InlineData("success", 200, "username=x&password=y&password=abcd1234&username=iago@zulip.com")]
    [InlineData("success", 200, "&&username=iago@zulip.com&&password=%61bcd1234&")]
    [InlineData("E1", 400, "")]
    [InlineData("E1", 400, "password=abcd1234")]
    [InlineData("E1", 400, "Username=iago@zulip.com&password=abcd1234")]
    [InlineData("E1", 400, "username%3Diago@zulip.com;password=abcd1234")]
    [InlineData("E2", 400, "username=iago@zulip.com")]
    [InlineData("E2", 400, "username=not-an-address")]
    [InlineData("E2", 400, "username")]
    [InlineData("E4", 400, "username&password=abcd1234")]
    [InlineData("E4", 400, "username=iago&password=abcd1234")]
    [InlineData("E4", 400, "username=+iago@zulip.com&password=abcd1234")]
    [InlineData("E4", 400, "username=iago@zulip.com%00&password=abcd1234")]
    [InlineData("E4", 400, "username=iago%FF@zulip.com&password=abcd1234")]
    [InlineData("E5", 401, "username=iago@zulip.com&password=wrong")]
    [InlineData("E5", 401, "username=iago@zulip.com&password")]
    [InlineData("E5", 401, "username=iago@zulip.com&password=")]
    [InlineData("E5", 401, "username=iago@zulip.com&password=+abcd1234")]
    [InlineData("E5", 401, "username=iago@zulip.com&password=abcd1234%00")]
    [InlineData("E5", 401, "username=iago@zulip.com&password=abcd123%ZZ")]
    [InlineData("E5", 401, "username=nobody@zulip.com&password=abcd1234")]
    [InlineData("E5", 401, "username=only@acme.com&password=abcd1234")]
    [InlineData("E5", 401, "username=gone@zulip.com&password=wrong")]
    [InlineData("E5", 401, "username=bot@zulip.com&password=!unusable")]
    [InlineData("E5", 401, "username=broken@zulip.com&password=abcd1234")]
    [InlineData("E5", 401, "username=bomb@zulip.com&password=abcd1234")]
    [InlineData("E5", 401, "username=weak@zulip.com&password=wrong")]
    [InlineData("E9", 401, "username=gone@zulip.com&password=abcd1234")]
    [InlineData("E15", 401, "username=weak@zulip.com&password=abcd1234")]
    public async Task An_urlencoded_login_answers_as_the_contract_says(string golden, int status, string body)
    {
        var answer = await Server.SendAsync(HttpMethod.Post, Path, Urlencoded(body));

        AssertAnswer(answer, status, golden);
    }

    [Theory]
    [InlineData("E3", 404, "unknown.zulip.example.com")]
    [InlineData("E3", 404, "evil.example.net")]
    [InlineData("E3", 404, "a.acme.zulip.example.com")]
    [InlineData("E3", 404, "notzulip.example.com")]
    [InlineData("E11", 401, "closed.zulip.example.com")]
    [InlineData("E13", 401, "nopasswords.zulip.example.com")]
    [InlineData("success", 200, "ZULIP.example.com:80")]
    [InlineData("E5", 401, "acme.zulip.example.com")]
    public async Task The_host_decides_the_realm(string golden, int status, string host)
    {
        var answer = await Server.LogInAsync("iago@zulip.com", "abcd1234", host);

        AssertAnswer(answer, status, golden);
    }

    [Fact]
    public async Task A_deactivated_realm_is_told_only_to_the_right_password()
    {
        var answer = await Server.LogInAsync("iago@zulip.com", "wrong", "closed.zulip.example.com");

        AssertAnswer(answer, 401, "E5");
    }

    [Fact]
    public async Task The_realm_is_looked_at_after_the_parameters_and_before_the_name()
    {
        var missing = await Server.SendAsync(HttpMethod.Post, Path, Form(("username", "iago")), "unknown.zulip.example.com");
        var misshapen = await Server.LogInAsync("iago", "abcd1234", "unknown.zulip.example.com");

        AssertAnswer(missing, 400, "E2");
        AssertAnswer(misshapen, 404, "E3");
    }

    [Theory]
    [InlineData("?username=iago@zulip.com&password=abcd1234", "")]
    [InlineData("?username=iago%40zulip.com", "password=abcd1234")]
    [InlineData("?username=nobody@zulip.com&password=wrong", "username=iago@zulip.com&password=abcd1234")]
    public async Task A_parameter_the_body_lacks_is_taken_from_the_query_string(string query, string body)
    {
        var answer = await Server.SendAsync(HttpMethod.Post, Path + query, Urlencoded(body));

        AssertAnswer(answer, 200, "success");
    }

    [Fact]
    public async Task A_query_string_with_no_body_and_no_content_type_logs_in()
    {
        var answer = await Server.SendAsync(HttpMethod.Post, Path + "?username=iago@zulip.com&password=abcd1234");

        AssertAnswer(answer, 200, "success");
    }

    [Fact]
    public async Task A_multipart_form_logs_in_and_its_files_are_not_parameters()
    {
        using var form = new MultipartFormDataContent
        {
            { new StringContent("iago@zulip.com"), "username" },
            { new StringContent("abcd1234"), "password" },
            { new ByteArrayContent([1, 2, 3]), "upload", "file.bin" },
        };

        AssertAnswer(await Server.SendAsync(HttpMethod.Post, Path, form), 200, "success");
    }

    [Fact]
    public async Task A_multipart_file_named_password_is_no_password()
    {
        using var form = new MultipartFormDataContent
        {
            { new StringContent("iago@zulip.com"), "username" },
            { new StringContent("abcd1234"), "password", "password.txt" },
        };

        AssertAnswer(await Server.SendAsync(HttpMethod.Post, Path, form), 400, "E2");
    }

    [Theory]
    [InlineData("application/json", """{"username":"iago@zulip.com","password":"abcd1234"}""")]
    [InlineData("text/plain", "username=iago@zulip.com&password=abcd1234")]
    [InlineData("application/x-www-form-urlencodedx", "username=iago@zulip.com&password=abcd1234")]
    [InlineData("nonsense", "username=iago@zulip.com&password=abcd1234")]
    public async Task A_body_of_another_type_is_ignored(string type, string body)
    {
        using var content = new ByteArrayContent(Encoding.UTF8.GetBytes(body));
        content.Headers.TryAddWithoutValidation("Content-Type", type);

        AssertAnswer(await Server.SendAsync(HttpMethod.Post, Path, content), 400, "E1");
    }

    [Fact]
    public async Task Unknown_parameters_are_listed_once_and_in_the_order_of_code_points()
    {
        const string query = "?Z=1&%F0%9F%98%80=2&%EF%B7%90=3&a&A=4&%C3%A9&client=x&=5&%2B%3C%3E%26%27=6&a=7";
        var answer = await Server.SendAsync(
            HttpMethod.Post, Path + query, Urlencoded("username=iago@zulip.com&password=abcd1234&Z=8&%22%5C%01%09%1F"));

        AssertAnswer(answer, 200, "success-ignored");
    }

    [Fact]
    public async Task Unknown_parameters_are_not_told_when_the_login_fails()
    {
        var answer = await Server.SendAsync(HttpMethod.Post, Path, Urlencoded("username=iago@zulip.com&password=wrong&extra=1"));

        AssertAnswer(answer, 401, "E5");
    }

    [Theory]
    [InlineData("Basic aWFnbzp4")]
    [InlineData("Bearer x")]
    [InlineData("nonsense")]
    public async Task An_authorization_header_is_ignored(string authorization)
    {
        var answer = await Server.SendAsync(
            HttpMethod.Post, Path, Urlencoded("username=iago@zulip.com&password=abcd1234"), RootHost, ("Authorization", authorization));

        AssertAnswer(answer, 200, "success");
    }

    [Theory]
    [InlineData("GET")]
    [InlineData("HEAD")]
    [InlineData("PUT")]
    [InlineData("PATCH")]
    [InlineData("DELETE")]
    [InlineData("OPTIONS")]
    [InlineData("TRACE")]
    [InlineData("BREW")]
    public async Task Another_method_gets_405_and_is_told_the_right_one(string method)
    {
        var answer = await Server.SendAsync(new HttpMethod(method), Path);

        AssertAnswer(answer, 405, "method-not-allowed", hasBody: method != "HEAD");
        Assert.Equal("POST", answer.Headers["Allow"]);
    }

    [Theory]
    [InlineData("/api")]
    [InlineData("/api/v1/fetch_api_key/")]
    [InlineData("/API/v1/fetch_api_key")]
    [InlineData("/api/v1/fetch_api_keys")]
    [InlineData("/api/v1//fetch_api_key")]
    [InlineData("/api/v1/dev_fetch_api_key")]
    public async Task Another_path_gets_404_without_a_redirect(string path)
    {
        var answer = await Server.SendAsync(HttpMethod.Post, path, Urlencoded("username=iago@zulip.com&password=abcd1234"));

        AssertAnswer(answer, 404, "not-found");
    }

    [Fact]
    public async Task A_right_password_that_a_Zulip_server_finds_strong_is_hashed_anew_though_it_could_not_be_chosen_here()
    {
        using var password = TypedPassword.FromText("monkeydragon");
        Assert.NotNull(PasswordStrength.WeaknessOf(password, EmailAddress.TryParse("two.words@zulip.com")!, TimeProvider.System));
        var outdated = await NewHash.OfAsync(password, Hashing with { Cost = new Argon2Cost(128, 1, 1) }, TimeProvider.System);
        await organisation.AddAsync("", 71, "two.words@zulip.com", outdated);

        var answer = await Server.LogInAsync("two.words@zulip.com", "monkeydragon");

        Assert.Equal(200, answer.Status);
        Assert.NotEqual(outdated, (await organisation.FindAsync("two.words@zulip.com")).PasswordHash);
    }

    [Fact]
    public async Task The_email_is_answered_in_its_stored_case()
    {
        await organisation.AddAsync("", 70, "King.Hamlet@Zulip.com", await Organisation.HashAsync("abcd1234"), apiKey: new string('k', 32));

        var answer = await Server.LogInAsync("king.hamlet@zulip.com", "abcd1234");

        Assert.Equal(
            $$"""{"result":"success","msg":"","api_key":"{{new string('k', 32)}}","email":"King.Hamlet@Zulip.com","user_id":70}""" + "\n",
            answer.Body);
    }

    /// <summary>iago@zulip.com with one letter replaced by one that looks like it, or with something invisible in it.</summary>
    private static IEnumerable<string> LookAlikes()
    {
        foreach (var i in "\u0131\u0456\u00ED\u1D09\u2170\uFF49\u0269\u03B9\u13A5\u2139\u2148\u24D8\u0399\u0406\u04C0\u2110\u2160\u217C\u2223\u05D5\u0627\u06F1\u07CA\u0196\u2C92")
        {
            yield return $"{i}ago@zulip.com";
            yield return $"iago@zul{i}p.com";
        }

        foreach (var a in "\u0430\u0251\u03B1\u237A\uFF41\u13AA\u0391\u0410\uFF21\u00E0\u00E1\u0101\u0105\u1EA1")
        {
            yield return $"i{a}go@zulip.com";
        }

        foreach (var o in "\u043E\u03BF\u0585\u0CE6\u0D66\u0E50\u0ED0\u1040\uFF4F\uFF2F\u039F\u041E\u3007\u00F2\u00F6")
        {
            yield return $"iag{o}@zulip.com";
            yield return $"iago@zulip.c{o}m";
        }

        foreach (var z in "\uFF5A\u1D22\u0290\u017A\u017C\u0396\uFF3A")
        {
            yield return $"iago@{z}ulip.com";
        }

        foreach (var dot in "\u3002\uFF0E\uFF61\u2024\u00B7")
        {
            yield return $"iago@zulip{dot}com";
        }

        foreach (var invisible in "\u00AD\u200B\u200C\u200D\u2060\uFEFF\u180E\u034F")
        {
            yield return $"ia{invisible}go@zulip.com";
            yield return $"iago@zu{invisible}lip.com";
        }
    }

    [Fact]
    public async Task No_look_alike_reaches_an_account()
    {
        var count = 0;
        foreach (var lookAlike in LookAlikes())
        {
            var answer = await Server.LogInAsync(lookAlike, "abcd1234");
            Assert.True(answer.Status is 400 or 401, $"{lookAlike}: {answer.Status}");
            count++;
        }

        Assert.True(count >= 115, $"{count} look-alikes");
    }

    [Fact]
    public async Task An_outdated_hash_is_renewed_by_the_login_and_nothing_else_changes()
    {
        // Made by libargon2: argon2id, m=47104, t=1, p=1, of a password strong enough to be hashed anew.
        const string password = "Grüße, 世界 🔑";
        const string stored = "$argon2id$v=19$m=47104,t=1,p=1$c2l4dGVlbmJ5dGVzc2FsdA$9l6/xakJ8cWBxEcaDfUDwSLSKH2D4hRwl1GIWywVJRk";
        var before = await organisation.AddAsync("", 80, "old@zulip.com", stored);

        var first = await Server.LogInAsync("old@zulip.com", password);
        var after = await organisation.FindAsync("old@zulip.com");
        var second = await Server.LogInAsync("old@zulip.com", password);
        var untouched = await organisation.FindAsync("old@zulip.com");

        Assert.Equal((200, 200), (first.Status, second.Status));
        Assert.StartsWith("argon2$argon2id$v=19$m=64,t=1,p=1$", after.PasswordHash, StringComparison.Ordinal);
        Assert.Equal(before with { PasswordHash = after.PasswordHash, ETag = after.ETag }, after);
        Assert.Equal(after.ETag, untouched.ETag);
        Assert.Equal(401, (await Server.LogInAsync("old@zulip.com", "Grüße, 世界")).Status);
    }

    [Fact]
    public async Task The_operator_learns_why_a_stored_hash_is_refused_and_the_client_does_not()
    {
        await Server.LogInAsync("bomb@zulip.com", "abcd1234");
        await Server.LogInAsync("broken@zulip.com", "abcd1234");

        Assert.Contains(
            Server.Log,
            line => line.Contains("user 9 in realm '' was refused (exceeds the limits for stored hashes)", StringComparison.Ordinal));
        Assert.Contains(
            Server.Log, line => line.Contains("user 8 in realm '' was refused (malformed Argon2 string)", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_row_moved_under_another_address_opens_nothing()
    {
        var stolen = (await organisation.FindAsync("iago@zulip.com")).ToRow(EmailAddress.TryParse("mallory@zulip.com")!);
        await organisation.Tables.Accounts.AddEntityAsync(stolen);

        var answer = await Server.LogInAsync("mallory@zulip.com", "abcd1234");

        AssertAnswer(answer, 401, "E5");
        Assert.Contains(Server.Log, line => line.Contains("column Email does not belong to the row", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Only_the_Functions_host_may_say_which_host_was_asked()
    {
        await using var behindHost = await StartAsync(organisation.Tables, behindFunctionsHost: true);
        (string, string)[] forwarded = [("X-Forwarded-Host", "acme.zulip.example.com"), ("X-Forwarded-Proto", "https")];
        var login = Form(("username", "only@acme.com"), ("password", "abcd1234"));

        var direct = await Server.SendAsync(HttpMethod.Post, Path, login, RootHost, forwarded);
        var viaHost = await behindHost.SendAsync(
            HttpMethod.Post, Path, Form(("username", "only@acme.com"), ("password", "abcd1234")), "127.0.0.1", forwarded);
        var listed = await behindHost.SendAsync(
            HttpMethod.Post, Path, Form(("username", "only@acme.com"), ("password", "abcd1234")), "127.0.0.1",
            ("X-Forwarded-Host", "acme.zulip.example.com, zulip.example.com"));

        AssertAnswer(direct, 401, "E5");
        Assert.Equal(200, viaHost.Status);
        AssertAnswer(listed, 404, "E3");
    }

    private static ByteArrayContent Urlencoded(string body)
    {
        var content = new ByteArrayContent(Encoding.UTF8.GetBytes(body));
        content.Headers.ContentType = new MediaTypeHeaderValue("application/x-www-form-urlencoded");
        return content;
    }

    private static void AssertAnswer(Answer answer, int status, string golden, bool hasBody = true)
    {
        var body = Golden(golden);
        Assert.Equal((status, hasBody ? body : ""), (answer.Status, answer.Body));
        Assert.Equal("application/json", answer.Headers["Content-Type"]);
        Assert.Equal(
            Encoding.UTF8.GetByteCount(body).ToString(System.Globalization.CultureInfo.InvariantCulture), answer.Headers["Content-Length"]);
        Assert.Equal("no-store", answer.Headers["Cache-Control"]);
        Assert.Equal("nosniff", answer.Headers["X-Content-Type-Options"]);
        Assert.Equal("Accept-Language", answer.Headers["Vary"]);
        Assert.Equal("en", answer.Headers["Content-Language"]);
        string[] allowed = ["Content-Type", "Content-Length", "Cache-Control", "X-Content-Type-Options", "Vary", "Content-Language", "Date", "Allow",
            "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"];
        Assert.Empty(answer.Headers.Keys.Except(allowed, StringComparer.OrdinalIgnoreCase));
    }
}
