// One bucket, beside those of other instances, over a store that is slow, overtaken or away.

using Azure;
using Azure.Data.Tables;
using FetchApiKey.Attempts;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace FetchApiKeyFunction.Tests.Attempts;

public sealed class AttemptBucketTests : IDisposable
{
    private const string Key = "acme.name";
    private static readonly AttemptPolicy Policy = new(5, TimeSpan.FromMinutes(30), 50, IsClearedBySuccess: true);

    private readonly FakeTimeProvider _time = new(DateTimeOffset.FromUnixTimeSeconds(1_800_000_000));
    private readonly MemoryTables _tables;
    private readonly MemoryTable _store;
    private readonly AttemptTable _table;
    private readonly AttemptBucket _bucket;
    private readonly AttemptBucket _elsewhere;

    public AttemptBucketTests()
    {
        _tables = new MemoryTables(_time);
        _store = _tables["attempts"];
        _table = NewTable();
        _bucket = new AttemptBucket(Key, Policy, _table, _time);
        _elsewhere = new AttemptBucket(Key, Policy, NewTable(), _time);
    }

    public void Dispose()
    {
        _bucket.Dispose();
        _elsewhere.Dispose();
    }

    [Fact]
    public async Task Verdicts_leave_while_there_is_room_and_the_next_learns_when_there_will_be()
    {
        for (var room = 4; room >= 0; room--)
        {
            Assert.Equal(new Commitment(true, room, TimeSpan.Zero), await FailAsync(_bucket));
            _time.Advance(TimeSpan.FromSeconds(10));
        }

        var withheld = new Commitment(false, 0, TimeSpan.FromMinutes(30) - TimeSpan.FromSeconds(50));
        Assert.Equal(withheld, await FailAsync(_bucket));
        Assert.Equal(withheld, await _bucket.CommitSuccessAsync(CancellationToken.None));
        Assert.Equal(5, (await StoredAsync()).Failures.Count);
    }

    [Fact]
    public async Task A_right_verdict_clears_what_was_before_it()
    {
        await FailAsync(_bucket);
        await FailAsync(_elsewhere);
        await _bucket.ReadAsync(CancellationToken.None);

        Assert.Equal(new Commitment(true, 2, TimeSpan.Zero), await _bucket.CommitSuccessAsync(CancellationToken.None));

        Assert.Empty((await StoredAsync()).Uncleared);
        Assert.Equal(new Commitment(true, 4, TimeSpan.Zero), await FailAsync(_bucket));
    }

    // ---- Overtaken ----

    [Fact]
    public async Task A_verdict_that_another_overtook_is_computed_anew_after_a_moment()
    {
        InterruptOnce("add", () => FailAsync(_elsewhere));

        var commit = FailAsync(_bucket);
        Assert.False(commit.IsCompleted);
        _time.Advance(TimeSpan.FromMilliseconds(14));

        Assert.Equal(new Commitment(true, 3, TimeSpan.Zero), await commit);
        Assert.Equal(2, (await StoredAsync()).Failures.Count);
        // The other one's two calls stand between.
        Assert.Equal(["read", "add", "read", "add", "read", "update", "read"], _store.Calls);
    }

    [Fact]
    public async Task A_right_verdict_that_another_overtook_clears_no_failure_that_came_later()
    {
        await FailAsync(_bucket);
        InterruptOnce("update", () => FailAsync(_elsewhere));

        var commit = _bucket.CommitSuccessAsync(CancellationToken.None);
        _time.Advance(TimeSpan.FromMilliseconds(14));

        Assert.True((await commit).IsCommitted);
        Assert.Single((await StoredAsync()).Uncleared);
    }

    [Theory]
    [InlineData(8)]
    [InlineData(4)]
    public async Task A_verdict_whose_acknowledgement_was_lost_finds_itself_and_counts_once(int idBytes)
    {
        var policy = Policy with { IdBytes = idBytes };
        using var bucket = new AttemptBucket(Key, policy, _table, _time);
        var isLost = false;
        // The client library has tried again by then, and the row is there already.
        _store.After = call => call == "add" && !isLost && (isLost = true)
            ? throw new RequestFailedException(409, "there already", "EntityAlreadyExists", null)
            : Task.CompletedTask;

        var commit = FailAsync(bucket);
        _time.Advance(TimeSpan.FromMilliseconds(14));

        Assert.Equal(new Commitment(true, 4, TimeSpan.Zero), await commit);
        var failure = Assert.Single((await _table.ReadAsync(Key, policy, CancellationToken.None)).Stored.Record.Failures);
        Assert.Equal(idBytes == 4, failure.Id <= uint.MaxValue);
    }

    // ---- Unread ----

