// The audit trail: what gets into it, what does not, and what happens when it cannot be written.

using Azure.Data.Tables;
using FetchApiKey.Accounts;
using FetchApiKey.Attempts;
using FetchApiKey.Audit;
using FetchApiKey.Cli;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging.Abstractions;

namespace FetchApiKeyFunction.Tests;

public sealed class AuditTests(Organisation organisation) : IClassFixture<Organisation>
{
    private AuditTable Table => new(organisation.Tables);

    [Theory]
    [InlineData("iago@zulip.com", "abcd1234", SecurityEventKind.Login, LoginOutcome.LoggedIn, 5)]
    [InlineData("iago@zulip.com", "wrong", SecurityEventKind.LoginRefused, LoginOutcome.WrongPassword, 5)]
    [InlineData("nobody@zulip.com", "wrong", SecurityEventKind.LoginRefused, LoginOutcome.UnknownUser, null)]
    [InlineData("bot@zulip.com", "wrong", SecurityEventKind.LoginRefused, LoginOutcome.PasswordUnusable, 7)]
    [InlineData("broken@zulip.com", "wrong", SecurityEventKind.LoginRefused, LoginOutcome.StoredHashRefused, 8)]
    [InlineData("gone@zulip.com", "wrong", SecurityEventKind.LoginRefused, LoginOutcome.WrongPassword, 6)]
    [InlineData("gone@zulip.com", "abcd1234", SecurityEventKind.LoginRefused, LoginOutcome.UserDeactivated, 6)]
    [InlineData("weak@zulip.com", "abcd1234", SecurityEventKind.LoginRefused, LoginOutcome.PasswordResetRequired, 10)]
    public async Task A_login_is_recorded_with_its_true_cause(
        string username, string password, string kind, LoginOutcome outcome, int? userId)
    {
        var invocation = Guid.NewGuid().ToString();
        using var form = TestServer.Form(("username", username), ("password", password));
        await using var behind = await TestServer.StartAsync(organisation.Tables, behindFunctionsHost: true);
        await behind.SendAsync(HttpMethod.Post, "/api/v1/fetch_api_key", form, headers: [("X-Azure-Functions-InvocationId", invocation)]);

        var happened = Assert.Single(await WaitForAsync(username, count: 1, invocation: invocation));
        Assert.Equal((kind, outcome.Name(), "", userId), (happened.Kind, happened.Outcome, happened.Realm, happened.UserId));
        Assert.Empty(happened.Actor);
        Assert.NotEmpty(happened.Client);
        Assert.InRange(TimeProvider.System.GetUtcNow() - happened.Time, TimeSpan.Zero, TimeSpan.FromMinutes(1));
    }

    [Fact]
    public async Task The_failure_that_locks_an_account_is_recorded_and_what_is_blocked_then_is_not()
    {
        var settings = TestServer.NewSettings();
        await using var server = await TestServer.StartAsync(organisation.Tables, new Settings
        {
            Storage = settings.Storage, ExternalHosts = settings.ExternalHosts, Hashing = settings.Hashing, ApiKeys = settings.ApiKeys,
            Attempts = TestServer.ManyAttempts with { PerAccount = 2 },
        });
        using var logins = new Measurements("fetch_api_key.attempts.blocked");
        for (var attempt = 0; attempt < 5; attempt++)
        {
            await server.LogInAsync("locked@zulip.com", "wrong");
        }

        var recorded = await WaitForAsync("locked@zulip.com", count: 3);
        Assert.Equal(
            [SecurityEventKind.LoginRefused, SecurityEventKind.LoginRefused, SecurityEventKind.AccountLocked],
            recorded.Select(happened => happened.Kind).OrderByDescending(kind => kind, StringComparer.Ordinal));
        Assert.True(logins.Taken.Count(taken => (string?)taken["bucket"] == "account") >= 3);
    }

    [Fact]
    public async Task Neither_table_nor_log_names_an_address_or_a_password_in_clear()
    {
        await organisation.Server.LogInAsync("canary-name@zulip.com", "canary-password");
        await WaitForAsync("canary-name@zulip.com", count: 1);

        var rows = new List<string>();
        await foreach (var row in organisation.Tables.Audit.QueryAsync<TableEntity>())
        {
            rows.Add(string.Join('|', row.Select(cell => $"{cell.Key}={cell.Value}")));
        }

        Assert.NotEmpty(rows);
        Assert.All(rows.Concat(organisation.Server.Log), text =>
        {
            Assert.DoesNotContain("canary", text, StringComparison.OrdinalIgnoreCase);
            Assert.DoesNotContain("127.0.0.1", text, StringComparison.Ordinal);
        });
    }

