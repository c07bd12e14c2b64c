// Tables that are held in memory, for rules that are tried without a process beside the tests.

using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using Azure;
using Azure.Core;
using Azure.Data.Tables;
using FetchApiKey.Accounts;
using Moq;

namespace FetchApiKeyFunction.Tests;

/// <summary>The tables of an endpoint, none of which is anywhere but here.</summary>
internal sealed class MemoryTables(TimeProvider time)
{
    private readonly ConcurrentDictionary<string, MemoryTable> _tables = new(StringComparer.Ordinal);

    public MemoryTable this[string name] => _tables.GetOrAdd(name, static (name, time) => new MemoryTable(name, time), time);

    public AccountTables Open()
    {
        var service = new Mock<TableServiceClient>();
        service.Setup(client => client.GetTableClient(It.IsAny<string>())).Returns((string name) => this[name]);
        return new AccountTables(service.Object, "");
    }
}

/// <summary>What the program asks of a table, with the conditions of the real one. A query gives every row, whatever its filter.</summary>
internal sealed class MemoryTable(string name, TimeProvider time) : TableClient
{
    private readonly SortedDictionary<string, TableEntity> _rows = new(StringComparer.Ordinal);
    private readonly Lock _lock = new();
    private int _versions;

    public override string Name => name;

    /// <summary>Every call so far: read, query, add, update, delete, batch.</summary>
    public ConcurrentQueue<string> Calls { get; } = new();

    /// <summary>Called with a call before it is carried out. What this throws keeps it from being.</summary>
    public Func<string, Task> Before { get; set; } = _ => Task.CompletedTask;

    /// <summary>Called with a call that was carried out. What this throws is all that the caller learns.</summary>
    public Func<string, Task> After { get; set; } = _ => Task.CompletedTask;

    public override Task<NullableResponse<T>> GetEntityIfExistsAsync<T>(
        string partitionKey, string rowKey, IEnumerable<string>? select = null, CancellationToken cancellationToken = default) =>
        CallAsync("read", () => _rows.GetValueOrDefault(KeyOf(partitionKey, rowKey)) is { } row
            ? Response.FromValue((T)(ITableEntity)Selected(row, select), Answer(200))
            : NoRow<T>());

    public override AsyncPageable<T> QueryAsync<T>(
        string? filter = null, int? maxPerPage = null, IEnumerable<string>? select = null, CancellationToken cancellationToken = default) =>
        new Pages<T>(from => CallAsync("query", () =>
        {
            var rest = _rows.Where(row => from is null || string.CompareOrdinal(row.Key, from) >= 0).ToList();
            var count = maxPerPage ?? rest.Count;
            return Page<T>.FromValues(
                [.. rest.Take(count).Select(row => (T)(ITableEntity)Selected(row.Value, select))],
                rest.Skip(count).Select(row => row.Key).FirstOrDefault(), Answer(200));
        }));

    public override Task<Response> AddEntityAsync<T>(T entity, CancellationToken cancellationToken = default) =>
        CallAsync<Response>("add", () => Add(entity));

    public override Task<Response> UpdateEntityAsync<T>(
        T entity, ETag ifMatch, TableUpdateMode mode = TableUpdateMode.Merge, CancellationToken cancellationToken = default) =>
        CallAsync<Response>("update", () =>
        {
            var standing = Standing(entity.PartitionKey, entity.RowKey, ifMatch)
                ?? throw new RequestFailedException(404, "There is no such row.", "ResourceNotFound", innerException: null);
            return Put(entity, mode == TableUpdateMode.Merge ? standing : []);
        });

    public override Task<Response> DeleteEntityAsync(
        string partitionKey, string rowKey, ETag ifMatch = default, CancellationToken cancellationToken = default) =>
        CallAsync<Response>("delete", () =>
        {
            var isThere = Standing(partitionKey, rowKey, ifMatch) is not null;
            _rows.Remove(KeyOf(partitionKey, rowKey));
            return Answer(isThere ? 204 : 404);
        });

