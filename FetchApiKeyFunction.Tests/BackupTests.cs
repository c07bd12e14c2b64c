// Backups: what they hold, and that no file which was changed in anything is restored.

using System.Text;
using Azure;
using Azure.Data.Tables;
using FetchApiKey.Accounts;
using FetchApiKey.Cli;
using Microsoft.Extensions.Configuration;

namespace FetchApiKeyFunction.Tests;

public sealed class BackupTests : IAsyncLifetime
{
    private const int Accounts = 3;

    private static readonly string OwnKey = TestServer.KeyVariable.Name.Replace("__", ":", StringComparison.Ordinal);

    private readonly string _folder = Directory.CreateTempSubdirectory().FullName;
    private OperatorDesk _desk = null!;
    private OperatorDesk _elsewhere = null!;

    private string File1 => Path.Combine(_folder, "backup");

    public async Task InitializeAsync()
    {
        _desk = await OperatorDesk.OpenAsync();
        var lines = Enumerable.Range(1, Accounts).Select(i =>
            $$"""{"realm":"","email":"u{{i}}@b.com","user_id":{{i}},"api_key":"{{new string('k', 32)}}","password":"{{Organisation.OldHash}}","full_name":"Zoë {{i}}"}""");
        Assert.Equal(ExitCode.Done, (await _desk.RunAsync("users import -", string.Join('\n', lines))).Code);
        _elsewhere = await OperatorDesk.OpenAsync();
    }

    public Task DisposeAsync()
    {
        Directory.Delete(_folder, recursive: true);
        return Task.CompletedTask;
    }

    // ---- Damage ----

    [Fact]
    public async Task A_file_with_any_character_changed_is_refused_before_anything_is_written()
    {
        var sound = await BackUpAsync();
        // Some of every line, and all of the first and the last.
        var places = Enumerable.Range(0, sound.Length).Where(i => i % 17 == 0 || i < 90 || i > sound.Length - 90);
        foreach (var place in places)
        {
            byte[] damaged = [.. sound];
            damaged[place] ^= (byte)(damaged[place] == '\n' ? 0x2A : 1);

            await AssertRefusedAsync(damaged, $"byte {place} of {sound.Length}");
        }
    }

    [Fact]
    public async Task A_file_with_lines_doubled_dropped_swapped_or_added_is_refused()
    {
        var lines = Lines(await BackUpAsync());
        var (first, rows, last) = (lines[0], lines[1..^1], lines[^1]);
        Assert.Equal(1 + Accounts + Accounts, rows.Length);
        string[][] damaged =
        [
            [first, rows[0], .. rows, last],
            [first, .. rows[1..], last],
            [first, rows[1], rows[0], .. rows[2..], last],
            [first, rows[0], rows[2], rows[2], .. rows[3..], last],
            [first, .. rows, rows[1].Replace("u1@b.com", "m@b.com", StringComparison.Ordinal), last],
            [first, .. rows[..^1], last.Replace($"{rows.Length}", $"{rows.Length - 1}", StringComparison.Ordinal)],
            [first, .. rows[..^1]],
            [first, .. rows],
            [first, .. rows, last, last],
            [first, .. rows, last, ""],
            [first, "", .. rows, last],
            [first, .. rows, last.Replace("{\"rows\"", "{ \"rows\"", StringComparison.Ordinal)],
            [first, .. rows, $$"""{"rows":{{rows.Length}}}"""],
            [.. rows, last],
            [first],
            [last],
            [],
        ];
        foreach (var (number, each) in damaged.Index())
        {
            await AssertRefusedAsync(Encoding.UTF8.GetBytes(string.Concat(each.Select(line => line + "\n"))), $"case {number}");
        }

        await AssertRefusedAsync(Encoding.UTF8.GetBytes(string.Join("\r\n", lines) + "\r\n"), "CR LF");
        await AssertRefusedAsync(Encoding.UTF8.GetBytes(string.Join('\n', lines)), "no end of the last line");
        await AssertRefusedAsync([0xEF, 0xBB, 0xBF, .. Encoding.UTF8.GetBytes(string.Join('\n', lines) + "\n")], "a byte order mark");
        await AssertRefusedAsync(Encoding.Latin1.GetBytes(string.Join('\n', lines) + "\n"), "Latin-1");
        await AssertRefusedAsync([.. Encoding.Unicode.Preamble, .. Encoding.Unicode.GetBytes(string.Join('\n', lines) + "\n")], "UTF-16");
    }

