// How many new API keys an account may get.

using Azure;
using FetchApiKey.Attempts;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace FetchApiKeyFunction.Tests.Attempts;

public sealed class RegenerationLimitTests
{
    private static readonly EmailAddress Ada = EmailAddress.TryParse("ada@example.com")!;

    private readonly FakeTimeProvider _time = new(DateTimeOffset.FromUnixTimeSeconds(1_800_000_000));
    private readonly MemoryTables _tables;
    private readonly RegenerationLimit _limit;

    public RegenerationLimitTests()
    {
        _tables = new MemoryTables(_time);
        _limit = NewLimit();
    }

    [Fact]
    public async Task Ten_in_an_hour_are_allowed_over_all_instances_and_the_next_is_told_when()
    {
        var elsewhere = NewLimit();
        for (var made = 0; made < RegenerationLimit.MaxRegenerations; made++)
        {
            Assert.Equal(new VerdictCommitment(true, TimeSpan.Zero), await CountAsync(made % 2 == 0 ? _limit : elsewhere, "", Ada));
        }

        _time.Advance(TimeSpan.FromSeconds(30));
        var (mayBeMade, retryAfter) = await CountAsync(_limit, "", Ada);
        Assert.False(mayBeMade);
        Assert.InRange(retryAfter, TimeSpan.FromMinutes(59), RegenerationLimit.Window - TimeSpan.FromSeconds(30));

        _time.Advance(RegenerationLimit.Window);
        Assert.True((await CountAsync(_limit, "", Ada)).MayLeave);
    }

    [Theory]
    [InlineData("", "grace@example.com", true)]
    [InlineData("acme", "ada@example.com", true)]
    [InlineData("", "ADA@example.com", false)]
    public async Task Each_account_has_its_own(string subdomain, string email, bool isAllowed)
    {
        for (var made = 0; made < RegenerationLimit.MaxRegenerations; made++)
        {
            await CountAsync(_limit, "", Ada);
        }

        Assert.Equal(isAllowed, (await CountAsync(_limit, subdomain, EmailAddress.TryParse(email)!)).MayLeave);
    }

    [Fact]
    public async Task No_login_is_refused_for_it()
    {
        await CountAsync(_limit, "", Ada);

        Assert.NotEqual(LoginAttempts.KeyOf("", Ada), RegenerationLimit.KeyOf("", Ada));
        var (stored, _) = await NewTable().ReadAsync(
            LoginAttempts.KeyOf("", Ada), LoginAttempts.NamePolicyOf(new AttemptSettings()), CancellationToken.None);
        Assert.True(stored.Record.IsEmpty);
    }

    [Fact]
    public async Task Where_it_cannot_be_counted_no_key_is_made_and_nothing_is_kept_of_that()
    {
        _tables["attempts"].Before = _ => throw new RequestFailedException(503, "away");
        await Assert.ThrowsAsync<RequestFailedException>(() => CountAsync(_limit, "", Ada));
        _tables["attempts"].Before = _ => Task.CompletedTask;

        Assert.True((await CountAsync(_limit, "", Ada)).MayLeave);
        // What the instance knew of the bucket is out of date by then, and so is its time.
        _time.Advance(TimeSpan.FromMinutes(2));
        Assert.True((await CountAsync(_limit, "", Ada)).MayLeave);
    }

    private AttemptTable NewTable() => new(_tables.Open(), _time, NullLogger<AttemptTable>.Instance);

    private RegenerationLimit NewLimit() => new(NewTable(), _time);

    private async Task<VerdictCommitment> CountAsync(RegenerationLimit limit, string subdomain, EmailAddress email)
    {
        var count = limit.CountAsync(subdomain, email, CancellationToken.None);
        while (!count.IsCompleted)
        {
            // Another instance was in between: for the moment after which it is counted anew.
            _time.Advance(TimeSpan.FromMilliseconds(14));
            await Task.Delay(1);
        }

        return await count;
    }
}
