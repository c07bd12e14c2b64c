// The seal on an API key by itself: what it opens for, and that nothing else does.

using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Azure.Data.Tables;
using FetchApiKey.Accounts;
using Moq;

namespace FetchApiKeyFunction.Tests;

public sealed class ApiKeySealTests
{
    private const string Key = "gjA04ZYcqXKalvYMA8OeXSfzUOLrtbZv";
    private const string Address = "a@b.com";

    private static readonly ApiKeySettings TwoKeys = new(
        new Dictionary<string, byte[]> { ["one"] = TestServer.Keys.Keys["one"], ["two"] = [.. Enumerable.Repeat((byte)2, 32)] }, "two");

    [Fact]
    public void It_opens_for_its_own_account_and_shows_nothing_of_the_key()
    {
        var first = Seal("acme", 7);

        Assert.Equal(Opening.Opened, TestServer.Cipher.Open(Sealed(first, "acme", 7), out var opened));
        Assert.Equal(Key, opened);
        Assert.Matches("\\Av2\\.one\\.[A-Za-z0-9_-]{80}\\z", first);
        Assert.DoesNotContain(Key, first, StringComparison.Ordinal);
        Assert.NotEqual(first, Seal("acme", 7));
    }

    [Theory]
    [InlineData("acme", 8, Address)]
    [InlineData("", 7, Address)]
    [InlineData("acme\0", 7, Address)]
    [InlineData("acme", 7, "a@b.org")]
    [InlineData("acme", 7, "\uFF41@b.com")]
    [InlineData("acme", 7, "")]
    public void It_does_not_open_for_another_account(string subdomain, int userId, string email)
    {
        var seal = Seal("acme", 7);

        Assert.Equal((Opening.Refused, ""), (TestServer.Cipher.Open(Sealed(seal, subdomain, userId, email), out var opened), opened));
    }

    [Fact]
    public void An_address_in_other_letters_is_the_same_row_and_one_that_changed_is_sealed_anew()
    {
        var seal = Seal("", 5);
        Assert.Equal(Opening.Opened, TestServer.Cipher.Open(Sealed(seal, email: "A@B.COM"), out _));

        Assert.Equal(Opening.Opened, TestServer.Cipher.Open(Sealed(seal), out var apiKey));
        var moved = TestServer.Cipher.Seal("", EmailAddress.TryParse("new@b.com")!, 5, apiKey);

        Assert.Equal((Opening.Opened, Key), (TestServer.Cipher.Open(Sealed(moved, email: "new@b.com"), out var opened), opened));
        Assert.Equal(Opening.Refused, TestServer.Cipher.Open(Sealed(moved), out _));
    }

