// API keys at rest: what is in the table opens nothing by itself, and opens no other account.

using System.Security.Cryptography;
using System.Text;
using Azure;
using Azure.Data.Tables;
using FetchApiKey.Accounts;
using Microsoft.IdentityModel.Tokens;

namespace FetchApiKeyFunction.Tests;

public sealed class ApiKeyCipherTests(Organisation organisation) : IClassFixture<Organisation>
{
    private const string Key = "gjA04ZYcqXKalvYMA8OeXSfzUOLrtbZv";
    private const string Address = "a@b.com";

    private static Account Sealed(string seal, string subdomain = "", int userId = 5, string email = Address) =>
        new(subdomain, userId, email, "!", seal, true, Account.Member, DateTimeOffset.UnixEpoch);

    private static string Seal(string subdomain, int userId, string email = Address) =>
        TestServer.Cipher.Seal(subdomain, EmailAddress.TryParse(email)!, userId, Key);

    [Fact]
    public void A_seal_opens_for_its_own_account_and_shows_nothing_of_the_key()
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
    public void A_seal_moved_to_another_account_does_not_open(string subdomain, int userId, string email)
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
    public void A_seal_altered_in_any_character_does_not_open()
    {
        var seal = Seal("", 5);
        for (var i = 0; i < seal.Length - 1; i++)
        {
            var altered = seal[..i] + (seal[i] == 'A' ? 'B' : 'A') + seal[(i + 1)..];
            Assert.NotEqual(Opening.Opened, TestServer.Cipher.Open(Sealed(altered), out _));
        }
    }

    // ---- Version 1 ----

    [Fact]
    public async Task A_seal_of_version_1_opens_until_the_tables_are_marked()
    {
        var tables = await SharedAzurite.NewTablesAsync();
        await tables.Realms.DeleteEntityAsync(SealMarker.Partition, "v2");
        var old = Sealed(EarlierSeal.Of("", 5, Key));
        var unread = new SealMarker(tables.Realms);
        var marker = new SealMarker(tables.Realms);
        await marker.ReadAsync(CancellationToken.None);
        var (unreadCipher, cipher) = (new ApiKeyCipher(TestServer.Keys, unread), new ApiKeyCipher(TestServer.Keys, marker));

        Assert.Equal(Opening.Refused, unreadCipher.Open(old, out _));
        Assert.Equal(Opening.Refused, TestServer.Cipher.Open(old, out _));
        Assert.Equal((Opening.Opened, Key), (cipher.Open(old, out var opened), opened));
        Assert.False(cipher.IsCurrent(old));
        Assert.Null(cipher.Renew("", Address, 5, old.SealedApiKey));

        await unread.WriteAsync(CancellationToken.None);
        Assert.Equal(Opening.Opened, cipher.Open(old, out _));
        await marker.ReadAsync(CancellationToken.None);
        Assert.Equal(Opening.Refused, cipher.Open(old, out _));
        Assert.Equal(Opening.Opened, cipher.Open(Sealed(cipher.Renew("", Address, 5, old.SealedApiKey)!), out _));
        Assert.Null(cipher.Renew("", Address, 6, old.SealedApiKey));
        Assert.Null(cipher.Renew("", Address, 5, Seal("", 5)));

        // Who takes the mark away gains nothing from a process that has seen it.
        await tables.Realms.DeleteEntityAsync(SealMarker.Partition, "v2");
        await marker.ReadAsync(CancellationToken.None);
        marker.Observe(isThere: false);
        Assert.Equal(Opening.Refused, cipher.Open(old, out _));
    }

    [Fact]
    public async Task A_victims_seal_and_id_in_ones_own_row_give_nothing()
    {
        var hash = await Organisation.HashAsync("abcd1234");
        var victim = await organisation.AddAsync("", 511, "victim@zulip.com", hash, apiKey: Key);
        await organisation.AddAsync("", 512, "mallory@zulip.com", hash);
        foreach (var seal in new[] { victim.SealedApiKey, EarlierSeal.Of("", 511, Key) })
        {
            var partition = Account.PartitionOf("", EmailAddress.TryParse("mallory@zulip.com")!);
            await organisation.Tables.Accounts.UpdateEntityAsync(
                new TableEntity(partition, partition) { ["UserId"] = 511, ["ApiKey"] = seal }, ETag.All, TableUpdateMode.Merge);

            var answer = await organisation.Server.LogInAsync("mallory@zulip.com", "abcd1234");

            Assert.Equal((401, TestServer.Golden("E5")), (answer.Status, answer.Body));
        }

        Assert.Contains(Key, (await organisation.Server.LogInAsync("victim@zulip.com", "abcd1234")).Body, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData(Key)]
    [InlineData("v2.one.")]
    [InlineData("v2.one.AAAA")]
    [InlineData("v2.one.!!!!")]
    [InlineData("v3.one.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    public void Anything_else_is_no_seal(string text) => Assert.Equal(Opening.Refused, TestServer.Cipher.Open(Sealed(text), out _));

    [Fact]
    public void A_seal_of_an_unknown_key_says_so() =>
        Assert.Equal(Opening.KeyUnknown, TestServer.Cipher.Open(Sealed("v2.two." + new string('A', 80)), out _));

    [Fact]
    public async Task Swapped_seals_give_nobody_the_others_key()
    {
        var hash = await Organisation.HashAsync("abcd1234");
        var (ann, bob) = (await organisation.AddAsync("", 501, "ann@zulip.com", hash), await organisation.AddAsync("", 502, "bob@zulip.com", hash));
        var (storedAnn, storedBob) = (await organisation.FindAsync("ann@zulip.com"), await organisation.FindAsync("bob@zulip.com"));
        await organisation.Accounts.SetSealedApiKeyAsync(storedAnn, bob.SealedApiKey, CancellationToken.None);
        await organisation.Accounts.SetSealedApiKeyAsync(storedBob, ann.SealedApiKey, CancellationToken.None);

        foreach (var (name, id) in new[] { ("ann@zulip.com", 501), ("bob@zulip.com", 502) })
        {
            var answer = await organisation.Server.LogInAsync(name, "abcd1234");
            Assert.Equal((401, TestServer.Golden("E5")), (answer.Status, answer.Body));
            Assert.Contains(
                organisation.Server.Log,
                line => line.Contains($"The API key of user {id} in realm '' is altered", StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task A_key_that_is_not_configured_is_503_and_told_to_the_operator()
    {
        await organisation.AddAsync("", 503, "carol@zulip.com", await Organisation.HashAsync("abcd1234"));
        var stored = await organisation.FindAsync("carol@zulip.com");
        await organisation.Accounts.SetSealedApiKeyAsync(
            stored, stored.SealedApiKey.Replace("v2.one.", "v2.lost.", StringComparison.Ordinal), CancellationToken.None);

        var answer = await organisation.Server.LogInAsync("carol@zulip.com", "abcd1234");

        Assert.Equal((503, TestServer.Golden("E18")), (answer.Status, answer.Body));
        Assert.Contains(
            organisation.Server.Log, line => line.Contains("sealed with a key that ApiKeys__keys does not name", StringComparison.Ordinal));
    }
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
        return $"v1.one.{Base64UrlEncoder.Encode([.. nonce, .. tag, .. text])}";
    }
}
