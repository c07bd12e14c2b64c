// How a command prints what it found: an aligned table, or JSON lines.

using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace FetchApiKey.Cli;

/// <summary>A command that cannot be carried out. The message is for the operator and ends the command.</summary>
public sealed class OperatorException(string message, int code = ExitCode.Refused) : Exception(message)
{
    public int Code { get; } = code;
}

/// <summary>Rows of named values: strings, whole numbers, booleans and times.</summary>
public sealed class Report(TextWriter output, bool asJson)
{
    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private int[]? _widths;

    public Task WriteAsync(params (string Name, object Value)[] row) => WriteAsync([row]);

    public Task WriteAsync(IReadOnlyList<(string Name, object Value)[]> rows)
    {
        _widths = null;
        return ContinueAsync(rows);
    }

    /// <summary>More rows below those before. Columns may grow wider on the way and never grow narrower.</summary>
    public async Task ContinueAsync(IReadOnlyList<(string Name, object Value)[]> rows)
    {
        if (asJson)
        {
            foreach (var row in rows)
            {
                await output.WriteLineAsync(Json(row));
            }
        }
        else if (rows.Count > 0)
        {
            var cells = rows.Select(row => row.Select(cell => Text(cell.Value)).ToArray()).ToList();
            if (_widths is null)
            {
                cells.Insert(0, [.. rows[0].Select(cell => cell.Name)]);
            }

            _widths = [.. Enumerable.Range(0, cells[0].Length).Select(column => Math.Max(_widths?[column] ?? 0, cells.Max(line => line[column].Length)))];
            foreach (var line in cells)
            {
                await output.WriteLineAsync(string.Join("  ", line.Select((cell, column) => cell.PadRight(_widths[column]))).TrimEnd());
            }
        }
    }

    /// <summary>A text that is no table, or with --json what is in it.</summary>
    public async Task WriteTextAsync(string text, params (string Name, object Value)[] row) =>
        await output.WriteAsync(asJson ? Json(row) + output.NewLine : text);

    private static string Text(object value) => value switch
    {
        bool flag => flag ? "yes" : "no",
        DateTimeOffset moment => moment.ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture),
        // Escaped before columns are measured.
        _ => PrintableWriter.Escape(Convert.ToString(value, CultureInfo.InvariantCulture) ?? ""),
    };

    private static string Json((string Name, object Value)[] row)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, Options))
        {
            json.WriteStartObject();
            foreach (var (name, value) in row)
            {
                json.WritePropertyName(name);
                switch (value)
                {
                    case bool flag:
                        json.WriteBooleanValue(flag);
                        break;
                    case int number:
                        json.WriteNumberValue(number);
                        break;
                    default:
                        json.WriteStringValue(
                            value is DateTimeOffset moment ? moment.ToString("O", CultureInfo.InvariantCulture) : (string)value);
                        break;
                }
            }

            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.ToArray());
    }
}