    /// <summary>Those who have the file can make any JSON; those who know the key too have no need to.</summary>
    [Theory]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("\"row\"")]
    [InlineData("{}")]
    [InlineData("""{"table":"accounts"}""")]
    [InlineData("""{"table":"attempts","partition":"a","row":"a","columns":{}}""")]
    [InlineData("""{"table":7,"partition":"a","row":"a","columns":{}}""")]
    [InlineData("""{"table":"accounts","partition":null,"row":"a","columns":{}}""")]
    [InlineData("""{"table":"accounts","partition":"a/b","row":"a","columns":{}}""")]
    [InlineData("""{"table":"accounts","partition":"a","row":"a","columns":[]}""")]
    [InlineData("""{"table":"accounts","partition":"a","row":"a","columns":{},"more":1}""")]
    [InlineData("""{"table":"accounts","partition":"a","row":"a","columns":{"RowKey":"b"}}""")]
    [InlineData("""{"table":"accounts","partition":"a","row":"a","columns":{"a b":"b"}}""")]
    [InlineData("""{"table":"accounts","partition":"a","row":"a","columns":{"A":null}}""")]
    [InlineData("""{"table":"accounts","partition":"a","row":"a","columns":{"A":[1]}}""")]
    [InlineData("""{"table":"accounts","partition":"a","row":"a","columns":{"A":1.5}}""")]
    [InlineData("""{"table":"accounts","partition":"a","row":"a","columns":{"A":2147483648}}""")]
    [InlineData("""{"table":"accounts","partition":"a","row":"a","columns":{"A":1e999}}""")]
    [InlineData("""{"table":"accounts","partition":"a","row":"a","columns":{"A":"\ud83d"}}""")]
    [InlineData("""{"table":"accounts","partition":"\udead","row":"a","columns":{}}""")]
    [InlineData("""{"table":"accounts","partition":"a","row":"a","columns":{"\ud83d":1}}""")]
    [InlineData("""{"table":"accounts","partition":"a","row":"a","columns":{"A":1,"A":2}}""")]
    [InlineData("""{"table":"accounts","partition":"a","row":"a","columns":{"A":{"time":"never"}}}""")]
    [InlineData("""{"table":"accounts","partition":"a","row":"a","columns":{"A":{"time":"0001-01-01T00:00:00Z"}}}""")]
    [InlineData("""{"table":"accounts","partition":"a","row":"a","columns":{"A":{"time":7}}}""")]
    [InlineData("""{"table":"accounts","partition":"a","row":"a","columns":{"A":{"money":"7"}}}""")]
    [InlineData("""{"table":"accounts","partition":"a","row":"a","columns":{"A":{"int64":"x"}}}""")]
    [InlineData("""{"table":"accounts","partition":"a","row":"a","columns":{"A":{"binary":"*"}}}""")]
    [InlineData("""{"table":"accounts","partition":"a","row":"a","columns":{"A":{"double":"Infinity"}}}""")]
    [InlineData("""{"table":"accounts","partition":"a","row":"a","columns":{"A":{"double":"-1e999"}}}""")]
    [InlineData("""{"table":"accounts","partition":"a","row":"a","columns":{"A":{"double":"NaN"}}}""")]
    [InlineData("""{"table":"accounts","partition":"a","row":"a","columns":{"":1}}""")]
    [InlineData("""{"table":"accounts","partition":"a","row":"a","columns":{"a\u200bb":1}}""")]
    [InlineData("""{"table":"accounts","partition":"a","row":"a","columns":{"A":{"guid":"1","time":"2"}}}""")]
    [InlineData("""{"rows":"2"}""")]
    [InlineData("""{"rows":2e400}""")]
    [InlineData("""{"rows":{"\ud83d":1}}""")]
    [InlineData("not JSON")]
    public async Task A_line_of_any_other_shape_is_refused_also_where_nothing_vouches_for_the_file(string line)
    {
        string[] lines = ["""{"format":"fetch-api-key tables 1","taken":"2026-11-24T00:00:00+00:00"}""", Realm("one"), line, """{"rows":2}"""];

        await AssertRefusedAsync(Encoding.UTF8.GetBytes(string.Join('\n', lines) + "\n"), line, " --unverified");
    }

    // ---- Keys ----

    [Fact]
    public async Task A_file_is_restored_as_long_as_the_key_that_it_names_is_configured_in_use_or_retired()
    {
        await BackUpAsync();
        var another = (await _desk.RunAsync("keys generate")).Output.Trim();
        var onlyNew = new ConfigurationBuilder()
            .AddInMemoryCollection(_elsewhere.Settings.AsEnumerable().Where(each => each.Key != OwnKey && each.Value is not null))
            .AddInMemoryCollection([new("ApiKeys:keys:two", another)])
            .Build();
        var both = _elsewhere.With(("ApiKeys:keys:two", another), ("ApiKeys:writeWith", "two"));
        var sameId = _elsewhere.With((OwnKey, another));

        var missing = await OperatorDesk.RunAsync($"tables restore {File1}", null, onlyNew);
        var wrong = await OperatorDesk.RunAsync($"tables restore {File1}", null, sameId);
        var retired = await OperatorDesk.RunAsync($"tables restore {File1} --json", null, both);

        Assert.Equal(ExitCode.Refused, missing.Code);
        Assert.Contains("'one', which is not configured. Put it back into ApiKeys__keys__one", missing.Error, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Refused, wrong.Code);
        Assert.Contains("its digest is of something else", wrong.Error, StringComparison.Ordinal);
        Assert.Equal((ExitCode.Done, """{"rows":7,"restored":6,"unchanged":1,"differ":0}""" + "\n"), (retired.Code, retired.Output));
    }

    [Fact]
    public async Task A_file_of_an_earlier_release_is_restored_where_the_operator_says_so_and_its_seals_open_then()
    {
        var partition = Account.PartitionOf("", EmailAddress.TryParse("old@b.com")!);
        var seal = EarlierSeal.Of("", 9, new string('o', 32));
        await File.WriteAllLinesAsync(File1,
        [
            """{"format":"fetch-api-key tables 1","taken":"2026-11-24T00:00:00+00:00"}""",
            $$$"""{"table":"accounts","partition":"{{{partition}}}","row":"{{{partition}}}","columns":{"ApiKey":"{{{seal}}}","Created":{"time":"2026-01-01T00:00:00+00:00"},"Email":"old@b.com","IsActive":true,"PasswordHash":"!","Role":400,"UserId":9}}""",
            """{"rows":1}""",
        ]);

        var refused = await _elsewhere.RunAsync($"tables restore {File1}");
        var restored = await _elsewhere.RunAsync($"tables restore {File1} --unverified --json");
        var again = await _elsewhere.RunAsync($"tables restore {File1} --unverified --json");
        var exported = await _elsewhere.RunAsync("users export");

        Assert.Equal(ExitCode.Refused, refused.Code);
        Assert.Contains("--unverified restores it all the same", refused.Error, StringComparison.Ordinal);
        Assert.Equal("""{"rows":1,"restored":1,"unchanged":0,"differ":0}""" + "\n", restored.Output);
        Assert.Equal((ExitCode.Done, """{"rows":1,"restored":0,"unchanged":1,"differ":0}""" + "\n"), (again.Code, again.Output));
        Assert.Contains($"\"api_key\":\"{new string('o', 32)}\"", exported.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("in the file", "fetch-api-key tables 2")]
    [InlineData("in the file", "fetch-api-key tables 1")]
    [InlineData("in the tables", "fetch-api-key tables 2")]
    [InlineData("in the tables", "fetch-api-key tables 1")]
    [InlineData("nowhere", "fetch-api-key tables 2")]
    public async Task A_seal_of_an_earlier_release_is_made_anew_for_no_id_that_two_accounts_have(string second, string format)
    {
        var seal = EarlierSeal.Of("", 9, new string('o', 32));
        var (owner, thief) = (AccountRow("old@b.com", 9, seal), AccountRow("mallory@b.com", second == "nowhere" ? 10 : 9, seal));
        if (second == "in the tables")
        {
            await _elsewhere.Tables.Accounts.AddEntityAsync(owner);
        }

        TableEntity[] rows = second == "in the tables" ? [thief] : [owner, thief, AccountRow("eve@b.com", 11, EarlierSeal.Of("", 11, new string('e', 32)))];
        await WriteAsync(format, rows);
        var command = $"tables restore {File1}{(format == BackupFile.FormatWithoutDigest ? " --unverified" : "")} --json";

        var restored = await _elsewhere.RunAsync(command);
        var again = await _elsewhere.RunAsync(command);
        var exported = await _elsewhere.RunAsync("users export -");

        Assert.Equal(
            (second == "nowhere" ? ExitCode.Done : ExitCode.Refused, $$"""{"rows":{{rows.Length}},"restored":{{rows.Length}},"unchanged":0,"differ":0}""" + "\n"),
            (restored.Code, restored.Output));
        Assert.Equal($$"""{"rows":{{rows.Length}},"restored":0,"unchanged":{{rows.Length}},"differ":0}""" + "\n", again.Output);
        Assert.Equal(restored.Error.Split('\n').Order(StringComparer.Ordinal), again.Error.Split('\n').Order(StringComparer.Ordinal));
        Assert.Equal(
            second switch { "nowhere" => 0, "in the file" => 2, _ => 1 },
            Lines(Encoding.UTF8.GetBytes(restored.Error)).Count(line => line.Contains("another account has this user id", StringComparison.Ordinal)));
        // Of the two nobody has a key that opens; the others have theirs.
        Assert.Equal(second == "nowhere", exported.Output.Contains(new string('o', 32), StringComparison.Ordinal));
        Assert.Equal(second != "in the tables", exported.Output.Contains(new string('e', 32), StringComparison.Ordinal));
        Assert.DoesNotContain("mallory", exported.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_backup_from_before_a_rotation_finds_its_rows_unchanged_after_it()
    {
        await BackUpAsync();
        var both = _desk.With(("ApiKeys:keys:two", (await _desk.RunAsync("keys generate")).Output.Trim()), ("ApiKeys:writeWith", "two"));
        Assert.Contains("\"rotated\":3", (await OperatorDesk.RunAsync("keys rotate --json", null, both)).Output, StringComparison.Ordinal);

        var restored = await OperatorDesk.RunAsync($"tables restore {File1} --json", null, both);

        Assert.Equal((ExitCode.Done, """{"rows":7,"restored":0,"unchanged":7,"differ":0}""" + "\n"), (restored.Code, restored.Output));
    }

    // ---- What is in it ----

    [Fact]
    public async Task A_row_that_somebody_spoilt_ends_no_backup_and_comes_back_as_it_was()
    {
        var partition = Account.PartitionOf("", EmailAddress.TryParse("u2@b.com")!);
        var spoilt = new TableEntity(partition, partition)
        {
            ["UserId"] = 2L, ["IsActive"] = "yes", ["Role"] = 1.5, ["FullName"] = Guid.NewGuid(), ["Extra"] = new byte[] { 0, 1, 255 }, ["Email"] = "a\u0001\ud83d\ude00",
        };
        await _desk.Tables.Accounts.UpdateEntityAsync(spoilt, ETag.All, TableUpdateMode.Merge);

        var text = Encoding.UTF8.GetString(await BackUpAsync());
        var restored = await _elsewhere.RunAsync($"tables restore {File1} --json");
        var again = await _elsewhere.RunAsync($"tables restore {File1} --json");
        var there = (await _elsewhere.Tables.Accounts.GetEntityAsync<TableEntity>(partition, partition)).Value;

        Assert.Contains("""{"int64":"2"}""", text, StringComparison.Ordinal);
        Assert.Equal("""{"rows":7,"restored":6,"unchanged":1,"differ":0}""" + "\n", restored.Output);
        Assert.Equal("""{"rows":7,"restored":0,"unchanged":7,"differ":0}""" + "\n", again.Output);
        Assert.All(["UserId", "IsActive", "Role", "FullName", "Email"], column => Assert.Equal(spoilt[column], there[column]));
        Assert.Equal((byte[])spoilt["Extra"], there.GetBinary("Extra"));
        Assert.DoesNotContain(
            SealMarker.Partition, Lines(Encoding.UTF8.GetBytes(text)).Where(line => line.Contains("\"realms\"", StringComparison.Ordinal)));
        Assert.Matches("\\A\\{\"format\":\"fetch-api-key tables 2\",\"taken\":\"[^\"]+\",\"key\":\"one\"\\}\n", text);
    }

    private static TableEntity AccountRow(string emailText, int userId, string seal)
    {
        var partition = Account.PartitionOf("", EmailAddress.TryParse(emailText)!);
        return new TableEntity(partition, partition)
        {
            ["UserId"] = userId, ["Email"] = emailText, ["PasswordHash"] = "!", ["ApiKey"] = seal, ["IsActive"] = true, ["Role"] = Account.Member,
            ["Created"] = DateTimeOffset.UnixEpoch,
        };
    }

    private async Task WriteAsync(string format, TableEntity[] rows)
    {
        byte[] begin = format == BackupFile.Format
            ? BackupFile.FirstLine(DateTimeOffset.UnixEpoch, "one")
            : Encoding.UTF8.GetBytes($$"""{"format":"{{format}}"}""" + "\n");
        byte[] all = [.. begin, .. rows.SelectMany(row => BackupFile.RowLine("accounts", row))];
        using var digest = BackupFile.DigestUnder(TestServer.Keys, "one");
        digest.AppendData(all);
        await File.WriteAllBytesAsync(File1, [.. all, .. BackupFile.LastLine(rows.Length, digest)]);
    }

    private static string Realm(string subdomain) =>
        $$$"""{"table":"realms","partition":"realm","row":"{{{subdomain}}}.","columns":{"EmailBackend":true,"IsActive":true,"Name":"{{{subdomain}}}"}}""";

    private static string[] Lines(byte[] file) => Encoding.UTF8.GetString(file).TrimEnd('\n').Split('\n');

    private async Task<byte[]> BackUpAsync()
    {
        Assert.Equal(ExitCode.Done, (await _desk.RunAsync($"tables backup {File1}")).Code);
        return await File.ReadAllBytesAsync(File1);
    }

    private async Task AssertRefusedAsync(byte[] file, string what, string options = "")
    {
        await File.WriteAllBytesAsync(File1, file);

        var result = await _elsewhere.RunAsync($"tables restore {File1}{options}");

        Assert.True(
            result.Code == ExitCode.Refused && result.Output.Length == 0,
            $"{what}: exit code {result.Code}, {result.Output}{result.Error}");
        Assert.Equal(1, await CountAsync(_elsewhere.Tables.Realms, $"PartitionKey eq '{FetchApiKey.Accounts.Realm.Partition}'"));
        Assert.Equal(0, await CountAsync(_elsewhere.Tables.Accounts));
        Assert.Equal(0, await CountAsync(_elsewhere.Tables.UserIds));
    }

    private static async Task<int> CountAsync(TableClient table, string? filter = null)
    {
        var count = 0;
        await foreach (var _ in table.QueryAsync<TableEntity>(filter))
        {
            count++;
        }

        return count;
    }
}
