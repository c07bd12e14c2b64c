// What the store means when it refuses: a row that is not there is another matter than a table that is not there.

using System.Text;
using Azure;
using Azure.Core;
using Azure.Core.Pipeline;
using Azure.Data.Tables;
using FetchApiKey.Telemetry;

namespace FetchApiKey.Accounts;

/// <summary>
/// What is made of an answer; one policy for all of it, since each costs every call an allocation. Takes those that are to be read raw
/// (<see cref="RawAnswer"/>), and makes a fault of every answer that says that the table is away. The client library hides a missing
/// table behind "no such row", and behind a deletion that went well; a table that is being deleted refuses with 409, as a row does that
/// is there already.
/// </summary>
internal sealed class AnswerPolicy : HttpPipelinePolicy
{
    public override async ValueTask ProcessAsync(HttpMessage message, ReadOnlyMemory<HttpPipelinePolicy> pipeline)
    {
        await ProcessNextAsync(message, pipeline);
        if (message is { HasResponse: true, Response: { Status: 404 or 409 } answer }
            && CodeOf(answer) is (TableRefusals.NotFound or TableRefusals.BeingDeleted) and var code && TableOf(message) is { } table)
        {
            throw code == TableRefusals.NotFound ? new MissingTablesException([table]) : TableRefusals.TableBeingDeleted(table);
        }

        RawAnswer.Take(message);
    }

    public override void Process(HttpMessage message, ReadOnlyMemory<HttpPipelinePolicy> pipeline) =>
        throw new NotSupportedException("Storage is called asynchronously.");

    /// <summary>Null for what concerns tables themselves, not their rows, and for transactions, which do not name their table.</summary>
    private static string? TableOf(HttpMessage message) =>
        StorageCallPolicy.TableOf(message.Request.Uri.Path) is var name && name is "Tables" or "$batch" ? null : name;

    /// <summary>In a header, or in the body alone. A right login has two such answers, so nothing is decoded that need not be.</summary>
    private static string? CodeOf(Response answer) =>
        answer.Headers.TryGetValue("x-ms-error-code", out var code) ? code
        : answer.ContentStream is not MemoryStream ? null
        : Quotes(answer, TableRefusals.NotFound) ? TableRefusals.NotFound
        : Quotes(answer, TableRefusals.BeingDeleted) ? TableRefusals.BeingDeleted
        : null;

    private static bool Quotes(Response answer, string code) =>
        answer.Content.ToMemory().Span.IndexOf(Encoding.ASCII.GetBytes($"\"{code}\"")) >= 0;
}

internal static class TableRefusals
{
    public const string NotFound = "TableNotFound";
    public const string BeingDeleted = "TableBeingDeleted";

    /// <summary>The row is there already.</summary>
    public static bool IsTaken(this RequestFailedException fault) => fault.Status == 409 && !fault.IsOfTable();

    /// <summary>The row is not there.</summary>
    public static bool IsGone(this RequestFailedException fault) => fault.Status == 404 && !fault.IsOfTable();

    /// <summary>The row is not the one that was read: it changed, or is gone.</summary>
    public static bool IsOvertaken(this RequestFailedException fault) => fault.Status == 412 || fault.IsGone();

    /// <summary>Several changes of one partition, all or none.</summary>
    /// <exception cref="MissingTablesException">Inside the answer to a transaction, where the policy does not look.</exception>
    public static async Task<Response<IReadOnlyList<Response>>> SubmitAsync(
        this TableClient table, IEnumerable<TableTransactionAction> actions, CancellationToken cancellation)
    {
        try
        {
            return await table.SubmitTransactionAsync(actions, cancellation);
        }
        catch (RequestFailedException fault) when (fault.IsOfTable())
        {
            throw fault.ErrorCode == NotFound ? new MissingTablesException([table.Name]) : TableBeingDeleted(table.Name);
        }
    }

    /// <summary>It is away for now, whatever its status says: nobody is to take it for a row that is taken.</summary>
    public static RequestFailedException TableBeingDeleted(string table) =>
        new(503, $"The table {table} is being deleted.", BeingDeleted, innerException: null);

    private static bool IsOfTable(this RequestFailedException fault) => fault.ErrorCode is NotFound or BeingDeleted;
}
