// Bytes of files and of standard input: UTF-8 or refused, with the line named; and files told apart by their first line.

using System.Text;
using FetchApiKey.Cli;
using FetchApiKeyFunction.Tests.Hosts;

namespace FetchApiKeyFunction.Tests;

public sealed class FileEncodingTests : IAsyncLifetime
{
    private const string Strong = "correct horse battery staple";
    private const string JsonLine = """{"realm":"","email":"EMAIL","user_id":ID,"api_key":"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk","password":"!","full_name":"NAME"}""";
    private const string CopyLine = "\tEMAIL\tID\tkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk\t!\tt\t400\t2020-01-01 00:00:00+00\tNAME";
    private const string CsvLine = ",EMAIL,ID,kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk,!,NAME";
    private const string CsvHeader = "realm,email,user_id,api_key,password,full_name\n";

    /// <summary>UTF-8 for Zoë, Windows-1252 or Latin-1 for the same, half of a surrogate pair, a character cut short, one written too long.</summary>
    private static readonly byte[] Sound = [0x5A, 0x6F, 0xC3, 0xAB];
    private static readonly byte[][] Unsound = [[0x5A, 0x6F, 0xEB], [0xED, 0xA0, 0xBD], [0xC3], [0xC1, 0x81], [0xFF]];

    private readonly string _file = Path.GetTempFileName();
    private OperatorDesk _desk = null!;

    public async Task InitializeAsync() => _desk = await OperatorDesk.OpenAsync();

    public Task DisposeAsync()
    {
        File.Delete(_file);
        return Task.CompletedTask;
    }

    [Theory]
    [InlineData("", JsonLine)]
    [InlineData("", CopyLine)]
    [InlineData(CsvHeader, CsvLine)]
    public async Task Bytes_of_another_encoding_are_refused_with_their_line(string header, string line)
    {
        foreach (var name in Unsound)
        {
            byte[] file = [.. Utf8(header), .. Row(line, 1, Sound), .. Row(line, 2, name), .. Row(line, 3, Sound)];
            await File.WriteAllBytesAsync(_file, file);
            var number = header.Length > 0 ? 3 : 2;

            foreach (var result in new[] { await RunAsync($"users import {_file}"), await RunAsync("users import -", file) })
            {
                Assert.Equal((ExitCode.Refused, ""), (result.Code, result.Output));
                Assert.StartsWith($"line {number}: is not UTF-8", result.Error, StringComparison.Ordinal);
                Assert.Equal("", (await _desk.RunAsync("users list")).Output);
            }
        }
    }

    [Theory]
    [InlineData(JsonLine)]
    [InlineData(CopyLine)]
    public async Task The_other_lines_are_imported_where_the_operator_says_so(string line)
    {
        var result = await RunAsync(
            "users import - --skip-invalid --json", [.. Row(line, 1, Sound), .. Row(line, 2, Unsound[0]), .. Row(line, 3, Sound)]);

        Assert.Equal((ExitCode.Done, """{"imported":2,"unchanged":0,"skipped":1,"failed":0}""" + "\n"), (result.Code, result.Output));
        Assert.Equal("line 2: is not UTF-8\n", result.Error);
    }

