// Stored rows that cannot be read, met by an operator's commands: they go on with the others, name the row and end with 1.

using System.Text.Json;
using Azure.Data.Tables;
using FetchApiKey.Accounts;

namespace FetchApiKeyFunction.Tests;

public sealed class StoredRowCommandTests : IAsyncLifetime
{
    private const string Strong = "correct horse battery staple";
    private static readonly string Damaged = Account.PartitionOf("", EmailAddress.TryParse("damaged@b.com")!);

    private OperatorDesk _desk = null!;

    public async Task InitializeAsync()
    {
        _desk = await OperatorDesk.OpenAsync();
        await _desk.RunAsync("users add sound@b.com", Strong);
        await _desk.RunAsync("users add damaged@b.com", Strong);
    }

    public Task DisposeAsync() => Task.CompletedTask;

    public static TheoryData<string, object?> AccountFaults => new()
    {
        { "UserId", 2L }, { "IsActive", "true" }, { "FullName", 5 }, { "Created", null }, { "Email", "x" },
        { "PasswordHash", new byte[] { 1 } }, { "ApiKey", Guid.Empty }, { "Role", 1 }, { "FullName", DamagedRow.Undecodable },
    };

    [Theory]
    [MemberData(nameof(AccountFaults))]
    public async Task Lists_exports_and_rotations_leave_a_damaged_account_out_and_name_it(string column, object? value)
    {
        await DamagedRow.PutAsync(_desk.Tables.Accounts, Damaged, Damaged, column, value);
        var both = _desk.With(("ApiKeys:keys:two", (await _desk.RunAsync("keys generate")).Output.Trim()), ("ApiKeys:writeWith", "two"));

        var listed = await _desk.RunAsync("users list");
        var exported = await _desk.RunAsync("users export");
        var rotated = await OperatorDesk.RunAsync("keys rotate --json", null, both);
        var shown = await _desk.RunAsync("users show damaged@b.com");
        var imported = await _desk.RunAsync("users import - --json",
            $$"""{"realm":"","email":"new@b.com","user_id":9,"api_key":"{{new string('k', 32)}}","password":"!"}""");

        Assert.Contains("sound@b.com", listed.Output, StringComparison.Ordinal);
        Assert.Contains("sound@b.com", exported.Output, StringComparison.Ordinal);
        Assert.Equal("""{"rotated":1,"unchanged":0,"failed":1}""" + "\n", rotated.Output);
        Assert.Equal((ExitCode.Done, """{"imported":1,"unchanged":0,"skipped":0,"failed":0}""" + "\n"), (imported.Code, imported.Output));
        foreach (var result in new[] { listed, exported, rotated, shown })
        {
            Assert.Equal(ExitCode.Refused, result.Code);
            Assert.Contains(
                $"table {_desk.Tables.Accounts.Name}, partition '{Damaged}', row '{Damaged}', column {column}: ", result.Error, StringComparison.Ordinal);
        }
    }

