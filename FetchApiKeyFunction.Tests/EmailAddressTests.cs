// The rule of contract section 1.5, against every example there and the shapes around them.

namespace FetchApiKeyFunction.Tests;

public sealed class EmailAddressTests
{
    [Theory]
    [InlineData("iago@zulip.com")]
    [InlineData("IAGO@ZULIP.COM")]
    [InlineData("a@localhost")]
    [InlineData("a@LOCALHOST")]
    [InlineData("a@[127.0.0.1]")]
    [InlineData("a@[::1]")]
    [InlineData("a@[2001:db8::ffff:1.2.3.4]")]
    [InlineData("a+b@c.com")]
    [InlineData("a@bücher.example")]
    [InlineData("a@例え.テスト")]
    [InlineData("a@xn--bcher-kva.example")]
    [InlineData("!#$%&'*+/=?^_`{}|~-@b.com")]
    [InlineData("\"quoted@local\"@b.com")]
    [InlineData("a@b.co")]
    [InlineData("a@1.23")]
    public void An_address_in_shape_is_accepted(string text) => Assert.Equal(text, EmailAddress.TryParseInShape(text)?.Text);

    [Theory]
    [InlineData("")]
    [InlineData("@")]
    [InlineData("iago")]
    [InlineData("@b.com")]
    [InlineData("a@")]
    [InlineData(" a@b.com")]
    [InlineData("a@b.com ")]
    [InlineData("a@b.com\n")]
    [InlineData("a@b.com\0")]
    [InlineData("a\0@b.com")]
    [InlineData("ä@b.com")]
    [InlineData("a@b")]
    [InlineData("a@b.c")]
    [InlineData("a@b..com")]
    [InlineData("a@-b.com")]
    [InlineData("a@b-.com")]
    [InlineData("a@b.-com")]
    [InlineData("a@b.com-")]
    [InlineData("a.@b.com")]
    [InlineData(".a@b.com")]
    [InlineData("a..b@b.com")]
    [InlineData("a b@b.com")]
    [InlineData("a@b@c.com")]
    [InlineData("a@b c.com")]
    [InlineData("a@b_c.com")]
    [InlineData("a@b.com.")]
    [InlineData("a@[127.0.0]")]
    [InlineData("a@[127.0.0.256]")]
    [InlineData("a@[2130706433]")]
    [InlineData("a@[::g]")]
    [InlineData("a@[fe80::1%eth0]")]
    [InlineData("a@127.0.0.1]")]
    [InlineData("a@bü cher.example")]
    [InlineData("a@bücher.example\n")]
    [InlineData("a@bücher")]
    [InlineData("a@\u00FC..example")]
    public void Anything_else_is_not(string text) => Assert.Null(EmailAddress.TryParseInShape(text));

    [Fact]
    public void The_longest_address_has_320_characters()
    {
        Assert.NotNull(EmailAddress.TryParseInShape(new string('a', 314) + "@b.com"));
        Assert.Null(EmailAddress.TryParseInShape(new string('a', 315) + "@b.com"));
    }

    [Fact]
    public void A_label_has_at_most_63_characters()
    {
        Assert.NotNull(EmailAddress.TryParseInShape($"a@{new string('b', 63)}.com"));
        Assert.Null(EmailAddress.TryParseInShape($"a@{new string('b', 64)}.com"));
        Assert.Null(EmailAddress.TryParseInShape($"a@{new string('ü', 63)}.com"));
    }

    [Theory]
    [InlineData("Iago@ZULIP.com", "iago@zulip.com")]
    [InlineData("a@BÜCHER.example", "a@bÜcher.example")]
    [InlineData("a@\u212Aelvin.example", "a@\u212Aelvin.example")]
    public void The_look_up_form_folds_ASCII_letters_alone(string text, string canonical) =>
        Assert.Equal(canonical, EmailAddress.TryParseInShape(text)?.Canonical);
}
