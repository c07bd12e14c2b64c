// keys rotate over tables of an earlier release: every key is sealed anew, and then the earlier form opens nothing.

using Azure;
using Azure.Data.Tables;
using FetchApiKey.Accounts;
using FetchApiKey.Cli;

namespace FetchApiKeyFunction.Tests;

public sealed class SealRotationTests : IAsyncLifetime
{
    private OperatorDesk _desk = null!;

    public async Task InitializeAsync()
    {
        _desk = await OperatorDesk.OpenAsync();
        await _desk.Tables.Realms.DeleteEntityAsync(SealMarker.Partition, "v2");
        for (var i = 1; i <= 3; i++)
        {
            await AddAsync(i, $"u{i}@b.com", KeyOf(i));
        }
    }

    public Task DisposeAsync() => Task.CompletedTask;

    [Fact]
    public async Task Keys_sealed_by_an_earlier_release_log_in_before_and_after_they_are_sealed_anew()
    {
        var hash = await Organisation.HashAsync("abcd1234");
        await SetAsync("u1@b.com", ("PasswordHash", hash));
        await using var server = await TestServer.StartAsync(_desk.Tables);
        var before = await server.LogInAsync("u1@b.com", "abcd1234");
        var outdated = await _desk.RunAsync("doctor --json");

        var rotated = await _desk.RunAsync("keys rotate --json");
        var again = await _desk.RunAsync("keys rotate --json");
        var after = await server.LogInAsync("u1@b.com", "abcd1234");

        Assert.Contains(
            "3 are sealed with another key than ApiKeys__writeWith, or in the form of an earlier release", outdated.Output,
            StringComparison.Ordinal);
        Assert.Equal((ExitCode.Done, """{"rotated":3,"unchanged":0,"failed":0}""" + "\n"), (rotated.Code, rotated.Output));
        Assert.Equal("""{"rotated":0,"unchanged":3,"failed":0}""" + "\n", again.Output);
        Assert.Contains(KeyOf(1), before.Body, StringComparison.Ordinal);
        Assert.Equal(before.Body, after.Body);

        // Put back from an old dump, into the row that it is of.
        await SetAsync("u1@b.com", ("ApiKey", EarlierSeal.Of("", 1, KeyOf(1))));
        Assert.Equal(
            (401, TestServer.Golden("E5")),
            await server.LogInAsync("u1@b.com", "abcd1234") is var answer ? (answer.Status, answer.Body) : default);
        var refused = await _desk.RunAsync("keys rotate");
        Assert.Equal(
            (ExitCode.Refused, "user 1 of realm '': its API key cannot be opened and was left alone\n"), (refused.Code, refused.Error));
    }

    [Fact]
    public async Task A_seal_that_stands_in_two_rows_is_sealed_anew_in_neither_and_the_tables_are_not_marked()
    {
        await AddAsync(4, "mallory@b.com", new string('m', 32));
        await SetAsync("mallory@b.com", ("UserId", 2), ("ApiKey", EarlierSeal.Of("", 2, KeyOf(2))));

        var rotated = await _desk.RunAsync("keys rotate --json");
        await SetAsync("mallory@b.com", ("UserId", 4), ("ApiKey", EarlierSeal.Of("", 4, KeyOf(4))));
        var marked = await IsMarkedAsync();
        var mended = await _desk.RunAsync("keys rotate --json");

        Assert.Equal((ExitCode.Refused, """{"rotated":2,"unchanged":0,"failed":2}""" + "\n"), (rotated.Code, rotated.Output));
        Assert.Contains("user 2 of realm '', mallory@b.com: another account has this user id", rotated.Error, StringComparison.Ordinal);
        Assert.Contains("user 2 of realm '', u2@b.com: another account has this user id", rotated.Error, StringComparison.Ordinal);
        Assert.False(marked);
        Assert.Equal((ExitCode.Done, """{"rotated":2,"unchanged":2,"failed":0}""" + "\n"), (mended.Code, mended.Output));
        Assert.True(await IsMarkedAsync());
    }

    [Fact]
    public async Task While_a_key_does_not_open_the_earlier_form_is_taken_as_before()
    {
        var own = TestServer.KeyVariable.Name.Replace("__", ":", StringComparison.Ordinal);
        var another = _desk.With((own, (await _desk.RunAsync("keys generate")).Output.Trim()));

        var wrongKey = await OperatorDesk.RunAsync("keys rotate --json", null, another);
        var rightKey = await _desk.RunAsync("keys rotate --json");

        Assert.Equal((ExitCode.Refused, """{"rotated":0,"unchanged":0,"failed":3}""" + "\n"), (wrongKey.Code, wrongKey.Output));
        Assert.EndsWith("are taken as before. Mend these accounts, and run this again.\n", wrongKey.Error, StringComparison.Ordinal);
        Assert.Equal((ExitCode.Done, """{"rotated":3,"unchanged":0,"failed":0}""" + "\n"), (rightKey.Code, rightKey.Output));
    }

    [Fact]
    public async Task New_tables_are_marked_from_the_beginning_and_the_mark_is_no_realm()
    {
        var fresh = await OperatorDesk.OpenAsync();

        Assert.True((await fresh.Tables.Realms.GetEntityIfExistsAsync<TableEntity>(SealMarker.Partition, "v2")).HasValue);
        Assert.Single((await fresh.RunAsync("realms list --json")).Output.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    private static string KeyOf(int userId) => new((char)('a' + userId), 32);

    private async Task<bool> IsMarkedAsync() =>
        (await _desk.Tables.Realms.GetEntityIfExistsAsync<TableEntity>(SealMarker.Partition, "v2")).HasValue;

    private async Task AddAsync(int userId, string emailText, string apiKey) =>
        Assert.Equal(Addition.Added, await new AccountStore(_desk.Tables).AddAsync(
        new Account("", userId, emailText, "!", EarlierSeal.Of("", userId, apiKey), true, Account.Member, DateTimeOffset.UnixEpoch),
        EmailAddress.TryParse(emailText)!, CancellationToken.None));

    private async Task SetAsync(string emailText, params (string Column, object Value)[] columns)
    {
        var partition = Account.PartitionOf("", EmailAddress.TryParse(emailText)!);
        var row = new TableEntity(partition, partition);
        foreach (var (column, value) in columns)
        {
            row[column] = value;
        }

        await _desk.Tables.Accounts.UpdateEntityAsync(row, ETag.All, TableUpdateMode.Merge);
    }
}
