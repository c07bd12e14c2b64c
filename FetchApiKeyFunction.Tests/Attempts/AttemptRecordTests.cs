// The rules of the attempt limit by themselves.

using FetchApiKey.Attempts;
using Microsoft.Extensions.Time.Testing;

namespace FetchApiKeyFunction.Tests.Attempts;

public sealed class AttemptRecordTests
{
    private static readonly AttemptPolicy Policy = new(5, TimeSpan.FromMinutes(30), 50, IsClearedBySuccess: true);
    private static readonly AttemptPolicy OfAddress = new(1000, TimeSpan.FromMinutes(30), null, IsClearedBySuccess: false, IdBytes: 4);
    private static readonly DateTimeOffset Start = DateTimeOffset.FromUnixTimeSeconds(1_800_000_000);
    private static ulong _ids = 1;

    [Fact]
    public void The_window_rolls()
    {
        var record = AttemptRecord.Empty;
        for (var i = 0; i < 5; i++)
        {
            record = Fail(record, Start.AddMinutes(i));
        }

        Assert.Equal(new AttemptStanding(0, TimeSpan.FromMinutes(20)), record.Judge(Policy, Start.AddMinutes(10)));
        Assert.Equal(1, record.Judge(Policy, Start.AddMinutes(30)).Room);
        record = Fail(record, Start.AddMinutes(30));
        Assert.Equal(TimeSpan.FromMinutes(1), record.Judge(Policy, Start.AddMinutes(30)).RetryAfter);
    }

    [Fact]
    public void The_day_counts_what_successes_have_cleared_and_is_part_of_the_room()
    {
        var policy = Policy with { DailyLimit = 7 };
        var record = AttemptRecord.Empty;
        for (var i = 0; i < 6; i++)
        {
            record = Fail(record, Start.AddMinutes(i));
            record = record.WithCleared(record.Uncleared, policy, Start.AddMinutes(i));
        }

        Assert.Equal(1, record.Judge(policy, Start.AddMinutes(10)).Room);
        record = Fail(record, Start.AddMinutes(10));
        Assert.Equal(new AttemptStanding(0, TimeSpan.FromHours(24) - TimeSpan.FromMinutes(10)), record.Judge(policy, Start.AddMinutes(10)));
        Assert.Equal(1, record.Judge(policy, Start.AddHours(24)).Room);
    }

    [Fact]
    public void A_success_clears_the_failures_that_it_found_and_no_later_ones()
    {
        var record = Fail(Fail(AttemptRecord.Empty, Start), Start);
        var found = record.Uncleared;
        record = Fail(record, Start.AddSeconds(1));

        record = record.WithCleared(found, Policy, Start.AddSeconds(2));

        Assert.Equal(4, record.Judge(Policy, Start.AddSeconds(2)).Room);
        Assert.Equal(3, record.Failures.Count);
    }

    [Fact]
    public void A_record_survives_being_stored_and_a_thousand_failures_of_an_address_take_8_KiB()
    {
        var record = Fail(Fail(AttemptRecord.Empty, Start), Start.AddSeconds(5));
        record = Fail(record.WithCleared(record.Uncleared, Policy, Start.AddSeconds(6)), Start.AddSeconds(7));

        Assert.Equal(record.Failures, AttemptRecord.TryRead(record.Write(8), 8)!.Failures);

        var address = AttemptRecord.Empty;
        for (var i = 0; i < 1000; i++)
        {
            address = address.WithFailure((uint)i * 4_000_000, OfAddress, Start.AddSeconds(i));
        }

        Assert.InRange(address.Write(4).Length, 1, 8 * 1024);
        Assert.Equal(address.Failures, AttemptRecord.TryRead(address.Write(4), 4)!.Failures);
    }

    [Theory]
    [InlineData(ulong.MaxValue, 8, ulong.MaxValue)]
    [InlineData(0x8000_0000_0000_0001, 8, 0x8000_0000_0000_0001)]
    [InlineData(uint.MaxValue, 8, uint.MaxValue)]
    [InlineData(uint.MaxValue, 4, uint.MaxValue)]
    [InlineData(0UL, 4, 0UL)]
    public void Ids_and_times_of_any_size_survive_being_stored(ulong id, int idBytes, ulong read)
    {
        foreach (var seconds in new[] { 0L, 1, int.MaxValue })
        {
            var time = DateTimeOffset.FromUnixTimeSeconds(1_577_836_800 + seconds);
            var record = AttemptRecord.Empty.WithFailure(1, Policy, time).WithFailure(id, Policy, time);
            record = record.WithCleared([id], Policy, time);

            var stored = AttemptRecord.TryRead(record.Write(idBytes), idBytes)!;

            Assert.Equal([new Failure(1, time, IsCleared: false), new Failure(read, time, IsCleared: true)], stored.Failures);
            Assert.True(stored.Has(read));
            Assert.False(stored.Has(2));
            Assert.Equal([1], stored.Uncleared);
        }
    }

    [Theory]
    [InlineData(5, 7, 5)]
    [InlineData(7, 5, 5)]
    [InlineData(7, null, 7)]
    public void Where_nothing_failed_there_is_the_room_of_the_smaller_limit(int limit, int? daily, int room)
    {
        var policy = Policy with { Limit = limit, DailyLimit = daily };

        Assert.Equal(new AttemptStanding(room, TimeSpan.Zero), AttemptRecord.Empty.Judge(policy, Start));
        // As where what failed is over.
        Assert.Equal(new AttemptStanding(room, TimeSpan.Zero), Fail(AttemptRecord.Empty, Start).Judge(policy, Start.AddDays(1)));
    }