    [Theory]
    [InlineData("", JsonLine)]
    [InlineData("", CopyLine)]
    [InlineData(CsvHeader, CsvLine)]
    public async Task A_byte_order_mark_of_UTF_8_is_no_part_of_the_first_line_and_UTF_16_is_refused(string header, string line)
    {
        byte[] text = [.. Utf8(header), .. Row(line, 1, Sound)];

        var marked = await RunAsync("users import -", [0xEF, 0xBB, 0xBF, .. text]);

        Assert.Equal((ExitCode.Done, ""), (marked.Code, marked.Error));
        Assert.Contains("\"full_name\":\"Zoë\"", (await _desk.RunAsync("users export")).Output, StringComparison.Ordinal);
        foreach (var encoding in new[] { Encoding.Unicode, Encoding.BigEndianUnicode })
        {
            var result = await RunAsync("users import -", [.. encoding.Preamble, .. encoding.GetBytes(Encoding.UTF8.GetString(text))]);
            Assert.Equal(ExitCode.Refused, result.Code);
            Assert.StartsWith("Standard input is UTF-16.", result.Error, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Escaped_bytes_of_a_copied_row_are_held_to_the_same()
    {
        var result = await RunAsync(
            "users import -", [.. Row(CopyLine, 1, Sound), .. Row(CopyLine, 2, Utf8("Zo\\353")), .. Row(CopyLine, 3, Utf8("Zo\\xeb"))]);

        Assert.Equal(ExitCode.Refused, result.Code);
        Assert.StartsWith(
            "line 2: has escaped bytes that are not UTF-8\nline 3: has escaped bytes that are not UTF-8\n", result.Error,
            StringComparison.Ordinal);
    }

    // ---- Half of a surrogate pair, and JSON of any other shape ----

    [Theory]
    [InlineData("""{"realm":"","email":"a@b.com","user_id":9,"api_key":"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk","password":"!","full_name":"\ud83d"}""")]
    [InlineData("""{"realm":"\ude00","email":"a@b.com","user_id":9,"api_key":"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk","password":"!"}""")]
    [InlineData("""{"\ud83d":"","email":"a@b.com"}""")]
    [InlineData("""{"realm":{},"email":["a@b.com"],"user_id":1e999}""")]
    [InlineData("""{"realm":[[[[[[[[[[]]]]]]]]]]}""")]
    [InlineData("""{"realm":"","\u0072ealm":""}""")]
    [InlineData("\"\\ud83d\"")]
    [InlineData("7")]
    public async Task A_line_of_unsound_JSON_is_a_fault_of_that_line(string line)
    {
        byte[] file = [.. Row(JsonLine, 1, Sound), .. Utf8(line + "\n"), .. Row(JsonLine, 3, Sound)];

        var refused = await RunAsync("users import -", file);
        var skipping = await RunAsync("users import - --skip-invalid --json", file);
        var realms = await RunAsync("realms import -", Utf8("""{"subdomain":"a","name":"A"}""" + "\n" + line.Replace("\"realm\"", "\"name\"", StringComparison.Ordinal)));

        Assert.Equal(ExitCode.Refused, refused.Code);
        Assert.StartsWith("line 2: ", refused.Error, StringComparison.Ordinal);
        Assert.Equal((ExitCode.Done, """{"imported":2,"unchanged":0,"skipped":1,"failed":0}""" + "\n"), (skipping.Code, skipping.Output));
        Assert.Equal(ExitCode.Refused, realms.Code);
        Assert.StartsWith("line 2: ", realms.Error, StringComparison.Ordinal);
    }

    // ---- The format, told from the first line ----

    [Theory]
    [InlineData("\t{a}@b.com\t1\tkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk\t!\tt\t400\t2020-01-01 00:00:00+00\tA\n")]
    [InlineData("\t{\"a\"}@b.com\t1\tkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk\t!\tt\t400\t2020-01-01 00:00:00+00\tA\n")]
    [InlineData("\t[\t1\tkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk\t!\tt\t400\t2020-01-01 00:00:00+00\tA\n")]
    [InlineData("\n\t{a}@b.com\t1\tkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk\t!\tt\t400\t2020-01-01 00:00:00+00\tA\n")]
    public async Task A_COPY_of_the_root_realm_whose_address_begins_like_JSON_is_a_COPY(string copy)
    {
        var result = await RunAsync("users import -", Utf8(copy + Encoding.UTF8.GetString(Row(CopyLine, 2, Sound))));

        Assert.DoesNotContain("JSON", result.Error, StringComparison.Ordinal);
        Assert.Equal(copy.Contains("{a}", StringComparison.Ordinal) ? ExitCode.Done : ExitCode.Refused, result.Code);
    }

    [Theory]
    [InlineData("\t{[Zulip]}\tt\n", "{[Zulip]}")]
    [InlineData("\t[1]\tf\n", "[1]")]
    public async Task So_is_one_of_realms(string copy, string name)
    {
        var elsewhere = await SharedAzurite.NewStorageAsync();
        var empty = OperatorDesk.Environment(elsewhere.ConnectionString!, elsewhere.TablePrefix);
        await OperatorDesk.RunAsync("tables create", null, empty);

        var result = await OperatorDesk.RunAsync("realms import -", copy, empty);

        Assert.Equal((ExitCode.Done, ""), (result.Code, result.Error));
        Assert.Contains(
            $"\"name\":\"{name}\"", (await OperatorDesk.RunAsync("realms list --json", null, empty)).Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\t")]
    [InlineData("  ")]
    [InlineData("\t\t\t\t\t\t\t\t")]
    public async Task JSON_that_is_indented_is_JSON(string indentation)
    {
        var result = await RunAsync("users import -", [.. Utf8(indentation), .. Row(JsonLine, 1, Sound)]);

        Assert.Equal((ExitCode.Done, ""), (result.Code, result.Error));
    }

    // ---- Standard input and output, whatever the locale ----

    [Theory]
    [InlineData(new byte[] { 0x5A, 0x6F, 0xEB })]
    [InlineData(new byte[] { 0xFF, 0xFE, 0x61, 0x00 })]
    public async Task A_password_that_is_not_UTF_8_is_refused(byte[] ending)
    {
        var result = await RunAsync("users add a@b.com", [.. ending, .. Utf8(Strong), .. ending]);

        Assert.Equal((ExitCode.Refused, "The first line of standard input is not UTF-8.\n"), (result.Code, result.Error));
        Assert.Equal("", (await _desk.RunAsync("users list")).Output);
    }

    [Fact]
    public async Task A_password_has_neither_the_byte_order_mark_nor_the_end_of_its_line()
    {
        Assert.Equal(ExitCode.Done, (await RunAsync("users add a@b.com", [0xEF, 0xBB, 0xBF, .. Utf8($" {Strong} é \r\nmore\n")])).Code);
        await using var server = await TestServer.StartAsync(_desk.Tables);

        Assert.Equal(200, (await server.LogInAsync("a@b.com", $" {Strong} é ")).Status);
    }

    [Fact]
    public async Task A_process_reads_and_writes_UTF_8_under_a_Latin_1_locale()
    {
        var environment = new Dictionary<string, string>(_desk.Variables) { ["LC_ALL"] = "en_US.ISO-8859-1", ["LANG"] = "en_US.ISO-8859-1" };
        var password = $"{Strong} 世界 é";
        async Task<string> RunProcessAsync(string command, string input)
        {
            await File.WriteAllTextAsync(_file + ".in", input);
            using var run = ProcessRun.Start(
                "bash", ["-c", $"dotnet {TestedProgram.Assembly} {command} < {_file}.in > {_file}"], environment);
            Assert.True(await run.ExitCodeAsync() == ExitCode.Done, run.Output);
            File.Delete(_file + ".in");
            return new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(await File.ReadAllBytesAsync(_file));
        }

        await RunProcessAsync("users import -", Encoding.UTF8.GetString(Row(JsonLine, 1, Sound)));
        await RunProcessAsync("users set-password u1@b.com", password);
        var exported = await RunProcessAsync("users export", "");
        await using var server = await TestServer.StartAsync(_desk.Tables);

        Assert.Contains("\"full_name\":\"Zoë\"", exported, StringComparison.Ordinal);
        Assert.Equal(200, (await server.LogInAsync("u1@b.com", password)).Status);
    }

    private static byte[] Utf8(string text) => Encoding.UTF8.GetBytes(text);

    /// <summary>A line of a format, with bytes for the name.</summary>
    private static byte[] Row(string line, int userId, byte[] name)
    {
        var parts = line.Replace("EMAIL", $"u{userId}@b.com", StringComparison.Ordinal).Replace("ID", $"{userId}", StringComparison.Ordinal).Split("NAME");
        return [.. Utf8(parts[0]), .. name, .. Utf8(parts[1] + "\n")];
    }

    private async Task<CommandResult> RunAsync(string command, byte[]? input = null)
    {
        using var output = new StringWriter { NewLine = "\n" };
        using var error = new StringWriter { NewLine = "\n" };
        var line = new CommandLine(
            _desk.Settings, new StandardInput(new MemoryStream(input ?? []), isTerminal: false), TimeProvider.System);
        var code = await line.RunAsync(command.Split(' '), output, error);
        return new CommandResult(code, output.ToString(), error.ToString());
    }
}
