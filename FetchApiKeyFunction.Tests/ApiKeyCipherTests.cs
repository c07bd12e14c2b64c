// API keys at rest: what is in the table opens nothing by itself, and opens no other account.

using FetchApiKey.Accounts;

namespace FetchApiKeyFunction.Tests;

public sealed class ApiKeyCipherTests(Organisation organisation) : IClassFixture<Organisation>
{
    private const string Key = "gjA04ZYcqXKalvYMA8OeXSfzUOLrtbZv";

    private static Account Sealed(string seal, string subdomain = "", int userId = 5) =>
        new(subdomain, userId, "a@b.com", "!", seal, true, Account.Member, DateTimeOffset.UnixEpoch);

    [Fact]
    public void A_seal_opens_for_its_own_account_and_shows_nothing_of_the_key()
    {
        var first = TestServer.Cipher.Seal("acme", 7, Key);

        Assert.Equal(Opening.Opened, TestServer.Cipher.Open(Sealed(first, "acme", 7), out var opened));
        Assert.Equal(Key, opened);
        Assert.Matches("\\Av1\\.one\\.[A-Za-z0-9_-]{80}\\z", first);
        Assert.DoesNotContain(Key, first, StringComparison.Ordinal);
        Assert.NotEqual(first, TestServer.Cipher.Seal("acme", 7, Key));
    }

    [Theory]
    [InlineData("acme", 8)]
    [InlineData("", 7)]
    [InlineData("acme\0", 7)]
    public void A_seal_moved_to_another_account_does_not_open(string subdomain, int userId)
    {
        var seal = TestServer.Cipher.Seal("acme", 7, Key);

        Assert.Equal((Opening.Refused, ""), (TestServer.Cipher.Open(Sealed(seal, subdomain, userId), out var opened), opened));
    }

    [Fact]
    public void A_seal_altered_in_any_character_does_not_open()
    {
        var seal = TestServer.Cipher.Seal("", 5, Key);
        for (var i = 0; i < seal.Length - 1; i++)
        {
            var altered = seal[..i] + (seal[i] == 'A' ? 'B' : 'A') + seal[(i + 1)..];
            Assert.NotEqual(Opening.Opened, TestServer.Cipher.Open(Sealed(altered), out _));
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData(Key)]
    [InlineData("v1.one.")]
    [InlineData("v1.one.AAAA")]
    [InlineData("v1.one.!!!!")]
    [InlineData("v2.one.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    public void Anything_else_is_no_seal(string text) => Assert.Equal(Opening.Refused, TestServer.Cipher.Open(Sealed(text), out _));

    [Fact]
    public void A_seal_of_an_unknown_key_says_so() =>
        Assert.Equal(Opening.KeyUnknown, TestServer.Cipher.Open(Sealed("v1.two." + new string('A', 80)), out _));

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
            Assert.Contains(organisation.Server.Log, line => line.Contains($"The API key of user {id} in realm '' is altered", StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task A_key_that_is_not_configured_is_503_and_told_to_the_operator()
    {
        await organisation.AddAsync("", 503, "carol@zulip.com", await Organisation.HashAsync("abcd1234"));
        var stored = await organisation.FindAsync("carol@zulip.com");
        await organisation.Accounts.SetSealedApiKeyAsync(stored, stored.SealedApiKey.Replace("v1.one.", "v1.lost.", StringComparison.Ordinal), CancellationToken.None);

        var answer = await organisation.Server.LogInAsync("carol@zulip.com", "abcd1234");

        Assert.Equal((503, TestServer.Golden("E18")), (answer.Status, answer.Body));
        Assert.Contains(organisation.Server.Log, line => line.Contains("sealed with a key that ApiKeys__keys does not name", StringComparison.Ordinal));
    }
}
