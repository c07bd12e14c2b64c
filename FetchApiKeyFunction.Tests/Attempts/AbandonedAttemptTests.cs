// What an attempt counts for that ended before its work, and who sweeps.

using FetchApiKey.Accounts;
using FetchApiKey.Attempts;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace FetchApiKeyFunction.Tests.Attempts;

public sealed class AbandonedAttemptTests : IAsyncLifetime
{
    private static readonly EmailAddress Name = EmailAddress.TryParse("name@example.com")!;
    private static readonly ClientAddress Client = TestServer.ClientOf("198.51.100.7");
    private static readonly AttemptPolicy OfName = new(5, TimeSpan.FromMinutes(30), 50, IsClearedBySuccess: true);
    private static readonly AttemptPolicy OfAddress = new(100, TimeSpan.FromMinutes(30), null, IsClearedBySuccess: false, IdBytes: 4);

    private readonly FakeTimeProvider _time = new(TimeProvider.System.GetUtcNow());
    private readonly OpenAttempts _open = new();
    private AccountTables _tables = null!;
    private AttemptTable _table = null!;
    private LoginAttempts _attempts = null!;

    public async Task InitializeAsync()
    {
        _tables = await SharedAzurite.NewTablesAsync();
        _table = NewTable();
        _attempts = new LoginAttempts(_table, _open, new AttemptSettings(), isOnAzure: false, _time, NullLogger<LoginAttempts>.Instance);
    }

    public Task DisposeAsync() => Task.CompletedTask;

    [Theory]
    [InlineData(1.9, 1)]
    [InlineData(2.1, 0)]
    public async Task One_that_its_client_gave_up_counts_against_the_address_unless_it_had_waited_for_us(double seconds, int counted)
    {
        using var abandoned = new CancellationTokenSource();
        using (var attempt = await BeginAsync(abandoned.Token))
        {
            _time.Advance(TimeSpan.FromSeconds(seconds));
            await abandoned.CancelAsync();

            Assert.Null(await EndAsync(attempt, abandoned.Token));
        }

        Assert.Equal((0, counted), await CountedAsync());
    }

    [Fact]
    public async Task One_whose_client_had_gone_before_anything_was_read_counts_too()
    {
        using var holder = await BeginAsync(CancellationToken.None);
        using var abandoned = new CancellationTokenSource();
        await abandoned.CancelAsync();

        // While nothing is known of the name, one attempt at a time; the client does not wait for its turn.
        using (var attempt = await BeginAsync(abandoned.Token))
        {
            await EndAsync(attempt, abandoned.Token);
        }

        Assert.Equal((0, 1), await CountedAsync());
    }

    [Fact]
    public async Task One_that_was_given_up_counts_beside_what_another_instance_has_counted()
    {
        using var abandoned = new CancellationTokenSource();
        using (var attempt = await BeginAsync(abandoned.Token))
        {
            // Since this instance read that there was no row.
            var other = new LoginAttempts(
                NewTable(), new OpenAttempts(), new AttemptSettings(), isOnAzure: false, _time, NullLogger<LoginAttempts>.Instance);
            using var judged = (await other.BeginAsync("", Name, Client, () => { }, default, default)).Attempt!;
            await other.CommitAsync(judged, isFailure: true);

            await abandoned.CancelAsync();
            await EndAsync(attempt, abandoned.Token);
        }

        Assert.Equal((1, 2), await CountedAsync());
    }

    [Fact]
    public async Task One_that_nothing_was_read_for_counts_beside_what_stands_there()
    {
        var fresh = new LoginAttempts(
            NewTable(), new OpenAttempts(), new AttemptSettings(), isOnAzure: false, _time, NullLogger<LoginAttempts>.Instance);
        for (var i = 0; i < 3; i++)
        {
            using var attempt = await BeginAsync(CancellationToken.None);
            attempt.Begin();
            await _attempts.CommitAsync(attempt, isFailure: true);
        }

        // Knows the store's time, and of this address nothing.
        using var elsewhere = (await fresh.BeginAsync("", Name, TestServer.ClientOf("203.0.113.1"), () => { }, default, default)).Attempt!;
        using var abandoned = new CancellationTokenSource();
        await abandoned.CancelAsync();
        var other = EmailAddress.TryParse("other@example.com")!;
        using (var attempt = (await fresh.BeginAsync("", other, Client, () => { }, default, abandoned.Token)).Attempt!)
        {
            Assert.Null(await fresh.EndedWaitingAsync(attempt, new OperationCanceledException(), abandoned.Token));
        }

        Assert.Equal((3, 4), await CountedAsync());
    }

