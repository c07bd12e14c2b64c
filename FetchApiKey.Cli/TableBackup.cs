// tables backup and tables restore: realms and accounts as a file, just as they are stored.

using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Azure;
using Azure.Data.Tables;
using FetchApiKey.Accounts;

namespace FetchApiKey.Cli;

/// <summary>
/// JSON lines: a first one with the format and the time, one a row, a last one with their number, without which a file is not
/// restored. Columns: strings, booleans and 32-bit integers as JSON has them, times as {"time":"..."}. API keys stay sealed, so the file
/// is worth what the tables are worth: it holds password hashes, and no usable key. Attempts and the audit trail are not in it.
/// </summary>
public sealed class TableBackup(AccountTables tables, TimeProvider time)
{
    private const string Format = "fetch-api-key tables 1";
    private const int ConcurrentWrites = 32;
    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>
    /// Accounts come before the claims of their user ids: an account that is added meanwhile leaves a claim too many, which does no
    /// harm, and never one too few, with which an id could be given twice.
    /// </summary>
    private (string Name, TableClient Table)[] Tables => [("realms", tables.Realms), ("accounts", tables.Accounts), ("userids", tables.UserIds)];

    public async Task<int> BackUpAsync(FileInfo file, Report report, CancellationToken cancellation)
    {
        var rows = 0;
        await using var written = new PrivateFile(file.FullName);
        await WriteLineAsync(written.Stream, json =>
        {
            json.WriteString("format", Format);
            json.WriteString("taken", time.GetUtcNow());
        });
        foreach (var (name, table) in Tables)
        {
            await foreach (var row in table.QueryAsync<TableEntity>(cancellationToken: cancellation))
            {
                if (row.RowKey == PasswordInvitation.Row)
                {
                    // A link that was used, or replaced, must not come back with the rows of its account.
                    continue;
                }

                await WriteLineAsync(written.Stream, json => Write(json, name, row));
                rows++;
            }
        }

        await WriteLineAsync(written.Stream, json => json.WriteNumber("rows", rows));
        await report.WriteAsync(("file", await written.FinishAsync()), ("rows", rows));
        return ExitCode.Done;
    }

    /// <summary>Adds what is missing. A row that stands there and differs is told and left alone.</summary>
    public async Task<int> RestoreAsync(FileInfo file, OperatorActs acts, Report report, TextWriter error, CancellationToken cancellation)
    {
        if (!file.Exists)
        {
            throw new OperatorException($"There is no file {file.FullName}.");
        }

        // A first reading judges the file, so that half of a broken one is never restored.
        var number = 0;
        var rows = ReadAsync(file, cancellation);
        await foreach (var _ in rows)
        {
            number++;
        }

        await acts.RecordAsync(subdomain: "", email: null, userId: null, cancellation);
        int restored = 0, unchanged = 0, differ = 0;
        await Parallel.ForEachAsync(
            ReadAsync(file, cancellation),
            new ParallelOptions { MaxDegreeOfParallelism = ConcurrentWrites, CancellationToken = cancellation },
            async (read, token) =>
            {
                var (table, row) = read;
                switch (await AddAsync(table, row, token))
                {
                    case null:
                        Interlocked.Increment(ref restored);
                        break;
                    case true:
                        Interlocked.Increment(ref unchanged);
                        break;
                    default:
                        Interlocked.Increment(ref differ);
                        lock (rows)
                        {
                            error.WriteLine($"{table.Name}: the row {row.PartitionKey}, {row.RowKey} differs and was left alone");
                        }

                        break;
                }
            });
        await report.WriteAsync(("rows", number), ("restored", restored), ("unchanged", unchanged), ("differ", differ));
        return differ == 0 ? ExitCode.Done : ExitCode.Refused;
    }

    /// <summary>Null when it was added, else whether the row that stands there is the same.</summary>
    private static async Task<bool?> AddAsync(TableClient table, TableEntity row, CancellationToken cancellation)
    {
        try
        {
            await table.AddEntityAsync(row, cancellation);
            return null;
        }
        catch (RequestFailedException fault) when (fault.Status == 409)
        {
            var there = await table.GetEntityIfExistsAsync<TableEntity>(row.PartitionKey, row.RowKey, cancellationToken: cancellation);
            return there.HasValue && Columns(there.Value!).SequenceEqual(Columns(row));
        }
    }

