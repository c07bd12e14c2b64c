// User ids: the sequence goes on to its end and beyond damage, and no id is ever two persons'.

using Azure.Data.Tables;
using FetchApiKey.Accounts;
using Microsoft.AspNetCore.Http;

namespace FetchApiKeyFunction.Tests;

public sealed class UserIdTests : IAsyncLifetime
{
    private AccountTables _tables = null!;
    private AccountStore _accounts = null!;

    public async Task InitializeAsync()
    {
        _tables = await SharedAzurite.NewTablesAsync();
        _accounts = new AccountStore(_tables);
    }

    public Task DisposeAsync() => Task.CompletedTask;

    [Theory]
    [InlineData(new int[0], 1)]
    [InlineData(new[] { 41 }, 42)]
    [InlineData(new[] { 2147483645 }, 2147483646)]
    [InlineData(new[] { 2147483646 }, 1)]
    [InlineData(new[] { 1, 41, 2147483646 }, 42)]
    [InlineData(new[] { 7, 2147483644, 2147483645, 2147483646 }, 8)]
    public async Task The_next_id_is_above_the_highest_or_where_that_was_the_last_above_the_highest_gap(int[] given, int next)
    {
        foreach (var id in given)
        {
            Assert.Equal(Addition.Added, await AddAsync(_accounts, id, $"u{id}@b.com"));
        }

        Assert.Equal(next, await _accounts.NextUserIdAsync("", CancellationToken.None));
        Assert.Equal(Addition.Added, await AddAsync(_accounts, next, "next@b.com"));
    }

    [Fact]
    public async Task What_a_directory_keeps_beside_the_ids_is_no_fault()
    {
        Assert.Equal(Addition.Added, await AddAsync(_accounts, 1, "ada@b.com"));
        var account = Account.PartitionOf("", EmailAddress.TryParse("ada@b.com")!);
        Assert.True(await new DirectoryIds(_tables).JoinAsync("", account, DirectoryIds.DigestOf([1, 2, 3]), CancellationToken.None));

        Assert.Empty(await _accounts.FaultyClaimsAsync(100, CancellationToken.None));
    }

    [Fact]
    public async Task After_the_last_id_an_operator_still_adds_accounts()
    {
        var desk = await OperatorDesk.OpenAsync();
        const string strong = "correct horse battery staple";

        Assert.Equal(ExitCode.Done, (await desk.RunAsync("users add a@b.com --user-id 2147483646", strong)).Code);
        Assert.Contains("\"user_id\":1,", (await desk.RunAsync("users add b@b.com --json", strong)).Output, StringComparison.Ordinal);
        Assert.Contains("\"user_id\":2,", (await desk.RunAsync("users add c@b.com --json", strong)).Output, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Refused, (await desk.RunAsync("users add d@b.com --user-id 2147483647", strong)).Code);
    }

    [Fact]
    public async Task Rows_that_claim_no_id_are_passed_over()
    {
        Assert.Equal(Addition.Added, await AddAsync(_accounts, 7, "a@b.com"));
        foreach (var row in new[] { "", "0", "0000000000", "-000000005", "2147483647", "9999999999", "abc", "é" })
        {
            await _tables.UserIds.AddEntityAsync(new TableEntity(".", row) { ["Account"] = 5L });
        }

        Assert.Equal(8, await _accounts.NextUserIdAsync("", CancellationToken.None));
        await foreach (var retired in _accounts.RetiredUserIdsAsync("", CancellationToken.None))
        {
            Assert.Fail($"{retired}");
        }
    }

    [Fact]
    public async Task An_id_whose_claim_cannot_be_read_is_somebodys()
    {
        var store = new AccountStore(_tables, TimeSpan.Zero);
        await _tables.UserIds.AddEntityAsync(new TableEntity(".", "2147483640") { ["Account"] = 5L });

        Assert.Equal(Addition.UserIdTaken, await AddAsync(store, 7, "a@b.com"));
    }

    /// <summary>Between its claim and its account the first is suspended for longer than a claim holds, and a second takes the id over.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Of_two_that_hold_one_id_since_the_first_was_suspended_one_gets_it(bool isBatch)
    {
        var lifetime = TimeSpan.FromSeconds(2);
        var storage = await SharedAzurite.NewStorageAsync();
        var (proxy, connection) = await FaultProxy.StartAsync();
        await using var _ = proxy;
        // Else the first would give up while it is suspended, and send its account again.
        var tables = AccountTables.Open(
            new StorageSettings { ConnectionString = connection, TablePrefix = storage.TablePrefix }, AccountTables.BulkPatience);
        await tables.CreateAsync(CancellationToken.None);
        var (first, second) = (new AccountStore(tables, lifetime), new AccountStore(AccountTables.Open(storage), lifetime));
        Addition? ofSecond = null;
        proxy.Meets = request =>
        {
            if (ofSecond is null && HttpMethods.IsPost(request.Method) && request.Path.Value!.EndsWith("accounts", StringComparison.Ordinal))
            {
                ofSecond = Addition.Failed;
                Thread.Sleep(lifetime + TimeSpan.FromSeconds(1.2));
                ofSecond = AddAsync(second, 7, "second@b.com").GetAwaiter().GetResult();
            }

            return false;
        };

        var ofFirst = isBatch
            ? (await first.AddAllAsync([NewAccount(7, "first@b.com")], CancellationToken.None))[0]
            : await AddAsync(first, 7, "first@b.com");

        Assert.Equal((Addition.UserIdTaken, Addition.Added), (ofFirst, ofSecond));
        var listed = new List<string>();
        await foreach (var account in second.ListAsync("", fault => Assert.Fail($"{fault}"), CancellationToken.None))
        {
            listed.Add($"{account.UserId} {account.Email}");
        }

        Assert.Equal(["7 second@b.com"], listed);
    }

    [Fact]
    public async Task An_old_claim_of_ones_own_is_made_anew_so_that_who_is_about_to_take_it_over_is_refused()
    {
        var store = new AccountStore(_tables, TimeSpan.FromSeconds(1));
        var holder = Account.PartitionOf("", EmailAddress.TryParse("a@b.com")!);
        await _tables.UserIds.AddEntityAsync(new TableEntity(".", "2147483640") { ["Account"] = holder });
        var before = (await _tables.UserIds.GetEntityAsync<TableEntity>(".", "2147483640")).Value.ETag;

        await Task.Delay(TimeSpan.FromSeconds(2));
        Assert.Equal(Addition.Added, await AddAsync(store, 7, "a@b.com"));

        Assert.NotEqual(before, (await _tables.UserIds.GetEntityAsync<TableEntity>(".", "2147483640")).Value.ETag);
    }

    private static Account NewAccount(int userId, string email) =>
        new("", userId, email, "!", Account.NewApiKey(), true, Account.Member, DateTimeOffset.UnixEpoch);

    private static Task<Addition> AddAsync(AccountStore accounts, int userId, string email) =>
        accounts.AddAsync(NewAccount(userId, email), EmailAddress.TryParse(email)!, CancellationToken.None);
}
