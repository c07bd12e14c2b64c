// Nothing that is printed acts on a terminal: names in tables, lines of files and answers are other people's.

using Azure.Data.Tables;
using FetchApiKey;
using FetchApiKey.Accounts;
using FetchApiKey.Cli;

namespace FetchApiKeyFunction.Tests;

public sealed class PrintedTests
{
    private const string Strong = "correct horse battery staple";

    /// <summary>A title for the window, a cleared screen, a forged line, a carriage return, C1's own introducer, a turned direction, half a pair.</summary>
    private const string Hostile = "Evil\e]0;owned\a\e[2J\nline 7: imported\rX\u009b31m\u007f\u202egnp.exe\u2028\u2066\ud800\b";

    [Theory]
    [InlineData("plain Zoë 漢字 👨‍👩‍👧 \\u001b", "plain Zoë 漢字 👨‍👩‍👧 \\u001b")]
    [InlineData("\e[31m", "\\u001b[31m")]
    [InlineData("a\nb\r\nc\td", "a\\u000ab\\u000d\\u000ac\\u0009d")]
    [InlineData("\0\u007f\u0080\u009f", "\\u0000\\u007f\\u0080\\u009f")]
    [InlineData("\u202a\u202e\u2066\u2069\u200e\u200f\u061c\u2028\u2029", "\\u202a\\u202e\\u2066\\u2069\\u200e\\u200f\\u061c\\u2028\\u2029")]
    [InlineData("", "")]
    public void What_a_terminal_acts_on_is_shown(string text, string shown)
    {
        using var output = new StringWriter { NewLine = "\n" };
        using var writer = new PrintableWriter(output);

        writer.WriteLine(text);

        Assert.Equal(shown + "\n", output.ToString());
        Assert.Equal(shown, PrintableWriter.Escape(shown));
    }

    [Fact]
    public void Half_a_pair_is_shown_and_a_whole_one_kept() =>
        Assert.Equal("😀\\ude00\\ud83d", PrintableWriter.Escape("\ud83d\ude00\ude00\ud83d"));

    [Fact]
    public async Task Every_way_to_write_is_the_same_way()
    {
        using var output = new StringWriter { NewLine = "\n" };
        using var writer = new PrintableWriter(output);

        writer.Write('\e');
        writer.Write("\e\n\r\n\r");
        writer.Write("\e".ToCharArray());
        writer.Write("\e".AsSpan());
        writer.Write("{0}", "\e");
        writer.Write((object)"\e");
        writer.WriteLine("\e".ToCharArray());
        writer.WriteLine("{0}", "\e");
        await writer.WriteAsync("\e");
        await writer.WriteAsync("\e".ToCharArray());
        await writer.WriteLineAsync("\e");
        await writer.WriteLineAsync();
        await writer.FlushAsync();

        const string shown = "\\u001b";
        Assert.Equal(
            $"{shown}{shown}\n\r\n\\u000d{shown}{shown}{shown}{shown}{shown}\n{shown}\n{shown}{shown}{shown}\n\n", output.ToString());
    }

    [Fact]
    public async Task No_command_prints_what_acts_on_a_terminal()
    {
        var desk = await OperatorDesk.OpenAsync();
        await desk.RunAsync("users add a@b.com", Strong);
        await desk.Tables.Realms.UpsertEntityAsync(new Realm("acme", Hostile.Replace("\ud800", "", StringComparison.Ordinal), "\e[0m", "", null, true, PasswordBackends.Email).ToRow());
        var account = (await new AccountStore(desk.Tables).FindAsync("", EmailAddress.TryParse("a@b.com")!, CancellationToken.None)).Account!;
        await desk.Tables.Accounts.UpdateEntityAsync(
            new TableEntity(Account.PartitionOf("", EmailAddress.TryParse("a@b.com")!), Account.PartitionOf("", EmailAddress.TryParse("a@b.com")!)) { ["FullName"] = "2J\u202e" },
            account.ETag, TableUpdateMode.Merge);
        await desk.RunAsync("users deactivate a@b.com");

        foreach (var (command, input) in new[]
        {
            ("realms list", null), ("realms list --json", null), ("users list", null), ("users show a@b.com", null), ("users export -", null),
            ("audit search", null), ("users show \e[2J@b.com", null), ("realms set \e[2J --name x", null), ("users \e[2J", null), ("realms add \u009b1", null),
            ("users import -", $"{{\"realm\":\"{Hostile.Replace('\n', ' ').Replace("\ud800", "", StringComparison.Ordinal)}\",\"email\":\"\e\"}}"), ("users import \e[2J", null),
            ("probe \e[2J", null), ("serve --address \e[2J", null), ("audit search --kind \u202e", null),
        })
        {
            var result = await desk.RunAsync(command, input);
            var printed = result.Output + result.Error;

            Assert.NotEmpty(printed);
            Assert.DoesNotContain(printed, c => (char.IsControl(c) && c != '\n') || c is >= '\u2028' and <= '\u202e');
        }

        var listed = (await desk.RunAsync("realms list")).Output;
        // A line for the names of columns and one for each realm, their columns below each other.
        Assert.Equal(3, listed.Count(c => c == '\n'));
        Assert.Single(listed.Split('\n')[..3].Select(line => line.LastIndexOf("  ", StringComparison.Ordinal)).Distinct());
        Assert.Contains("Evil\\u001b]0;owned\\u0007\\u001b[2J\\u000aline 7: imported", listed, StringComparison.Ordinal);
        // What JSON's own encoder escapes has capital digits.
        Assert.Contains(
            "\"full_name\":\"2J\\u202e\"", (await desk.RunAsync("users export -")).Output, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task Help_and_faulty_settings_keep_their_lines()
    {
        foreach (var verb in new[] { "", "local ", "users ", "users add ", "audit search ", "realms set ", "tables restore ", "completion " })
        {
            var help = await OperatorDesk.RunAsync($"{verb}--help", null, OperatorDesk.Environment("", "x"));
            Assert.Equal((ExitCode.Done, false), (help.Code, help.Output.Contains("\\u00", StringComparison.Ordinal)));
            Assert.True(help.Output.Count(c => c == '\n') > 5);
        }

        var settings = await OperatorDesk.RunAsync("realms list", null, OperatorDesk.Environment("nonsense", "1x"));
        Assert.StartsWith("Invalid settings:\n  AccountStorage", settings.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("\\u00", settings.Error, StringComparison.Ordinal);
    }
}
