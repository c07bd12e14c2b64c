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