    [Fact]
    public async Task With_the_audit_table_away_logins_go_on_and_their_events_are_written_when_it_is_back()
    {
        var tables = await SharedAzurite.NewTablesAsync();
        await new RealmStore(tables, TimeSpan.Zero, TimeProvider.System).AddAsync(
            new Realm("", "Zulip", "", "", null, true, PasswordBackends.Email), CancellationToken.None);
        await using var server = await TestServer.StartAsync(tables);
        Assert.Equal(401, (await server.LogInAsync("first@zulip.com", "wrong")).Status);
        await tables.Audit.DeleteAsync();

        Assert.Equal(401, (await server.LogInAsync("second@zulip.com", "wrong")).Status);
        Assert.Contains(server.Log, line => line.Contains("Security event login_refused: unknown_user", StringComparison.Ordinal));
        await UntilAsync(() => server.Log.Any(line => line.Contains("The audit table takes no events", StringComparison.Ordinal)));
        await tables.CreateAsync(CancellationToken.None);

        Assert.Single(await WaitForAsync("second@zulip.com", count: 1, new AuditTable(tables)));
    }

    [Fact]
    public async Task Events_beyond_the_capacity_are_lost_to_the_table_and_counted()
    {
        var tables = await SharedAzurite.NewTablesAsync();
        await tables.Audit.DeleteAsync();
        using var lost = new Measurements("fetch_api_key.audit.lost");
        var happened = new SecurityEvent(TimeProvider.System.GetUtcNow(), SecurityEventKind.Login, "logged_in", "", 1, "a", "c", "", "");
        using (var trail = new AuditTrail(new AuditTable(tables), TimeProvider.System, NullLogger<AuditTrail>.Instance))
        {
            for (var i = 0; i < AuditTrail.Capacity + AuditRow.MaxEvents + 500; i++)
            {
                trail.Record(happened);
            }

            Assert.InRange(lost.Taken.Sum(taken => (long)taken[""]!), 500, 500 + AuditRow.MaxEvents);
        }

        // What still waited when the process ended.
        Assert.Equal(AuditTrail.Capacity + AuditRow.MaxEvents + 500, lost.Taken.Sum(taken => (long)taken[""]!));
    }

    [Fact]
    public async Task A_graceful_end_writes_what_waits()
    {
        var table = new AuditTable(await SharedAzurite.NewTablesAsync());
        var now = TimeProvider.System.GetUtcNow();
        using (var trail = new AuditTrail(table, TimeProvider.System, NullLogger<AuditTrail>.Instance))
        {
            for (var i = 0; i < 250; i++)
            {
                trail.Record(new SecurityEvent(now.AddMilliseconds(i), SecurityEventKind.Login, "logged_in", "", i, "a", "c", "", ""));
            }
        }

        var newest = await table.TailAsync(250, now.AddMinutes(1), now, CancellationToken.None);
        Assert.Equal(Enumerable.Range(0, 250).Reverse(), newest.Select(happened => happened.UserId!.Value));
        Assert.Equal(
            [249, 248],
            (await table.TailAsync(2, now.AddMinutes(1), now, CancellationToken.None)).Select(happened => happened.UserId!.Value));
    }

    [Fact]
    public async Task An_operators_acts_are_recorded_and_found_by_name_kind_and_time()
    {
        const string strong = "correct horse battery staple";
        await RunAsync("users add lear@zulip.com", strong);
        await RunAsync("users set-password lear@zulip.com", strong + "s");
        await RunAsync("users deactivate lear@zulip.com");
        await organisation.Server.LogInAsync("lear@zulip.com", "wrong");
        await WaitForAsync("lear@zulip.com", count: 4);

        var all = await RunAsync("audit search --email lear@zulip.com --json");
        var changes = await RunAsync("audit search --email LEAR@zulip.com --kind password_changed --json");
        var byAddress = await RunAsync("audit search --address 127.0.0.1 --email lear@zulip.com --json");
        var before = await RunAsync("audit search --email lear@zulip.com --to 2020-01-01T00:00Z --json");
        var tail = await RunAsync("audit tail -n 1 --json");

        Assert.Equal(
            ["users add", "users set-password", "users deactivate", "wrong_password"],
            all.Select(happened => happened.GetProperty("outcome").GetString()));
        Assert.Equal(Environment.UserName, Assert.Single(changes).GetProperty("actor").GetString());
        Assert.Equal("wrong_password", Assert.Single(byAddress).GetProperty("outcome").GetString());
        Assert.Empty(before);
        Assert.Equal(all[^1].GetRawText(), Assert.Single(tail).GetRawText());
    }

