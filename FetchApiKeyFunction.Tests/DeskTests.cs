// The operator's desk: what asks before it acts, what forgets a person, what prints JSON.

using System.Text.Json;
using FetchApiKeyFunction.Accounts;
using FetchApiKeyFunction.Operator;
using FetchApiKeyFunction.Tests.Hosts;

namespace FetchApiKeyFunction.Tests;

public sealed class DeskTests : IAsyncLifetime
{
    private const string Strong = "correct horse battery staple";
    private static readonly string Program = Path.Combine(AppContext.BaseDirectory, "FetchApiKeyFunction.dll");

    private OperatorDesk _desk = null!;

    public async Task InitializeAsync() => _desk = await OperatorDesk.OpenAsync();

    public Task DisposeAsync() => Task.CompletedTask;

    // ---- Destructive verbs ----

    [Theory]
    [InlineData("users delete a@b.com")]
    [InlineData("realms deactivate")]
    [InlineData("realms set --active false")]
    [InlineData("realms set --email-backend false")]
    public async Task What_cannot_be_undone_or_shuts_out_a_realm_takes_yes_where_nobody_can_be_asked(string command)
    {
        await _desk.RunAsync("users add a@b.com", Strong);

        var refused = await _desk.RunAsync(command, "y\n");
        var (before, beforeRealm) = (await _desk.RunAsync("users list"), await _desk.RunAsync("realms list"));
        var done = await _desk.RunAsync(command + " --yes");

        Assert.Equal((ExitCode.Usage, ""), (refused.Code, refused.Output));
        Assert.EndsWith("Without a terminal to ask at, this takes --yes.\n", refused.Error, StringComparison.Ordinal);
        Assert.Contains("a@b.com", before.Output, StringComparison.Ordinal);
        Assert.Matches(" yes +yes\n$", beforeRealm.Output);
        Assert.Equal((ExitCode.Done, ""), (done.Code, done.Error));
    }

    [TerminalTheory]
    [InlineData("y", 0, "no")]
    [InlineData("n", 1, "yes")]
    [InlineData("", 1, "yes")]
    public async Task At_a_terminal_the_operator_is_asked(string answer, int code, string isActive)
    {
        using var run = AtTerminal($"dotnet {Program} realms deactivate", answer);
        await run.ExitCodeAsync();

        Assert.Contains("Nobody of the root realm can log in with a password any more. Go on? [y/N]", run.Output, StringComparison.Ordinal);
        Assert.Contains($"exit code {code}", run.Output, StringComparison.Ordinal);
        Assert.Matches($" {isActive} +yes\n$", (await _desk.RunAsync("realms list")).Output);
    }

    [TerminalFact]
    public async Task A_long_command_shows_its_progress_at_a_terminal()
    {
        var file = Path.GetTempFileName();
        await File.WriteAllLinesAsync(file, Enumerable.Range(1, 300).Select(i =>
            $$"""{"realm":"","email":"u{{i}}@b.com","user_id":{{i}},"api_key":"{{new string('k', 32)}}","password":"!"}"""));

        using var run = AtTerminal($"dotnet {Program} users import {file}", "");
        await run.ExitCodeAsync();

        Assert.Contains("exit code 0", run.Output, StringComparison.Ordinal);
        Assert.Contains($"writing [{new string('#', 40)}] 100%", run.Output, StringComparison.Ordinal);
        File.Delete(file);
    }

    // ---- Deletion ----

    [Fact]
    public async Task A_deleted_account_leaves_nothing_of_the_person_and_its_id_is_never_given_again()
    {
        await _desk.RunAsync("users add Ann@b.com --user-id 7", Strong);
        await using var server = await TestServer.StartAsync(_desk.Tables);
        Assert.Equal(401, (await server.LogInAsync("ann@b.com", "wrong")).Status);
        var partition = Account.PartitionOf("", EmailAddress.TryParse("ann@b.com")!);
        await _desk.RunAsync("users invite-reset ann@b.com");
        Assert.Equal(4, (await WithAsync(partition)).Count);

        var deleted = await _desk.RunAsync("users delete ann@b.com --yes --json");
        var line = $$"""{"realm":"","email":"new@b.com","user_id":7,"api_key":"{{new string('k', 32)}}","password":"!"}""";

        Assert.Equal((ExitCode.Done, """{"realm":"","user_id":7,"email":"Ann@b.com","is_deleted":true}""" + "\n"), (deleted.Code, deleted.Output));
        Assert.Empty(await WithAsync(partition));
        Assert.Equal(TestServer.Golden("E5"), (await server.LogInAsync("ann@b.com", Strong)).Body);
        Assert.Equal(ExitCode.Refused, (await _desk.RunAsync("users delete ann@b.com --yes")).Code);
        Assert.StartsWith("User id 7 is taken", (await _desk.RunAsync("users add new@b.com --user-id 7", Strong)).Error, StringComparison.Ordinal);
        Assert.StartsWith("line 1: its user_id is taken", (await _desk.RunAsync("users import -", line)).Error, StringComparison.Ordinal);
        Assert.Contains("\"user_id\":8,", (await _desk.RunAsync("users add ann@b.com --json", Strong)).Output, StringComparison.Ordinal);
    }

