// What became of a write that the store did not acknowledge.

using Azure.Data.Tables;

namespace FetchApiKey.Accounts;

/// <summary>
/// A write whose answer is lost may have been carried out, and its repetition is then refused, since the row has changed. What stands in
/// the row tells: nobody else writes the same hash, the same seal or the same event.
/// </summary>
internal static class LostAcknowledgement
{
    /// <summary>The time of the request may be over by then, so the reading has its own.</summary>
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(2);

    /// <summary>False too where the row cannot be read.</summary>
    /// <param name="isOurs">Whether the row is as the write was to leave it.</param>
    public static async Task<bool> WasCarriedOutAsync(this TableClient table, string partition, string row, Func<TableEntity, bool> isOurs)
    {
        using var limit = new CancellationTokenSource(Limit, TimeProvider.System);
        try
        {
            var standing = await table.GetEntityIfExistsAsync<TableEntity>(partition, row, cancellationToken: limit.Token);
            return standing.HasValue && isOurs(standing.Value!);
        }
        catch (Exception)
        {
            // Away, or with a value that cannot be decoded: the fault of the write itself is told.
            return false;
        }
    }

    /// <summary>Whether a column has a value, of whatever type the column is.</summary>
    public static bool Has(this TableEntity row, string column, object value) =>
        row.TryGetValue(column, out var standing) && value.Equals(standing);
}
