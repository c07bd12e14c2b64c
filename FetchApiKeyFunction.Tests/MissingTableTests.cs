// Tables that disappear under a running endpoint, and under an operator: an outage, and never "no such row".

using Azure;
using Azure.Data.Tables;
using FetchApiKey.Accounts;
using FetchApiKey.Audit;
using static FetchApiKeyFunction.Tests.TestServer;

namespace FetchApiKeyFunction.Tests;

public sealed class MissingTableTests
{
    private const string Strong = "correct horse battery staple";

    [Theory]
    [InlineData("accounts")]
    [InlineData("realms")]
    [InlineData("attempts")]
    public async Task Without_a_table_that_logins_need_they_get_503_and_nothing_is_counted(string name)
    {
        var own = new Organisation();
        await own.InitializeAsync();
        var table = TableOf(own.Tables, name);
        var rows = await RowsAsync(table);
        await using var server = await StartAsync(own.Tables, NewSettings(new FetchApiKey.Attempts.AttemptSettings()));
        Assert.Equal(200, (await server.LogInAsync("iago@zulip.com", Organisation.RightPassword)).Status);
        await table.DeleteAsync();

        for (var attempt = 0; attempt < 7; attempt++)
        {
            foreach (var (email, password) in new[]
            {
                ("iago@zulip.com", Organisation.RightPassword), ("iago@zulip.com", "wrong"), ("nobody@zulip.com", "wrong"),
            })
            {
                var answer = await server.LogInAsync(email, password);
                Assert.Equal((503, Golden("E18")), (answer.Status, answer.Body));
            }
        }

        Assert.Equal(503, (await server.SendAsync(HttpMethod.Get, "/api/v1/health/ready")).Status);
        Assert.Contains(server.Log, line => line.Contains($"Missing in the account storage: {table.Name}.", StringComparison.Ordinal));
        Assert.DoesNotContain(server.Log, line => line.Contains("Security event login_refused", StringComparison.Ordinal));
        await table.CreateAsync();
        foreach (var row in rows)
        {
            await table.AddEntityAsync(row);
        }

        Assert.Equal(200, (await server.LogInAsync("iago@zulip.com", Organisation.RightPassword)).Status);
        Assert.Equal(401, (await server.LogInAsync("nobody@zulip.com", "wrong")).Status);
        await own.DisposeAsync();
    }

    [Fact]
    public async Task Without_the_accounts_no_other_way_in_takes_somebody_for_unknown()
    {
        var own = new Organisation();
        await own.InitializeAsync();
        var account = await own.FindAsync("iago@zulip.com");
        var token = await new PasswordInvitations(own.Tables).IssueAsync(
            account, EmailAddress.TryParse(account.Email)!, TimeProvider.System.GetUtcNow().AddHours(1), CancellationToken.None);
        await own.Tables.Accounts.DeleteAsync();

        var regenerated = await own.Server.SendAsync(
            HttpMethod.Post, "/api/v1/users/me/api_key/regenerate",
            headers: ("Authorization", Hosts.WireCases.Basic("iago@zulip.com", Organisation.IagosKey)));
        var link = await own.Server.SendAsync(HttpMethod.Get, $"/api/v1/password_reset?token={token!.Reveal()}");

        Assert.Equal((503, 503), (regenerated.Status, link.Status));
        Assert.Empty(await RowsAsync(own.Tables.Attempts));
        await own.DisposeAsync();
    }

