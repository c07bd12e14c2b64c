// The parameters of a request: form body first, then query string, as contract section 1.1 wants them.

using System.Buffers;
using System.Buffers.Text;
using System.IO.Pipelines;
using System.Security.Cryptography;
using System.Text;
using FetchApiKey.Passwords;
using Microsoft.AspNetCore.Http;

namespace FetchApiKey;

/// <summary>
/// Names and last values of urlencoded or multipart fields, with the query string behind them. Values stay bytes until
/// they are taken, and the bytes are wiped on disposal, since one of them is a password. (The server's own receive
/// buffers, and for the query string the framework's string, are outside our reach.)
/// </summary>
public sealed class RequestForm : IDisposable
{
    /// <summary>Nothing that a login needs is large.</summary>
    public const int MaxBodyBytes = 64 * 1024;

    /// <summary>Fields of the body and of the query string together.</summary>
    public const int MaxFields = 100;

    /// <summary>What is taken before anything has arrived: enough for the form of a login.</summary>
    private const int FirstBufferBytes = 512;

    private readonly Dictionary<string, ReadOnlyMemory<byte>> _body = new(StringComparer.Ordinal);
    private readonly Dictionary<string, ReadOnlyMemory<byte>> _query = new(StringComparer.Ordinal);
    private readonly HashSet<string> _consumed = new(StringComparer.Ordinal);
    private readonly List<byte[]> _buffers = [];
    private int _fields;

    private RequestForm()
    {
    }

    /// <summary>
    /// Reads the whole body. Gives the form, or the 400, 408 or 413 that a body gets which is malformed, late or too large.
    /// </summary>
    /// <exception cref="OperationCanceledException">The client went away.</exception>
    public static async Task<(RequestForm? Form, Reply? Refusal)> ReadAsync(HttpRequest request, RequestLifetime lifetime)
    {
        var form = new RequestForm();
        Reply? refusal;
        using (var either = CancellationTokenSource.CreateLinkedTokenSource(lifetime.Deadline, lifetime.Abandoned))
        {
            try
            {
                refusal = await form.ReadBodyAsync(request, either.Token) ?? form.ReadQuery(request);
            }
            catch (OperationCanceledException) when (!lifetime.Abandoned.IsCancellationRequested)
            {
                refusal = Reply.BodyTimedOut;
            }
            catch
            {
                form.Dispose();
                throw;
            }
        }

        lifetime.BodyArrived();
        if (refusal is null)
        {
            return (form, null);
        }

        form.Dispose();
        return (null, refusal);
    }

    /// <summary>The last value of a parameter as text, invalid UTF-8 read as U+FFFD; null when it is absent.</summary>
    public string? TakeText(string name) => Take(name) is { } value ? Encoding.UTF8.GetString(value.Span) : null;

    /// <summary>The last value of a parameter as a password; null when it is absent.</summary>
    public TypedPassword? TakePassword(string name) => Take(name) is { } value ? TypedPassword.FromUtf8(value.Span) : null;

    /// <summary>Accepts a parameter that changes nothing, so that it is not reported as ignored.</summary>
    public void Accept(string name) => _consumed.Add(name);

    /// <summary>Every name that nothing took, without duplicates, in the order of code points (contract section 2).</summary>
    public IReadOnlyList<string> Unconsumed() => _body.Keys.All(_consumed.Contains) && _query.Keys.All(_consumed.Contains) ? [] :
    [
        .. _body.Keys.Concat(_query.Keys)
            .Where(name => !_consumed.Contains(name))
            .Distinct(StringComparer.Ordinal)
            .Order(Comparer<string>.Create(static (left, right) =>
                // The order of UTF-8 bytes is that of code points; the order of UTF-16 units is not.
                Encoding.UTF8.GetBytes(left).AsSpan().SequenceCompareTo(Encoding.UTF8.GetBytes(right)))),
    ];

    public void Dispose()
    {
        foreach (var buffer in _buffers)
        {
            CryptographicOperations.ZeroMemory(buffer);
        }
    }

    private ReadOnlyMemory<byte>? Take(string name)
    {
        _consumed.Add(name);
        // Without the cast, null would turn into an empty value on its way through an array.
        return _body.TryGetValue(name, out var value) || _query.TryGetValue(name, out value) ? (ReadOnlyMemory<byte>?)value : null;
    }

