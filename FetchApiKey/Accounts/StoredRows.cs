// How rows are read from a table: every one of them, whatever is stored in it.

using System.Runtime.CompilerServices;
using Azure.Data.Tables;

namespace FetchApiKey.Accounts;

/// <summary>
/// The client library decodes a whole answer and throws when one value of one row does not decode, such as a text with half of a
/// surrogate pair. The answer is then asked for again and decoded value by value (<see cref="RowJson"/>), so that the columns that are
/// sound, and the other rows of a page, are not lost.
/// </summary>
public static class StoredRows
{
    internal static readonly string[] Keys = ["PartitionKey", "RowKey"];

    /// <summary>One point read, unless a value does not decode.</summary>
    /// <param name="columns">Those that the reader will ask for.</param>
    public static async Task<RowReading> ReadRowAsync(
        this TableClient table, string partition, string row, IReadOnlyList<string> columns, CancellationToken cancellation)
    {
        try
        {
            var answer = await table.GetEntityIfExistsAsync<TableEntity>(partition, row, cancellationToken: cancellation);
            return new RowReading(answer.HasValue ? new StoredRow(table.Name, answer.Value!) : null, answer.GetRawResponse());
        }
        catch (Exception fault) when (!AccountTables.IsUnavailability(fault))
        {
            var raw = new RawAnswer("{}");
            using var scope = raw.Begin();
            var answer = await table.GetEntityIfExistsAsync<TableEntity>(partition, row, With(columns), cancellation);
            return new RowReading(answer.HasValue ? RowJson.ReadRow(table.Name, raw.Body) : null, answer.GetRawResponse());
        }
    }

    /// <summary>The rows that match, in the order of their keys.</summary>
    /// <param name="filter">Null for all.</param>
    /// <param name="perPage">Null for as many as storage gives at once.</param>
    /// <param name="columns">Those that the reader will ask for.</param>
    public static IAsyncEnumerable<StoredRow> ReadRowsAsync(
        this TableClient table, string? filter, int? perPage, IReadOnlyList<string> columns, CancellationToken cancellation) =>
        ReadPagesAsync(table, filter, perPage, select: null, With(columns), cancellation);

    /// <summary>Every row with all of its columns.</summary>
    public static IAsyncEnumerable<StoredRow> ReadWholeRowsAsync(this TableClient table, CancellationToken cancellation) =>
        ReadPagesAsync(table, filter: null, perPage: null, select: null, selectAgain: null, cancellation);

    /// <summary>The keys of the rows that match, but for those whose key cannot be decoded: nothing can be done to these rows.</summary>
    public static IAsyncEnumerable<StoredRow> ReadKeysAsync(this TableClient table, string filter, CancellationToken cancellation) =>
        ReadPagesAsync(table, filter, perPage: null, Keys, Keys, cancellation).Where(row => row.Fault is null);

    /// <param name="selectAgain">The columns to ask for where a page does not decode.</param>
    private static async IAsyncEnumerable<StoredRow> ReadPagesAsync(
        TableClient table, string? filter, int? perPage, string[]? select, string[]? selectAgain,
        [EnumeratorCancellation] CancellationToken cancellation)
    {
        string? next = null;
        do
        {
            IEnumerable<StoredRow> rows;
            var from = next;
            try
            {
                (var page, next) = await QueryAsync(table, filter, perPage, select, from, cancellation);
                rows = page.Select(row => new StoredRow(table.Name, row));
            }
            catch (Exception fault) when (!AccountTables.IsUnavailability(fault))
            {
                var raw = new RawAnswer("""{"value":[]}""");
                using var scope = raw.Begin();
                (_, next) = await QueryAsync(table, filter, perPage, selectAgain, from, cancellation);
                rows = RowJson.ReadPage(table.Name, raw.Body);
            }

            foreach (var row in rows)
            {
                yield return row;
            }
        }
        while (next is not null);
    }

    private static async Task<(IReadOnlyList<TableEntity> Rows, string? Next)> QueryAsync(
        TableClient table, string? filter, int? perPage, string[]? select, string? from, CancellationToken cancellation)
    {
        await foreach (var page in table.QueryAsync<TableEntity>(filter, perPage, select, cancellation).AsPages(from))
        {
            return (page.Values, page.ContinuationToken);
        }

        return ([], null);
    }

    private static string[] With(IReadOnlyList<string> columns) => [.. Keys, "Timestamp", .. columns];
}
