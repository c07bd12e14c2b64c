// The one spelling of a host name that is compared.

namespace FetchApiKeyFunction.Tests;

public sealed class HostSpellingTests
{
    [Theory]
    [InlineData("zulip.example.com", "zulip.example.com")]
    [InlineData("ZULIP.Example.com", "zulip.example.com")]
    [InlineData("zulip.example.com.", "zulip.example.com")]
    [InlineData("zulip.example.com..", "zulip.example.com.")]
    [InlineData("a", "a")]
    [InlineData("a.", "a")]
    [InlineData("[::1]", "[::1]")]
    [InlineData("a_b.example.com", "a_b.example.com")]
    [InlineData("", null)]
    [InlineData(".", null)]
    public void In_ASCII_it_is_lower_case_without_the_last_full_stop(string text, string? spelling) =>
        Assert.Equal(spelling, HostName.Normalize(text));

    [Theory]
    [InlineData("b\u00FCcher.example.com", "xn--bcher-kva.example.com")]
    [InlineData("B\u00DCCHER.Example.com.", "xn--bcher-kva.example.com")]
    [InlineData("acme.\u4E16\u754C", "acme.xn--rhqv96g")]
    [InlineData("XN--Bcher-KVA.example.com", "xn--bcher-kva.example.com")]
    [InlineData("xn--99999999.example.com", "xn--99999999.example.com")]
    public void Other_letters_become_punycode_and_punycode_stays(string text, string spelling) =>
        Assert.Equal(spelling, HostName.Normalize(text));

    [Theory]
    [InlineData("b\u00FCcher_.example.com")]
    [InlineData("b\u00FCcher .example.com")]
    [InlineData("-b\u00FCcher.example.com")]
    [InlineData("b\u00FCcher..example.com")]
    [InlineData(".b\u00FCcher.example.com")]
    [InlineData("b\u00FCcher\0.example.com")]
    [InlineData("\u00FCaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example.com")]
    public void What_cannot_be_a_host_name_has_none(string text) => Assert.Null(HostName.Normalize(text));

    [Fact]
    public void Half_a_surrogate_pair_is_no_letter_of_a_name() => Assert.Null(HostName.Normalize("\u00FC" + (char)0xD800 + ".example.com"));
}