    private async Task<Reply?> ReadBodyAsync(HttpRequest request, CancellationToken cancellation)
    {
        var type = HeaderParameters.Parse(request.ContentType ?? "");
        var isUrlencoded = type.Value == "application/x-www-form-urlencoded";
        var isMultipart = type.Value == "multipart/form-data";
        if (!isUrlencoded && !isMultipart)
        {
            return null;
        }

        if (type.Named("charset") is { } charset && !IsUtf8(charset))
        {
            return Reply.BadRequest("Unsupported charset");
        }

        var boundary = type.Named("boundary") ?? "";
        if (isMultipart && !MultipartBody.IsBoundary(boundary))
        {
            return Reply.BadRequest("Malformed request body");
        }

        var body = Keep(new byte[BufferSize(request.ContentLength)]);
        var length = 0;
        try
        {
            var reader = request.BodyReader;
            // Not by a token of the reading's: that leaves the body in a state which Kestrel, when it drains the rest, reports as an error.
            await using var end = cancellation.Register(reader.CancelPendingRead);
            ReadResult read;
            do
            {
                read = await reader.ReadAsync(CancellationToken.None);
                var (arrived, total) = (read.Buffer, length + read.Buffer.Length);
                if (total <= MaxBodyBytes)
                {
                    body = WithRoomFor((int)total, body);
                    arrived.CopyTo(body.AsSpan(length));
                    length = (int)total;
                }

                reader.AdvanceTo(arrived.End);
                if (total > MaxBodyBytes)
                {
                    return Reply.BodyTooLarge;
                }

                cancellation.ThrowIfCancellationRequested();
            }
            while (!read.IsCompleted);
        }
        catch (BadHttpRequestException fault)
        {
            return fault.StatusCode switch
            {
                StatusCodes.Status413PayloadTooLarge => Reply.BodyTooLarge,
                StatusCodes.Status408RequestTimeout => Reply.BodyTimedOut,
                _ => Reply.BadRequest("Malformed request body"),
            };
        }
        catch (IOException)
        {
            // The connection ended inside the body; whoever may still be listening gets the same answer as above.
            return Reply.BadRequest("Malformed request body");
        }

        return isUrlencoded ? AddPairs(_body, body.AsMemory(0, length)) : AddParts(boundary, body.AsMemory(0, length));
    }

    /// <summary>Room for the declared length; but a client has to send more to get more.</summary>
    private static int BufferSize(long? declared) => (int)Math.Min(declared ?? FirstBufferBytes, FirstBufferBytes);

    private byte[] WithRoomFor(int length, byte[] buffer)
    {
        if (length <= buffer.Length)
        {
            return buffer;
        }

        var larger = Keep(new byte[Math.Clamp(buffer.Length * 2, length, MaxBodyBytes)]);
        buffer.CopyTo(larger, 0);
        return larger;
    }

    private Reply? ReadQuery(HttpRequest request)
    {
        var query = request.QueryString;
        return query.HasValue && query.Value.Length > 1
            ? AddPairs(_query, Keep(Encoding.UTF8.GetBytes(query.Value[1..])))
            : null;
    }

    private byte[] Keep(byte[] buffer)
    {
        _buffers.Add(buffer);
        return buffer;
    }

    private Reply? Add(Dictionary<string, ReadOnlyMemory<byte>> fields, string name, ReadOnlyMemory<byte> value)
    {
        if (++_fields > MaxFields)
        {
            return Reply.BadRequest("Too many fields");
        }

        fields[name] = value;
        return null;
    }

    // ---- application/x-www-form-urlencoded, and the query string ----

    private Reply? AddPairs(Dictionary<string, ReadOnlyMemory<byte>> fields, Memory<byte> text)
    {
        while (!text.IsEmpty)
        {
            var end = text.Span.IndexOf((byte)'&');
            var pair = end < 0 ? text : text[..end];
            text = end < 0 ? default : text[(end + 1)..];
            if (pair.IsEmpty)
            {
                continue;
            }

            var equals = pair.Span.IndexOf((byte)'=');
            var name = equals < 0 ? pair : pair[..equals];
            var value = equals < 0 ? default : pair[(equals + 1)..];
            if (Add(fields, Encoding.UTF8.GetString(DecodeInPlace(name).Span), DecodeInPlace(value)) is { } refusal)
            {
                return refusal;
            }
        }

        return null;
    }

    /// <summary>Percent-decoding with "+" for a space; a percent sign without two hexadecimal digits stands for itself.</summary>
    private static Memory<byte> DecodeInPlace(Memory<byte> encoded)
    {
        var bytes = encoded.Span;
        var length = 0;
        for (var i = 0; i < bytes.Length; i++)
        {
            var value = bytes[i];
            if (value == '+')
            {
                value = (byte)' ';
            }
            else if (value == '%' && i + 2 < bytes.Length
                && char.IsAsciiHexDigit((char)bytes[i + 1]) && char.IsAsciiHexDigit((char)bytes[i + 2]))
            {
                value = (byte)((HexValue(bytes[i + 1]) << 4) | HexValue(bytes[i + 2]));
                i += 2;
            }

            bytes[length++] = value;
        }

        return encoded[..length];
    }

    private static int HexValue(byte digit) => digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10;

    // ---- multipart/form-data ----

    private Reply? AddParts(string boundary, Memory<byte> body)
    {
        if (MultipartBody.Read(body, boundary) is not { } parts)
        {
            return Reply.BadRequest("Malformed request body");
        }

        foreach (var part in parts)
        {
            if (Add(_body, part.Name, part.IsBase64 ? Decoded(part.Value) : part.Value) is { } refusal)
            {
                return refusal;
            }
        }

        return null;
    }

    /// <summary>What is no base64 stays as it is, and line breaks in it do not count, as at a Zulip server.</summary>
    private ReadOnlyMemory<byte> Decoded(Memory<byte> encoded)
    {
        var decoded = Keep(new byte[encoded.Length]);
        return Base64.DecodeFromUtf8(encoded.Span, decoded, out _, out var length) == OperationStatus.Done ? decoded.AsMemory(0, length) : encoded;
    }

    private static bool IsUtf8(string charset) =>
        charset.Equals("utf-8", StringComparison.OrdinalIgnoreCase) || charset.Equals("utf8", StringComparison.OrdinalIgnoreCase);
}