    [Theory]
    [MemberData(nameof(AccountFaults))]
    public async Task Doctor_names_a_damaged_account_and_finishes_its_report(string column, object? value)
    {
        await DamagedRow.PutAsync(_desk.Tables.Accounts, Damaged, Damaged, column, value);

        var result = await _desk.RunAsync("doctor --json");

        Assert.Equal((ExitCode.Refused, ""), (result.Code, result.Error));
        var rows = result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement).ToList();
        Assert.Equal("telemetry", rows[^1].GetProperty("check").GetString());
        var failed = Assert.Single(rows, row => row.GetProperty("result").GetString() == "failed");
        Assert.Equal("stored rows", failed.GetProperty("check").GetString());
        Assert.Contains(
            $"partition '{Damaged}', row '{Damaged}', column {column}: ", failed.GetProperty("seen").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_an_operator_orders_mends_the_column_that_it_writes()
    {
        foreach (var (column, command, input) in new[]
        {
            ("IsActive", "users reactivate damaged@b.com", null), ("PasswordHash", "users set-password damaged@b.com", Strong + "s"),
        })
        {
            await DamagedRow.PutAsync(_desk.Tables.Accounts, Damaged, Damaged, column, 7L);
            Assert.Equal((ExitCode.Done, ""), (await _desk.RunAsync(command, input)) is var mended ? (mended.Code, mended.Error) : default);
        }

        await using var server = await TestServer.StartAsync(_desk.Tables);
        Assert.Equal(200, (await server.LogInAsync("damaged@b.com", Strong + "s")).Status);

        await DamagedRow.PutAsync(_desk.Tables.Accounts, Damaged, Damaged, "Role", "member");
        var left = await _desk.RunAsync("users deactivate damaged@b.com");
        Assert.Equal(ExitCode.Refused, left.Code);
        Assert.Contains("The account was changed, and nobody can log in to it", left.Error, StringComparison.Ordinal);
        Assert.False((await _desk.Tables.Accounts.GetEntityAsync<TableEntity>(Damaged, Damaged)).Value.GetBoolean("IsActive"));
    }

    [Theory]
    [InlineData("UserId", 2L)]
    [InlineData("Email", null)]
    public async Task A_damaged_account_is_deleted_and_its_user_id_is_never_given_again(string column, object? value)
    {
        await DamagedRow.PutAsync(_desk.Tables.Accounts, Damaged, Damaged, column, value);

        var deleted = await _desk.RunAsync("users delete damaged@b.com --yes --json");

        Assert.Equal((ExitCode.Done, """{"realm":"","user_id":"","email":"damaged@b.com","is_deleted":true}""" + "\n"), (deleted.Code, deleted.Output));
        Assert.Equal(ExitCode.Done, (await _desk.RunAsync("users list")).Code);
        Assert.StartsWith(
            "User id 2 is taken", (await _desk.RunAsync("users add new@b.com --user-id 2", Strong)).Error, StringComparison.Ordinal);
        Assert.Contains(
            "\"user_id\":3,", (await _desk.RunAsync("users add damaged@b.com --json", Strong)).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_damaged_realm_is_named_its_accounts_are_served_by_every_command_and_realms_set_mends_it()
    {
        await _desk.RunAsync("realms add acme");
        await _desk.RunAsync("users add lear@acme.com --realm acme", Strong);
        foreach (var value in new[] { 7L, null, DamagedRow.Undecodable })
        {
            await DamagedRow.PutAsync(_desk.Tables.Realms, Realm.Partition, "acme.", "Name", value);

            var realms = await _desk.RunAsync("realms list");
            var users = await _desk.RunAsync("users list --realm acme");
            var exported = await _desk.RunAsync("users export");
            var rotated = await _desk.RunAsync("keys rotate --json");
            var doctor = await _desk.RunAsync("doctor");

            Assert.Contains("Zulip", realms.Output, StringComparison.Ordinal);
            Assert.Equal(ExitCode.Done, users.Code);
            Assert.Contains("lear@acme.com", users.Output, StringComparison.Ordinal);
            Assert.Contains("lear@acme.com", exported.Output, StringComparison.Ordinal);
            Assert.Equal("""{"rotated":0,"unchanged":3,"failed":1}""" + "\n", rotated.Output);
            foreach (var (code, told) in new[]
            {
                (realms.Code, realms.Error), (exported.Code, exported.Error), (rotated.Code, rotated.Error), (doctor.Code, doctor.Output),
            })
            {
                Assert.Equal(ExitCode.Refused, code);
                Assert.Contains(
                    $"table {_desk.Tables.Realms.Name}, partition 'realm', row 'acme.', column Name: ", told, StringComparison.Ordinal);
            }
        }

        Assert.Equal(
            (ExitCode.Done, ""), (await _desk.RunAsync("realms set acme --name Acme")) is var set ? (set.Code, set.Error) : default);
        Assert.Equal(ExitCode.Done, (await _desk.RunAsync("realms list")).Code);
    }

    [Theory]
    [InlineData("Events", 7L, "is of the type Int64")]
    [InlineData("Events", null, "is missing")]
    [InlineData("Events", """{"time":"2026-01-02T03:04:05Z","kind":"login","outcome":"logged_in","user_id":"7"}""", "line 1 has a user_id that is none")]
    [InlineData("Events", """{"time":"2026-01-02T03:04:05Z","kind":"login","outcome":"logged_in","user_id":-1}""", "line 1 has a user_id that is none")]
    [InlineData("Events", """{"time":"2026-01-02T03:04:05Z","kind":"login","outcome":"logged_in","client":true}""", "line 1 has a client that is no text")]
    [InlineData("Events", """{"time":"2026-01-02T03:04:05Z","kind":"login"}""", "line 1 has no outcome")]
    [InlineData("Events", """{"time":"yesterday","kind":"login","outcome":"logged_in"}""", "line 1 has no time")]
    [InlineData("Events", """{"time":"10:00","kind":"login","outcome":"logged_in"}""", "line 1 has no time")]
    [InlineData("Events", """{"time":"2026-01-02","kind":"login","outcome":"logged_in"}""", "line 1 has no time")]
    [InlineData("Events", "", "has no events")]
    [InlineData("Events", "\n\n", "has no events")]
    [InlineData("Events", """{"kind":"\ud83d"}""", "line 1 has half of a surrogate pair")]
    [InlineData("Events", """[{"kind":"login"}]""", "line 1 is not JSON")]
    [InlineData("Events", "\u0000", "line 1 is not JSON")]
    public async Task A_damaged_event_is_shown_as_far_as_it_can_be_read(string column, object? value, string problem)
    {
        var audit = _desk.Tables.Audit;
        TableEntity? damaged = null;
        await foreach (var row in audit.QueryAsync<TableEntity>())
        {
            damaged ??= row;
        }

        await DamagedRow.PutAsync(audit, damaged!.PartitionKey, damaged.RowKey, column, value);

        foreach (var command in new[] { "audit tail --json", "audit search --json", "audit search --kind operator_act --json" })
        {
            var result = await _desk.RunAsync(command);

            Assert.Equal(ExitCode.Refused, result.Code);
            Assert.Equal(3, result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
            Assert.Contains(
                $"table {audit.Name}, partition '{damaged.PartitionKey}', row '{damaged.RowKey}', column {column}: {problem}", result.Error,
                StringComparison.Ordinal);
        }

        Assert.Contains($"column {column}: ", (await _desk.RunAsync("doctor")).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Claims_and_attempts_that_cannot_be_read_are_named_by_doctor()
    {
        await _desk.Tables.UserIds.AddEntityAsync(new TableEntity(".", "abc") { ["Account"] = "x" });
        await _desk.Tables.Attempts.AddEntityAsync(new TableEntity(Damaged, Damaged + "~2") { ["Failures"] = "none" });

        var result = await _desk.RunAsync("doctor");

        Assert.Equal(ExitCode.Refused, result.Code);
        Assert.Contains("row 'abc', column RowKey: is that of no user id", result.Output, StringComparison.Ordinal);
        Assert.Contains(
            $"partition '{Damaged}', row '{Damaged}~2', column Failures: is of the type String", result.Output, StringComparison.Ordinal);
    }
}
