// How rows are read from a table: every one of them, whatever is stored in it.

using System.Runtime.CompilerServices;
using Azure.Data.Tables;

namespace FetchApiKey.Accounts;

/// <summary>
/// The client library decodes a whole answer and throws when one value of one row does not decode, such as a text with half of a
/// surrogate pair. The row is then read column by column, so that the columns that are sound, and the other rows of a page, are not lost.
/// </summary>
public static class StoredRows
{
    private static readonly string[] Keys = ["PartitionKey", "RowKey"];

    /// <summary>One point read, unless a value does not decode.</summary>
    /// <param name="columns">Those that the reader will ask for.</param>
    public static async Task<RowReading> ReadRowAsync(
        this TableClient table, string partition, string row, IReadOnlyList<string> columns, CancellationToken cancellation)
    {
        try
        {
            return await ReadAsync(table, partition, row, select: null, cancellation);
        }
        catch (Exception fault) when (!AccountTables.IsUnavailability(fault))
        {
            return await ReadByColumnsAsync(table, partition, row, columns, cancellation);
        }
    }

    /// <summary>The rows that match, in the order of their keys.</summary>
    /// <param name="filter">Null for all.</param>
    /// <param name="perPage">Null for as many as storage gives at once.</param>
    /// <param name="columns">Those that the reader will ask for.</param>
    public static async IAsyncEnumerable<StoredRow> ReadRowsAsync(
        this TableClient table, string? filter, int? perPage, IReadOnlyList<string> columns,
        [EnumeratorCancellation] CancellationToken cancellation)
    {
        string? next = null;
        do
        {
            var page = await ReadPageAsync(table, filter, perPage, columns, next, cancellation);
            foreach (var row in page.Rows)
            {
                yield return row;
            }

            next = page.Next;
        }
        while (next is not null);
    }

    private static async Task<(IReadOnlyList<StoredRow> Rows, string? Next)> ReadPageAsync(
        TableClient table, string? filter, int? perPage, IReadOnlyList<string> columns, string? from, CancellationToken cancellation)
    {
        try
        {
            var (rows, next) = await QueryAsync(table, filter, perPage, select: null, from, cancellation);
            return ([.. rows.Select(row => new StoredRow(table.Name, row))], next);
        }
        catch (Exception fault) when (!AccountTables.IsUnavailability(fault))
        {
            var (keys, next) = await QueryAsync(table, filter, perPage, Keys, from, cancellation);
            var found = new List<StoredRow>();
            foreach (var key in keys)
            {
                if ((await table.ReadRowAsync(key.PartitionKey, key.RowKey, columns, cancellation)).Row is { } row)
                {
                    found.Add(row);
                }
            }

            return (found, next);
        }
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

    /// <summary>The keys first: where they cannot be read either, it is no fault of the row's, and passes on.</summary>
    private static async Task<RowReading> ReadByColumnsAsync(
        TableClient table, string partition, string row, IReadOnlyList<string> columns, CancellationToken cancellation)
    {
        var keys = await ReadAsync(table, partition, row, Keys, cancellation);
        if (keys.Row is null)
        {
            return keys;
        }

        var values = await Task.WhenAll(columns.Select(column => ReadColumnAsync(table, partition, row, column, cancellation)));
        var decoded = columns.Zip(values).Where(each => each.Second is not null)
            .ToDictionary(each => each.First, each => each.Second!, StringComparer.Ordinal);
        return keys with
        {
            Row = new StoredRow(table.Name, partition, row, decoded) { ETag = keys.Row.ETag, Timestamp = keys.Row.Timestamp },
        };
    }

    /// <summary>Null where there is no such column.</summary>
    private static async Task<object?> ReadColumnAsync(
        TableClient table, string partition, string row, string column, CancellationToken cancellation)
    {
        try
        {
            var answer = await table.GetEntityIfExistsAsync<TableEntity>(partition, row, [column], cancellation);
            return answer.HasValue && answer.Value!.TryGetValue(column, out var value) ? value : null;
        }
        catch (Exception fault) when (!AccountTables.IsUnavailability(fault))
        {
            return StoredRow.Undecodable;
        }
    }

    private static async Task<RowReading> ReadAsync(
        TableClient table, string partition, string row, string[]? select, CancellationToken cancellation)
    {
        var answer = await table.GetEntityIfExistsAsync<TableEntity>(partition, row, select, cancellation);
        return new RowReading(answer.HasValue ? new StoredRow(table.Name, answer.Value!) : null, answer.GetRawResponse());
    }
}