    [Fact]
    public async Task Where_nothing_was_read_a_failure_is_written_without_reading()
    {
        await _table.ReadAsync("another", Policy, CancellationToken.None);
        _store.Calls.Clear();

        Assert.Equal(new Commitment(true, 4, TimeSpan.Zero), await _bucket.CommitUnreadFailureAsync(CancellationToken.None));
        Assert.Equal(["add"], _store.Calls);
        Assert.Equal(new Commitment(true, 3, TimeSpan.Zero), await _bucket.CommitUnreadFailureAsync(CancellationToken.None));
        Assert.Equal(["add", "update"], _store.Calls);
    }

    [Fact]
    public async Task Where_a_row_was_there_all_the_same_it_is_read_then_and_at_once()
    {
        await FailAsync(_elsewhere);
        await _table.ReadAsync("another", Policy, CancellationToken.None);
        _store.Calls.Clear();

        var commit = _bucket.CommitUnreadFailureAsync(CancellationToken.None);

        Assert.True(commit.IsCompleted);
        Assert.Equal(new Commitment(true, 3, TimeSpan.Zero), await commit);
        Assert.Equal(["add", "read", "update"], _store.Calls);
    }

    [Fact]
    public async Task Where_the_stores_time_is_not_known_either_it_is_read_first()
    {
        Assert.True((await _bucket.CommitUnreadFailureAsync(CancellationToken.None)).IsCommitted);

        Assert.Equal(["read", "add"], _store.Calls);
    }

    // ---- One after the other, and after faults ----

    [Fact]
    public async Task Commits_of_one_instance_go_one_after_the_other_and_read_once()
    {
        var slow = new TaskCompletionSource();
        _store.Before = call => call == "add" ? slow.Task : Task.CompletedTask;
        var (first, second) = (FailAsync(_bucket), FailAsync(_bucket));
        using var impatient = new CancellationTokenSource();
        var third = _bucket.CommitFailureAsync(impatient.Token);

        await impatient.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => third);
        Assert.Equal(["read", "add"], _store.Calls);
        slow.SetResult();

        Assert.Equal((4, 3), ((await first).Room, (await second).Room));
        Assert.Equal(["read", "add", "update"], _store.Calls);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task After_a_fault_what_stands_there_is_read_again(bool wasCarriedOut)
    {
        await FailAsync(_bucket);
        Func<string, Task> away = call => call == "update" ? throw new RequestFailedException(503, "away") : Task.CompletedTask;
        (_store.Before, _store.After) = wasCarriedOut ? (_store.Before, away) : (away, _store.After);
        await Assert.ThrowsAsync<RequestFailedException>(() => FailAsync(_bucket));
        (_store.Before, _store.After) = (_ => Task.CompletedTask, _ => Task.CompletedTask);
        _store.Calls.Clear();

        Assert.Equal(wasCarriedOut ? 2 : 3, (await FailAsync(_bucket)).Room);
        Assert.Equal(["read", "update"], _store.Calls);
    }

    [Fact]
    public async Task Without_the_stores_time_nothing_is_committed()
    {
        await FailAsync(_bucket);
        _time.Advance(TimeSpan.FromMinutes(1));

        await Assert.ThrowsAsync<AttemptsContendedException>(() => FailAsync(_bucket));
        Assert.Equal(3, (await FailAsync(_bucket)).Room);
    }

    [Fact]
    public async Task A_record_that_cannot_be_read_closes_its_bucket_for_as_long_as_a_failure_means_anything()
    {
        await _store.AddEntityAsync(new TableEntity(Key, Key + "~2") { ["Failures"] = new byte[] { 1 } });
        _time.Advance(AttemptPolicy.Day - TimeSpan.FromSeconds(1));
        await Assert.ThrowsAsync<AttemptRecordUnreadableException>(() => FailAsync(_bucket));
        _time.Advance(TimeSpan.FromSeconds(1));

        Assert.Equal(new Commitment(true, 4, TimeSpan.Zero), await FailAsync(_bucket));
    }

    private AttemptTable NewTable() => new(_tables.Open(), _time, NullLogger<AttemptTable>.Instance);

    private static Task<Commitment> FailAsync(AttemptBucket bucket) => bucket.CommitFailureAsync(CancellationToken.None);

    private async Task<AttemptRecord> StoredAsync() => (await _table.ReadAsync(Key, Policy, CancellationToken.None)).Stored.Record;

    /// <summary>Before the next such call.</summary>
    private void InterruptOnce(string interrupted, Func<Task> meanwhile) => _store.Before = async call =>
    {
        if (call == interrupted)
        {
            _store.Before = _ => Task.CompletedTask;
            await meanwhile();
        }
    };
}