    [Fact]
    public void Where_both_limits_are_reached_the_one_that_lasts_longer_says_when()
    {
        var record = Fail(Fail(AttemptRecord.Empty, Start), Start.AddMinutes(1));

        Assert.Equal(
            new AttemptStanding(0, TimeSpan.FromHours(24) - TimeSpan.FromMinutes(2)),
            record.Judge(Policy with { Limit = 2, DailyLimit = 2 }, Start.AddMinutes(2)));
        Assert.Equal(
            new AttemptStanding(0, TimeSpan.FromMinutes(28)), record.Judge(Policy with { Limit = 2, DailyLimit = 3 }, Start.AddMinutes(2)));
    }

    [Theory]
    [InlineData(null, 0, 0)]
    [InlineData(50, 1, 0)]
    public void A_cleared_failure_is_kept_for_the_day_alone(int? daily, int kept, int uncleared)
    {
        var record = Fail(AttemptRecord.Empty, Start);

        record = record.WithCleared(record.Uncleared, Policy with { DailyLimit = daily }, Start);

        Assert.Equal((kept, uncleared), (record.Failures.Count, record.Uncleared.Count));
    }

    // ---- What a verdict makes of a state ----

    [Fact]
    public void A_wrong_verdict_adds_itself_once_and_not_to_a_full_state()
    {
        var policy = Policy with { Limit = 2 };
        var first = AttemptRecord.Empty.Step(7, [], policy, Start);
        Assert.Equal((CommitDecision.Write, new AttemptStanding(2, TimeSpan.Zero)), (first.Decision, first.Standing));
        Assert.Equal([new Failure(7, Start, IsCleared: false)], first.Next.Failures);

        var again = first.Next.Step(7, [], policy, Start);
        Assert.Equal((CommitDecision.Done, 1), (again.Decision, again.Standing.Room));
        Assert.Same(first.Next, again.Next);

        var full = first.Next.Step(8, [], policy, Start).Next;
        Assert.Equal(CommitDecision.Withheld, full.Step(9, [], policy, Start).Decision);
        Assert.Equal(CommitDecision.Withheld, full.Step(null, full.Uncleared, policy, Start).Decision);
        // It had left before the state was full.
        Assert.Equal(CommitDecision.Done, full.Step(8, [], policy, Start).Decision);
    }

    [Theory]
    [InlineData(true, 1)]
    [InlineData(false, 2)]
    public void A_right_verdict_clears_what_it_found_where_the_policy_says_so(bool clears, int left)
    {
        var record = Fail(Fail(AttemptRecord.Empty, Start), Start);
        ulong found = record.Failures[0].Id;

        var step = record.Step(null, [found], Policy with { IsClearedBySuccess = clears }, Start);

        Assert.Equal((CommitDecision.Write, 3), (step.Decision, step.Standing.Room));
        Assert.Equal(left, step.Next.Uncleared.Count);
        Assert.Equal(2, step.Next.Failures.Count);
    }

    [Theory]
    [InlineData(1, 8)]
    [InlineData(11, 8)]
    [InlineData(13, 8)]
    [InlineData(12, 4)]
    public void Bytes_of_another_length_are_no_record(int bytes, int idBytes) => Assert.Null(AttemptRecord.TryRead(new byte[bytes], idBytes));

    [Fact]
    public void What_has_lost_its_meaning_is_not_stored_again()
    {
        var record = Fail(Fail(AttemptRecord.Empty, Start), Start.AddHours(23));

        Assert.Equal(2, Fail(record, Start.AddHours(24)).Failures.Count);
        Assert.True(Fail(AttemptRecord.Empty, Start).WithCleared([], Policy, Start.AddHours(24)).IsEmpty);
    }

    [Fact]
    public void The_store_s_time_goes_on_for_a_minute_and_keeps_to_the_second_that_the_store_names()
    {
        var time = new FakeTimeProvider(Start);
        var clock = new StoreClock(time);
        Assert.Null(clock.Now);

        Assert.Equal(Start, clock.Observe(Start));
        time.Advance(TimeSpan.FromSeconds(2.5));
        Assert.Equal(Start.AddSeconds(2.5), clock.Now);
        Assert.Equal(Start.AddSeconds(2.5), clock.Observe(Start.AddSeconds(2)));
        Assert.Equal(Start.AddSeconds(4), clock.Observe(Start.AddSeconds(4)));
        Assert.Equal(Start.AddSeconds(3), clock.Observe(Start.AddSeconds(3)));

        time.Advance(TimeSpan.FromSeconds(59));
        Assert.Equal(Start.AddSeconds(62), clock.Now);
        time.Advance(TimeSpan.FromSeconds(1));
        Assert.Null(clock.Now);
        Assert.Equal(Start.AddSeconds(90), clock.Observe(Start.AddSeconds(90)));
        // The machine was suspended: its monotonic clock stood still meanwhile.
        time.AdjustTime(time.GetUtcNow() + TimeSpan.FromSeconds(60));
        Assert.Null(clock.Now);
    }

    private static AttemptRecord Fail(AttemptRecord record, DateTimeOffset time) => record.WithFailure(_ids++, Policy, time);
}
