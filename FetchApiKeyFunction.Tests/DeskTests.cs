// The operator's desk: what asks before it acts, what forgets a person, what tells how things are, what completes a command line.

using System.Text.Json;
using FetchApiKey.Accounts;
using FetchApiKey.Cli;
using FetchApiKeyFunction.Tests.Hosts;
using Microsoft.Extensions.Time.Testing;

namespace FetchApiKeyFunction.Tests;

public sealed class DeskTests : IAsyncLifetime
{
    private const string Strong = "correct horse battery staple";
    private static readonly string Program = Path.Combine(AppContext.BaseDirectory, "fetch-api-key.dll");

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
        Assert.StartsWith(
            "User id 7 is taken", (await _desk.RunAsync("users add new@b.com --user-id 7", Strong)).Error, StringComparison.Ordinal);
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

    // ---- Doctor ----

    [Fact]
    public async Task A_healthy_deployment_is_told_so_check_by_check()
    {
        await _desk.RunAsync("users add a@b.com", Strong);
        var exported = _desk.With(("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317"));

        var result = await OperatorDesk.RunAsync("doctor --json", null, exported);

        var rows = Rows(result);
        Assert.Equal(
            ["settings", "server settings", "storage", "tables", "clock", "keys", "realms", "stored hashes", "stored rows", "client addresses", "hashing", "telemetry"],
            rows.Select(row => row.Check));
        Assert.All(rows, row => Assert.Equal("ok", row.Result));
        Assert.Equal((ExitCode.Done, ""), (result.Code, result.Error));
        Assert.StartsWith("of 1 API keys 1 open", rows[5].Seen, StringComparison.Ordinal);
        Assert.Equal(
            rows.Count + 1,
            (await OperatorDesk.RunAsync("doctor", null, exported)).Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
    }

    [Fact]
    public async Task Every_faulty_setting_is_a_line_and_nothing_is_asked_of_storage()
    {
        var result = await OperatorDesk.RunAsync(
            "doctor --json", null, _desk.With(("Audit:retentionDays", "x"), ("Argon2:passes", "0"), ("ApiKeys:writeWith", "none")));

        var rows = Rows(result);
        Assert.Equal(ExitCode.BadSettings, result.Code);
        Assert.All(rows, row => Assert.Equal(("settings", "failed"), (row.Check, row.Result)));
        foreach (var name in new[] { "Audit__retentionDays", "Argon2__passes", "ApiKeys__writeWith" })
        {
            Assert.Single(rows, row => row.Seen.StartsWith(name, StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task What_only_a_server_needs_is_a_warning_at_the_operators_desk()
    {
        var result = await OperatorDesk.RunAsync("doctor --json", null, _desk.With(("ExternalHost", "")));

        Assert.Equal(ExitCode.Done, result.Code);
        Assert.Single(Rows(result), row => row.Check == "server settings" && row.Result == "warning" && row.Seen.StartsWith("ExternalHost", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Missing_tables_are_named_with_their_remedy()
    {
        var result = await OperatorDesk.RunAsync("doctor --json", null, _desk.With(("TablePrefix", "nothere")));

        Assert.Equal(ExitCode.BadSettings, result.Code);
        var row = Assert.Single(Rows(result), row => row.Result == "failed");
        Assert.Equal("tables", row.Check);
        Assert.Contains("nothererealms", row.Seen, StringComparison.Ordinal);
        Assert.StartsWith("run tables create", row.Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Storage_that_is_away_fails_its_own_check_and_the_others_go_on()
    {
        var nowhere = (await SharedAzurite.ConnectionStringAsync()).Split("TableEndpoint=")[0] + "TableEndpoint=http://127.0.0.1:1/devstoreaccount1;";

        var result = await OperatorDesk.RunAsync("doctor --json", null, _desk.With(("AccountStorage", nowhere)));

        Assert.Equal(ExitCode.Refused, result.Code);
        Assert.Equal("storage", Assert.Single(Rows(result), row => row.Result == "failed").Check);
        Assert.Contains(Rows(result), row => row.Check == "hashing");
        Assert.DoesNotContain("AccountKey", result.Output + result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_table_that_fails_after_the_first_checks_fails_those_that_need_it_and_the_report_is_whole()
    {
        var (proxy, connection) = await FaultProxy.StartAsync();
        await using var _ = proxy;
        proxy.Meets = request => request.Path.Value!.Contains("accounts", StringComparison.Ordinal);
        proxy.Fault = StorageFault.Unavailable;

        var result = await OperatorDesk.RunAsync("doctor --json", null, OperatorDesk.Environment(connection, _desk.TablePrefix));

        Assert.Equal(ExitCode.Refused, result.Code);
        Assert.Equal(["keys", "stored hashes", "stored rows"], Rows(result).Where(row => row.Result == "failed").Select(row => row.Check));
        Assert.Equal("telemetry", Rows(result)[^1].Check);
    }

    [Fact]
    public async Task A_check_that_throws_costs_its_own_line_and_quotes_nothing()
    {
        var result = await OperatorDesk.RunAsync("doctor --json", null, _desk.Settings, new BrokenClock());

        Assert.Equal(ExitCode.Refused, result.Code);
        var failed = Rows(result).Where(row => row.Result == "failed").ToList();
        Assert.Contains("clock", failed.Select(row => row.Check));
        Assert.All(
            failed, row => Assert.Contains("the check could not be made: InvalidOperationException", row.Seen, StringComparison.Ordinal));
        Assert.DoesNotContain("s3cr3t", result.Output, StringComparison.Ordinal);
        Assert.Equal("telemetry", Rows(result)[^1].Check);
    }

    private sealed class BrokenClock : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => throw new InvalidOperationException("s3cr3t");
    }

    [Theory]
    [InlineData(-55, "ok", ExitCode.Done)]
    [InlineData(-65, "failed", ExitCode.Refused)]
    [InlineData(65, "failed", ExitCode.Refused)]
    public async Task A_clock_that_is_off_by_more_than_a_minute_fails(int seconds, string expected, int code)
    {
        var result = await OperatorDesk.RunAsync(
            "doctor --json", null, _desk.Settings, new FakeTimeProvider(TimeProvider.System.GetUtcNow() + TimeSpan.FromSeconds(seconds)));

        Assert.Equal((expected, code), (Assert.Single(Rows(result), row => row.Check == "clock").Result, result.Code));
    }

    [Fact]
    public async Task Keys_that_do_not_open_fail_and_outdated_ones_are_a_warning()
    {
        await _desk.RunAsync("users add a@b.com", Strong);
        var own = TestServer.KeyVariable.Name.Replace("__", ":", StringComparison.Ordinal);
        var another = (await _desk.RunAsync("keys generate")).Output.Trim();

        var replaced = await OperatorDesk.RunAsync("doctor --json", null, _desk.With((own, another)));
        var unknown = await OperatorDesk.RunAsync(
            "doctor --json", null,
            _desk.With((own + "two", another), (own, TestServer.KeyVariable.Value), ("ApiKeys:writeWith", own.Split(':')[^1] + "two")));

        Assert.Equal(ExitCode.Refused, replaced.Code);
        Assert.Contains(
            "1 were altered, or sealed with another key of that id", Assert.Single(Rows(replaced), row => row.Check == "keys").Seen,
            StringComparison.Ordinal);
        Assert.Equal(ExitCode.Done, unknown.Code);
        Assert.Equal(
            ("warning", "run keys rotate"),
            (Assert.Single(Rows(unknown), row => row.Check == "keys") is var keys ? keys.Result : "", keys.Remedy));
    }

    [Fact]
    public async Task A_directory_that_is_away_fails_its_check()
    {
        var result = await OperatorDesk.RunAsync("doctor --json", null, _desk.With(
            ("Ldap:corp:realms", "@"), ("Ldap:corp:uri", "ldap://127.0.0.1:1"), ("Ldap:corp:userSearchBase", "dc=example,dc=com"),
            ("Ldap:corp:userSearchFilter", "(uid=%(user)s)"), ("Ldap:corp:appendDomain", "example.com"), ("Ldap:corp:allowUnencrypted", "true")));

        Assert.Equal(ExitCode.Refused, result.Code);
        Assert.Equal("directory corp", Assert.Single(Rows(result), row => row.Result == "failed").Check);
    }

    [Fact]
    public async Task What_endangers_logins_is_a_warning_with_its_remedy()
    {
        await _desk.RunAsync("realms add acme --public-url http://chat.example.org");
        await _desk.RunAsync("users import - --json",
            $$"""{"realm":"","email":"a@b.com","user_id":1,"api_key":"{{new string('k', 32)}}","password":"{{Organisation.OldHash}}"}""");
        await using (var server = await TestServer.StartAsync(_desk.Tables))
        {
            for (var i = 0; i < 24; i++)
            {
                Assert.Equal(401, (await server.LogInAsync($"nobody{i}@b.com", "wrong")).Status);
            }
        }

        var rows = Rows(await OperatorDesk.RunAsync("doctor --json", null, _desk.Settings));

        Assert.Single(rows, row => row is ("realms", "warning", "clients send passwords to http://chat.example.org unprotected", _));
        Assert.Single(rows, row => row is ("stored hashes", "warning", "of costs that no setting names: 512:2:2", _));
        Assert.Single(
            rows, row => row is ("client addresses", "warning", "24 newest logins from 1 addresses: everybody shares one limit", _));
        Assert.Single(rows, row => row is ("telemetry", "warning", _, _));
    }

    // ---- Completion ----

    [Theory]
    [InlineData("fetch-api-key ", "audit completion doctor keys local probe realms serve tables users")]
    [InlineData("fetch-api-key users se", "set-password")]
    [InlineData("fetch-api-key users add a@b.com --ro", "--role")]
    [InlineData("fetch-api-key users add a@b.com --role gu", "guest")]
    [InlineData("fetch-api-key completion ", "bash fish pwsh zsh")]
    [InlineData("fetch-api-key doc", "doctor")]
    [InlineData("short doc", "doctor")]
    public async Task Bash_completes_command_lines_of_a_function_an_executable_and_an_alias(string typed, string expected)
    {
        var folder = Directory.CreateTempSubdirectory().FullName;
        var (script, executable) = (Path.Combine(folder, "completion.bash"), Path.Combine(folder, "fetch-api-key"));
        await File.WriteAllTextAsync(script, (await _desk.RunAsync("completion bash")).Output);
        await File.WriteAllTextAsync(executable, $"#!/bin/sh\nexec dotnet {Program} \"$@\"\n");
        File.SetUnixFileMode(executable, UnixFileMode.UserRead | UnixFileMode.UserExecute);

        // What bash itself does: words, line and cursor in its variables, then the function that was registered for the command.
        using var bash = ProcessRun.Start("bash", ["-c", $$"""
            source {{script}}
            fetch-api-key() { dotnet {{Program}} "$@"; }
            alias short='dotnet {{Program}}'
            complete -F _fetch_api_key short
            COMP_LINE='{{typed}}' COMP_POINT={{typed.Length}}
            read -ra COMP_WORDS <<< "$COMP_LINE"
            [[ $COMP_LINE == *' ' ]] && COMP_WORDS+=('')
            COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 ))
            registered=$(complete -p "${COMP_WORDS[0]}") || exit
            [[ $registered =~ -F\ ([^ ]+) ]]
            "${BASH_REMATCH[1]}" "${COMP_WORDS[0]}" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
            printf '%s\n' "${COMPREPLY[*]}"
            """], new Dictionary<string, string> { ["PATH"] = $"{folder}:{Environment.GetEnvironmentVariable("PATH")}" });
        await bash.ExitCodeAsync();

        Assert.Equal(expected, bash.Output.Trim());
        Directory.Delete(folder, recursive: true);
    }

    [Theory]
    [InlineData("zsh", "compdef _fetch_api_key fetch-api-key")]
    [InlineData("fish", "complete -c fetch-api-key ")]
    [InlineData("pwsh", "-CommandName fetch-api-key")]
    public async Task Other_shells_get_a_script_of_their_own(string shell, string registration) =>
        Assert.Contains(registration, (await _desk.RunAsync($"completion {shell}")).Output, StringComparison.Ordinal);

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
        Assert.All(
            result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries),
            line => Assert.Equal(JsonValueKind.Object, JsonDocument.Parse(line).RootElement.ValueKind));
    }

    /// <summary>A process at a terminal of its own, on which the answer is typed.</summary>
    private ProcessRun AtTerminal(string command, string answer) => ProcessRun.Start(
        "bash", ["-c", $"echo '{answer}' | script --quiet --return --command '{command}; echo exit code $?' /dev/null"], _desk.Variables);

    private static List<(string Check, string Result, string Seen, string Remedy)> Rows(CommandResult result) =>
    [
        .. result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement).Select(row =>
            (
                row.GetProperty("check").GetString()!, row.GetProperty("result").GetString()!, row.GetProperty("seen").GetString()!,
                row.GetProperty("remedy").GetString()!)),
    ];
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
