// A file of records, told apart by its first line: JSON lines, CSV with a header, or PostgreSQL's COPY.

using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text.Json;
using CsvHelper;
using CsvHelper.Configuration;

namespace FetchApiKey.Cli.Transfer;

public enum RecordFormat
{
    JsonLines,
    Csv,
    Copy,
}

/// <summary>The fields of a record.</summary>
/// <param name="Copy">Those that a COPY of them has, in order: it has no header.</param>
public sealed record RecordFields(IReadOnlyList<string> Required, IReadOnlyList<string> Optional, IReadOnlyList<string> Copy);

/// <summary>A record, or the fault that makes it none. A fault never quotes the record, which may hold hashes and keys.</summary>
/// <param name="Number">Of the line on which it begins, 1 and more.</param>
public readonly record struct Reading(int Number, IRecord? Record, string? Fault);

/// <summary>
/// Read from its beginning as often as is wanted, one record at a time. What cannot be read twice, such as standard input or a pipe, is
/// first written to a temporary file that nobody else can open, and that on Unix has no name any more.
/// </summary>
public sealed class RecordFile : IAsyncDisposable
{
    public const string StandardInput = "-";
    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false, MaxDepth = 2 };

    private readonly Stream _stream;
    private readonly RecordFields _fields;
    private readonly RecordFormat _format;

    private RecordFile(Stream stream, RecordFields fields, RecordFormat format) => (_stream, _fields, _format) = (stream, fields, format);

    /// <summary>In bytes.</summary>
    public long Length => _stream.Length;

    /// <summary>How many bytes have been read since the beginning.</summary>
    public long Position => _stream.Position;

    /// <param name="path"><see cref="StandardInput"/> for <paramref name="input"/>.</param>
    /// <param name="format">Null to tell from the first line.</param>
    /// <exception cref="OperatorException">There is no such file.</exception>
    public static async Task<RecordFile> OpenAsync(
        string path, TextReader input, RecordFormat? format, RecordFields fields, CancellationToken cancellation)
    {
        if (path != StandardInput && !File.Exists(path))
        {
            throw new OperatorException($"There is no file {Path.GetFullPath(path)}.");
        }

        Stream stream = path == StandardInput ? await KeepAsync(input, cancellation) : File.OpenRead(path);
        try
        {
            if (!stream.CanSeek)
            {
                await using var once = stream;
                using var reader = new StreamReader(once);
                stream = await KeepAsync(reader, cancellation);
            }

            return new RecordFile(stream, fields, format ?? await TellAsync(stream, cancellation));
        }
        catch
        {
            await stream.DisposeAsync();
            throw;
        }
    }

    /// <exception cref="OperatorException">The file cannot be read as what it seems to be.</exception>
    public IAsyncEnumerable<Reading> ReadAsync(CancellationToken cancellation)
    {
        var reader = FromTheBeginning(_stream);
        return _format == RecordFormat.Csv ? ReadCsvAsync(reader, cancellation) : ReadLinesAsync(new BoundedLines(reader), cancellation);
    }

    public ValueTask DisposeAsync() => _stream.DisposeAsync();

    private static StreamReader FromTheBeginning(Stream stream)
    {
        stream.Position = 0;
        return new StreamReader(stream, leaveOpen: true);
    }

    private static async Task<FileStream> KeepAsync(TextReader input, CancellationToken cancellation)
    {
        var kept = new FileStream(Path.GetTempFileName(), FileMode.Open, FileAccess.ReadWrite, FileShare.Delete, 64 * 1024, FileOptions.DeleteOnClose);
        if (!OperatingSystem.IsWindows())
        {
            File.Delete(kept.Name);
        }

        await using var writer = new StreamWriter(kept, leaveOpen: true);
        var buffer = new char[32 * 1024];
        int count;
        while ((count = await input.ReadAsync(buffer, cancellation)) > 0)
        {
            await writer.WriteAsync(buffer.AsMemory(0, count), cancellation);
        }

        return kept;
    }

    private static async Task<RecordFormat> TellAsync(Stream stream, CancellationToken cancellation)
    {
        var lines = new BoundedLines(FromTheBeginning(stream));
        while (true)
        {
            var (isEnd, line) = await lines.ReadAsync(cancellation);
            if (isEnd || !string.IsNullOrWhiteSpace(line))
            {
                return line?.TrimStart() is null or "" or ['{' or '[', ..] ? RecordFormat.JsonLines
                    : line.Contains('\t', StringComparison.Ordinal) ? RecordFormat.Copy
                    : RecordFormat.Csv;
            }
        }
    }

    // ---- JSON lines and COPY ----

    private async IAsyncEnumerable<Reading> ReadLinesAsync(BoundedLines lines, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var columns = Places(_fields.Copy);
        for (var number = 1; ; number++)
        {
            var (isEnd, line) = await lines.ReadAsync(cancellation);
            if (isEnd || (_format == RecordFormat.Copy && line == CopyText.End))
            {
                yield break;
            }

            if (line is null)
            {
                yield return new Reading(number, null, $"is longer than {BoundedLines.MaxLength} characters");
            }
            else if (_format == RecordFormat.Copy && line.Length > 0)
            {
                yield return FromCopy(number, line, columns);
            }
            else if (!string.IsNullOrWhiteSpace(line))
            {
                using var document = ParseJson(line);
                yield return FromJson(number, document);
            }
        }
    }

    private static Reading FromCopy(int number, string line, Dictionary<string, int> columns) => CopyText.Split(line) switch
    {
        null => new(number, null, "ends in a backslash"),
        var values when values.Length != columns.Count => new(number, null, $"has {values.Length} columns instead of {columns.Count}: {string.Join(", ", columns.Keys)}"),
        var values => new(number, new TextRecord(columns, values), null),
    };

    private Reading FromJson(int number, JsonDocument? document)
    {
        if (document?.RootElement is not { } row)
        {
            return new(number, null, "is not JSON");
        }

        if (row.ValueKind != JsonValueKind.Object)
        {
            return new(number, null, "is not a JSON object");
        }

        var record = new JsonRecord(row);
        return record.Names.FirstOrDefault(name => !IsKnown(name)) is { } unknown
            ? new(number, null, $"has an unknown member '{unknown}'")
            : new(number, record, null);
    }

    private static JsonDocument? ParseJson(string line)
    {
        try
        {
            return JsonDocument.Parse(line, Strict);
        }
        catch (JsonException)
        {
            // Its message would quote the line.
            return null;
        }
    }

    // ---- CSV ----

    private async IAsyncEnumerable<Reading> ReadCsvAsync(StreamReader reader, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var isBad = false;
        using var csv = new CsvParser(reader, new CsvConfiguration(CultureInfo.InvariantCulture)
        {
            // RFC 4180: what has a quote where none belongs is told as a fault of its line.
            BadDataFound = _ => isBad = true,
            MaxFieldSize = BoundedLines.MaxLength,
        });
        // The record is taken first: only then does the parser look at its quotation marks.
        if (!await NextAsync(csv) || csv.Record is not { } header || isBad)
        {
            throw new OperatorException("The first line is no header of a CSV file.");
        }

        var missing = _fields.Required.Except(header, StringComparer.Ordinal).ToList();
        var unknown = header.Where(name => !IsKnown(name)).ToList();
        if (missing.Count + unknown.Count > 0 || header.Distinct(StringComparer.Ordinal).Count() < header.Length)
        {
            // What stands there is not quoted: a file without a header begins with somebody's hash and key.
            throw new OperatorException(
                $"The first line of a CSV file names its columns, each once: {string.Join(", ", _fields.Required)}, and if wanted {string.Join(", ", _fields.Optional)}. "
                + $"{missing.Count} of these are missing, {unknown.Count} are unknown.");
        }

        var columns = Places(header);
        while (true)
        {
            cancellation.ThrowIfCancellationRequested();
            var number = csv.RawRow + 1;
            isBad = false;
            if (!await NextAsync(csv))
            {
                yield break;
            }

            var values = csv.Record!;
            yield return isBad ? new(number, null, "has a quotation mark that closes nothing")
                : values.Length != columns.Count ? new(number, null, $"has {values.Length} columns instead of {columns.Count}")
                : new(number, new TextRecord(columns, values), null);
        }
    }

    private static async Task<bool> NextAsync(CsvParser csv)
    {
        var number = csv.RawRow + 1;
        try
        {
            return await csv.ReadAsync();
        }
        catch (MaxFieldSizeException)
        {
            // Its message would quote the field.
            throw new OperatorException($"line {number}: has a field of more than {BoundedLines.MaxLength} characters, as when a quotation mark is never closed. Nothing was imported.");
        }
    }

    private bool IsKnown(string name) => _fields.Required.Contains(name, StringComparer.Ordinal) || _fields.Optional.Contains(name, StringComparer.Ordinal);

    private static Dictionary<string, int> Places(IReadOnlyList<string> names) =>
        names.Select((name, place) => (name, place)).ToDictionary(each => each.name, each => each.place, StringComparer.Ordinal);
}