    [Theory]
    [InlineData("accounts", "users list")]
    [InlineData("accounts", "users show a@b.com")]
    [InlineData("accounts", "users add c@b.com")]
    [InlineData("accounts", "users set-password a@b.com")]
    [InlineData("accounts", "users deactivate a@b.com")]
    [InlineData("accounts", "users rotate-key a@b.com")]
    [InlineData("accounts", "users delete a@b.com --yes")]
    [InlineData("accounts", "users invite-reset a@b.com")]
    [InlineData("accounts", "users export")]
    [InlineData("accounts", "keys rotate")]
    [InlineData("realms", "realms list")]
    [InlineData("realms", "realms add acme")]
    [InlineData("realms", "realms set --name x")]
    [InlineData("realms", "users list")]
    [InlineData("userids", "users add c@b.com")]
    [InlineData("userids", "users delete a@b.com --yes")]
    [InlineData("attempts", "users unlock a@b.com")]
    [InlineData("attempts", "users delete a@b.com --yes")]
    [InlineData("audit", "audit tail")]
    [InlineData("audit", "audit search")]
    [InlineData("audit", "users deactivate a@b.com")]
    public async Task Without_a_table_a_command_ends_with_78_and_what_to_do(string name, string command)
    {
        var desk = await OperatorDesk.OpenAsync();
        await desk.RunAsync("users add a@b.com", Strong);
        var table = TableOf(desk.Tables, name);
        await table.DeleteAsync();

        var result = await desk.RunAsync(command, Strong + "s");

        Assert.Equal(
            (ExitCode.BadSettings, "", $"Missing in the account storage: {table.Name}. The command 'tables create' makes them.\n"),
            (result.Code, result.Output, result.Error));
        Assert.Equal(ExitCode.Done, (await desk.RunAsync("tables create")).Code);
    }

    [Fact]
    public async Task Without_attempts_a_password_is_set_all_the_same_and_the_operator_learns_what_is_left()
    {
        var desk = await OperatorDesk.OpenAsync();
        await desk.RunAsync("users add a@b.com", Strong);
        await desk.Tables.Attempts.DeleteAsync();

        var result = await desk.RunAsync("users set-password a@b.com", Strong + "s");

        Assert.Equal(ExitCode.Done, result.Code);
        Assert.Contains("a@b.com", result.Output, StringComparison.Ordinal);
        Assert.StartsWith("The password is set, but the failed attempts", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_user_ids_logins_go_on()
    {
        var own = new Organisation();
        await own.InitializeAsync();
        await own.Tables.UserIds.DeleteAsync();

        Assert.Equal(200, (await own.Server.LogInAsync("iago@zulip.com", Organisation.RightPassword)).Status);
        await own.DisposeAsync();
    }

    /// <summary>As Azure answers for most of a minute: with the status that means "there already" of a row.</summary>
    [Fact]
    public async Task A_table_that_is_being_deleted_holds_no_row_that_is_there_already()
    {
        var storage = await SharedAzurite.NewStorageAsync();
        var (proxy, connection) = await FaultProxy.StartAsync();
        await using var _ = proxy;
        var tables = AccountTables.Open(new StorageSettings { ConnectionString = connection, TablePrefix = storage.TablePrefix });
        await tables.CreateAsync(CancellationToken.None);
        proxy.Fault = StorageFault.TableBeingDeleted;
        var account = new Account("", 1, "a@b.com", "!", "key", true, Account.Member, DateTimeOffset.UnixEpoch);
        var realm = new Realm("", "x", "", "", null, true, PasswordBackends.Email);
        var audit = new AuditTable(tables);
        var row = Assert.Single(audit.ToRows(
            [new SecurityEvent(TimeProvider.System.GetUtcNow(), SecurityEventKind.Login, "logged_in", "", 1, "a", "c", "", "")]));

        foreach (var act in new Func<Task>[]
        {
            () => new AccountStore(tables).AddAsync(account, EmailAddress.TryParse("a@b.com")!, CancellationToken.None),
            () => new AccountStore(tables).AddAllAsync([account], CancellationToken.None),
            () => new RealmStore(tables, TimeSpan.Zero, TimeProvider.System).AddAsync(realm, CancellationToken.None),
            () => audit.AppendAsync(row, CancellationToken.None),
        })
        {
            var fault = await Assert.ThrowsAsync<RequestFailedException>(act);
            Assert.Equal("TableBeingDeleted", fault.ErrorCode);
        }

        var desk = OperatorDesk.Environment(connection, storage.TablePrefix);
        Assert.Equal(ExitCode.Unavailable, (await OperatorDesk.RunAsync("realms list", null, desk)).Code);
    }

    private static TableClient TableOf(AccountTables tables, string name) => name switch
    {
        "accounts" => tables.Accounts,
        "realms" => tables.Realms,
        "userids" => tables.UserIds,
        "attempts" => tables.Attempts,
        _ => tables.Audit,
    };

    private static async Task<List<TableEntity>> RowsAsync(TableClient table)
    {
        var rows = new List<TableEntity>();
        await foreach (var row in table.QueryAsync<TableEntity>())
        {
            rows.Add(row);
        }

        return rows;
    }
}
