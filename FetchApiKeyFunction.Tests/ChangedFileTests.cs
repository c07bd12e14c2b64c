// Files that are read twice, to be judged and to be written, and that somebody changes in between.

using System.Text;
using Azure.Data.Tables;
using FetchApiKey.Accounts;
using FetchApiKey.Cli;
using FetchApiKey.Cli.Transfer;

namespace FetchApiKeyFunction.Tests;

public sealed class ChangedFileTests : IAsyncLifetime
{
    private const int Accounts = 900;
    private const string Theirs = "theirs@b.com";

    private static readonly string Password = Organisation.OldHash;

    /// <summary>Of the same length, and of a password that somebody else knows.</summary>
    private static readonly string Planted = Password[..^4] + "AAA=";

    private readonly string _folder = Directory.CreateTempSubdirectory().FullName;
    private OperatorDesk _desk = null!;

    private string File1 => Path.Combine(_folder, "accounts");

    public async Task InitializeAsync() => _desk = await OperatorDesk.OpenAsync();

    public Task DisposeAsync()
    {
        Directory.Delete(_folder, recursive: true);
        return Task.CompletedTask;
    }

    [Theory]
    [InlineData("jsonl", "last line")]
    [InlineData("csv", "last line")]
    [InlineData("copy", "last line")]
    [InlineData("backup", "last line")]
    [InlineData("backup --unverified", "last line")]
    [InlineData("jsonl", "cut off")]
    [InlineData("backup", "cut off")]
    [InlineData("jsonl", "a line more")]
    [InlineData("backup", "a line more")]
    public async Task What_is_changed_after_the_file_was_judged_is_not_written(string format, string change)
    {
        await File.WriteAllTextAsync(File1, FileOf(format, Accounts));
        Assert.True(new FileInfo(File1).Length > 2 * RereadStream.BlockBytes);

        var result = await RunAsync(format, change);

        Assert.True(result.Code == ExitCode.Refused && result.Output.Length == 0, $"{result.Code} {result.Output} {result.Error}");
        Assert.StartsWith($"{File1} was changed while it was read", result.Error.Split('\n')[^2], StringComparison.Ordinal);
        Assert.Empty(await HashesAsync() is var hashes ? hashes.Where(each => each.Value != Password || each.Key == Theirs) : []);
    }

    [Theory]
    [InlineData("jsonl")]
    [InlineData("backup")]
    public async Task A_file_of_one_block_is_written_as_it_was_judged(string format)
    {
        await File.WriteAllTextAsync(File1, FileOf(format, 3));

        var result = await RunAsync(format, "last line");

        Assert.True(result.Code == ExitCode.Done, result.Error);
        Assert.Equal([("u1@b.com", Password), ("u2@b.com", Password), ("u3@b.com", Password)], (await HashesAsync()).Select(each => (each.Key, each.Value)));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(RereadStream.BlockBytes - 1)]
    [InlineData(RereadStream.BlockBytes)]
    [InlineData(RereadStream.BlockBytes + 1)]
    [InlineData(3 * RereadStream.BlockBytes)]
    public async Task A_stream_is_read_again_as_it_was_and_any_change_is_found(int length)
    {
        var bytes = Enumerable.Range(0, length).Select(i => (byte)(i % 251)).ToArray();
        await File.WriteAllBytesAsync(File1, bytes);
        await using var stream = new RereadStream(new FileStream(File1, FileMode.Open, FileAccess.Read, FileShare.ReadWrite), "it");

        Assert.Equal(bytes, await ReadAsync(stream));
        Assert.Equal(bytes, await ReadAsync(stream));
        foreach (var changed in new[] { [.. bytes, (byte)0], bytes.Length > 0 ? bytes[..^1] : [0], bytes.Select((each, i) => (byte)(i == 0 ? each + 1 : each)).ToArray() })
        {
            await File.WriteAllBytesAsync(File1, changed);
            // What is in memory still is as it was judged, and is given out.
            var isHeld = length < RereadStream.BlockBytes;
            Assert.Equal(isHeld || changed.SequenceEqual(bytes), await Record.ExceptionAsync(() => ReadAsync(stream)) is not OperatorException);
            await File.WriteAllBytesAsync(File1, bytes);
            Assert.Equal(bytes, await ReadAsync(stream));
        }
    }

