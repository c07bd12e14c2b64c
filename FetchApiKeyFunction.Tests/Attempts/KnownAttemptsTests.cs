// What an instance knows of a bucket between two readings, and how many attempts it lets in by that.

using FetchApiKey.Attempts;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace FetchApiKeyFunction.Tests.Attempts;

public sealed class KnownAttemptsTests : IDisposable
{
    private const string Key = "acme.name";
    private const int Limit = 3;
    private static readonly AttemptPolicy Policy = new(Limit, TimeSpan.FromMinutes(30), 50, IsClearedBySuccess: true);

    private readonly FakeTimeProvider _time = new(DateTimeOffset.FromUnixTimeSeconds(1_800_000_000));
    private readonly MemoryTables _tables;
    private readonly AttemptBucket _bucket;
    private readonly AttemptBucket _elsewhere;

    public KnownAttemptsTests()
    {
        _tables = new MemoryTables(_time);
        (_bucket, _elsewhere) = (NewBucket(), NewBucket());
    }

    public void Dispose()
    {
        _bucket.Dispose();
        _elsewhere.Dispose();
    }

    [Fact]
    public async Task That_there_are_no_failures_is_taken_as_true_for_two_seconds()
    {
        Assert.Null(_bucket.Remembered);
        await _bucket.ReadAsync(CancellationToken.None);

        Assert.Equal(new AttemptStanding(Limit, TimeSpan.Zero), _bucket.Remembered);
        _time.Advance(TimeSpan.FromSeconds(1.9));
        Assert.Equal(new AttemptStanding(Limit, TimeSpan.Zero), _bucket.Remembered);
        _time.Advance(TimeSpan.FromSeconds(0.1));
        Assert.Null(_bucket.Remembered);
    }

    [Fact]
    public async Task That_it_is_full_is_taken_as_true_too_and_that_it_has_some_failures_is_not()
    {
        for (var failures = 1; failures < Limit; failures++)
        {
            await FailAsync(_bucket);
            Assert.Null(_bucket.Remembered);
        }

        await FailAsync(_bucket);

        Assert.Equal(new AttemptStanding(0, TimeSpan.FromMinutes(30)), _bucket.Remembered);
        _bucket.Forget();
        Assert.Null(_bucket.Remembered);
    }

    [Fact]
    public async Task That_it_has_failures_with_room_for_more_is_known_however_long_ago_they_were_read()
    {
        Assert.False(_bucket.HasFailures);
        await _bucket.ReadAsync(CancellationToken.None);
        Assert.False(_bucket.HasFailures);

        await FailAsync(_bucket);
        Assert.True(_bucket.HasFailures);
        _time.Advance(TimeSpan.FromSeconds(59));
        Assert.True(_bucket.HasFailures);
        // The store's time is not known any more.
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.False(_bucket.HasFailures);

        await _bucket.ReadAsync(CancellationToken.None);
        Assert.True(_bucket.HasFailures);
        await FailAsync(_bucket);
        await FailAsync(_bucket);
        Assert.False(_bucket.HasFailures);
    }

    [Fact]
    public async Task An_answer_that_comes_late_does_not_hide_what_was_written_meanwhile()
    {
        var late = new TaskCompletionSource();
        _tables["attempts"].After = call => call == "read" ? late.Task : Task.CompletedTask;
        var reading = _bucket.ReadAsync(CancellationToken.None);
        _tables["attempts"].After = _ => Task.CompletedTask;
        _time.Advance(TimeSpan.FromSeconds(1));
        await FailAsync(_bucket);
        late.SetResult();

        Assert.Equal(Limit - 1, (await reading).Room);
        Assert.True(_bucket.HasFailures);
    }

    [Fact]
    public async Task What_is_read_later_counts_even_in_the_same_moment()
    {
        await FailAsync(_bucket);
        await FailAsync(_elsewhere);

        Assert.Equal(Limit - 2, (await _bucket.ReadAsync(CancellationToken.None)).Room);
        Assert.Equal(0, (await FailAsync(_bucket)).Room);
    }

    private AttemptBucket NewBucket() => new(
        Key, Policy, new AttemptTable(_tables.Open(), _time, NullLogger<AttemptTable>.Instance), _time);

    private static Task<Commitment> FailAsync(AttemptBucket bucket) => bucket.CommitFailureAsync(CancellationToken.None);
}
