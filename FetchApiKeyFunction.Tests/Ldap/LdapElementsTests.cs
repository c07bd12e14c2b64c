// The decoder of what a directory sends, element by element: what may stand where, and how much of it.

using System.Text;
using FetchApiKey.Backends.Ldap;

namespace FetchApiKeyFunction.Tests.Ldap;

public sealed class LdapElementsTests
{
    private static readonly byte[] Success = [0x0A, 1, 0, 4, 0, 4, 0];
    private static readonly byte[] Referral = Element(0xA3, Octets("ldap://elsewhere"));
    private static readonly byte[] Controls = Element(0xA0, Element(0x30, Octets("1.2.3")));

    public static TheoryData<string> Whole =>
    [
        Hex(0x61, Success), Hex(0x61, Success, Referral), Hex(0x61, Success, Element(0x87, [1])),
        Hex(0x61, Success, Referral, Element(0x87)),
        Hex(0x65, Success), Hex(0x65, Success, Referral),
        Hex(0x78, Success), Hex(0x78, Success, Element(0x8A, [1])), Hex(0x78, Success, Element(0x8B, [1])),
        Hex(0x78, Success, Referral, Element(0x8A, [1]), Element(0x8B)),
        Hex(0x73, Octets("ldap://a"), Octets("ldap://b")),
        EntryWith(), EntryWith(Attribute("uid", [4, 1, 1])), EntryWith(Attribute("uid"), Attribute("cn", [4, 0, 4, 0])),
    ];

    public static TheoryData<string> Broken =>
    [
        // Of a response.
        Hex(0x61, [0x0A, 1, 0, 4, 0]), Hex(0x61, [0x0A, 1, 0, 4, 0, 2, 0]), Hex(0x61, [0x0A, 1, 0, 2, 0, 4, 0]),
        Hex(0x61, Success, Element(0x8A, [1])), Hex(0x61, Success, Element(0x87), Element(0x87)), Hex(0x61, Success, Element(0xA3)[..1]),
        Hex(0x61, Success, Element(0x87), Referral), Hex(0x61, Success, [0x87]), Hex(0x65, Success, Element(0x87, [1])),
        Hex(0x78, Success, Element(0x8B, [1]), Element(0x8A, [1])), Hex(0x78, Success, Element(0x87)),
        // Of a reference.
        Hex(0x73), Hex(0x73, [2, 1, 0]), Hex(0x73, Octets("ldap://a"), [2, 1, 0]),
        // Of an entry.
        Hex(0x64, [2, 1, 0], Element(0x30)), Hex(0x64, Octets("o=x")), Hex(0x64, Octets("o=x"), Element(0x31)),
        Hex(0x64, Octets("o=x"), Element(0x30), [4, 0]),
        EntryWith(Octets("uid")), EntryWith(Element(0x30, Octets("uid"))), EntryWith(Element(0x30, Octets("uid"), Element(0x30))),
        EntryWith(Element(0x30, [2, 1, 0], Element(0x31))), EntryWith(Element(0x30, Octets("uid"), Element(0x31), [4, 0])),
        EntryWith(Attribute("uid", [2, 1, 0])), EntryWith(Attribute("uid", [4, 1, 1, 2, 1, 0])),
        EntryWith(Attribute("uid"), Attribute("UID")), EntryWith(Attribute("uid"), [0x30]),
        EntryWith(Element(0x30, [4, 1, 0xFF], Element(0x31))),
    ];

    [Theory]
    [MemberData(nameof(Whole))]
    public void What_may_stand_behind_an_answer_is_passed_over(string body)
    {
        var operation = Convert.FromHexString(body);

        Assert.Equal(1, Decode(1, operation)!.Id);
        Assert.Equal(LdapResult.None, Decode(1, operation, Controls)!.Result);
        Assert.Null(Decode(1, operation, Controls, Controls));
        Assert.Null(Decode(1, operation, Controls[..^1]));
        Assert.Null(Decode(1, operation, [4, 0]));
        Assert.Null(LdapMessage.Decode([.. Message(1, operation), 0]));
    }

