// The operator's commands against real tables: what they print, what they refuse, their exit codes.

using System.Text;
using System.Text.Json;
using FetchApiKey.Accounts;
using FetchApiKey.Cli;
using FetchApiKey.Passwords;
using Microsoft.Extensions.Configuration;

namespace FetchApiKeyFunction.Tests;

public sealed class OperatorTests : IAsyncLifetime
{
    private const string Strong = "correct horse battery staple";
    private const string OldHash = Organisation.OldHash;

    private readonly string _file = Path.GetTempFileName();
    private IConfigurationRoot _environment = null!;
    private AccountTables _tables = null!;

    public async Task InitializeAsync()
    {
        var storage = await SharedAzurite.NewStorageAsync();
        _environment = Environment(storage.ConnectionString!, storage.TablePrefix);
        _tables = AccountTables.Open(storage);
        Assert.Equal(ExitCode.Done, (await RunAsync("tables create")).Code);
        Assert.Equal(ExitCode.Done, (await RunAsync("realms add")).Code);
    }

    public Task DisposeAsync()
    {
        File.Delete(_file);
        return Task.CompletedTask;
    }

    // ---- Realms ----

    [Fact]
    public async Task A_realm_is_added_listed_and_changed_where_the_command_says_so()
    {
        await RunAsync("realms add acme --name Acme --description <p>Hi</p> --public-url https://chat.example.org/");
        await RunAsync("realms set acme --email-backend false --active false --yes");

        var listed = await RunAsync("realms list --json");

        Assert.Equal(
            """
            {"subdomain":"","name":"Zulip","description":"","icon":"","public_url":"","is_active":true,"email_backend":true}
            {"subdomain":"acme","name":"Acme","description":"<p>Hi</p>","icon":"","public_url":"https://chat.example.org","is_active":false,"email_backend":false}

            """,
            listed.Output);
    }

