// API keys at rest: what somebody moves or alters in the tables opens nothing.

using Azure;
using Azure.Data.Tables;
using FetchApiKey.Accounts;

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