    [Fact]
    public void It_does_not_open_when_any_character_is_altered()
    {
        var seal = Seal("", 5);
        for (var i = 0; i < seal.Length - 1; i++)
        {
            var altered = seal[..i] + (seal[i] == 'A' ? 'B' : 'A') + seal[(i + 1)..];
            Assert.NotEqual(Opening.Opened, TestServer.Cipher.Open(Sealed(altered), out _));
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData(Key)]
    [InlineData("v2.one.")]
    [InlineData("v2.one.AAAA")]
    [InlineData("v2.one.!!!!")]
    [InlineData("v2.one.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    [InlineData("v2.one.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA.AAAA")]
    [InlineData("v3.one.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    public void Anything_else_is_no_seal(string text) =>
        Assert.Equal((Opening.Refused, ""), (TestServer.Cipher.Open(Sealed(text), out var opened), opened));

    [Theory]
    [InlineData("")]
    [InlineData("0123456789012345678901234567890")]
    [InlineData("012345678901234567890123456789012")]
    [InlineData("0123456789012345678901234567890\n")]
    public void What_was_sealed_and_is_no_API_key_is_given_to_nobody(string text)
    {
        var seal = TestServer.Cipher.Seal("", EmailAddress.TryParse(Address)!, 5, text);

        Assert.Equal((Opening.Refused, ""), (TestServer.Cipher.Open(Sealed(seal), out var opened), opened));
    }

    // ---- Keys ----

    [Fact]
    public void One_of_an_unknown_key_says_so() => Assert.Equal(
        (Opening.KeyUnknown, ""), (TestServer.Cipher.Open(Sealed("v2.two." + new string('A', 80)), out var opened), opened));

    [Fact]
    public void It_is_made_with_one_key_and_opens_with_the_one_that_it_names()
    {
        var (old, cipher) = (Seal("", 5), new ApiKeyCipher(TwoKeys));
        var seal = cipher.Seal("", EmailAddress.TryParse(Address)!, 5, Key);

        Assert.StartsWith("v2.two.", seal, StringComparison.Ordinal);
        Assert.Equal((Opening.Opened, Key), (cipher.Open(Sealed(seal), out var opened), opened));
        Assert.Equal((Opening.Opened, Key), (cipher.Open(Sealed(old), out var openedOld), openedOld));
        Assert.Equal((true, false), (cipher.IsCurrent(Sealed(seal)), cipher.IsCurrent(Sealed(old))));
        // A name is bound as well.
        Assert.Equal(Opening.Refused, cipher.Open(Sealed(old.Replace(".one.", ".two.", StringComparison.Ordinal)), out _));
        var renamed = new ApiKeyCipher(new ApiKeySettings(new Dictionary<string, byte[]> { ["uno"] = TestServer.Keys.Keys["one"] }, "uno"));
        Assert.Equal(Opening.Refused, renamed.Open(Sealed(old.Replace(".one.", ".uno.", StringComparison.Ordinal)), out _));
    }

    // ---- Version 1 ----

    [Fact]
    public void One_of_version_1_opens_where_it_was_seen_that_there_are_some()
    {
        var old = Sealed(EarlierSeal.Of("", 5, Key));
        var (unread, marker) = (Marker(), Marker());
        marker.Observe(isThere: false);
        var cipher = new ApiKeyCipher(TestServer.Keys, marker);

        Assert.Equal(Opening.Refused, TestServer.Cipher.Open(old, out _));
        Assert.Equal(Opening.Refused, new ApiKeyCipher(TestServer.Keys, unread).Open(old, out _));
        Assert.Equal((Opening.Opened, Key), (cipher.Open(old, out var opened), opened));
        // In every row of the realm that has the id.
        Assert.Equal(Opening.Opened, cipher.Open(Sealed(EarlierSeal.Of("", 5, Key), email: "other@b.com"), out _));
        Assert.Equal((Opening.Refused, ""), (cipher.Open(Sealed(EarlierSeal.Of("", 5, Key), "acme"), out var none), none));
        Assert.Equal(Opening.Refused, cipher.Open(Sealed(EarlierSeal.Of("", 6, Key)), out _));
        Assert.Equal((false, false), (cipher.IsCurrent(old), ApiKeyCipher.IsBoundToRow(old.SealedApiKey)));
        Assert.True(ApiKeyCipher.IsBoundToRow(Seal("", 5)));
        // A seal is not another version's because it says so.
        Assert.Equal(Opening.Refused, cipher.Open(Sealed(string.Concat("v1", Seal("", 5).AsSpan(2))), out _));
        Assert.Equal(Opening.Refused, cipher.Open(Sealed(string.Concat("v2", EarlierSeal.Of("", 5, Key).AsSpan(2))), out _));

        marker.Observe(isThere: true);
        Assert.Equal((Opening.Refused, ""), (cipher.Open(old, out var refused), refused));
    }

    [Fact]
    public void One_of_version_1_is_made_anew_where_it_does_not_open_any_more_and_only_for_its_own_account()
    {
        var old = EarlierSeal.Of("", 5, Key);
        var (marker, absent) = (Marker(), Marker());
        absent.Observe(isThere: false);
        foreach (var cipher in new[] { TestServer.Cipher, new ApiKeyCipher(TestServer.Keys, marker) })
        {
            var renewed = cipher.Renew("", Address, 5, old)!;

            Assert.Equal((Opening.Opened, Key), (cipher.Open(Sealed(renewed), out var opened), opened));
            Assert.True(cipher.IsCurrent(Sealed(renewed)));
            Assert.Null(cipher.Renew("", Address, 6, old));
            Assert.Null(cipher.Renew("acme", Address, 5, old));
            Assert.Null(cipher.Renew("", "no address", 5, old));
            Assert.Null(cipher.Renew("", Address, 5, Seal("", 5)));
            Assert.Null(cipher.Renew("", Address, 5, old.Replace(".one.", ".lost.", StringComparison.Ordinal)));
        }

        Assert.Null(new ApiKeyCipher(TestServer.Keys, absent).Renew("", Address, 5, old));
    }

    private static SealMarker Marker() => new(Mock.Of<TableClient>());

    private static Account Sealed(string seal, string subdomain = "", int userId = 5, string email = Address) =>
        new(subdomain, userId, email, "!", seal, true, Account.Member, DateTimeOffset.UnixEpoch);

    private static string Seal(string subdomain, int userId, string email = Address) =>
        TestServer.Cipher.Seal(subdomain, EmailAddress.TryParse(email)!, userId, Key);
}

/// <summary>As releases before the seals of version 2 made them.</summary>
internal static class EarlierSeal
{
    public static string Of(string subdomain, int userId, string apiKey)
    {
        var (nonce, tag, text) = (RandomNumberGenerator.GetBytes(12), new byte[16], new byte[apiKey.Length]);
        using var aes = new AesGcm(TestServer.Keys.Keys["one"], tag.Length);
        aes.Encrypt(
            nonce, Encoding.ASCII.GetBytes(apiKey), text, tag,
            Encoding.UTF8.GetBytes(FormattableString.Invariant($"v1\0one\0{subdomain}\0{userId}")));
        return $"v1.one.{Base64Url.EncodeToString([.. nonce, .. tag, .. text])}";
    }
}