    [Theory]
    [InlineData("realms add", "There is a root realm already.")]
    [InlineData("realms add UPPER", "'UPPER' is not a subdomain")]
    [InlineData("realms add a.b", "'a.b' is not a subdomain")]
    [InlineData("realms add www", "'www' is no subdomain to give away")]
    [InlineData("realms add -- -a", "'-a' is not a subdomain")]
    [InlineData("realms set nowhere --name x", "There is no realm 'nowhere'.")]
    [InlineData("realms set --public-url ftp://x", "'ftp://x' is not an origin")]
    [InlineData("realms set --public-url https://x/path", "'https://x/path' is not an origin")]
    [InlineData("users list --realm nowhere", "There is no realm 'nowhere'.")]
    [InlineData("users add iago", "'iago' is not an e-mail address.")]
    [InlineData("users add a@b.com --user-id 0", "A user id is a whole number")]
    [InlineData("users show nobody@b.com", "There is no account of nobody@b.com in the root realm.")]
    [InlineData("users deactivate nobody@b.com", "There is no account")]
    public async Task What_cannot_be_done_is_refused_with_its_reason(string command, string reason)
    {
        var result = await RunAsync(command, Strong);

        Assert.Equal((ExitCode.Refused, ""), (result.Code, result.Output));
        Assert.StartsWith(reason, result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("nonsense")]
    [InlineData("users add")]
    [InlineData("users add a@b.com --role emperor")]
    [InlineData("users add a@b.com --password abcd1234")]
    [InlineData("serve --port 65536")]
    [InlineData("serve --address localhost")]
    [InlineData("audit tail --days 2147483647")]
    [InlineData("audit search --to 9999-12-31T23:59:59-10:00")]
    public async Task A_wrong_command_line_has_its_own_exit_code(string command) =>
        Assert.Equal(ExitCode.Usage, (await RunAsync(command)).Code);

    [Theory]
    [InlineData("users export ")]
    [InlineData("users import ")]
    [InlineData("realms import ")]
    [InlineData("tables backup ")]
    [InlineData("tables restore ")]
    [InlineData("local --data ")]
    public async Task An_empty_name_of_a_file_is_a_wrong_command_line(string command)
    {
        var result = await RunAsync(command);

        Assert.Equal(ExitCode.Usage, result.Code);
        Assert.StartsWith("the name of the file or folder is empty\n", result.Error, StringComparison.Ordinal);
        Assert.Single(result.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    [Theory]
    [InlineData("users import")]
    [InlineData("realms import")]
    [InlineData("tables restore")]
    public async Task A_file_that_is_not_there_has_an_exit_code_of_its_own(string command)
    {
        var result = await RunAsync($"{command} /nowhere");

        Assert.Equal((ExitCode.Missing, "There is no file /nowhere.\n"), (result.Code, result.Error));
    }

    [Theory]
    [InlineData("audit search --to 0001-01-01")]
    [InlineData("audit search --from 0001-01-01 --to 0001-01-02")]
    [InlineData("audit search --from 0001-01-01T00:00:00Z --to 9999-12-31T23:59:59.9999999Z")]
    [InlineData("audit search --to 9999-12-31T23:59:59Z --user-id -2147483648")]
    [InlineData("audit tail --days 3650 -n 10000")]
    public async Task The_first_and_the_last_time_there_is_are_times_like_others(string command) =>
        Assert.Equal((ExitCode.Done, ""), await RunAsync(command) is var result ? (result.Code, result.Error) : default);

    // ---- Users ----

    [Fact]
    public async Task An_account_that_was_added_logs_in()
    {
        var added = await RunAsync("users add Ann@B.com --role administrator --json", "Grüße, 世界 🔑\n");
        var shown = await RunAsync("users show ann@b.com --json");

        await using var server = await TestServer.StartAsync(_tables);
        var answer = await server.LogInAsync("ann@b.com", "Grüße, 世界 🔑");

        Assert.Equal(ExitCode.Done, added.Code);
        var row = JsonDocument.Parse(shown.Output).RootElement;
        Assert.Equal(
            ("Ann@B.com", 1, "administrator"),
            (row.GetProperty("email").GetString(), row.GetProperty("user_id").GetInt32(), row.GetProperty("role").GetString()));
        Assert.Equal("argon2id, 64 KiB, 1 passes, 1 lanes", row.GetProperty("password").GetString());
        Assert.Equal(200, answer.Status);
        var key = JsonDocument.Parse(answer.Body).RootElement.GetProperty("api_key").GetString()!;
        Assert.Matches("\\A[A-Za-z0-9]{32}\\z", key);
        Assert.DoesNotContain(key, added.Output + shown.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task User_ids_follow_the_highest_and_are_given_once()
    {
        await RunAsync("users add a@b.com --user-id 41", Strong);
        await RunAsync("users add b@b.com", Strong);
        var taken = await RunAsync("users add c@b.com --user-id 42", Strong);
        var again = await RunAsync("users add A@b.com", Strong);

        var listed = await RunAsync("users list");

        Assert.Equal((ExitCode.Refused, "User id 42 is taken in the root realm.\n"), (taken.Code, taken.Error));
        Assert.Equal((ExitCode.Refused, "There is an account of A@b.com in the root realm already.\n"), (again.Code, again.Error));
        Assert.Equal(3, listed.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
        Assert.Matches("""(?m)^ +41 +a@b\.com +member +yes """, listed.Output);
        Assert.Matches("""(?m)^ +42 +b@b\.com +member +yes """, listed.Output);
    }

    [Fact]
    public async Task A_password_is_set_and_an_account_is_shut_and_opened()
    {
        await RunAsync("users add a@b.com", Strong);
        await using var server = await TestServer.StartAsync(_tables);

        Assert.Equal(ExitCode.Done, (await RunAsync("users set-password a@b.com", "another " + Strong)).Code);
        Assert.Equal(401, (await server.LogInAsync("a@b.com", Strong)).Status);
        Assert.Equal(200, (await server.LogInAsync("a@b.com", "another " + Strong)).Status);

        Assert.Equal(ExitCode.Done, (await RunAsync("users deactivate a@b.com")).Code);
        Assert.Equal(TestServer.Golden("E9"), (await server.LogInAsync("a@b.com", "another " + Strong)).Body);

        Assert.Equal(ExitCode.Done, (await RunAsync("users reactivate a@b.com")).Code);
        Assert.Equal(200, (await server.LogInAsync("a@b.com", "another " + Strong)).Status);
    }

    [Theory]
    [InlineData("users add a@b.com", "abcd1234", "Too easy to guess: it is, or is little more than, one of the passwords")]
    [InlineData("users add a@b.com", "somesomesome", "Too easy to guess: it repeats")]
    [InlineData("users add desdemona@venice.example", "DesdemonaVenice", "Too easy to guess: it is made of the account's own e-mail address")]
    [InlineData("users add a@b.com", "sh0rt", "Too short: use at least 6 characters.")]
    [InlineData("users add a@b.com", "correct horse battery staple, and then so many more words that it is longer than a hundred characters", "Too long: use at most 100 characters.")]
    [InlineData("users add a@b.com", null, "Standard input gave no password.")]
    public async Task A_weak_or_absent_password_is_refused_with_what_is_wrong_with_it(string command, string? input, string reason)
    {
        var result = await RunAsync(command, input);

        Assert.Equal((ExitCode.Refused, ""), (result.Code, result.Output));
        Assert.StartsWith(reason, result.Error, StringComparison.Ordinal);
        Assert.Equal("", (await RunAsync("users list")).Output);
    }

    [Fact]
    public async Task A_password_of_another_is_set_by_the_rules_of_the_page()
    {
        await RunAsync("users add desdemona@venice.example", Strong);

        var own = await RunAsync("users set-password desdemona@venice.example", "Venice.Desdemona");
        var strong = await RunAsync("users set-password desdemona@venice.example", "another " + Strong);

        Assert.Equal(
            (ExitCode.Refused, "Too easy to guess: it is made of the account's own e-mail address, which others know.\n"),
            (own.Code, own.Error));
        Assert.Equal(ExitCode.Done, strong.Code);
    }

    // ---- Import ----

    [Fact]
    public async Task Imported_accounts_log_in_with_the_passwords_and_keys_they_had()
    {
        var key = new string('K', 32);
        await File.WriteAllLinesAsync(_file,
        [
            Line(11, "a@b.com", password: await Organisation.HashAsync(Strong), key: key),
            "",
            Line(12, "b@b.com", password: "!", more: ",\"is_active\":false,\"role\":600"),
        ]);

        var first = await RunAsync($"users import {_file} --json");
        var second = await RunAsync($"users import {_file} --json");
        await using var server = await TestServer.StartAsync(_tables);
        var answer = await server.LogInAsync("a@b.com", Strong);

        Assert.Equal((ExitCode.Done, """{"imported":2,"unchanged":0,"skipped":0,"failed":0}""" + "\n"), (first.Code, first.Output));
        Assert.Equal((ExitCode.Done, """{"imported":0,"unchanged":2,"skipped":0,"failed":0}""" + "\n"), (second.Code, second.Output));
        Assert.Equal($$"""{"result":"success","msg":"","api_key":"{{key}}","email":"a@b.com","user_id":11}""" + "\n", answer.Body);
        Assert.Matches("""b@b\.com +guest +no """, (await RunAsync("users list")).Output);
    }

    [Fact]
    public async Task A_name_is_imported_and_exported()
    {
        await File.WriteAllTextAsync(_file, Line(4, "a@b.com", more: ",\"full_name\":\"Zoë\""));

        await RunAsync($"users import {_file}");

        Assert.Contains("\"full_name\":\"Zoë\"", (await RunAsync("users export")).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_file_with_faulty_lines_imports_nothing_and_names_each()
    {
        await RunAsync("users add taken@b.com --user-id 500", Strong);
        string[] lines =
        [
            Line(1, "sound@b.com"),
            "{",
            "[]",
            Line(2, "a@b.com", realm: "nowhere"),
            Line(3, "not-an-address"),
            Line(0, "c@b.com"),
            Line(4, "d@b.com", key: "short"),
            Line(5, "e@b.com", password: "plain text"),
            Line(6, "f@b.com", password: "$argon2id$v=19$m=4194304,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA"),
            Line(7, "g@b.com", more: ",\"is_active\":\"yes\""),
            Line(8, "h@b.com", more: ",\"role\":1"),
            Line(9, "i@b.com", more: ",\"nickname\":\"I\""),
            Line(10, "j@b.com", more: ",\"email\":\"k@b.com\""),
            Line(11, "SOUND@b.com"),
            Line(1, "l@b.com"),
            Line(12, "taken@b.com"),
            Line(500, "m@b.com"),
            """{"realm":"","email":"n@b.com","user_id":1.5,"api_key":"","password":"!"}""",
            """{"realm":"","email":"n@b.com"}""",
        ];
        await File.WriteAllLinesAsync(_file, lines);

        var refused = await RunAsync($"users import {_file}");
        var listed = await RunAsync("users list --json");
        var skipping = await RunAsync($"users import {_file} --skip-invalid --json");

        Assert.Equal((ExitCode.Refused, ""), (refused.Code, refused.Output));
        Assert.Equal(Enumerable.Range(2, 18), FaultyLines(refused.Error).Order());
        Assert.Contains("18 faulty lines, so nothing was imported.", refused.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("plain text", refused.Error, StringComparison.Ordinal);
        Assert.Single(listed.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal((ExitCode.Done, """{"imported":1,"unchanged":0,"skipped":18,"failed":0}""" + "\n"), (skipping.Code, skipping.Output));
    }

    // ---- Keys ----

    [Fact]
    public async Task A_rotated_key_is_another_one_that_only_a_login_tells()
    {
        await RunAsync("users add hamlet@zulip.com", Strong);
        await using var server = await TestServer.StartAsync(_tables);
        var before = await server.LogInAsync("hamlet@zulip.com", Strong);

        var rotated = await RunAsync("users rotate-key Hamlet@zulip.com --json");
        var after = await server.LogInAsync("hamlet@zulip.com", Strong);
        var events = await RunAsync("audit search --kind api_key_changed --json");

        Assert.Equal((200, 200), (before.Status, after.Status));
        Assert.NotEqual(before.Body, after.Body);
        Assert.Equal(ExitCode.Done, rotated.Code);
        Assert.Matches("""\A\{"realm":"","user_id":1,"email":"hamlet@zulip.com","role":"member","is_active":true,"created":"[^"]+"\}\s*\z""", rotated.Output);
        Assert.Contains("\"users rotate-key\"", events.Output, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Refused, (await RunAsync("users rotate-key nobody@zulip.com")).Code);
    }

    [Fact]
    public async Task Keys_are_rotated_while_logins_go_on()
    {
        for (var i = 0; i < 12; i++)
        {
            await RunAsync($"users add u{i}@b.com", Strong);
        }

        var (name, value) = TestServer.KeyVariable;
        var both = new ConfigurationBuilder().AddConfiguration(_environment).AddInMemoryCollection(
        [
            new("ApiKeys:keys:two", (await RunAsync("keys generate")).Output.Trim()), new("ApiKeys:writeWith", "two"),
        ]).Build();
        await using var server = await TestServer.StartAsync(_tables, Settings.Read(both, answersRequests: true));
        using var over = new CancellationTokenSource();
        var logins = Task.Run(async () =>
        {
            var statuses = new List<int>();
            while (!over.IsCancellationRequested || statuses.Count == 0)
            {
                statuses.Add((await server.LogInAsync($"u{statuses.Count % 12}@b.com", Strong)).Status);
            }

            return statuses;
        });

        var rotated = await RunAsync("keys rotate --json", environment: both);
        var again = await RunAsync("keys rotate --json", environment: both);
        await over.CancelAsync();

        Assert.Equal((ExitCode.Done, """{"rotated":12,"unchanged":0,"failed":0}""" + "\n"), (rotated.Code, rotated.Output));
        Assert.Equal("""{"rotated":0,"unchanged":12,"failed":0}""" + "\n", again.Output);
        Assert.All(await logins, status => Assert.Equal(200, status));
        Assert.NotEmpty(name + value);
        var onlyNew = new ConfigurationBuilder().AddConfiguration(both).AddInMemoryCollection(
            [new(name.Replace("__", ":", StringComparison.Ordinal), "")]).Build();
        Assert.Equal(ExitCode.BadSettings, (await RunAsync("users list", environment: onlyNew)).Code);
    }

    // ---- Settings and storage ----

    [Fact]
    public async Task Faulty_settings_stop_a_command_before_it_does_anything()
    {
        var result = await RunAsync("realms list", environment: new ConfigurationBuilder().Build());

        Assert.Equal(ExitCode.BadSettings, result.Code);
        Assert.Contains("AccountStorage", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Serving_without_tables_ends_with_what_to_do()
    {
        var environment = Environment(await SharedAzurite.ConnectionStringAsync(), "nothere");

        var result = await RunAsync("serve --port 0", environment: environment);

        Assert.Equal(ExitCode.BadSettings, result.Code);
        Assert.Contains("'tables create'", result.Error, StringComparison.Ordinal);
    }

    // ---- Backup ----

    [Fact]
    public async Task A_backup_restores_realms_and_accounts_as_they_were_and_can_be_restored_again()
    {
        await RunAsync("realms add acme --name Acmé");
        await RunAsync("users add iago@zulip.com --role owner", Strong);
        await RunAsync("users add lear@acme.com --realm acme", Strong);
        File.Delete(_file);
        var backup = await RunAsync($"tables backup {_file} --json");
        var other = await SharedAzurite.NewStorageAsync();
        var elsewhere = Environment(other.ConnectionString!, other.TablePrefix);
        await RunAsync("tables create", environment: elsewhere);

        var restored = await RunAsync($"tables restore {_file} --json", environment: elsewhere);
        var again = await RunAsync($"tables restore {_file} --json", environment: elsewhere);

        Assert.Contains("\"rows\":6", backup.Output, StringComparison.Ordinal);
        Assert.Equal("""{"rows":6,"restored":6,"unchanged":0,"differ":0}""" + "\n", restored.Output);
        Assert.Equal("""{"rows":6,"restored":0,"unchanged":6,"differ":0}""" + "\n", again.Output);
        foreach (var command in new[] { "realms list --json", "users list --json", "users show lear@acme.com --realm acme --json" })
        {
            Assert.Equal((await RunAsync(command)).Output, (await RunAsync(command, environment: elsewhere)).Output);
        }

        await RunAsync("users set-password iago@zulip.com", Strong + "s", elsewhere);
        var differs = await RunAsync($"tables restore {_file} --json", environment: elsewhere);
        Assert.Equal((ExitCode.Refused, """{"rows":6,"restored":0,"unchanged":5,"differ":1}""" + "\n"), (differs.Code, differs.Output));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_file));
    }

    [Theory]
    [InlineData(0, "is not a backup")]
    [InlineData(1, "is not whole")]
    [InlineData(2, "Line 2 of the backup is broken")]
    public async Task Of_a_backup_that_is_not_whole_nothing_is_restored(int damage, string reason)
    {
        File.Delete(_file);
        await RunAsync($"tables backup {_file}");
        var lines = await File.ReadAllLinesAsync(_file);
        await File.WriteAllLinesAsync(_file, damage switch
        {
            0 => lines[1..],
            1 => lines[..^1],
            _ => [lines[0], lines[1][..20], .. lines[2..]],
        });
        var other = await SharedAzurite.NewStorageAsync();
        var elsewhere = Environment(other.ConnectionString!, other.TablePrefix);
        await RunAsync("tables create", environment: elsewhere);

        var result = await RunAsync($"tables restore {_file}", environment: elsewhere);

        Assert.Equal(ExitCode.Refused, result.Code);
        Assert.Contains(reason, result.Error, StringComparison.Ordinal);
        Assert.Empty((await RunAsync("realms list", environment: elsewhere)).Output);
    }

    [Fact]
    public async Task A_backup_overwrites_no_file() =>
        Assert.StartsWith("There is a file", (await RunAsync($"tables backup {_file}")).Error, StringComparison.Ordinal);

    [Fact]
    public async Task Storage_that_is_away_has_its_own_exit_code()
    {
        var nowhere = (await SharedAzurite.ConnectionStringAsync()).Split("TableEndpoint=")[0] + "TableEndpoint=http://127.0.0.1:1/devstoreaccount1;";

        var result = await RunAsync("realms list", environment: Environment(nowhere, "x"));

        Assert.Equal(ExitCode.Unavailable, result.Code);
        Assert.DoesNotContain("AccountKey", result.Error, StringComparison.Ordinal);
    }

    private static IConfigurationRoot Environment(string connectionString, string prefix) =>
        OperatorDesk.Environment(connectionString, prefix);

    private Task<CommandResult> RunAsync(string command, string? input = null, IConfiguration? environment = null) =>
        OperatorDesk.RunAsync(command, input, environment ?? _environment);

    private static string Line(int userId, string email, string realm = "", string? key = null, string password = OldHash, string more = "") =>
        $$"""{"realm":"{{realm}}","email":"{{email}}","user_id":{{userId}},"api_key":"{{key ?? new string('k', 32)}}","password":"{{password}}"{{more}}}""";

    private static IEnumerable<int> FaultyLines(string error) => error.Split('\n')
        .Where(line => line.StartsWith("line ", StringComparison.Ordinal))
        .Select(line => int.Parse(line.AsSpan(5, line.IndexOf(':', StringComparison.Ordinal) - 5), System.Globalization.CultureInfo.InvariantCulture));
}