    // ---- Lines ----

    private static IOrderedEnumerable<KeyValuePair<string, object>> Columns(TableEntity row) => row
        .Where(cell => cell.Key is not ("PartitionKey" or "RowKey" or "Timestamp" or "odata.etag"))
        .OrderBy(cell => cell.Key, StringComparer.Ordinal);

    private static void Write(Utf8JsonWriter json, string table, TableEntity row)
    {
        json.WriteString("table", table);
        json.WriteString("partition", row.PartitionKey);
        json.WriteString("row", row.RowKey);
        json.WriteStartObject("columns");
        foreach (var (name, value) in Columns(row))
        {
            json.WritePropertyName(name);
            switch (value)
            {
                case string text:
                    json.WriteStringValue(text);
                    break;
                case bool flag:
                    json.WriteBooleanValue(flag);
                    break;
                case int integer:
                    json.WriteNumberValue(integer);
                    break;
                case DateTimeOffset moment:
                    json.WriteStartObject();
                    json.WriteString("time", moment);
                    json.WriteEndObject();
                    break;
                default:
                    throw new OperatorException($"{table}: the column {name} of the row {row.PartitionKey}, {row.RowKey} is of a type that is not ours.");
            }
        }

        json.WriteEndObject();
    }

    private static async Task WriteLineAsync(FileStream output, Action<Utf8JsonWriter> members)
    {
        using var line = new MemoryStream();
        await using (var json = new Utf8JsonWriter(line, Options))
        {
            json.WriteStartObject();
            members(json);
            json.WriteEndObject();
        }

        line.WriteByte((byte)'\n');
        await output.WriteAsync(line.GetBuffer().AsMemory(0, (int)line.Length));
    }

    private async IAsyncEnumerable<(TableClient Table, TableEntity Row)> ReadAsync(
        FileInfo file, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellation)
    {
        var byName = Tables.ToDictionary(table => table.Name, table => table.Table, StringComparer.Ordinal);
        var (number, rows, end) = (0, 0, (int?)null);
        await foreach (var text in File.ReadLinesAsync(file.FullName, new UTF8Encoding(false, throwOnInvalidBytes: true), cancellation))
        {
            number++;
            if (end is not null)
            {
                throw Broken(number);
            }

            using var line = Parse(text, number);
            var json = line.RootElement;
            if (number == 1)
            {
                if (!json.TryGetProperty("format", out var format) || format.GetString() != Format)
                {
                    throw new OperatorException($"{file.FullName} is not a backup that this version reads.");
                }
            }
            else if (json.TryGetProperty("rows", out var count))
            {
                end = count.GetInt32();
            }
            else
            {
                yield return (byName[json.GetProperty("table").GetString()!], RowOf(json, number));
                rows++;
            }
        }

        if (end != rows)
        {
            throw new OperatorException($"{file.FullName} is not whole: it ends after {rows} rows. Nothing was restored.");
        }
    }

    private static TableEntity RowOf(JsonElement json, int number)
    {
        var row = new TableEntity(json.GetProperty("partition").GetString(), json.GetProperty("row").GetString());
        foreach (var column in json.GetProperty("columns").EnumerateObject())
        {
            row[column.Name] = column.Value.ValueKind switch
            {
                JsonValueKind.String => column.Value.GetString(),
                JsonValueKind.True or JsonValueKind.False => column.Value.GetBoolean(),
                JsonValueKind.Number => column.Value.GetInt32(),
                JsonValueKind.Object => DateTimeOffset.Parse(column.Value.GetProperty("time").GetString()!, CultureInfo.InvariantCulture),
                _ => throw Broken(number),
            };
        }

        return row;
    }

    private static JsonDocument Parse(string text, int number)
    {
        try
        {
            return JsonDocument.Parse(text);
        }
        catch (JsonException)
        {
            // Its message would quote the line.
            throw Broken(number);
        }
    }

    private static OperatorException Broken(int number) => new($"Line {number} of the backup is broken. Nothing was restored.");
}
