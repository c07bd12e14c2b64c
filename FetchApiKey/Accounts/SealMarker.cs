// Whether these tables have only seals of the present form left.

using Azure.Data.Tables;

namespace FetchApiKey.Accounts;

/// <summary>
/// A row in the table of realms: PartitionKey "seals", RowKey "v2". While it is there, a seal of version 1 does not open. `tables create`
/// writes it with new tables, and `keys rotate` when it has sealed every API key anew. It is read with the realms, so before any login. A
/// process that has seen it goes by it until it ends, and one that has not looked yet refuses version 1.
/// </summary>
public sealed class SealMarker(TableClient realms)
{
    public const string Partition = "seals";
    internal const string Row = "v2";

    private volatile Sight _sight;

    private enum Sight
    {
        None = 0,
        Absent,
        Present,
    }

    public bool RefusesVersion1 => _sight != Sight.Absent;

    public void Observe(bool isThere)
    {
        if (isThere)
        {
            _sight = Sight.Present;
        }
        else
        {
            // What was seen to be there is not overwritten by an answer that is older.
            Interlocked.CompareExchange(ref _sight, Sight.Absent, Sight.None);
        }
    }

    /// <summary>Asks for the row, unless it was seen already.</summary>
    public async Task ReadAsync(CancellationToken cancellation)
    {
        if (_sight != Sight.Present)
        {
            Observe((await realms.ReadRowAsync(Partition, Row, [], cancellation)).Row is not null);
        }
    }

    public async Task WriteAsync(CancellationToken cancellation)
    {
        await realms.UpsertEntityAsync(new TableEntity(Partition, Row), TableUpdateMode.Merge, cancellation);
        Observe(isThere: true);
    }
}