    [Theory]
    [MemberData(nameof(Broken))]
    public void What_may_not_stand_there_makes_it_no_message(string body)
    {
        Assert.Null(Decode(1, Convert.FromHexString(body)));
        Assert.Null(Decode(1, Convert.FromHexString(body), Controls));
    }

    [Theory]
    [InlineData(0x61, LdapOperation.BindResponse)]
    [InlineData(0x65, LdapOperation.SearchDone)]
    [InlineData(0x78, LdapOperation.ExtendedResponse)]
    [InlineData(0x60, null)]
    [InlineData(0x62, null)]
    [InlineData(0x6F, null)]
    [InlineData(0xA1, null)]
    [InlineData(0x21, null)]
    public void An_operation_is_told_by_its_tag(byte tag, object? operation) =>
        Assert.Equal(operation, Decode(1, Element(tag, Success))?.Operation);

    [Theory]
    [InlineData("020100", 0)]
    [InlineData("02017f", 127)]
    [InlineData("02020080", 128)]
    [InlineData("0203010203", 0x010203)]
    [InlineData("020401020304", 0x01020304)]
    [InlineData("02047fffffff", int.MaxValue)]
    [InlineData("0200", null)]
    [InlineData("020180", null)]
    [InlineData("020480000000", null)]
    [InlineData("02050001020304", null)]
    [InlineData("0a0101", null)]
    [InlineData("040101", null)]
    public void A_number_is_one_of_31_bits(string id, int? number)
    {
        Assert.Equal(number, LdapMessage.Decode(Element(0x30, Convert.FromHexString(id), Element(0x61, Success)))?.Id);
        var code = id.StartsWith("02", StringComparison.Ordinal) ? "0a" + id[2..] : "02" + id[2..];
        Assert.Equal(number, Decode(1, Element(0x61, Convert.FromHexString(code), [4, 0, 4, 0]))?.Result.Code);
    }

    [Fact]
    public void An_element_of_indefinite_length_is_none_though_it_has_an_end()
    {
        byte[] ended = [0, 0];
        Assert.Null(LdapMessage.Decode([0x30, 0x80, 2, 1, 1, .. Element(0x61, Success), .. ended]));
        Assert.Null(Decode(1, [0x61, 0x80, .. Success, .. ended]));
        Assert.Null(Decode(1, Element(0x64, Octets("o=x"), [0x30, 0x80, .. ended])));
        Assert.Null(Decode(1, Element(0x61, Success), [0xA0, 0x80, .. ended]));
    }

    // ---- Lengths ----

    [Theory]
    [InlineData("300c020101" + "61070a010004000400")]
    [InlineData("30810c020101" + "61070a010004000400")]
    [InlineData("30840000000c020101" + "61070a010004000400")]
    public void What_has_arrived_in_part_is_waited_for_and_what_comes_behind_belongs_to_the_next(string hexadecimal)
    {
        var message = Convert.FromHexString(hexadecimal);
        for (var length = 0; length < message.Length; length++)
        {
            Assert.Equal(0, LdapMessage.Measure(message.AsSpan(0, length)));
        }

        Assert.Equal(message.Length, LdapMessage.Measure(message));
        Assert.Equal(message.Length, LdapMessage.Measure([.. message, 0x30]));
    }

    [Theory]
    [InlineData("3083" + "0ffffb", 0)]
    [InlineData("3083" + "0ffffc", -1)]
    [InlineData("3084" + "000ffffa", 0)]
    [InlineData("3084" + "000ffffb", -1)]
    [InlineData("3084" + "ffffffff", -1)]
    [InlineData("3085", -1)]
    [InlineData("3180", -1)]
    [InlineData("3100", -1)]
    [InlineData("31", -1)]
    public void A_message_of_a_mebibyte_is_waited_for_and_no_longer_one(string hexadecimal, int measured) =>
        Assert.Equal(measured, LdapMessage.Measure(Convert.FromHexString(hexadecimal)));

