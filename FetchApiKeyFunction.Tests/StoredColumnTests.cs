// The columns of a stored row, whatever is in them: no getter throws, and the row says what is wrong with it.

using Azure;
using Azure.Data.Tables;
using FetchApiKey.Accounts;

namespace FetchApiKeyFunction.Tests;

public sealed class StoredColumnTests
{
    private static readonly DateTimeOffset Time = DateTimeOffset.FromUnixTimeSeconds(1_800_000_000);

    /// <summary>Each getter, the type it wants and what it gives in place of anything else.</summary>
    private static readonly (Func<StoredRow, object?> Get, object Right, object? Harmless, bool IsRequired)[] Getters =
    [
        (row => row.Text("c"), "text", "", true),
        (row => row.TextIfAny("c"), "text", "", false),
        (row => row.Flag("c"), true, false, true),
        (row => row.Time("c"), Time, DateTimeOffset.MinValue, true),
        (row => row.Bytes("c"), new byte[] { 1, 2 }, Array.Empty<byte>(), true),
        (row => row.Number("c", 3, 9), 7, 3, true),
        (row => row.NumberIfAny("c", 3, 9), 7, null, false),
    ];

    [Fact]
    public void What_is_there_is_given_and_is_no_fault()
    {
        foreach (var (get, right, _, _) in Getters)
        {
            var row = Row(("c", right));

            Assert.Equal(right, get(row));
            Assert.Null(row.Fault);
        }

        var no = Row(("c", false));
        Assert.False(no.Flag("c"));
        Assert.Null(no.Fault);
    }

    [Fact]
    public void What_is_missing_is_a_fault_unless_it_may_be()
    {
        foreach (var (get, _, harmless, isRequired) in Getters)
        {
            foreach (var row in new[] { Row(), Row(("c", null)), Row(("C", "text")) })
            {
                Assert.Equal(harmless, get(row));
                Assert.Equal(isRequired ? new RowFault("accounts", "p", "r", "c", "is missing") : null, row.Fault);
            }
        }
    }

    [Fact]
    public void What_is_of_another_type_or_cannot_be_decoded_is_a_fault_everywhere()
    {
        foreach (var (get, right, harmless, _) in Getters)
        {
            foreach (var foreign in DamagedRow.Foreign(right.GetType()))
            {
                var row = Row(("c", foreign));
                Assert.Equal(harmless, get(row));
                Assert.Equal($"is of the type {foreign.GetType().Name}", row.Fault?.Problem);
            }

            var undecodable = Row(("c", StoredRow.Undecodable));
            Assert.Equal(harmless, get(undecodable));
            Assert.Equal("cannot be decoded", undecodable.Fault?.Problem);
        }
    }

    [Theory]
    [InlineData(3, true)]
    [InlineData(9, true)]
    [InlineData(2, false)]
    [InlineData(10, false)]
    [InlineData(int.MinValue, false)]
    [InlineData(int.MaxValue, false)]
    public void A_number_is_within_its_range_or_a_fault(int number, bool isWithin)
    {
        var (required, optional) = (Row(("c", number)), Row(("c", number)));

        Assert.Equal(isWithin ? number : 3, required.Number("c", 3, 9));
        Assert.Equal(isWithin ? number : null, optional.NumberIfAny("c", 3, 9));
        foreach (var row in new[] { required, optional })
        {
            Assert.Equal(isWithin ? null : "is out of range", row.Fault?.Problem);
        }
    }

    [Fact]
    public void The_first_fault_is_the_one_that_is_told_with_its_place_and_no_value()
    {
        var row = Row(("Role", "s3cr3t"));
        row.Number("Role", 1, 2);
        row.Refuse("Email", "does not belong to the row");
        row.Text("Name");

        Assert.Equal("table accounts, partition 'p', row 'r', column Role: is of the type String", row.Fault!.ToString());
    }

    [Fact]
    public void A_row_of_the_client_library_keeps_what_a_change_is_conditional_on()
    {
        var entity = new TableEntity("p", "r") { ["c"] = "text" };
        (entity.ETag, entity.Timestamp) = (new ETag("\"7\""), Time);

        var row = new StoredRow("accounts", entity);

        Assert.Equal(("p", "r", "text"), (row.Partition, row.Row, row.Text("c")));
        Assert.Equal((new ETag("\"7\""), Time), (row.ETag, row.Timestamp));
    }

    private static StoredRow Row(params (string Name, object? Value)[] columns) => new(
        "accounts", "p", "r", columns.ToDictionary(column => column.Name, column => column.Value!, StringComparer.Ordinal));
}
