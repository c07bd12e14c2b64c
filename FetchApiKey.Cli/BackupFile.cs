// The file that `tables backup` writes and `tables restore` reads.

using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.RegularExpressions;
using Azure.Data.Tables;
using FetchApiKey.Accounts;

namespace FetchApiKey.Cli;

/// <summary>
/// JSON lines: a first one with the format, the time and the id of a sealing key; one a row; a last one with their number and a digest,
/// without which a file is not restored. The digest is HMAC-SHA-256 over every byte before that line, under a key derived from the
/// sealing key: who has the file and not that key can change nothing in it. Columns: strings, booleans and 32-bit integers as JSON has
/// them, other types as {"TYPE":"..."}. API keys stay sealed, so the file is worth what the tables are worth: it holds password hashes,
/// and no usable key.
/// </summary>
public static partial class BackupFile
{
    public const string Format = "fetch-api-key tables 2";

    /// <summary>Without key and digest, and with no other types than times.</summary>
    public const string FormatWithoutDigest = "fetch-api-key tables 1";

    /// <summary>A row of Table Storage has a mebibyte at the most, some of whose characters take six bytes here.</summary>
    public const int MaxLineBytes = 8 * 1024 * 1024;

    /// <summary>A line, its columns, and the type of one.</summary>
    public const int MaxDepth = 3;

    private const string KeyUse = "FetchApiKeyFunction tables backup";
    private const int MaxKeyLength = 512;

    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Of the columns that JSON has no type for.</summary>
    private static readonly Dictionary<string, Func<string, object?>> Types = new(StringComparer.Ordinal)
    {
        ["time"] = text =>
            DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time)
                && time >= AccountTables.EarliestTime ? time : null,
        ["int64"] = text =>
            long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) ? number : null,
        // The client library cannot send others.
        ["double"] = text =>
            double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number)
                ? number : null,
        ["guid"] = text => Guid.TryParseExact(text, "D", out var guid) ? guid : null,
        ["binary"] = text => Convert.TryFromBase64String(text, new byte[text.Length], out _) ? Convert.FromBase64String(text) : null,
    };

    public static IncrementalHash DigestUnder(ApiKeySettings keys, string id) =>
        IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, keys.Derive(id, KeyUse));

    /// <summary>Of keys that many rows have: so many are kept that their texts would fill the memory.</summary>
    public static UInt128 FingerprintOf(string keys) =>
        BinaryPrimitives.ReadUInt128LittleEndian(SHA256.HashData(Encoding.UTF8.GetBytes(keys)));

    // ---- Lines ----

    public static byte[] FirstLine(DateTimeOffset taken, string keyId) => Line(json =>
    {
        json.WriteString("format", Format);
        json.WriteString("taken", taken);
        json.WriteString("key", keyId);
    });

    public static byte[] RowLine(string table, TableEntity row) => Line(json =>
    {
        json.WriteString("table", table);
        json.WriteString("partition", row.PartitionKey);
        json.WriteString("row", row.RowKey);
        json.WriteStartObject("columns");
        foreach (var (name, value) in row.Where(cell => !IsReserved(cell.Key) && cell.Value is not null).OrderBy(cell => cell.Key, StringComparer.Ordinal))
        {
            json.WritePropertyName(name);
            Write(json, value);
        }

        json.WriteEndObject();
    });

    public static byte[] LastLine(int rows, IncrementalHash digest) => Line(json =>
    {
        json.WriteNumber("rows", rows);
        json.WriteString("digest", Convert.ToHexStringLower(digest.GetHashAndReset()));
    });

    private static byte[] Line(Action<Utf8JsonWriter> members)
    {
        using var line = new MemoryStream();
        using (var json = new Utf8JsonWriter(line, Options))
        {
            json.WriteStartObject();
            members(json);
            json.WriteEndObject();
        }

        line.WriteByte((byte)'\n');
        return line.ToArray();
    }

    private static void Write(Utf8JsonWriter json, object value)
    {
        switch (value)
        {
            case bool flag:
                json.WriteBooleanValue(flag);
                return;
            case int integer:
                json.WriteNumberValue(integer);
                return;
            case string text:
                json.WriteStringValue(text);
                return;
        }

        // Of none of our columns but a time; a row that somebody else spoilt is kept as it is.
        var (type, typed) = value switch
        {
            DateTimeOffset time => ("time", time.ToString("O", CultureInfo.InvariantCulture)),
            long number => ("int64", number.ToString(CultureInfo.InvariantCulture)),
            double number => ("double", number.ToString("R", CultureInfo.InvariantCulture)),
            Guid guid => ("guid", guid.ToString("D")),
            byte[] bytes => ("binary", Convert.ToBase64String(bytes)),
            BinaryData data => ("binary", Convert.ToBase64String(data)),
            _ => throw new InvalidOperationException($"A column is a {value.GetType().Name}, which tables do not have."),
        };
        json.WriteStartObject();
        json.WriteString(type, typed);
        json.WriteEndObject();
    }

    // ---- Reading a row ----

    /// <summary>The column for which a restore would refuse a row's line; null where it takes the line.</summary>
    public static string? FaultyColumn(ReadOnlySpan<byte> line)
    {
        var faulty = "(all)";
        return line.Length <= MaxLineBytes && JsonMembers.Read(line, MaxDepth, out _) is { } json && RowOf(json, out faulty) is not null
            ? null
            : faulty;
    }

    /// <summary>Null for what is no row that a table takes.</summary>
    /// <param name="faulty">The column that it is none for.</param>
    public static TableEntity? RowOf(JsonMembers json, out string faulty)
    {
        faulty = "(all)";
        if (!json.Names.SequenceEqual(["table", "partition", "row", "columns"])
            || json.Text("partition") is not { } partition || json.Text("row") is not { } row || json.Members("columns") is not { } columns)
        {
            return null;
        }

        if (!IsKey(partition) || !IsKey(row))
        {
            faulty = IsKey(partition) ? "RowKey" : "PartitionKey";
            return null;
        }

        var entity = new TableEntity(partition, row);
        foreach (var name in columns.Names)
        {
            if (IsReserved(name) || !ColumnName().IsMatch(name) || ValueOf(columns, name) is not { } value)
            {
                faulty = name;
                return null;
            }

            entity[name] = value;
        }

        return entity;
    }

    private static object? ValueOf(JsonMembers columns, string name) => columns.Kind(name) switch
    {
        JsonValueKind.String => columns.Text(name),
        JsonValueKind.True or JsonValueKind.False => columns.Flag(name),
        JsonValueKind.Number => columns.Number(name),
        JsonValueKind.Object when columns.Members(name) is { Names: [var type] } typed && typed.Text(type) is { } text =>
            Types.TryGetValue(type, out var parse) ? parse(text) : null,
        _ => null,
    };

    private static bool IsReserved(string column) => column is "PartitionKey" or "RowKey" or "Timestamp" or "odata.etag";

    /// <summary>What Table Storage takes for a key.</summary>
    private static bool IsKey(string text) =>
        text.Length <= MaxKeyLength && !text.Any(c => c is '/' or '\\' or '#' or '?' || char.IsControl(c));

    /// <summary>An identifier of C#, in any script, without the formatting characters that nobody sees.</summary>
    [GeneratedRegex(@"\A[\p{L}\p{Nl}_][\p{L}\p{Nl}\p{Mn}\p{Mc}\p{Nd}\p{Pc}]{0,254}\z", RegexOptions.CultureInvariant)]
    private static partial Regex ColumnName();
}