    /// <summary>Every row of accounts, claims and attempts that has the partition as its own or in a column.</summary>
    private async Task<List<string>> WithAsync(string partition)
    {
        var rows = new List<string>();
        foreach (var table in new[] { _desk.Tables.Accounts, _desk.Tables.UserIds, _desk.Tables.Attempts })
        {
            await foreach (var row in table.QueryAsync<Azure.Data.Tables.TableEntity>())
            {
                if (row.Any(cell => cell.Value?.ToString()?.Contains(partition, StringComparison.Ordinal) == true))
                {
                    rows.Add($"{table.Name} {row.RowKey}");
                }
            }
        }

        return rows;
    }

    [Fact]
    public async Task A_realm_is_shut_and_opened()
    {
        await _desk.RunAsync("users add a@b.com", Strong);
        await using var server = await TestServer.StartAsync(_desk.Tables);

        await _desk.RunAsync("realms deactivate --yes");
        Assert.Equal(TestServer.Golden("E11"), (await server.LogInAsync("a@b.com", Strong)).Body);

        Assert.Equal(ExitCode.Done, (await _desk.RunAsync("realms reactivate")).Code);
        Assert.Equal(200, (await server.LogInAsync("a@b.com", Strong)).Status);
    }

    // ---- JSON ----

    [Theory]
    [InlineData("tables create", "")]
    [InlineData("keys generate", "{\"key\":\"")]
    [InlineData("keys rotate", """{"rotated":0,"unchanged":1,"failed":0}""")]
    [InlineData("realms list", """{"subdomain":"","name":"Zulip",""")]
    [InlineData("realms deactivate --yes", """{"subdomain":"","name":"Zulip",""")]
    [InlineData("users list", """{"realm":"","user_id":1,""")]
    [InlineData("users show a@b.com", """{"realm":"","user_id":1,""")]
    [InlineData("users deactivate a@b.com", """{"realm":"","user_id":1,""")]
    [InlineData("users unlock a@b.com", """{"realm":"","email":"a@b.com","is_locked":false}""")]
    [InlineData("users export", """{"realm":"","email":"a@b.com",""")]
    [InlineData("audit tail", """{"time":""")]
    public async Task With_json_a_verb_prints_an_object_a_line(string command, string beginning)
    {
        await _desk.RunAsync("users add a@b.com", Strong);

        var result = await _desk.RunAsync(command + " --json");

        Assert.Equal((ExitCode.Done, ""), (result.Code, result.Error));
        Assert.StartsWith(beginning, result.Output, StringComparison.Ordinal);
        Assert.All(result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries), line => Assert.Equal(JsonValueKind.Object, JsonDocument.Parse(line).RootElement.ValueKind));
    }

    /// <summary>A process at a terminal of its own, on which the answer is typed.</summary>
    private ProcessRun AtTerminal(string command, string answer) => ProcessRun.Start(
        "bash", ["-c", $"echo '{answer}' | script --quiet --return --command '{command}; echo exit code $?' /dev/null"], _desk.Variables);
}

/// <summary>Where util-linux has the program that makes a terminal.</summary>
internal sealed class TerminalFactAttribute : FactAttribute
{
    public static string? Reason { get; } = File.Exists("/usr/bin/script") ? null : "There is no `script`, of util-linux, to make a terminal with.";

    public TerminalFactAttribute() => Skip = Reason;
}

internal sealed class TerminalTheoryAttribute : TheoryAttribute
{
    public TerminalTheoryAttribute() => Skip = TerminalFactAttribute.Reason;
}
