// Accounts and realms that come from files and go into them.

using System.Globalization;
using System.Text.Json;
using FetchApiKey.Accounts;
using FetchApiKey.Audit;
using FetchApiKey.Cli;
using FetchApiKey.Cli.Transfer;
using FetchApiKeyFunction.Tests.Hosts;

namespace FetchApiKeyFunction.Tests;

public sealed class TransferTests : IAsyncLifetime
{
    private const string Strong = "correct horse battery staple";

    /// <summary>Printed by PostgreSQL 15 for the two statements of docs/operating.md, which its tables had such rows for.</summary>
    private const string RealmsCopy = "\tZulip\\tRoot \\\\ Söhne\tt\nacme\tAcmé\tf\n";
    private const string AccountsCopy =
        "\t\"\\\\b\\v\"@b.com\t3\tcccccccccccccccccccccccccccccccc\t!unusable\tf\t600\t2020-01-01 00:00:00+00\tTab\\\\Söhne\n"
        + "\tAnn@b.com\t2\taaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\t" + Organisation.OldHash + "\tt\t100\t2019-03-04 03:06:07.123456+00\tAnn Ö\n"
        + "acme\tlear@acme.com\t4\tdddddddddddddddddddddddddddddddd\t!unusable\tt\t400\t2021-12-31 23:59:59.5+00\t\n";

    private readonly string _folder = Directory.CreateTempSubdirectory().FullName;
    private OperatorDesk _desk = null!;

    private string File1 => Path.Combine(_folder, "1");

    private string File2 => Path.Combine(_folder, "2");

    public async Task InitializeAsync() => _desk = await OperatorDesk.OpenAsync();

    public Task DisposeAsync()
    {
        Directory.Delete(_folder, recursive: true);
        return Task.CompletedTask;
    }

    // ---- Formats ----

    [Fact]
    public async Task What_PostgreSQL_copies_of_a_Zulip_server_is_imported_as_it_was_there()
    {
        var elsewhere = await SharedAzurite.NewStorageAsync();
        var empty = OperatorDesk.Environment(elsewhere.ConnectionString!, elsewhere.TablePrefix);
        await OperatorDesk.RunAsync("tables create", null, empty);

        var realms = await OperatorDesk.RunAsync("realms import - --json", RealmsCopy, empty);
        var again = await OperatorDesk.RunAsync("realms import - --json", RealmsCopy, empty);
        var accounts = await OperatorDesk.RunAsync("users import - --json", AccountsCopy, empty);
        var export = await OperatorDesk.RunAsync("users export", null, empty);

        Assert.Equal((ExitCode.Done, """{"imported":2,"unchanged":0,"failed":0}""" + "\n"), (realms.Code, realms.Output));
        Assert.Equal("""{"imported":0,"unchanged":2,"failed":0}""" + "\n", again.Output);
        Assert.Equal((ExitCode.Done, """{"imported":3,"unchanged":0,"skipped":0,"failed":0}""" + "\n"), (accounts.Code, accounts.Output));
        Assert.Equal(
            """
            {"subdomain":"","name":"Zulip\tRoot \\ Söhne","description":"","icon":"","public_url":"","is_active":true,"email_backend":true}
            {"subdomain":"acme","name":"Acmé","description":"","icon":"","public_url":"","is_active":false,"email_backend":true}

            """,
            (await OperatorDesk.RunAsync("realms list --json", null, empty)).Output);
        Assert.Equal(
            [
                $$"""{"realm":"","email":"Ann@b.com","user_id":2,"api_key":"{{new string('a', 32)}}","password":"{{Organisation.OldHash}}","is_active":true,"role":100,"created":"2019-03-04T03:06:07.1234560+00:00","full_name":"Ann Ö"}""",
                $$"""{"realm":"","email":"\"\\b\u000B\"@b.com","user_id":3,"api_key":"{{new string('c', 32)}}","password":"!unusable","is_active":false,"role":600,"created":"2020-01-01T00:00:00.0000000+00:00","full_name":"Tab\\Söhne"}""",
                $$"""{"realm":"acme","email":"lear@acme.com","user_id":4,"api_key":"{{new string('d', 32)}}","password":"!unusable","is_active":true,"role":400,"created":"2021-12-31T23:59:59.5000000+00:00"}""",
            ],
            Lines(export.Output).OrderBy(UserIdOf));
    }

