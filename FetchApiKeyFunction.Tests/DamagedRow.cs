// Rows as somebody else may have left them: values that this program never writes.

using System.Text;
using Azure;
using Azure.Data.Tables;
using Azure.Data.Tables.Sas;

namespace FetchApiKeyFunction.Tests;

internal static class DamagedRow
{
    /// <summary>Half of a surrogate pair, which the store takes and the client library cannot decode.</summary>
    public static readonly object Undecodable = new();

    /// <summary>Of no type that a column has, or of the one that is not its own.</summary>
    public static IEnumerable<object> Foreign(Type own) =>
        new object[] { "text", "", 7, 7L, 0.5, true, Guid.Empty, new byte[] { 1 }, DateTimeOffset.UnixEpoch }.Where(value => value.GetType() != own);

    /// <summary>Puts a value into a column of a row that can be read; null takes the column away.</summary>
    public static async Task PutAsync(TableClient table, string partition, string row, string column, object? value)
    {
        if (ReferenceEquals(value, Undecodable))
        {
            await PutUndecodableAsync(table, partition, row, column);
            return;
        }

        TableEntity stored = await table.GetEntityAsync<TableEntity>(partition, row);
        stored.Remove(column);
        if (value is not null)
        {
            stored[column] = value;
        }

        await table.UpdateEntityAsync(stored, ETag.All, TableUpdateMode.Replace);
    }

    /// <summary>Inserts a row as JSON has it, keys and all.</summary>
    public static Task InsertAsync(TableClient table, string json) => SendAsync(table, HttpMethod.Post, "", json);

    private static Task PutUndecodableAsync(TableClient table, string partition, string row, string column) =>
        SendAsync(table, HttpMethod.Patch, $"(PartitionKey='{partition}',RowKey='{row}')", $$"""{"{{column}}":"\ud83d"}""");

    private static async Task SendAsync(TableClient table, HttpMethod method, string keys, string json)
    {
        var address = table.GenerateSasUri(TableSasPermissions.All, TimeProvider.System.GetUtcNow().AddHours(1));
        using var client = new HttpClient();
        using var request = new HttpRequestMessage(method, $"{address.GetLeftPart(UriPartial.Path)}{keys}{address.Query}");
        if (method == HttpMethod.Patch)
        {
            request.Headers.TryAddWithoutValidation("If-Match", "*");
        }

        request.Headers.Add("x-ms-version", "2019-02-02");
        request.Headers.Add("Accept", "application/json;odata=nometadata");
        request.Content = new StringContent(json, Encoding.UTF8, "application/json");
        using var answer = await client.SendAsync(request);
        answer.EnsureSuccessStatusCode();
    }
}
