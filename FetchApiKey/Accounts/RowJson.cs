// Rows in the JSON of the store's answers, decoded value by value.

using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Azure;

namespace FetchApiKey.Accounts;

/// <summary>
/// Gives what the client library gives, with two differences: a value that does not decode is <see cref="StoredRow.Undecodable"/>, and a
/// key that does not decode is a fault of its row, which then shows the key as the JSON has it, with its escapes.
/// </summary>
internal static class RowJson
{
    private const string TypeEnd = "@odata.type";

    /// <exception cref="JsonException">The answer is no JSON.</exception>
    public static IReadOnlyList<StoredRow> ReadPage(string table, ReadOnlyMemory<byte> answer)
    {
        using var json = JsonDocument.Parse(answer);
        return [.. json.RootElement.GetProperty("value").EnumerateArray().Select(row => Read(table, row))];
    }

    /// <exception cref="JsonException">The answer is no JSON.</exception>
    public static StoredRow ReadRow(string table, ReadOnlyMemory<byte> answer)
    {
        using var json = JsonDocument.Parse(answer);
        return Read(table, json.RootElement);
    }

    private static StoredRow Read(string table, JsonElement json)
    {
        var (cells, types) = (new List<(string Name, JsonElement Value)>(), new Dictionary<string, string>(StringComparer.Ordinal));
        var columns = new Dictionary<string, object>(StringComparer.Ordinal);
        foreach (var member in json.EnumerateObject())
        {
            if (NameOf(member) is not { } name)
            {
                columns[Encoding.UTF8.GetString(JsonMarshal.GetRawUtf8PropertyName(member))] = StoredRow.Undecodable;
            }
            else if (name.EndsWith(TypeEnd, StringComparison.Ordinal))
            {
                types[name[..^TypeEnd.Length]] = Decode(member.Value, type: null) as string ?? "";
            }
            else if (member.Value.ValueKind != JsonValueKind.Null)
            {
                cells.Add((name, member.Value));
            }
        }

        foreach (var (name, value) in cells)
        {
            // The only one whose type goes without saying.
            columns[name] = Decode(value, types.GetValueOrDefault(name) ?? (name == "Timestamp" ? "Edm.DateTime" : null));
        }

        var row = new StoredRow(table, Key("PartitionKey"), Key("RowKey"), columns)
        {
            ETag = columns.GetValueOrDefault("odata.etag") is string tag ? new ETag(tag) : default,
            Timestamp = columns.GetValueOrDefault("Timestamp") as DateTimeOffset?,
        };
        foreach (var key in StoredRows.Keys.Where(key => columns.GetValueOrDefault(key) is not string))
        {
            row.Refuse(key, "cannot be decoded");
        }

        return row;

        string Key(string name) => columns.GetValueOrDefault(name) as string
            ?? (cells.FirstOrDefault(cell => cell.Name == name) is { Name: not null } cell ? cell.Value.GetRawText().Trim('"') : "");
    }

    /// <summary>Null for one with half of a surrogate pair.</summary>
    private static string? NameOf(JsonProperty member)
    {
        try
        {
            return member.Name;
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }

    private static object Decode(JsonElement value, string? type)
    {
        try
        {
            return (type, value.ValueKind) switch
            {
                (null, JsonValueKind.String) => value.GetString()!,
                (null, JsonValueKind.True or JsonValueKind.False) => value.GetBoolean(),
                (null, JsonValueKind.Number) when value.TryGetInt32(out var number) => number,
                (null, JsonValueKind.Number) when value.TryGetInt64(out var number) => number,
                (null, JsonValueKind.Number) => value.GetDouble(),
                ("Edm.Double", JsonValueKind.Number) => value.GetDouble(),
                ("Edm.Double", JsonValueKind.String) => double.Parse(value.GetString()!, CultureInfo.InvariantCulture),
                ("Edm.Int64", JsonValueKind.String) => long.Parse(value.GetString()!, CultureInfo.InvariantCulture),
                ("Edm.Guid", JsonValueKind.String) => Guid.Parse(value.GetString()!),
                ("Edm.Binary", JsonValueKind.String) => Convert.FromBase64String(value.GetString()!),
                ("Edm.DateTime", JsonValueKind.String) =>
                    DateTimeOffset.Parse(value.GetString()!, CultureInfo.InvariantCulture, DateTimeStyles.RoundtripKind),
                _ => StoredRow.Undecodable,
            };
        }
        catch (Exception fault) when (fault is InvalidOperationException or FormatException or OverflowException or ArgumentException)
        {
            return StoredRow.Undecodable;
        }
    }
}
