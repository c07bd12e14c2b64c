// JSON from outside: tokens, files, answers. Read whole and judged before anybody looks at a member.

using System.Text.Json;
using System.Text.Unicode;

namespace FetchApiKey;

/// <summary>
/// The members of a JSON object, in their order. The framework's documents unescape a string only when it is asked for, and throw then;
/// here all that could throw is a fault of the reading: bytes that are not UTF-8, half of a surrogate pair, a name that stands twice,
/// nesting beyond the depth that the reader wants. A member that is missing, or of another kind than the one it is asked for as, is null.
/// </summary>
public sealed class JsonMembers
{
    /// <summary>Characters of the shortest time with an offset, such as 2026-03-04T05:06Z.</summary>
    private const int MinTime = 17;

    private readonly OrderedDictionary<string, JsonElement> _members = new(StringComparer.Ordinal);

    private JsonMembers(JsonElement json)
    {
        foreach (var member in json.EnumerateObject())
        {
            _members.Add(member.Name, member.Value);
        }
    }

    public IReadOnlyList<string> Names => _members.Keys;

    /// <summary>Null, with the fault, for what is no object. The fault quotes nothing.</summary>
    /// <param name="depth">How deep objects and arrays may stand in each other; 1 is an object of plain values.</param>
    public static JsonMembers? Read(ReadOnlySpan<byte> utf8, int depth, out string fault)
    {
        if (Value(utf8, depth, out fault) is not { } json)
        {
            return null;
        }

        if (json.ValueKind == JsonValueKind.Object)
        {
            return new JsonMembers(json);
        }

        fault = "is not a JSON object";
        return null;
    }

    /// <summary>A value of any kind, whose every string can be asked for. Null, with the fault, for what is no JSON.</summary>
    public static JsonElement? Value(ReadOnlySpan<byte> utf8, int depth, out string fault)
    {
        fault = "";
        if (!Utf8.IsValid(utf8))
        {
            fault = "is not UTF-8";
            return null;
        }

        try
        {
            var reader = new Utf8JsonReader(utf8, new JsonReaderOptions { MaxDepth = depth });
            while (reader.Read())
            {
                if (reader.ValueIsEscaped)
                {
                    _ = reader.GetString();
                }
            }

            var options = new JsonDocumentOptions { MaxDepth = depth, AllowDuplicateProperties = false };
            using var document = JsonDocument.Parse(utf8.ToArray(), options);
            return document.RootElement.Clone();
        }
        catch (InvalidOperationException)
        {
            fault = "has half of a surrogate pair in a string";
        }
        catch (JsonException)
        {
            // Its message would quote the text.
            fault = "is not JSON, or nested too deeply, or names a member twice";
        }

        return null;
    }

    public bool Has(string name) => _members.ContainsKey(name);

    /// <summary><see cref="JsonValueKind.Undefined"/> for a member that is missing.</summary>
    public JsonValueKind Kind(string name) => _members.TryGetValue(name, out var value) ? value.ValueKind : JsonValueKind.Undefined;

    public string? Text(string name) => Kind(name) == JsonValueKind.String ? _members[name].GetString() : null;

    /// <summary>A whole number of 32 bits.</summary>
    public int? Number(string name) =>
        Kind(name) == JsonValueKind.Number && _members[name].TryGetInt32(out var number) ? number : null;

    /// <summary>Any number; one beyond a double's range is infinite.</summary>
    public double? Real(string name) =>
        Kind(name) == JsonValueKind.Number && _members[name].TryGetDouble(out var number) ? number : null;

    /// <summary>A date and time of ISO 8601-1, with its offset.</summary>
    public DateTimeOffset? Time(string name) =>
        Text(name) is { Length: >= MinTime } && _members[name].TryGetDateTimeOffset(out var time) ? time : null;

    public bool? Flag(string name) => Kind(name) switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => null,
    };

    public JsonMembers? Members(string name) => Kind(name) == JsonValueKind.Object ? new JsonMembers(_members[name]) : null;

    /// <summary>Whether the member is null, an empty string or an empty array.</summary>
    public bool IsEmpty(string name) => Kind(name) switch
    {
        JsonValueKind.Null => true,
        JsonValueKind.String => Text(name) == "",
        JsonValueKind.Array => _members[name].GetArrayLength() == 0,
        _ => false,
    };
}