    [Fact]
    public async Task An_act_that_cannot_be_recorded_is_not_carried_out()
    {
        var tables = await SharedAzurite.NewStorageAsync();
        var opened = AccountTables.Open(tables);
        await opened.CreateAsync(CancellationToken.None);
        Assert.Equal(ExitCode.Done, await CodeOfAsync("realms add", tables.TablePrefix));
        await opened.Audit.DeleteAsync();

        Assert.Equal(ExitCode.BadSettings, await CodeOfAsync("realms add acme", tables.TablePrefix));
        Assert.False((await new RealmStore(opened, TimeSpan.Zero, TimeProvider.System).ReadAsync("acme", CancellationToken.None)).Exists);
    }

    [Fact]
    public async Task An_event_is_kept_for_its_time_and_no_longer()
    {
        var table = new AuditTable(await SharedAzurite.NewTablesAsync());
        var now = TimeProvider.System.GetUtcNow();
        foreach (var age in new[] { 0, 1, 3, 3, 400 })
        {
            var row = Assert.Single(table.ToRows(
                [new SecurityEvent(now.AddDays(-age), SecurityEventKind.Login, "logged_in", "", age, "a", "c", "", "")]));
            await table.AppendAsync(row, CancellationToken.None);
            // As after a lost acknowledgement.
            await table.AppendAsync(row, CancellationToken.None);
        }

        Assert.Equal(3, await table.SweepAsync(now.AddDays(-2), CancellationToken.None));
        Assert.Equal(
            [0, 1], (await table.TailAsync(10, now, now.AddDays(-500), CancellationToken.None)).Select(happened => happened.UserId!.Value));
    }

    [Fact]
    public void Digests_tell_realms_accounts_and_keys_apart()
    {
        var email = EmailAddress.TryParse("iago@zulip.com")!;
        var old = new CorrelationDigest(TestServer.Keys);
        var keys = new Dictionary<string, byte[]>(TestServer.Keys.Keys) { ["two"] = new byte[32] };
        var rotated = new CorrelationDigest(new ApiKeySettings(keys, "two"));

        Assert.NotEqual(old.OfAccount("", email), old.OfAccount("acme", email));
        Assert.NotEqual(old.OfAccount("", email), rotated.OfAccount("", email));
        Assert.Contains(old.OfAccount("", email), rotated.AllOfAccount("", email));
        Assert.Contains(old.OfClient("127.0.0.1"), rotated.AllOfClient("127.0.0.1"));
        Assert.Equal(32, old.OfClient("127.0.0.1").Length);
    }

    /// <summary>Events are written after the answer, so they are waited for.</summary>
    private async Task<List<SecurityEvent>> WaitForAsync(string username, int count, AuditTable? table = null, string? invocation = null)
    {
        var digests = new CorrelationDigest(TestServer.Keys).AllOfAccount("", EmailAddress.TryParse(username)!);
        var found = new List<SecurityEvent>();
        await UntilAsync(async () =>
        {
            found.Clear();
            var now = TimeProvider.System.GetUtcNow();
            await foreach (var happened in (table ?? Table).SearchAsync(
                new AuditQuery(now.AddMinutes(-10), now.AddMinutes(1)) { Accounts = digests }, CancellationToken.None))
            {
                if (invocation is null || happened.Invocation == invocation)
                {
                    found.Add(happened);
                }
            }

            return found.Count >= count;
        });
        return found;
    }

    private static Task UntilAsync(Func<bool> isSo) => UntilAsync(() => Task.FromResult(isSo()));

    private static async Task UntilAsync(Func<Task<bool>> isSo)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (!await isSo())
        {
            await Task.Delay(20, limit.Token);
        }
    }

    private async Task<List<System.Text.Json.JsonElement>> RunAsync(string command, string input = "")
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var code = await NewCommandLine(organisation.TablePrefix, await SharedAzurite.ConnectionStringAsync(), input).RunAsync(command.Split(' '), output, error);
        Assert.True(code == ExitCode.Done, error.ToString());
        return command.Contains("--json", StringComparison.Ordinal)
            ? [.. output.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => System.Text.Json.JsonDocument.Parse(line).RootElement)]
            : [];
    }

    private static async Task<int> CodeOfAsync(string command, string prefix) =>
        await NewCommandLine(prefix, await SharedAzurite.ConnectionStringAsync(), "").RunAsync(command.Split(' '), TextWriter.Null, TextWriter.Null);

    private static CommandLine NewCommandLine(string prefix, string connection, string input) => new(
        new ConfigurationBuilder().AddInMemoryCollection(
        [
            new("AccountStorage", connection), new("TablePrefix", prefix), new("Argon2:memoryKib", "64"), new("Argon2:passes", "1"), new("Argon2:lanes", "1"),
            new(TestServer.KeyVariable.Name.Replace("__", ":", StringComparison.Ordinal), TestServer.KeyVariable.Value),
        ]).Build(),
        new StandardInput(new MemoryStream(System.Text.Encoding.UTF8.GetBytes(input)), isTerminal: false), TimeProvider.System);
}
