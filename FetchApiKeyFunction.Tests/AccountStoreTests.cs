// Accounts and realms in real tables: uniqueness, ranges, and changes that overwrite nobody's.

using Azure.Data.Tables;
using FetchApiKey.Accounts;
using Microsoft.Extensions.Time.Testing;

namespace FetchApiKeyFunction.Tests;

public sealed class AccountStoreTests : IAsyncLifetime
{
    private AccountTables _tables = null!;
    private AccountStore _accounts = null!;

    public async Task InitializeAsync()
    {
        _tables = await SharedAzurite.NewTablesAsync();
        _accounts = new AccountStore(_tables);
    }

    public Task DisposeAsync() => Task.CompletedTask;

    [Fact]
    public async Task An_address_is_one_account_whatever_its_case_and_another_in_another_realm()
    {
        Assert.Equal(Addition.Added, await AddAsync("", 1, "Ann@b.com"));
        Assert.Equal(Addition.EmailTaken, await AddAsync("", 2, "ann@B.com"));
        Assert.Equal(Addition.Added, await AddAsync("acme", 1, "ann@b.com"));
        // The id that the refused account had claimed is free again.
        Assert.Equal(Addition.Added, await AddAsync("", 2, "bob@b.com"));
    }

    [Fact]
    public async Task A_user_id_is_given_once_in_a_realm()
    {
        Assert.Equal(Addition.Added, await AddAsync("", 7, "a@b.com"));
        Assert.Equal(Addition.UserIdTaken, await AddAsync("", 7, "c@b.com"));
        Assert.Equal(8, await _accounts.NextUserIdAsync("", CancellationToken.None));
        Assert.Equal(1, await _accounts.NextUserIdAsync("acme", CancellationToken.None));
    }

    [Fact]
    public async Task Fifty_additions_at_once_get_one_account_an_id()
    {
        var additions = await Task.WhenAll(Enumerable.Range(0, 50).Select(i => AddAsync("", 1 + (i % 5), $"user{i}@b.com")));

        Assert.Equal(5, additions.Count(addition => addition == Addition.Added));
        var listed = await ListAsync("");
        Assert.Equal([1, 2, 3, 4, 5], listed.Select(account => account.UserId).Order());
    }

    [Fact]
    public async Task A_claim_whose_account_was_never_written_holds_for_its_lifetime_only()
    {
        // What a process leaves that died between claim and account.
        await _tables.UserIds.AddEntityAsync(new TableEntity(".", (int.MaxValue - 9).ToString("D10")) { ["Account"] = ".0000" });

        Assert.Equal(Addition.UserIdTaken, await AddAsync("", 9, "a@b.com"));
    }

    [Fact]
    public async Task Listing_a_realm_gives_its_accounts_and_no_others()
    {
        await AddAsync("", 1, "root@b.com");
        await AddAsync("a", 1, "a1@b.com");
        await AddAsync("a", 2, "a2@b.com");
        await AddAsync("a-b", 1, "ab@b.com");
        await AddAsync("ab", 1, "ab@b.com");

        Assert.Equal(["a1@b.com", "a2@b.com"], (await ListAsync("a")).Select(account => account.Email).Order());
        Assert.Equal(["root@b.com"], (await ListAsync("")).Select(account => account.Email));
    }

    [Fact]
    public async Task A_change_to_a_row_that_changed_meanwhile_is_refused()
    {
        await AddAsync("", 1, "a@b.com");
        var (first, second) = (await FindAsync("a@b.com"), await FindAsync("a@b.com"));

        Assert.True(await _accounts.SetPasswordHashAsync(first, "!new", CancellationToken.None));
        Assert.False(await _accounts.SetPasswordHashAsync(second, "!stale", CancellationToken.None));
        Assert.False(await _accounts.SetSealedApiKeyAsync(second, "stale", CancellationToken.None));

        var stored = await FindAsync("a@b.com");
        Assert.Equal(("!new", true), (stored.PasswordHash, stored.IsActive));
    }

    [Fact]
    public void A_key_has_one_length_and_harmless_characters_whatever_was_typed()
    {
        string[] typed = ["a@b.com", "\"/\\#?\x01\"@b.com", new string('a', 300) + "@bücher.example"];

        Assert.All(typed, text => Assert.Matches("\\Aacme\\.[0-9a-f]{64}\\z", Account.PartitionOf("acme", EmailAddress.TryParse(text)!)));
    }

    [Fact]
    public async Task A_missing_table_is_a_fault_and_not_an_unknown_user()
    {
        var storage = await SharedAzurite.NewStorageAsync();
        var tables = AccountTables.Open(storage);

        var fault = await Assert.ThrowsAsync<MissingTablesException>(() => tables.CheckAsync(CancellationToken.None));
        await using var server = await TestServer.StartAsync(tables);
        var refused = await server.LogInAsync("a@b.com", "x");
        await tables.CreateAsync(CancellationToken.None);
        var answered = await server.LogInAsync("a@b.com", "x");

        Assert.Contains(
            $"{storage.TablePrefix}realms, {storage.TablePrefix}accounts, {storage.TablePrefix}userids, {storage.TablePrefix}attempts",
            fault.Message, StringComparison.Ordinal);
        Assert.Equal((503, TestServer.Golden("E18")), (refused.Status, refused.Body));
        Assert.Equal((404, TestServer.Golden("E3")), (answered.Status, answered.Body));
    }

    [Fact]
    public async Task A_realm_is_remembered_for_the_configured_time()
    {
        var time = new FakeTimeProvider();
        var changer = new RealmStore(_tables, TimeSpan.Zero, TimeProvider.System);
        var reader = new RealmStore(_tables, TimeSpan.FromSeconds(30), time);
        await changer.AddAsync(new Realm("", "Before", "", "", null, true, PasswordBackends.Email), CancellationToken.None);
        Assert.Equal("Before", (await reader.FindAsync("", CancellationToken.None))?.Name);

        var realm = (await changer.ReadAsync("", CancellationToken.None)).Realm!;
        Assert.True(await changer.OverrideAsync(realm with { Name = "After" }, ["Name"], CancellationToken.None));
        time.Advance(TimeSpan.FromSeconds(29));
        Assert.Equal("Before", (await reader.FindAsync("", CancellationToken.None))?.Name);

        time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal("After", (await reader.FindAsync("", CancellationToken.None))?.Name);
    }

    private Task<Addition> AddAsync(string subdomain, int userId, string email) => _accounts.AddAsync(
        new Account(subdomain, userId, email, "!", Account.NewApiKey(), true, Account.Member, DateTimeOffset.UnixEpoch),
        EmailAddress.TryParse(email)!, CancellationToken.None);

    private async Task<Account> FindAsync(string email) =>
        (await _accounts.FindAsync("", EmailAddress.TryParse(email)!, CancellationToken.None)).Account!;

    private async Task<List<Account>> ListAsync(string subdomain)
    {
        var accounts = new List<Account>();
        await foreach (var account in _accounts.ListAsync(subdomain, fault => Assert.Fail($"{fault}"), CancellationToken.None))
        {
            accounts.Add(account);
        }

        return accounts;
    }
}