    [Fact]
    public async Task One_whose_time_is_over_while_it_waits_counts_nowhere()
    {
        using var late = new CancellationTokenSource();
        using (var attempt = await BeginAsync(CancellationToken.None, late.Token))
        {
            await late.CancelAsync();

            Assert.IsType<AttemptsContendedException>(await EndAsync(attempt, CancellationToken.None));
        }

        Assert.Equal((0, 0), await CountedAsync());
    }

    [Fact]
    public async Task One_whose_place_is_needed_counts_nowhere()
    {
        using (var attempt = await BeginAsync(CancellationToken.None))
        {
            var others = Enumerable.Range(0, OpenAttempts.InAll - 1).Select(i => _open.Open(Client with { Bucket = $"{i}" }, null, OpenAttempts.OfAddress)).ToList();
            others.ForEach(other => other.HasBegun = true);
            using var newcomer = _open.Open(TestServer.ClientOf("new"), null, OpenAttempts.OfAddress);

            Assert.True(attempt.Waiting.IsCancellationRequested);
            Assert.IsType<AttemptsContendedException>(await EndAsync(attempt, CancellationToken.None));
            others.ForEach(other => other.Dispose());
        }

        Assert.Equal((0, 0), await CountedAsync());
        Assert.Equal((0, 0), (_open.Count, _open.Keys));
    }

    [Fact]
    public async Task One_whose_hash_has_begun_is_left_to_its_verdict()
    {
        using var abandoned = new CancellationTokenSource();
        using (var attempt = await BeginAsync(abandoned.Token))
        {
            attempt.Begin();
            await abandoned.CancelAsync();

            Assert.Null(await EndAsync(attempt, abandoned.Token));
            Assert.Equal((0, 0), await CountedAsync());
            Assert.True((await _attempts.CommitAsync(attempt, isFailure: true)).MayLeave);
        }

        Assert.Equal((1, 1), await CountedAsync());
    }

    [Fact]
    public async Task Of_several_instances_that_look_at_once_one_sweeps_and_later_ones_find_it_done()
    {
        var instances = Enumerable.Range(0, 6).Select(_ => NewTable()).ToList();

        var turns = await Task.WhenAll(instances.Select(instance => instance.TakeSweepAsync(CancellationToken.None)));

        Assert.Single(turns, isTaken => isTaken);
        Assert.False(await NewTable().TakeSweepAsync(CancellationToken.None));
        // The row that says so is not swept, and no other is old enough.
        Assert.Equal(0, await _table.SweepAsync(CancellationToken.None));
        Assert.False(await _table.TakeSweepAsync(CancellationToken.None));
    }

    [Fact]
    public async Task A_row_of_the_sweep_that_cannot_be_decoded_counts_for_its_day_like_another()
    {
        Assert.True(await _table.TakeSweepAsync(CancellationToken.None));
        await DamagedRow.PutAsync(_tables.Attempts, "sweep", "sweep", "Note", DamagedRow.Undecodable);

        Assert.False(await NewTable().TakeSweepAsync(CancellationToken.None));
        Assert.Equal(0, await NewTable().SweepAsync(CancellationToken.None));
    }

    private AttemptTable NewTable() => new(_tables, _time, NullLogger<AttemptTable>.Instance);

    private async Task<LoginAttempt> BeginAsync(CancellationToken abandoned, CancellationToken deadline = default)
    {
        var (attempt, retryAfter) = await _attempts.BeginAsync("", Name, Client, () => { }, deadline, abandoned);
        Assert.Equal(TimeSpan.Zero, retryAfter);
        return attempt!;
    }

    private async Task<Exception?> EndAsync(LoginAttempt attempt, CancellationToken abandoned)
    {
        var ending = _attempts.EndedWaitingAsync(attempt, new OperationCanceledException(), abandoned);
        while (!ending.IsCompleted)
        {
            // A commit that met another's waits a little before it is tried again.
            await Task.Delay(5, CancellationToken.None);
            _time.Advance(TimeSpan.FromMilliseconds(5));
        }

        return await ending;
    }

    private async Task<(int OfName, int OfAddress)> CountedAsync()
    {
        var name = await _table.ReadAsync(LoginAttempts.KeyOf("", Name), OfName, CancellationToken.None);
        var address = await _table.ReadAsync(LoginAttempts.KeyOf(Client), OfAddress, CancellationToken.None);
        return (name.Stored.Record.Failures.Count, address.Stored.Record.Failures.Count);
    }
}
