// JSON as the wire contract has it (section 1.6): compact, in the order of writing, and no character escaped that need not be.

using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace FetchApiKey;

/// <summary>
/// Writes one object, ended by LF. Strings are escaped as RFC 8259 section 7 requires and no further: quotation mark, reverse
/// solidus, U+0000 to U+001F. The framework's encoders, the relaxed one too, escape characters that a Zulip server sends raw, so
/// strings from outside go through <see cref="Quote"/>.
/// </summary>
public sealed class JsonBody : IDisposable
{
    private static readonly SearchValues<char> Escaped = SearchValues.Create(
        [.. Enumerable.Range(0, 0x20).Select(code => (char)code), '"', '\\', .. Enumerable.Range(0xD800, 0x800).Select(code => (char)code)]);

    private readonly ArrayBufferWriter<byte> _buffer = new();
    private readonly Utf8JsonWriter _json;

    private JsonBody() => _json = new Utf8JsonWriter(_buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });

    /// <summary>The bytes of an object with the members that <paramref name="write"/> writes.</summary>
    public static ReadOnlyMemory<byte> Of(Action<JsonBody> write)
    {
        using var body = new JsonBody();
        body._json.WriteStartObject();
        write(body);
        body._json.WriteEndObject();
        body._json.Flush();
        body._buffer.Write("\n"u8);
        return body._buffer.WrittenMemory;
    }

    public void WriteString(string name, string value)
    {
        _json.WritePropertyName(name);
        WriteStringValue(value);
    }

    public void WriteStringValue(string value) => _json.WriteRawValue(Quote(value), skipInputValidation: true);

    public void WriteBoolean(string name, bool value) => _json.WriteBoolean(name, value);

    public void WriteNumber(string name, long value) => _json.WriteNumber(name, value);

    /// <summary>A number that always has a fraction, of at most three digits.</summary>
    public void WriteSeconds(string name, TimeSpan value)
    {
        _json.WritePropertyName(name);
        _json.WriteRawValue(value.TotalSeconds.ToString("0.0##", CultureInfo.InvariantCulture));
    }

    public void WriteNull(string name) => _json.WriteNull(name);

    public void WriteStartObject() => _json.WriteStartObject();

    public void WriteStartObject(string name) => _json.WriteStartObject(name);

    public void WriteEndObject() => _json.WriteEndObject();

    public void WriteStartArray(string name) => _json.WriteStartArray(name);

    public void WriteEndArray() => _json.WriteEndArray();

    /// <summary>A member of a document of our own.</summary>
    public void Write(JsonProperty member) => member.WriteTo(_json);

    public void Dispose() => _json.Dispose();

    /// <summary>Half of a surrogate pair, which is no text, reads as U+FFFD.</summary>
    private static byte[] Quote(string value)
    {
        if (!value.AsSpan().ContainsAny(Escaped))
        {
            return Encoding.UTF8.GetBytes($"\"{value}\"");
        }

        var text = new StringBuilder("\"", value.Length + 8);
        foreach (var rune in value.EnumerateRunes())
        {
            _ = rune.Value switch
            {
                '"' => text.Append("\\\""),
                '\\' => text.Append("\\\\"),
                '\b' => text.Append("\\b"),
                '\t' => text.Append("\\t"),
                '\n' => text.Append("\\n"),
                '\f' => text.Append("\\f"),
                '\r' => text.Append("\\r"),
                < 0x20 => text.Append(CultureInfo.InvariantCulture, $"\\u{rune.Value:x4}"),
                _ => text.Append(rune.ToString()),
            };
        }

        return Encoding.UTF8.GetBytes(text.Append('"').ToString());
    }
}