    [Theory]
    [InlineData(1, LdapMessage.MaxValues - 1, true)]
    [InlineData(1, LdapMessage.MaxValues, false)]
    [InlineData(LdapMessage.MaxValues, 0, true)]
    [InlineData(LdapMessage.MaxValues + 1, 0, false)]
    [InlineData(2, (LdapMessage.MaxValues / 2) - 1, true)]
    public void An_entry_may_have_so_many_attributes_and_values_together(int attributes, int valuesOfEach, bool isUsed)
    {
        var values = Enumerable.Repeat<byte[]>([0x61], valuesOfEach).ToArray();

        var read = LdapMessage.Decode(ScriptedMessages.Entry(2, "o=x", Enumerable.Range(0, attributes).Select(i => ($"a{i}", values))))!;

        Assert.Equal((LdapOperation.SearchEntry, isUsed), (read.Operation, read.Entry is not null));
        Assert.Equal(isUsed ? valuesOfEach : 0, read.Entry?.Octets($"a{attributes - 1}").Count ?? 0);
    }

    // ---- Texts ----

    [Theory]
    [InlineData("AcceptSecurityContext error, data 52E, v4563", "52e")]
    [InlineData("AcceptSecurityContext error, data 0, v4563", "0")]
    [InlineData("AcceptSecurityContext error, data 80090308", "80090308")]
    [InlineData("AcceptSecurityContext error, data 800903080, v1", "")]
    [InlineData("AcceptSecurityContext error, data ada, v1", "ada")]
    [InlineData("AcceptSecurityContext error, data grace, v1", "")]
    [InlineData("error, data 52e", "")]
    [InlineData("", "")]
    public void Of_what_a_directory_says_only_digits_are_kept(string diagnostic, string subCode)
    {
        var result = LdapMessage.Decode(ScriptedMessages.Result(1, 1, 49, diagnostic))!.Result;

        Assert.Equal(new LdapResult(49, subCode), result);
        Assert.Equal(subCode.Length > 0 ? $"ldap 49 data {subCode}" : "ldap 49", result.ToString());
    }

    [Fact]
    public void A_text_that_is_not_UTF_8_says_nothing_and_names_nobody()
    {
        byte[] text = [.. "AcceptSecurityContext error, data 52e, "u8, 0xFF];
        Assert.Equal("", Decode(1, Element(0x61, [0x0A, 1, 49, 4, 0], Element(4, text)))!.Result.SubCode);

        var entry = Decode(1, Element(0x64, [4, 1, 0xFF], Element(0x30)))!;
        Assert.Equal((LdapOperation.SearchEntry, null), (entry.Operation, entry.Entry));
    }

    private static byte[] Element(byte tag, params byte[][] content)
    {
        byte[] octets = [.. content.SelectMany(part => part)];
        return octets.Length < 0x80 ? [tag, (byte)octets.Length, .. octets] : [tag, 0x81, (byte)octets.Length, .. octets];
    }

    private static string Hex(byte tag, params byte[][] content) => Convert.ToHexString(Element(tag, content));

    private static byte[] Octets(string text) => Element(4, Encoding.UTF8.GetBytes(text));

    private static byte[] Attribute(string name, params byte[] values) => Element(0x30, Octets(name), Element(0x31, values));

    private static byte[] Message(int id, params byte[][] rest) => Element(0x30, [[2, 1, (byte)id], .. rest]);

    private static string EntryWith(params byte[][] attributes) => Hex(0x64, Octets("o=x"), Element(0x30, attributes));

    private static LdapMessage? Decode(int id, params byte[][] rest) => LdapMessage.Decode(Message(id, rest));
}
