// Events in the rows of the audit table: packed, read again, newest first.

using Azure.Data.Tables;
using FetchApiKey.Audit;

namespace FetchApiKeyFunction.Tests;

public sealed class AuditRowTests
{
    private static readonly DateTimeOffset Noon = new(2026, 3, 4, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public async Task Every_member_of_an_event_comes_back()
    {
        var table = new AuditTable(await SharedAzurite.NewTablesAsync());
        var full = new SecurityEvent(
            Noon.AddTicks(7), SecurityEventKind.LoginRefused, "wrong_password", "acme", 5, "account", "client", "a \"b\"\n\\ 💡 \u0001", "invocation")
        {
            Detail = "ldap 49 data 532",
        };
        var bare = new SecurityEvent(Noon, SecurityEventKind.OperatorAct, "realms add", "", null, "", "", "", "");

        foreach (var row in table.ToRows([full, bare]))
        {
            await table.AppendAsync(row, CancellationToken.None);
        }

        Assert.Equal([full, bare], await table.TailAsync(10, Noon, Noon.AddDays(-1), CancellationToken.None));
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(100, 1)]
    [InlineData(101, 2)]
    [InlineData(350, 4)]
    public void A_row_has_at_most_a_hundred_events(int events, int rows)
    {
        var packed = AuditRow.Pack(Enumerable.Range(0, events).Select(i => At(Noon.AddMilliseconds(i), "x")), 'a').ToList();

        Assert.Equal(rows, packed.Count);
        Assert.Equal(events, packed.Sum(row => row.Events.Count));
    }

    [Theory]
    [InlineData(1_000)]
    [InlineData(9_000)]
    [InlineData(31_000)]
    public void A_row_has_no_more_text_than_a_column_may(int length)
    {
        var packed = AuditRow.Pack(Enumerable.Range(0, 40).Select(i => At(Noon.AddMilliseconds(i), new string('é', length))), 'a').ToList();

        Assert.Equal(40, packed.Sum(row => row.Events.Count));
        // One that needs more than a column by itself is for the store to refuse.
        Assert.All(packed, row => Assert.True(row.Events.Count == 1 || Text(row).Length <= 32_768, $"{Text(row).Length}"));
    }

    [Fact]
    public void Days_do_not_share_a_row()
    {
        var midnight = new DateTimeOffset(2026, 3, 5, 0, 0, 0, TimeSpan.Zero);

        var packed = AuditRow.Pack([At(midnight.AddTicks(-1), "x"), At(midnight, "y"), At(midnight.AddTicks(-2), "z")], 'q').ToList();

        Assert.Equal(["20260304.q", "20260305.q"], packed.Select(row => row.Entity.PartitionKey));
        Assert.Equal([2, 1], packed.Select(row => row.Events.Count));
    }

    [Fact]
    public async Task The_newest_are_found_in_rows_that_overlap()
    {
        var tables = await SharedAzurite.NewTablesAsync();
        // Several processes, and one that had to wait with its events for an hour.
        var events = Enumerable.Range(0, 600).Select(i => At(Noon.AddSeconds(i * 7_919L % 7_200), $"{i}")).ToList();
        foreach (var some in events.Chunk(7))
        {
            var table = new AuditTable(tables);
            foreach (var row in table.ToRows(some))
            {
                await table.AppendAsync(row, CancellationToken.None);
            }
        }

        var newest = events.OrderByDescending(happened => happened.Time).Select(happened => happened.Time).ToList();
        foreach (var count in new[] { 1, 5, 40, 333, 600, 900 })
        {
            var found = await new AuditTable(tables).TailAsync(count, Noon.AddHours(3), Noon.AddDays(-1), CancellationToken.None);
            Assert.Equal(newest.Take(count), found.Select(happened => happened.Time));
        }

        foreach (var (from, to) in new[] { (0, 7_200), (0, 0), (10, 11), (3_000, 4_000), (7_100, 99_999) })
        {
            var found = new List<SecurityEvent>();
            await foreach (var happened in new AuditTable(tables).SearchAsync(new AuditQuery(Noon.AddSeconds(from), Noon.AddSeconds(to)), CancellationToken.None))
            {
                found.Add(happened);
            }

            Assert.Equal(
                events.Where(happened => happened.Time >= Noon.AddSeconds(from) && happened.Time <= Noon.AddSeconds(to))
                    .Select(happened => happened.Realm).Order(StringComparer.Ordinal),
                found.Select(happened => happened.Realm).Order(StringComparer.Ordinal));
        }
    }

    private static SecurityEvent At(DateTimeOffset time, string realm) => new(time, SecurityEventKind.Login, "logged_in", realm, 1, "a", "c", "", "");

    private static string Text(AuditRow row) => row.Entity.GetString("Events");
}