    [Fact]
    public async Task A_csv_file_is_imported_by_the_names_in_its_header()
    {
        var csv = $"""
            user_id,email,realm,password,api_key,role,is_active
            1,"a,b"@c.com,,!,{new string('k', 32)},,
            2,a@b.com,,"{Organisation.OldHash}",{new string('l', 32)},600,false

            """;

        var faulty = await _desk.RunAsync("users import -", csv);
        var imported = await _desk.RunAsync(
            "users import - --format csv --json", csv.Replace("\"a,b\"@c.com", "\"\"\"a,b\"\"@c.com\"", StringComparison.Ordinal));

        Assert.Equal((ExitCode.Refused, "line 2: has a quotation mark that closes nothing\n1 faulty lines, so nothing was imported. --skip-invalid imports the others.\n"), (faulty.Code, faulty.Error));
        Assert.Equal((ExitCode.Done, """{"imported":2,"unchanged":0,"skipped":0,"failed":0}""" + "\n"), (imported.Code, imported.Output));
        var listed = Lines((await _desk.RunAsync("users list --json")).Output).Select(line => JsonDocument.Parse(line).RootElement).ToList();
        Assert.Equal(["\"a,b\"@c.com", "a@b.com"], listed.Select(row => row.GetProperty("email").GetString()));
        Assert.Equal([true, false], listed.Select(row => row.GetProperty("is_active").GetBoolean()));
        Assert.Equal(["member", "guest"], listed.Select(row => row.GetProperty("role").GetString()));
    }

