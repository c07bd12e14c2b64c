// The decoder of what a directory sends, for whatever a directory or somebody between sends.

using System.Text;
using FetchApiKey.Backends.Ldap;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;

namespace FetchApiKeyFunction.Tests.Ldap;

public sealed class LdapMessageTests
{
    private static readonly byte[] Bind = ScriptedMessages.Result(
        1, 1, 49, "80090308: LdapErr: DSID-0C090439, comment: AcceptSecurityContext error, data 52e, v4563");
    private static readonly byte[] Entry = ScriptedMessages.Entry(
        2, "uid=ada,o=x", [("uid", [[0x61], [0x62]]), ("jpegPhoto", [[0xFF, 0xD8]]), ("cn", [])]);

    private static readonly byte[] Done = ScriptedMessages.Result(3, 5, 0);
    private static readonly byte[] Reference = ScriptedMessages.Reference(4, "ldap://elsewhere");
    private static readonly byte[][] All = [Bind, Entry, Done, Reference];

    [Fact]
    public void What_a_directory_sends_is_read()
    {
        Assert.Equal(
            (1, LdapOperation.BindResponse, new LdapResult(49, "52e")),
            Read(Bind) is { } bind ? (bind.Id, bind.Operation, bind.Result) : default);
        Assert.Equal(LdapOperation.SearchDone, Read(Done)!.Operation);
        Assert.Equal(LdapOperation.SearchReference, Read(Reference)!.Operation);
        var entry = Read(Entry)!.Entry!;
        Assert.Equal(
            ("uid=ada,o=x", "a b", 1, 0),
            (entry.Dn, string.Join(' ', entry["UID"]), entry.Octets("jpegphoto").Count, entry.Octets("cn").Count));
        // No text, and so nobody's name.
        Assert.Empty(entry["jpegPhoto"]);
        Assert.Null(entry.First("jpegPhoto"));
    }

    [Fact]
    public void Lengths_in_four_octets_as_Active_Directory_writes_them_are_read()
    {
        byte[] body = [0x02, 0x01, 0x01, 0x61, 0x84, 0, 0, 0, 7, 0x0A, 1, 0, 4, 0, 4, 0];
        byte[] message = [0x30, 0x84, 0, 0, 0, (byte)body.Length, .. body];

        Assert.Equal(message.Length, LdapMessage.Measure(message));
        Assert.Equal(0, LdapMessage.Decode(message)!.Result.Code);
    }

    [Theory]
    [InlineData("3080020101610702010004000400" + "0000", "an indefinite length")]
    [InlineData("300c020101618007" + "0a010004000400", "an indefinite length inside")]
    [InlineData("300e020101" + "61090a0100" + "2402" + "0400" + "0400", "a string in parts")]
    [InlineData("300c0201ff61070a010004000400", "a negative id")]
    [InlineData("300c02010161070a01ff04000400", "a negative code")]
    [InlineData("300d020101" + "61080a010004000400" + "00", "something behind")]
    [InlineData("300c02010141070a010004000400", "a primitive response")]
    [InlineData("310c02010161070a010004000400", "no sequence")]
    [InlineData("300c02010163070a010004000400", "a request")]
    [InlineData("300a0201016105040004000400", "no code")]
    public void What_the_standard_forbids_is_no_message(string hexadecimal, string what)
    {
        var message = Convert.FromHexString(hexadecimal);

        Assert.True(Read(message) is null, what);
    }

    [Theory]
    [InlineData("3084" + "7fffffff")]
    [InlineData("3084" + "00100001")]
    [InlineData("3085" + "0000000001")]
    [InlineData("30ff")]
    [InlineData("3080")]
    [InlineData("16030100")]
    [InlineData("48")]
    public void What_announces_too_much_is_refused_before_memory_is_taken_for_it(string hexadecimal) =>
        Assert.True(LdapMessage.Measure(Convert.FromHexString(hexadecimal)) < 0);