    /// <summary>Changes the file as soon as the command has read it and asks for what is stored.</summary>
    private async Task<CommandResult> RunAsync(string format, string change)
    {
        var (proxy, connection) = await FaultProxy.StartAsync();
        await using var _ = proxy;
        var isChanged = 0;
        proxy.Meets = request =>
        {
            // The event that is recorded before anything is written.
            if (request.Method == "POST" && Interlocked.Exchange(ref isChanged, 1) == 0)
            {
                Change(change);
            }

            return false;
        };
        var command = format.StartsWith("backup", StringComparison.Ordinal)
            ? $"tables restore {File1}{format["backup".Length..]} --json"
            : $"users import {File1} --format {format} --json";
        var result = await OperatorDesk.RunAsync(command, null, _desk.With(("AccountStorage", connection)));
        Assert.True(isChanged == 1, $"{result.Code} {result.Output} {result.Error}");
        return result;
    }

    private void Change(string change)
    {
        var text = File.ReadAllText(File1);
        var (end, of) = (text.LastIndexOf(Password, StringComparison.Ordinal), $"u{Accounts}@b.com");
        var changed = change switch
        {
            "cut off" => text[..text.LastIndexOf('\n', end)] + "\n",
            "a line more" => text[..(text.IndexOf('\n', end) + 1)]
                + text[(text.LastIndexOf('\n', end) + 1)..].Replace(of, Theirs, StringComparison.Ordinal).Replace($"{Accounts}", "9999", StringComparison.Ordinal),
            _ => text[..end] + Planted + text[(end + Password.Length)..],
        };
        Assert.NotEqual(text, changed);
        File.WriteAllText(File1, changed);
    }

    private static string FileOf(string format, int count)
    {
        var key = new string('k', 32);
        var numbers = Enumerable.Range(1, count);
        return format switch
        {
            "jsonl" => string.Concat(numbers.Select(i => $$"""{"realm":"","email":"u{{i}}@b.com","user_id":{{i}},"api_key":"{{key}}","password":"{{Password}}"}""" + "\n")),
            "csv" => "realm,email,user_id,api_key,password,full_name\n" + string.Concat(numbers.Select(i => $",u{i}@b.com,{i},{key},\"{Password}\",{new string('n', 90)}\n")),
            "copy" => string.Concat(numbers.Select(i => $"\tu{i}@b.com\t{i}\t{key}\t{Password}\tt\t400\t2020-01-01 00:00:00+00\t{new string('n', 90)}\n")),
            _ => BackupOf(numbers, isVerified: format == "backup"),
        };
    }

    private static string BackupOf(IEnumerable<int> numbers, bool isVerified)
    {
        var rows = numbers.Select(i =>
        {
            var email = EmailAddress.TryParse($"u{i}@b.com")!;
            var partition = Account.PartitionOf("", email);
            return BackupFile.RowLine("accounts", new TableEntity(partition, partition)
            {
                ["UserId"] = i, ["Email"] = email.Text, ["PasswordHash"] = Password, ["ApiKey"] = TestServer.Cipher.Seal("", email, i, new string('k', 32)),
                ["IsActive"] = true, ["Role"] = Account.Member, ["Created"] = DateTimeOffset.UnixEpoch,
            });
        }).ToList();
        if (!isVerified)
        {
            return $$"""{"format":"{{BackupFile.FormatWithoutDigest}}"}""" + "\n" + Encoding.UTF8.GetString([.. rows.SelectMany(row => row)]) + $$"""{"rows":{{rows.Count}}}""" + "\n";
        }

        byte[] all = [.. BackupFile.FirstLine(DateTimeOffset.UnixEpoch, "one"), .. rows.SelectMany(row => row)];
        using var digest = BackupFile.DigestUnder(TestServer.Keys, "one");
        digest.AppendData(all);
        return Encoding.UTF8.GetString([.. all, .. BackupFile.LastLine(rows.Count, digest)]);
    }

    private async Task<SortedDictionary<string, string>> HashesAsync()
    {
        var hashes = new SortedDictionary<string, string>(StringComparer.Ordinal);
        await foreach (var row in _desk.Tables.Accounts.QueryAsync<TableEntity>())
        {
            hashes.Add(row.GetString("Email"), row.GetString("PasswordHash"));
        }

        return hashes;
    }

    private static async Task<byte[]> ReadAsync(RereadStream stream)
    {
        using var all = new MemoryStream();
        stream.Position = 0;
        await stream.CopyToAsync(all);
        return all.ToArray();
    }
}