    [Theory]
    [InlineData("realm,email,user_id,api_key\n", "1 of these are missing, 0 are unknown.")]
    [InlineData("realm,email,user_id,api_key,password,secret\n", "0 of these are missing, 1 are unknown.")]
    [InlineData("realm,email,user_id,api_key,password,email\n", "0 of these are missing, 0 are unknown.")]
    [InlineData(",a@b.com,1,kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk,!\n", "5 of these are missing, 5 are unknown.")]
    public async Task A_csv_file_with_another_header_is_refused_and_not_quoted(string csv, string reason)
    {
        var result = await _desk.RunAsync("users import -", csv);

        Assert.Equal((ExitCode.Refused, ""), (result.Code, result.Output));
        Assert.EndsWith(reason + "\n", result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("kkkk", result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\ta@b.com\t1\tKEY\t!\tt\t400\n", "has 7 columns instead of 9")]
    [InlineData("\ta@b.com\t1\tKEY\t!\tt\t400\t2020-01-01\tA\\\n", "ends in a backslash")]
    [InlineData("\ta@b.com\t1\tKEY\t!\t\\N\t400\t2020-01-01\tA\n", "is_active: is neither true nor false")]
    [InlineData("\ta@b.com\t1\tKEY\t\\N\tt\t400\t2020-01-01\tA\n", "password: is not an encoded password")]
    [InlineData("\ta@b.com\t1\tKEY\t!\tt\t400\tyesterday\tA\n", "created: is not a time")]
    [InlineData("\ta@b.com\t1\tKEY\t!\tt\t400\t0900-01-01\tA\n", "created: is not a time")]
    [InlineData("\\N\ta@b.com\t1\tKEY\t!\tt\t400\t2020-01-01\tA\n", "realm: names no realm")]
    [InlineData("\ta@b.com\t1\tKEY\t!\tt\t400\t2020-01-01\tA\\tB\n", "full_name: is no text of up to 100 characters")]
    public async Task A_copied_row_that_is_no_account_is_named_by_its_line(string copy, string fault)
    {
        var result = await _desk.RunAsync(
            "users import -", AccountsCopy.Split('\n')[1] + "\n" + copy.Replace("KEY", new string('k', 32), StringComparison.Ordinal));

        Assert.Equal(ExitCode.Refused, result.Code);
        Assert.StartsWith($"line 2: {fault}", result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("a\\tb\tc", "a\tb|c")]
    [InlineData("\\\\N\t\\N\t\\x41\\102\\103x", "\\N|NULL|ABCx")]
    [InlineData("\\303\\274\\xc3\\xbc\\u\t", "üüu|")]
    [InlineData("\\b\\f\\n\\r\\v\\q", "\b\f\n\r\vq")]
    [InlineData("\\💡x💡\\\\\t\\ü\\é\\xe2\\x82\\xac", "💡x💡\\|üé€")]
    // A backslash before a character of one, two, three and four bytes.
    [InlineData("\\a\\ü\\€\\🔑\\\\🔑\\t🔑\\xF0\\237\\x94\\221", "aü€🔑\\🔑\t🔑🔑")]
    public void Escapes_of_a_copied_row_are_what_PostgreSQL_says_they_are(string line, string expected) =>
        Assert.Equal(expected, string.Join('|', CopyText.Split(line, out _)!.Select(value => value ?? "NULL")));

    [Fact]
    public async Task A_line_without_end_is_passed_over_and_named()
    {
        await File.WriteAllTextAsync(File1, Line(1, "a@b.com") + "\n{\"realm\":\"" + new string('x', 1 << 20) + "\n" + Line(2, "b@b.com"));

        var result = await _desk.RunAsync($"users import {File1} --skip-invalid --json");

        Assert.Equal("line 2: is longer than 65536 bytes\n", result.Error);
        Assert.Equal("""{"imported":2,"unchanged":0,"skipped":1,"failed":0}""" + "\n", result.Output);
    }

    [Fact]
    public async Task A_quotation_mark_that_is_never_closed_does_not_swallow_the_file()
    {
        var result = await _desk.RunAsync("users import -", "realm,email,user_id,api_key,password\n,\"" + new string('x', 1 << 20));

        Assert.Equal(ExitCode.Refused, result.Code);
        Assert.StartsWith("line 2: has a field of more than 65536 characters", result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("xxx", result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"subdomain":"UPPER","name":"x"}""", "subdomain: is not one DNS label")]
    [InlineData("""{"subdomain":"a","name":""}""", "name: is empty")]
    [InlineData("""{"subdomain":"a","name":"A","public_url":"ftp://a"}""", "public_url: is not an origin")]
    [InlineData("""{"subdomain":"a","name":"A","description":5}""", "description: is no text")]
    [InlineData("""{"subdomain":"a","name":"A","is_active":"no"}""", "is_active: is neither true nor false")]
    [InlineData("""{"subdomain":"","name":"Other"}""", "there is a root realm already, which differs")]
    public async Task Realms_are_judged_before_any_is_imported(string line, string fault)
    {
        var result = await _desk.RunAsync("realms import -", """{"subdomain":"sound","name":"Sound"}""" + "\n" + line);

        Assert.Equal(ExitCode.Refused, result.Code);
        Assert.StartsWith($"line 2: {fault}", result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("sound", (await _desk.RunAsync("realms list")).Output, StringComparison.Ordinal);
    }

    private static void Unexpected(RowFault fault) => Assert.Fail($"{fault}");

    // ---- Many accounts ----

    [Fact]
    public async Task An_import_that_is_killed_is_finished_by_running_it_again_and_nothing_is_doubled()
    {
        var count = LongTests.Or(20_000, 3_000);
        await File.WriteAllLinesAsync(File1, Enumerable.Range(1, count).Select(i => Line(i, $"u{i}@b.com")));
        var listing = new AccountStore(_desk.Tables);
        using (var import = StartProcess("users", "import", File1))
        {
            // Kills it at work, wherever that is: some accounts are there, some only claimed, most neither.
            while (!(await listing.SomeAsync(1000, Unexpected, CancellationToken.None)).Skip(100).Any())
            {
                Assert.False(import.HasExited, import.Output);
                await Task.Delay(20);
            }

            import.Kill();
            Assert.NotEqual(0, await import.ExitCodeAsync());
        }

        var second = await _desk.RunAsync($"users import {File1} --json");
        var third = await _desk.RunAsync($"users import {File1} --json");
        var ids = new List<int>();
        await foreach (var account in listing.ListAsync("", Unexpected, CancellationToken.None))
        {
            ids.Add(account.UserId);
        }

        var counts = JsonDocument.Parse(second.Output).RootElement;
        Assert.Equal((ExitCode.Done, ""), (second.Code, second.Error));
        Assert.InRange(counts.GetProperty("unchanged").GetInt32(), 100, count - 1);
        Assert.Equal(count, counts.GetProperty("unchanged").GetInt32() + counts.GetProperty("imported").GetInt32());
        Assert.Equal($$"""{"imported":0,"unchanged":{{count}},"skipped":0,"failed":0}""" + "\n", third.Output);
        Assert.Equal(Enumerable.Range(1, count), ids.Order());
        Assert.Equal(count + 1, await listing.NextUserIdAsync("", CancellationToken.None));
    }

    [Fact]
    public async Task A_batch_of_which_an_id_is_taken_is_added_but_for_that_account()
    {
        var accounts = new AccountStore(_desk.Tables);
        await accounts.AddAsync(NewAccount(2, "taken@b.com"), EmailAddress.TryParse("taken@b.com")!, CancellationToken.None);
        IReadOnlyList<Account> batch = [NewAccount(1, "a@b.com"), NewAccount(2, "b@b.com"), NewAccount(3, "c@b.com"), NewAccount(4, "TAKEN@b.com")];

        var first = await accounts.AddAllAsync(batch, CancellationToken.None);
        var second = await accounts.AddAllAsync(batch, CancellationToken.None);

        Assert.Equal([Addition.Added, Addition.UserIdTaken, Addition.Added, Addition.EmailTaken], first);
        // The same rows again, as after a lost acknowledgement.
        Assert.Equal(first, second);
        Assert.Equal(
            [1, 2, 3], (await accounts.SomeAsync(10, Unexpected, CancellationToken.None)).Select(account => account.UserId).Order());
    }

    [Fact]
    public async Task A_realm_of_more_than_a_page_is_listed_whole_with_one_header()
    {
        await File.WriteAllLinesAsync(File1, Enumerable.Range(1, 1_100).Select(i => Line(i, $"u{i}@b.com")));
        await _desk.RunAsync($"users import {File1}");

        var table = Lines((await _desk.RunAsync("users list")).Output);
        var json = Lines((await _desk.RunAsync("users list --json")).Output);

        Assert.StartsWith("realm", table[0], StringComparison.Ordinal);
        Assert.Single(table, line => line.Contains("user_id", StringComparison.Ordinal));
        Assert.Equal(1_101, table.Count);
        Assert.Equal(Enumerable.Range(1, 1_100), json.Select(UserIdOf).Order());
    }

    // ---- Export ----

    [Fact]
    public async Task What_is_exported_is_imported_elsewhere_with_passwords_and_keys()
    {
        await _desk.RunAsync("realms add acme --name Acme");
        await _desk.RunAsync("users add iago@zulip.com --role owner", Strong);
        await _desk.RunAsync("users add lear@acme.com --realm acme", Strong);
        await _desk.RunAsync("users deactivate lear@acme.com --realm acme");
        await _desk.RunAsync($"realms list --json");
        var other = await SharedAzurite.NewStorageAsync();
        var elsewhere = OperatorDesk.Environment(other.ConnectionString!, other.TablePrefix);
        await OperatorDesk.RunAsync("tables create", null, elsewhere);

        var exported = await _desk.RunAsync($"users export {File1} --json");
        await OperatorDesk.RunAsync("realms import -", (await _desk.RunAsync("realms list --json")).Output, elsewhere);
        var imported = await OperatorDesk.RunAsync($"users import {File1} --json", null, elsewhere);
        var back = await OperatorDesk.RunAsync($"users export {File2}", null, elsewhere);
        var acme = await _desk.RunAsync("users export - --realm acme");

        Assert.Equal((ExitCode.Done, $$"""{"file":"{{File1}}","exported":2,"failed":0}""" + "\n"), (exported.Code, exported.Output));
        Assert.Equal("""{"imported":2,"unchanged":0,"skipped":0,"failed":0}""" + "\n", imported.Output);
        Assert.Equal(ExitCode.Done, back.Code);
        Assert.Equal(await File.ReadAllLinesAsync(File1), await File.ReadAllLinesAsync(File2));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(File1));
        Assert.Single(Lines(acme.Output), line => line.Contains("lear@acme.com", StringComparison.Ordinal));
        var key = JsonDocument.Parse((await File.ReadAllLinesAsync(File1))[0]).RootElement.GetProperty("api_key").GetString()!;
        await using var server = await TestServer.StartAsync(AccountTables.Open(other));
        Assert.Contains(key, (await server.LogInAsync("iago@zulip.com", Strong)).Body, StringComparison.Ordinal);
        Assert.Equal(["api_key_disclosed", "api_key_disclosed", "api_key_disclosed"], await KindsOfAsync("users export"));
    }

    [Fact]
    public async Task An_export_overwrites_nothing_and_leaves_out_keys_that_do_not_open()
    {
        await _desk.RunAsync("users add a@b.com", Strong);
        await File.WriteAllTextAsync(File1, "mine");
        var another = (await _desk.RunAsync("keys generate")).Output.Trim();
        var wrongKey = _desk.With((TestServer.KeyVariable.Name.Replace("__", ":", StringComparison.Ordinal), another));

        var refused = await _desk.RunAsync($"users export {File1}");
        var unopened = await OperatorDesk.RunAsync("users export", null, wrongKey);

        Assert.StartsWith("There is a file", refused.Error, StringComparison.Ordinal);
        Assert.Equal("mine", await File.ReadAllTextAsync(File1));
        Assert.Equal(
            (ExitCode.Refused, "", "user 1 of realm '': its API key cannot be opened, so it was left out\n"),
            (unopened.Code, unopened.Output, unopened.Error));
    }

    [Fact]
    public async Task What_an_import_would_refuse_is_named_and_left_out_of_an_export()
    {
        await File.WriteAllLinesAsync(File1, Enumerable.Range(1, 6).Select(i => Line(i, $"u{i}@b.com")));
        await _desk.RunAsync($"users import {File1}");
        var cipher = new ApiKeyCipher(Settings.Read(_desk.Settings, answersRequests: false).ApiKeys);
        foreach (var (id, column, value) in new (int, string, object)[]
        {
            (2, "FullName", "a\0b"),
            (3, "FullName", new string('x', 3_000)),
            (4, "PasswordHash", "md5$abc"),
            (5, "PasswordHash", new string('x', 70_000 / 3)),
            (6, "UserId", 1),
            (6, "ApiKey", cipher.Seal("", EmailAddress.TryParse("u6@b.com")!, 1, new string('k', 32))),
        })
        {
            var row = Account.PartitionOf("", EmailAddress.TryParse($"u{id}@b.com")!);
            await DamagedRow.PutAsync(_desk.Tables.Accounts, row, row, column, value);
        }

        var export = await _desk.RunAsync($"users export {File2} --json");
        var elsewhere = await OperatorDesk.OpenAsync();
        var imported = await elsewhere.RunAsync($"users import {File2} --json");

        Assert.Equal((ExitCode.Refused, $$"""{"file":"{{File2}}","exported":1,"failed":5}""" + "\n"), (export.Code, export.Output));
        var faults = Lines(export.Error);
        Assert.Equal(5, faults.Count);
        Assert.All(faults, fault => Assert.EndsWith(", so it was left out", fault, StringComparison.Ordinal));
        Assert.Equal(2, faults.Count(fault => fault.Contains("full_name: is no text", StringComparison.Ordinal)));
        Assert.Equal(2, faults.Count(fault => fault.Contains(": password: ", StringComparison.Ordinal)));
        Assert.Single(faults, fault => fault.Contains("user 1 of realm '': another account has its user_id", StringComparison.Ordinal));
        Assert.Equal((ExitCode.Done, ""), (imported.Code, imported.Error));
    }

    [Fact]
    public async Task A_zuliprc_has_what_a_client_needs_and_its_printing_is_recorded()
    {
        await _desk.RunAsync("realms add acme --public-url https://chat.example.org");
        await File.WriteAllLinesAsync(File1, [Line(1, "a@b.com"), Line(2, "b@b.com", realm: "acme")]);
        await _desk.RunAsync($"users import {File1}");
        var key = new string('k', 32);

        Assert.Equal(
            $"[api]\nemail=a@b.com\nkey={key}\nsite=https://zulip.example.com\n", (await _desk.RunAsync("users zuliprc A@b.com")).Output);
        Assert.Equal(
            $"[api]\nemail=b@b.com\nkey={key}\nsite=https://chat.example.org\n",
            (await _desk.RunAsync("users zuliprc b@b.com --realm acme")).Output);
        Assert.Equal(
            $$"""{"email":"a@b.com","key":"{{key}}","site":"http://localhost:7071"}""" + "\n",
            (await _desk.RunAsync("users zuliprc a@b.com --site http://localhost:7071/ --json")).Output);
        Assert.StartsWith("'x' is not an origin", (await _desk.RunAsync("users zuliprc a@b.com --site x")).Error, StringComparison.Ordinal);
        Assert.Contains(
            "or say it with --site", (await OperatorDesk.RunAsync("users zuliprc a@b.com", null, _desk.With(("ExternalHost", "")))).Error,
            StringComparison.Ordinal);
        Assert.Equal(["api_key_disclosed", "api_key_disclosed", "api_key_disclosed"], await KindsOfAsync("users zuliprc"));
    }

    private ProcessRun StartProcess(params string[] arguments) => TestedProgram.Usual.Start(arguments, _desk.Variables);

    private async Task<IReadOnlyList<string>> KindsOfAsync(string verb)
    {
        var now = TimeProvider.System.GetUtcNow();
        var kinds = new List<string>();
        await foreach (var happened in new AuditTable(_desk.Tables).SearchAsync(new AuditQuery(now.AddHours(-1), now.AddMinutes(1)) { Outcome = verb }, CancellationToken.None))
        {
            kinds.Add(happened.Kind);
        }

        return kinds;
    }

    private static Account NewAccount(int userId, string email) =>
        new("", userId, email, "!", $"sealed {userId}", true, Account.Member, DateTimeOffset.UnixEpoch);

    private static List<string> Lines(string text) => [.. text.Split('\n', StringSplitOptions.RemoveEmptyEntries)];

    private static int UserIdOf(string line) => JsonDocument.Parse(line).RootElement.GetProperty("user_id").GetInt32();

    private static string Line(int userId, string email, string realm = "") => string.Create(CultureInfo.InvariantCulture,
        $$"""{"realm":"{{realm}}","email":"{{email}}","user_id":{{userId}},"api_key":"{{new string('k', 32)}}","password":"!"}""");
}
