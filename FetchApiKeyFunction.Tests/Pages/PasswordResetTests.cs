// The page behind a link to choose a password: what a link is good for, how often, for how long, and what a bad one tells.

using System.Diagnostics;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Azure.Data.Tables;
using FetchApiKey.Accounts;
using FetchApiKey.Attempts;
using FetchApiKey.Audit;
using FetchApiKey.Pages;
using FetchApiKey.Telemetry;
using Microsoft.Extensions.Time.Testing;
using static FetchApiKeyFunction.Tests.TestServer;

namespace FetchApiKeyFunction.Tests.Pages;

public sealed partial class PasswordResetTests(Organisation organisation) : IClassFixture<Organisation>
{
    private const string Strong = ResetLinks.Strong;

    private TestServer Server => organisation.Server;

    // ---- A good link ----

    [Fact]
    public async Task A_link_sets_a_password_once_opens_a_locked_account_and_leaves_its_key()
    {
        await using var server = await organisation.StartAsync(ManyAttempts with { PerAccount = 2 });
        var account = await organisation.NewAccountAsync();
        var token = await organisation.InviteAsync(account);
        await server.LogInAsync(account.Email, "wrong");
        await server.LogInAsync(account.Email, "wrong");
        Assert.Equal(429, (await server.LogInAsync(account.Email, Organisation.RightPassword)).Status);

        var page = await server.OpenAsync(token);
        var set = await server.ChooseAsync(token, Strong);
        var again = await server.ChooseAsync(token, Strong + "!");
        var reopened = await server.OpenAsync(token);

        Assert.Equal((200, 200, 404, 404), (page.Status, set.Status, again.Status, reopened.Status));
        Assert.Contains($"value=\"{account.Email}\"", page.Body, StringComparison.Ordinal);
        Assert.Contains("Your new password is set", set.Body, StringComparison.Ordinal);
        var login = await server.LogInAsync(account.Email, Strong);
        Assert.Equal(200, login.Status);
        Assert.Equal(Opening.Opened, Cipher.Open(account, out var key));
        Assert.Contains(key, login.Body, StringComparison.Ordinal);
        Assert.Equal(401, (await server.LogInAsync(account.Email, Organisation.RightPassword)).Status);
        Assert.Contains(
            $"m={Cost.MemoryKib},t={Cost.Passes},p={Cost.Lanes}$", (await organisation.FindAsync(account.Email)).PasswordHash,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_account_that_never_had_a_password_gets_one()
    {
        var account = await organisation.NewAccountAsync("!imported");

        Assert.Equal(200, (await Server.ChooseAsync(await organisation.InviteAsync(account), Strong)).Status);

        Assert.Equal(200, (await Server.LogInAsync(account.Email, Strong)).Status);
    }

    [Fact]
    public async Task Every_realm_has_its_own_links()
    {
        var account = await organisation.NewAccountAsync(subdomain: "acme");
        var token = await organisation.InviteAsync(account);

        var elsewhere = await Server.ChooseAsync(token, Strong);
        var unknown = await Server.OpenAsync(token, "nowhere.zulip.example.com");
        var there = await Server.ChooseAsync(token, Strong, host: "acme.zulip.example.com");

        Assert.Equal((404, 404, 200), (elsewhere.Status, unknown.Status, there.Status));
        Assert.Contains("No organization here", unknown.Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Opening_a_link_uses_nothing_up_and_HEAD_gets_the_headers()
    {
        var token = await organisation.InviteAsync(await organisation.NewAccountAsync());

        var first = await Server.OpenAsync(token);
        var head = await Server.SendAsync(HttpMethod.Head, $"{PasswordResetPage.Path}?token={token}");
        var second = await Server.OpenAsync(token);

        Assert.Equal((200, first.Body, ""), (second.Status, second.Body, head.Body));
        Assert.Equal(first.Headers["Content-Length"], head.Headers["Content-Length"]);
    }

    // ---- A bad link ----

    [Fact]
    public async Task Whatever_is_wrong_with_a_link_the_page_is_the_same_and_the_audit_trail_knows_why()
    {
        var used = await organisation.NewAccountAsync();
        var usedToken = await organisation.InviteAsync(used);
        await Server.ChooseAsync(usedToken, Strong);
        var replaced = await organisation.NewAccountAsync();
        var replacedToken = await organisation.InviteAsync(replaced);
        await organisation.InviteAsync(replaced);
        var expired = await organisation.NewAccountAsync();
        var outdated = await organisation.NewAccountAsync();
        var outdatedToken = await organisation.InviteAsync(outdated);
        Assert.True(await organisation.Accounts.SetPasswordHashAsync(outdated, await Organisation.HashAsync("another one"), CancellationToken.None));
        var uninvited = InvitationToken.New("", EmailAddress.TryParse("iago@zulip.com")!).Reveal();
        var absent = InvitationToken.New("", EmailAddress.TryParse("nobody@zulip.com")!).Reveal();

        var cases = new (string Token, string Cause)[]
        {
            (usedToken, "link_unknown"), (replacedToken, "link_unknown"), (await organisation.InviteAsync(expired, TimeSpan.FromSeconds(-1)), "link_expired"),
            (outdatedToken, "link_outdated"), (uninvited, "link_unknown"), (absent, "link_unknown"), ("", "link_unknown"), ("nonsense", "link_unknown"),
            (usedToken + "A", "link_unknown"), (usedToken[..^1], "link_unknown"), ("<script>", "link_unknown"),
        };
        await using var behind = await TestServer.StartAsync(organisation.Tables, behindFunctionsHost: true);
        var reference = await Server.OpenAsync("x");
        Assert.Equal(404, reference.Status);
        Assert.Contains("This link cannot be used", reference.Body, StringComparison.Ordinal);
        foreach (var (token, cause) in cases)
        {
            var invocation = Guid.NewGuid().ToString();
            var opened = await Server.OpenAsync(Uri.EscapeDataString(token));
            var chosen = await behind.ChooseAsync(token, Strong, headers: [("X-Azure-Functions-InvocationId", invocation)]);
            foreach (var answer in new[] { opened, chosen })
            {
                Assert.Equal((404, reference.Body), (answer.Status, answer.Body));
                Assert.Equal(Comparable(reference), Comparable(answer));
            }

            var happened = await EventAsync(invocation);
            Assert.Equal((SecurityEventKind.PasswordResetRefused, cause), (happened.Kind, happened.Outcome));
        }
    }

    [Fact]
    public async Task A_link_is_good_until_its_time_is_over_and_not_a_second_longer()
    {
        var clock = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        await using var server = await TestServer.StartAsync(organisation.Tables, time: clock);
        var account = await organisation.NewAccountAsync();
        var token = await organisation.InviteAsync(account, TimeSpan.FromHours(24));

        clock.SetUtcNow(TimeProvider.System.GetUtcNow() + TimeSpan.FromHours(24) - TimeSpan.FromMinutes(1));
        Assert.Equal(200, (await server.OpenAsync(token)).Status);
        clock.SetUtcNow(TimeProvider.System.GetUtcNow() + TimeSpan.FromHours(24));
        Assert.Equal((404, 404), ((await server.OpenAsync(token)).Status, (await server.ChooseAsync(token, Strong)).Status));
        Assert.Equal(200, (await server.LogInAsync(account.Email, Organisation.RightPassword)).Status);
    }

    [Fact]
    public async Task Bad_links_from_an_address_are_limited_and_good_ones_do_not_count()
    {
        // An address of its own, since that of the machine is the other tests' too.
        await using var behind = await TestServer.StartAsync(
            organisation.Tables, NewSettings(ManyAttempts with { PerAddress = 3 }), behindFunctionsHost: true);
        var token = await organisation.InviteAsync(await organisation.NewAccountAsync());
        (string, string)[] from = [("X-Forwarded-Host", "zulip.example.com"), ("X-Forwarded-For", "203.0.113.77")];
        Task<Answer> OpenAsync(string text) => behind.SendAsync(
            HttpMethod.Get, $"{PasswordResetPage.Path}?token={text}", null, "127.0.0.1", from);

        for (var i = 0; i < 5; i++)
        {
            Assert.Equal(200, (await OpenAsync(token)).Status);
        }

        var bad = new List<int>();
        for (var i = 0; i < 5; i++)
        {
            bad.Add((await OpenAsync("bad")).Status);
        }

        var good = await OpenAsync(token);
        Assert.Equal([404, 404, 404, 429, 429], bad);
        Assert.Equal(429, good.Status);
        Assert.InRange(int.Parse(good.Headers["Retry-After"], System.Globalization.CultureInfo.InvariantCulture), 1, 1800);
        Assert.Contains("Too many attempts", good.Body, StringComparison.Ordinal);
    }

    // ---- Who may ----

    [Fact]
    public async Task A_good_link_of_an_account_that_may_not_be_used_is_refused_and_says_why()
    {
        var gone = await organisation.NewAccountAsync(isActive: false);
        var closed = await organisation.NewAccountAsync(subdomain: "closed");
        var elsewhere = await organisation.NewAccountAsync(subdomain: "nopasswords");
        foreach (var (account, host, text) in new[]
        {
            (gone, RootHost, "Your account is deactivated."), (closed, "closed.zulip.example.com", "This organization has been deactivated."),
            (elsewhere, "nopasswords.zulip.example.com", "is switched off"),
        })
        {
            var token = await organisation.InviteAsync(account);
            foreach (var answer in new[] { await Server.OpenAsync(token, host), await Server.ChooseAsync(token, Strong, host: host) })
            {
                Assert.Equal(403, answer.Status);
                Assert.Contains(text, answer.Body, StringComparison.Ordinal);
            }

            Assert.Equal(account.PasswordHash, (await organisation.FindAsync(account.Email, account.Subdomain)).PasswordHash);
        }
    }

    // ---- The password ----

    [Theory]
    [InlineData("s3cr7", "s3cr7", "Too short")]
    [InlineData("", "", "Too short")]
    [InlineData("qwerty12", "qwerty12", "one of the passwords that most people use")]
    [InlineData("aaaaaaaaaaaa", "aaaaaaaaaaaa", "it repeats the same few characters")]
    [InlineData("zulip.com", "zulip.com", "own e-mail address")]
    [InlineData("unrelated clouds juggle turnips", "unrelated clouds juggle turnip", "The two passwords differ.")]
    public async Task A_password_that_will_not_do_is_refused_with_the_reason_and_the_link_is_as_good_as_before(
        string password, string again, string reason)
    {
        var account = await organisation.NewAccountAsync();
        var token = await organisation.InviteAsync(account);

        var refused = await Server.ChooseAsync(token, password, again);

        Assert.Equal(400, refused.Status);
        Assert.Contains(reason, WebUtility.HtmlDecode(refused.Body), StringComparison.Ordinal);
        Assert.Contains("role=\"alert\"", refused.Body, StringComparison.Ordinal);
        Assert.DoesNotMatch("type=\"password\"[^>]*value", refused.Body);
        if (password.Length > 0)
        {
            Assert.DoesNotContain($"\"{password}\"", refused.Body, StringComparison.Ordinal);
        }

        Assert.Equal(200, (await Server.ChooseAsync(token, Strong)).Status);
    }

    [Fact]
    public async Task A_password_over_a_hundred_characters_is_too_long()
    {
        var token = await organisation.InviteAsync(await organisation.NewAccountAsync());
        var words = string.Concat(Enumerable.Range(0, 30).Select(i => $"wörd{i}"));

        var refused = await Server.ChooseAsync(token, words[..101]);

        Assert.Equal(400, refused.Status);
        Assert.Contains("Too long: use at most 100 characters.", refused.Body, StringComparison.Ordinal);
        Assert.Equal(200, (await Server.ChooseAsync(token, words[..100])).Status);
    }

    // ---- Several at once, and faults ----

    [Fact]
    public async Task Of_many_who_use_one_link_at_once_on_two_instances_one_sets_the_password()
    {
        await using var other = await TestServer.StartAsync(organisation.Tables);
        var account = await organisation.NewAccountAsync();
        var token = await organisation.InviteAsync(account);

        var answers = await Task.WhenAll(
            Enumerable.Range(0, 16).Select(i => (i % 2 == 0 ? Server : other).ChooseAsync(token, $"{Strong} {i}")));

        var winner = Assert.Single(Enumerable.Range(0, 16), i => answers[i].Status == 200);
        Assert.All(answers.Where((_, i) => i != winner), answer => Assert.Equal(404, answer.Status));
        Assert.Equal(200, (await Server.LogInAsync(account.Email, $"{Strong} {winner}")).Status);
        Assert.Equal(401, (await Server.LogInAsync(account.Email, $"{Strong} {(winner + 1) % 16}")).Status);
    }

    [Fact]
    public async Task A_password_whose_acknowledgement_is_lost_is_set_and_said_to_be()
    {
        var (proxy, connection) = await FaultProxy.StartAsync();
        await using var running = proxy;
        await using var server = await TestServer.StartAsync(
            AccountTables.Open(new StorageSettings { ConnectionString = connection, TablePrefix = organisation.TablePrefix }));
        var account = await organisation.NewAccountAsync();
        var token = await organisation.InviteAsync(account);
        proxy.LoseNextBatch = true;

        var set = await server.ChooseAsync(token, Strong);

        Assert.False(proxy.LoseNextBatch);
        Assert.Equal(200, set.Status);
        Assert.Equal(200, (await server.LogInAsync(account.Email, Strong)).Status);
    }

    [Fact]
    public async Task Storage_that_is_away_gets_a_page_that_says_so()
    {
        var tables = await SharedAzurite.NewTablesAsync();
        await tables.Realms.DeleteAsync();
        await using var server = await TestServer.StartAsync(tables);

        var reset = await server.OpenAsync("x");
        var key = await server.SendAsync(HttpMethod.Get, ApiKeyPage.Path);

        Assert.All([reset, key], answer =>
        {
            Assert.Equal((503, "5"), (answer.Status, answer.Headers["Retry-After"]));
            Assert.Contains("Not available just now", answer.Body, StringComparison.Ordinal);
        });
    }

    // ---- The answer ----

    [Fact]
    public async Task The_page_may_load_its_own_style_and_nothing_else_and_its_address_is_told_to_nobody()
    {
        var page = await Server.OpenAsync(await organisation.InviteAsync(await organisation.NewAccountAsync()));

        var style = Style().Match(page.Body).Groups[1].Value;
        var digest = Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(style)));
        Assert.Equal(
            $"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
            page.Headers["Content-Security-Policy"]);
        Assert.Equal("no-referrer", page.Headers["Referrer-Policy"]);
        Assert.Equal("no-store", page.Headers["Cache-Control"]);
        Assert.Equal("nosniff", page.Headers["X-Content-Type-Options"]);
        Assert.Equal("text/html; charset=utf-8", page.Headers["Content-Type"]);
        Assert.DoesNotContain("<script", page.Body, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("style=", page.Body, StringComparison.OrdinalIgnoreCase);
        // The realm's name is "Zulip & Söhne".
        Assert.Contains("Zulip &amp; S&#xF6;hne", page.Body, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(PasswordResetPage.Path)]
    [InlineData(ApiKeyPage.Path)]
    public async Task Another_method_gets_405(string path)
    {
        foreach (var method in new[] { "PUT", "DELETE", "OPTIONS", "BREW" })
        {
            var answer = await Server.SendAsync(new HttpMethod(method), path);

            Assert.Equal(
                (405, Golden("page-method-not-allowed"), "GET, HEAD, POST"), (answer.Status, answer.Body, answer.Headers["Allow"]));
        }
    }

    [Theory]
    [InlineData(403, "Sec-Fetch-Site", "cross-site")]
    [InlineData(403, "Sec-Fetch-Site", "same-site")]
    [InlineData(403, "Origin", "https://evil.example.net")]
    [InlineData(200, "Sec-Fetch-Site", "same-origin")]
    [InlineData(200, "Origin", "null")]
    [InlineData(200, "Origin", "https://zulip.example.com:9991")]
    public async Task A_form_that_another_site_sends_is_refused(int status, string header, string value)
    {
        var token = await organisation.InviteAsync(await organisation.NewAccountAsync());

        Assert.Equal(status, (await Server.ChooseAsync(token, Strong, headers: [(header, value)])).Status);
        Assert.Equal(status == 200 ? 404 : 200, (await Server.OpenAsync(token)).Status);
    }

    [Theory]
    [InlineData("--b\r\n", "multipart/form-data; boundary=b", 400)]
    [InlineData("a=b", "application/x-www-form-urlencoded; charset=utf-16", 400)]
    [InlineData(null, "application/x-www-form-urlencoded", 413)]
    public async Task What_no_browser_makes_of_the_form_is_refused(string? body, string type, int status)
    {
        foreach (var path in new[] { PasswordResetPage.Path, ApiKeyPage.Path })
        {
            using var content = new ByteArrayContent(Encoding.UTF8.GetBytes(body ?? new string('x', RequestForm.MaxBodyBytes + 1)));
            content.Headers.TryAddWithoutValidation("Content-Type", type);

            Assert.Equal(status, (await Server.SendAsync(HttpMethod.Post, path, content)).Status);
        }
    }

    // ---- What is written down ----

    [Fact]
    public async Task A_changed_password_is_in_the_audit_trail_and_neither_it_nor_the_link_in_log_trace_or_table()
    {
        var told = new List<string>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == Instruments.Spans.Name,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = activity =>
            {
                lock (told)
                {
                    told.Add($"{activity.DisplayName} {string.Join(' ', activity.TagObjects)}");
                }
            },
        };
        ActivitySource.AddActivityListener(listener);
        var account = await organisation.NewAccountAsync();
        var token = await organisation.InviteAsync(account);
        var rowBefore = await RowAsync(account);
        var invocation = Guid.NewGuid().ToString();
        const string password = "c4n4ry among the turnips";

        await Server.OpenAsync(token);
        await Server.ChooseAsync(token, password, "c4n4ry among the others");
        await using var behind = await TestServer.StartAsync(organisation.Tables, behindFunctionsHost: true);
        var set = await behind.ChooseAsync(token, password, headers: [("X-Azure-Functions-InvocationId", invocation)]);
        await Server.OpenAsync(token);

        var happened = await EventAsync(invocation);
        Assert.Equal(200, set.Status);
        Assert.Equal(
            (
                SecurityEventKind.PasswordChanged, "password_changed", account.UserId,
                new CorrelationDigest(Keys).OfAccount("", EmailAddress.TryParse(account.Email)!)),
            (happened.Kind, happened.Outcome, happened.UserId!.Value, happened.Account));
        List<string> rows = [rowBefore, .. await RowsAsync()];
        lock (told)
        {
            Assert.Contains(told, text => text.Contains("fetch_api_key.outcome, password_changed", StringComparison.Ordinal));
            // The second half of a token is its secret.
            Assert.All(told.Concat(Server.Log).Concat(rows), text =>
            {
                Assert.DoesNotContain(token[44..], text, StringComparison.Ordinal);
                Assert.DoesNotContain("c4n4ry", text, StringComparison.Ordinal);
            });
        }
    }

    private static string Comparable(Answer answer) =>
        string.Join('\n', answer.Headers.Where(header => header.Key != "Date").Select(header => $"{header.Key}: {header.Value}").Order(StringComparer.Ordinal));

    private async Task<string> RowAsync(Account account)
    {
        TableEntity row = await organisation.Tables.Accounts.GetEntityAsync<TableEntity>(
            Account.PartitionOf("", EmailAddress.TryParse(account.Email)!), PasswordInvitation.Row);
        return string.Join('|', row.Select(cell => $"{cell.Key}={cell.Value}"));
    }

    private async Task<List<string>> RowsAsync()
    {
        var rows = new List<string>();
        foreach (var table in new[] { organisation.Tables.Accounts, organisation.Tables.Audit, organisation.Tables.Attempts })
        {
            await foreach (var row in table.QueryAsync<TableEntity>())
            {
                rows.Add(string.Join('|', row.Select(cell => $"{cell.Key}={cell.Value}")));
            }
        }

        return rows;
    }

    private async Task<SecurityEvent> EventAsync(string invocation)
    {
        var table = new AuditTable(organisation.Tables);
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (true)
        {
            var now = TimeProvider.System.GetUtcNow();
            await foreach (var happened in table.SearchAsync(new AuditQuery(now.AddMinutes(-10), now.AddMinutes(1)), limit.Token))
            {
                if (happened.Invocation == invocation)
                {
                    return happened;
                }
            }

            await Task.Delay(20, limit.Token);
        }
    }

    [GeneratedRegex("<style>(.*)</style>", RegexOptions.Singleline)]
    private static partial Regex Style();
}