    /// <summary>Additions alone.</summary>
    public override Task<Response<IReadOnlyList<Response>>> SubmitTransactionAsync(
        IEnumerable<TableTransactionAction> transactionActions, CancellationToken cancellationToken = default) =>
        CallAsync("batch", () => Response.FromValue<IReadOnlyList<Response>>(
            [.. transactionActions.Select(action => Add(action.Entity))], Answer(202)));

    private static string KeyOf(string partition, string row) => $"{partition}\n{row}";

    private async Task<T> CallAsync<T>(string call, Func<T> carryOut)
    {
        Calls.Enqueue(call);
        await Before(call);
        T answer;
        lock (_lock)
        {
            answer = carryOut();
        }

        await After(call);
        return answer;
    }

    private static TableEntity Selected(TableEntity row, IEnumerable<string>? select)
    {
        return select is null
            ? new TableEntity(row)
            : new TableEntity(
                row.Where(value => select.Contains(value.Key) || value.Key == "odata.etag").ToDictionary(StringComparer.Ordinal));
    }

    /// <summary>Null where there is none.</summary>
    private TableEntity? Standing(string partition, string row, ETag condition)
    {
        var standing = _rows.GetValueOrDefault(KeyOf(partition, row));
        return standing is null || condition == default || condition == ETag.All || condition == standing.ETag
            ? standing
            : throw new RequestFailedException(412, "The row has changed.", "UpdateConditionNotSatisfied", innerException: null);
    }

    private StoreAnswer Add(ITableEntity entity) => _rows.ContainsKey(KeyOf(entity.PartitionKey, entity.RowKey))
        ? throw new RequestFailedException(409, "The row is there already.", "EntityAlreadyExists", innerException: null)
        : Put(entity, []);

    private StoreAnswer Put(ITableEntity entity, TableEntity standing)
    {
        var row = new TableEntity(standing);
        foreach (var (column, value) in (TableEntity)entity)
        {
            row[column] = value;
        }

        (row.ETag, row.Timestamp) = (new ETag($"W/\"{++_versions}\""), time.GetUtcNow());
        _rows[KeyOf(entity.PartitionKey, entity.RowKey)] = row;
        return Answer(204, row.ETag);
    }

    private NullableResponse<T> NoRow<T>()
    {
        var answer = Answer(404);
        return Mock.Of<NullableResponse<T>>(none => none.GetRawResponse() == answer);
    }

    private StoreAnswer Answer(int status, ETag? etag = null) => new(status, time.GetUtcNow(), etag);

    private sealed class Pages<T>(Func<string?, Task<Page<T>>> read) : AsyncPageable<T>
        where T : notnull
    {
        public override async IAsyncEnumerable<Page<T>> AsPages(string? continuationToken = null, int? pageSizeHint = null)
        {
            var next = continuationToken;
            do
            {
                var page = await read(next);
                yield return page;
                next = page.ContinuationToken;
            }
            while (next is not null);
        }
    }

    private sealed class StoreAnswer(int status, DateTimeOffset date, ETag? etag) : Response
    {
        private readonly Dictionary<string, string> _headers = new(StringComparer.OrdinalIgnoreCase)
        {
            ["Date"] = date.ToString("R"), ["ETag"] = etag?.ToString("H") ?? "",
        };

        public override int Status => status;

        public override string ReasonPhrase => "";

        public override Stream? ContentStream { get; set; }

        public override string ClientRequestId { get; set; } = "";

        public override void Dispose()
        {
        }

        protected override bool ContainsHeader(string name) => _headers.ContainsKey(name);

        protected override IEnumerable<HttpHeader> EnumerateHeaders() =>
            _headers.Select(header => new HttpHeader(header.Key, header.Value));

        protected override bool TryGetHeader(string name, [NotNullWhen(true)] out string? value) => _headers.TryGetValue(name, out value);

        protected override bool TryGetHeaderValues(string name, [NotNullWhen(true)] out IEnumerable<string>? values)
        {
            values = _headers.TryGetValue(name, out var value) ? [value] : null;
            return values is not null;
        }
    }
}
