// A file of records, told apart by its first line: JSON lines, CSV with a header, or PostgreSQL's COPY.

using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
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
public sealed record RecordFields(IReadOnlyList<string> Required, IReadOnlyList<string> Optional, IReadOnlyList<string> Copy)
{
    public bool Know(string name) => Required.Contains(name, StringComparer.Ordinal) || Optional.Contains(name, StringComparer.Ordinal);
}

/// <summary>A record, or the fault that makes it none. A fault never quotes the record, which may hold hashes and keys.</summary>
/// <param name="Number">Of the line on which it begins, 1 and more.</param>
public readonly record struct Reading(int Number, IRecord? Record, string? Fault);

/// <summary>
/// Read from its beginning as often as is wanted, one record at a time.
/// </summary>
public sealed class RecordFile : IAsyncDisposable
{
    public const string StandardInput = "-";

    /// <summary>A record is an object of plain values; one that is not plain has a fault of its own.</summary>
    private const int MaxDepth = 2;

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
    /// <exception cref="OperatorException">There is no such file, or none that can be read.</exception>
    public static async Task<RecordFile> OpenAsync(
        string path, StandardInput input, RecordFormat? format, RecordFields fields, CancellationToken cancellation)
    {
        var stream = await RecordStream.OpenAsync(path, input, cancellation);
        try
        {
            var chosen = format ?? await TellAsync(stream, fields, cancellation);
            if (chosen == RecordFormat.Csv)
            {
                await RecordStream.RequireUtf8Async(stream, cancellation);
            }

            return new RecordFile(stream, fields, chosen);
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
        _stream.Position = 0;
        return _format == RecordFormat.Csv ? ReadCsvAsync(cancellation) : ReadLinesAsync(cancellation);
    }

    public ValueTask DisposeAsync() => _stream.DisposeAsync();

    // ---- Which format it is ----

    private static async Task<RecordFormat> TellAsync(Stream stream, RecordFields fields, CancellationToken cancellation)
    {
        stream.Position = 0;
        var lines = new BoundedLines(stream);
        BoundedLine line;
        do
        {
            line = await lines.ReadAsync(cancellation);
        }
        while (!line.IsEnd && line.IsBlank && !line.IsTooLong);
        return FormatOf(line.Bytes.Span, fields);
    }

    /// <summary>
    /// The root realm's subdomain is empty, so that a COPY of its accounts begins with a tab, and what comes next may begin like JSON:
    /// {a}@example.com is an address.
    /// </summary>
    private static RecordFormat FormatOf(ReadOnlySpan<byte> line, RecordFields fields)
    {
        var isJson = line.TrimStart(" \t"u8) switch
        {
            [] => true,
            [(byte)'{' or (byte)'[', ..] => line is not [(byte)'\t', ..]
                || line.Count((byte)'\t') != fields.Copy.Count - 1 || JsonMembers.Read(line, MaxDepth, out _) is not null,
            _ => false,
        };
        return isJson ? RecordFormat.JsonLines : line.Contains((byte)'\t') ? RecordFormat.Copy : RecordFormat.Csv;
    }

    // ---- JSON lines and COPY ----

    private async IAsyncEnumerable<Reading> ReadLinesAsync([EnumeratorCancellation] CancellationToken cancellation)
    {
        var columns = Places(_fields.Copy);
        var lines = new BoundedLines(_stream);
        for (var number = 1; await lines.ReadAsync(cancellation) is { IsEnd: false } line; number++)
        {
            if (line.IsTooLong)
            {
                yield return new Reading(number, null, $"is longer than {BoundedLines.MaxLength} bytes");
            }
            else if (_format == RecordFormat.JsonLines)
            {
                if (!line.IsBlank)
                {
                    yield return FromJson(number, line.Bytes.Span, _fields);
                }
            }
            else if (line.Text() is not { } text)
            {
                yield return new Reading(number, null, "is not UTF-8");
            }
            else if (text == CopyText.End)
            {
                yield break;
            }
            else if (text.Length > 0)
            {
                yield return FromCopy(number, text, columns);
            }
        }
    }

    private static Reading FromCopy(int number, string line, Dictionary<string, int> columns) => CopyText.Split(line, out var fault) switch
    {
        null => new(number, null, fault),
        var values when values.Length != columns.Count => new(
            number, null, $"has {values.Length} columns instead of {columns.Count}: {string.Join(", ", columns.Keys)}"),
        var values => new(number, new TextRecord(columns, values), null),
    };

    /// <summary>A line of JSON, without its end.</summary>
    public static Reading FromJson(int number, ReadOnlySpan<byte> line, RecordFields fields)
    {
        if (line.Length > BoundedLines.MaxLength)
        {
            return new(number, null, $"is longer than {BoundedLines.MaxLength} bytes");
        }

        if (JsonMembers.Read(line, MaxDepth, out var fault) is not { } row)
        {
            return new(number, null, fault);
        }

        return row.Names.FirstOrDefault(name => !fields.Know(name)) is { } unknown
            ? new(number, null, $"has an unknown member '{unknown}'")
            : new(number, new JsonRecord(row), null);
    }

    // ---- CSV ----

    private async IAsyncEnumerable<Reading> ReadCsvAsync([EnumeratorCancellation] CancellationToken cancellation)
    {
        var isBad = false;
        // The encoding's own identifier is what is passed over at the beginning.
        var encoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: true, throwOnInvalidBytes: true);
        using var reader = new StreamReader(_stream, encoding, detectEncodingFromByteOrderMarks: false, leaveOpen: true);
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
        var unknown = header.Where(name => !_fields.Know(name)).ToList();
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
        catch (DecoderFallbackException)
        {
            // In a line that is too long to be looked at before.
            throw RecordStream.NotUtf8($"line {number} or one after it");
        }
        catch (MaxFieldSizeException)
        {
            // Its message would quote the field.
            throw new OperatorException($"line {number}: has a field of more than {BoundedLines.MaxLength} characters, as when a quotation mark is never closed. Nothing was imported.");
        }
    }

    private static Dictionary<string, int> Places(IReadOnlyList<string> names) =>
        names.Select((name, place) => (name, place)).ToDictionary(each => each.name, each => each.place, StringComparer.Ordinal);
}
