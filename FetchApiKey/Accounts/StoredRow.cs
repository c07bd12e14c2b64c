// A row as it was stored by whoever could write to the table, and what is wrong with it.

using System.Diagnostics.CodeAnalysis;
using Azure;
using Azure.Data.Tables;

namespace FetchApiKey.Accounts;

/// <summary>What is wrong with a stored row, for an operator. It names the place and quotes no column.</summary>
/// <param name="Problem">Such as "is missing".</param>
public sealed record RowFault(string Table, string Partition, string Row, string Column, string Problem)
{
    public override string ToString() => $"table {Table}, partition '{Partition}', row '{Row}', column {Column}: {Problem}";
}

/// <summary>What a point read found.</summary>
/// <param name="Row">Null where there is none.</param>
public readonly record struct RowReading(StoredRow? Row, Response Answer)
{
    /// <summary>When it was read, by the store's clock.</summary>
    public DateTimeOffset? StoreTime => Answer.Headers.Date;
}

/// <summary>
/// Nothing that is stored makes the getters throw. What is missing, of another type or out of range becomes the row's
/// <see cref="Fault"/>, and the getter gives a harmless value in its place. So a reader asks for every column, and then for the fault.
/// </summary>
public sealed class StoredRow
{
    /// <summary>Stands for a value that the client library cannot decode.</summary>
    internal static readonly object Undecodable = new();

    private readonly string _table;
    private readonly IDictionary<string, object> _columns;

    internal StoredRow(string table, TableEntity row)
        : this(table, row.PartitionKey, row.RowKey, row) => (ETag, Timestamp) = (row.ETag, row.Timestamp);

    internal StoredRow(string table, string partition, string row, IDictionary<string, object> columns) =>
        (_table, Partition, Row, _columns) = (table, partition, row, columns);

    public string Partition { get; }

    public string Row { get; }

    public ETag ETag { get; internal init; }

    /// <summary>When it was written, by the store's clock.</summary>
    public DateTimeOffset? Timestamp { get; internal init; }

    /// <summary>The first thing that was found to be wrong; null as long as nothing was.</summary>
    public RowFault? Fault { get; private set; }

    public string Text(string column) => TryGet<string>(column, isRequired: true, out var text) ? text : "";

    /// <summary>Empty where the column is missing.</summary>
    public string TextIfAny(string column) => TryGet<string>(column, isRequired: false, out var text) ? text : "";

    public bool Flag(string column) => TryGet<bool>(column, isRequired: true, out var flag) && flag;

    public DateTimeOffset Time(string column) =>
        TryGet<DateTimeOffset>(column, isRequired: true, out var time) ? time : DateTimeOffset.MinValue;

    public byte[] Bytes(string column) => TryGet<byte[]>(column, isRequired: true, out var bytes) ? bytes : [];

    public int Number(string column, int min, int max) =>
        TryGet<int>(column, isRequired: true, out var number) && IsWithin(column, number, min, max) ? number : min;

    /// <summary>Null where the column is missing.</summary>
    public int? NumberIfAny(string column, int min, int max) =>
        TryGet<int>(column, isRequired: false, out var number) && IsWithin(column, number, min, max) ? number : null;

    /// <summary>For what only the reader can judge.</summary>
    public void Refuse(string column, string problem) => Fault ??= FaultOf(column, problem);

    /// <summary>The same for a reader that takes a part of the row as sound.</summary>
    public RowFault FaultOf(string column, string problem) => new(_table, Partition, Row, column, problem);

    /// <summary>With every column there is; null, and the row has a fault, where one cannot be decoded.</summary>
    public TableEntity? Whole()
    {
        foreach (var (column, _) in _columns.Where(cell => ReferenceEquals(cell.Value, Undecodable)))
        {
            Refuse(column, "cannot be decoded");
        }

        return Fault is null ? _columns as TableEntity ?? new TableEntity(_columns) : null;
    }

    private bool IsWithin(string column, int number, int min, int max)
    {
        if (number >= min && number <= max)
        {
            return true;
        }

        Refuse(column, "is out of range");
        return false;
    }

    private bool TryGet<T>(string column, bool isRequired, [MaybeNullWhen(false)] out T value)
    {
        value = default;
        if (!_columns.TryGetValue(column, out var stored) || stored is null)
        {
            if (isRequired)
            {
                Refuse(column, "is missing");
            }

            return false;
        }

        if (stored is T right)
        {
            value = right;
            return true;
        }

        Refuse(column, ReferenceEquals(stored, Undecodable) ? "cannot be decoded" : $"is of the type {stored.GetType().Name}");
        return false;
    }
}