    [Theory]
    [InlineData("too many values")]
    [InlineData("too many attributes")]
    [InlineData("a part of the values")]
    [InlineData("no DN")]
    public void An_entry_that_cannot_be_used_is_one_all_the_same(string what)
    {
        byte[][] one = [[0x61]];
        var message = what switch
        {
            "too many values" => ScriptedMessages.Entry(
                2, "o=x", [("uid", [.. Enumerable.Repeat<byte[]>([0x61], LdapMessage.MaxValues + 1)])]),
            "too many attributes" => ScriptedMessages.Entry(
                2, "o=x", Enumerable.Range(0, LdapMessage.MaxValues + 1).Select(i => ($"a{i}", Array.Empty<byte[]>()))),
            "a part of the values" => ScriptedMessages.Entry(2, "o=x", [("memberOf;range=0-1499", one)]),
            _ => ScriptedMessages.Entry(2, "", [("uid", one)]),
        };

        var read = Read(message)!;

        Assert.Equal((LdapOperation.SearchEntry, null), (read.Operation, read.Entry));
    }

    [Fact]
    public void A_message_of_which_a_part_has_come_is_waited_for_wherever_it_is_cut()
    {
        foreach (var message in All)
        {
            for (var length = 0; length < message.Length; length++)
            {
                Assert.Equal(0, LdapMessage.Measure(message.AsSpan(0, length)));
                Assert.Null(LdapMessage.Decode(message.AsSpan(0, length)));
            }

            Assert.Equal(message.Length, LdapMessage.Measure([.. message, .. Done]));
        }
    }

    [Property(MaxTest = 20_000)]
    public void Octets_of_any_kind_are_a_message_or_none(byte[] octets)
    {
        var given = octets ?? [];
        var length = LdapMessage.Measure(given);

        Assert.InRange(length, -1, given.Length);
        _ = LdapMessage.Decode(given);
        Assert.True(given.Length == 0 || length <= 0 || Read(given[..length]) is null or { Id: >= 0 });
    }

    public static class Damages
    {
        /// <summary>A message in which octets were changed, taken out or doubled.</summary>
        public static Arbitrary<byte[]> Array() => (
            from message in Gen.Elements(All)
            from changes in (from place in Gen.Choose(0, message.Length - 1) from kind in Gen.Choose(0, 3) from octet in Gen.Choose(0, 255) select (place, kind, (byte)octet)).ArrayOf(3)
            select changes.Aggregate(message, Change)).ToArbitrary();

        private static byte[] Change(byte[] message, (int Place, int Kind, byte Octet) change)
        {
            var place = Math.Min(change.Place, message.Length);
            var octet = place < message.Length ? message[place] : change.Octet;
            var rest = message.AsSpan(Math.Min(place + 1, message.Length)).ToArray();
            return change.Kind switch
            {
                0 => [.. message[..place], change.Octet, .. rest],
                1 => [.. message[..place], .. rest],
                2 => [.. message[..place], octet, octet, .. rest],
                _ => [.. message[..place], (byte)(octet ^ 0x80), .. rest],
            };
        }
    }

    [Property(Arbitrary = [typeof(Damages)], MaxTest = 20_000)]
    public void A_damaged_message_is_none_or_says_no_more_than_it_has_octets(byte[] damaged)
    {
        if (LdapMessage.Measure(damaged) is var length && length <= 0)
        {
            return;
        }

        var read = LdapMessage.Decode(damaged.AsSpan(0, length));

        Assert.True(read is null || (read.Id >= 0 && read.Operation != LdapOperation.None && read.Result.Code >= 0 && read.Result.SubCode.All(char.IsAsciiHexDigit)));
        Assert.True(read?.Entry is not { } entry || (entry.Dn.Length > 0 && Encoding.UTF8.GetByteCount(entry.Dn) + entry.Octets("uid").Sum(value => value.Length) < length));
    }

    private static LdapMessage? Read(byte[] message) => LdapMessage.Measure(message) == message.Length ? LdapMessage.Decode(message) : null;
}
