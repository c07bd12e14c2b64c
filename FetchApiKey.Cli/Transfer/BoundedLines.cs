// Lines of bytes, of which none can fill the memory.

using System.Buffers;
using System.Text;

namespace FetchApiKey.Cli.Transfer;

/// <summary>A line without its LF.</summary>
/// <param name="IsEnd">There was no more; the line is empty then.</param>
/// <param name="IsTooLong">It was passed over, and is not here.</param>
/// <param name="HasEnd">Whether its LF was there.</param>
public readonly record struct BoundedLine(bool IsEnd, bool IsTooLong, bool HasEnd, ReadOnlyMemory<byte> Bytes)
{
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Nothing, or nothing but white space of ASCII.</summary>
    public bool IsBlank => Bytes.Span.Trim(" \t\r"u8).IsEmpty;

    /// <summary>Without the CR of a CR LF. Null for what is not UTF-8.</summary>
    public string? Text()
    {
        var text = Bytes.Span is [.. var before, (byte)'\r'] ? before : Bytes.Span;
        return System.Text.Unicode.Utf8.IsValid(text) ? Strict.GetString(text) : null;
    }
}

/// <summary>From where the stream stands. A byte order mark of UTF-8 at that place is passed over.</summary>
public sealed class BoundedLines(Stream stream, int maxLength = BoundedLines.MaxLength)
{
    /// <summary>In bytes; several times the longest line that makes sense.</summary>
    public const int MaxLength = 64 * 1024;

    private static ReadOnlySpan<byte> Mark => "\uFEFF"u8;

    private readonly byte[] _buffer = new byte[32 * 1024];
    private readonly ArrayBufferWriter<byte> _line = new();
    private int _next;
    private int _end;
    private bool _isBegun;

    public async ValueTask<BoundedLine> ReadAsync(CancellationToken cancellation)
    {
        _line.ResetWrittenCount();
        var (isAny, isTooLong) = (false, false);
        while (true)
        {
            if (_next == _end && !await FillAsync(cancellation))
            {
                return Line(isEnd: !isAny, isTooLong, hasEnd: false);
            }

            isAny = true;
            var rest = _buffer.AsSpan(_next, _end - _next);
            var feed = rest.IndexOf((byte)'\n');
            var part = feed < 0 ? rest : rest[..feed];
            isTooLong |= _line.WrittenCount + part.Length > maxLength;
            if (!isTooLong)
            {
                _line.Write(part);
            }

            _next += feed < 0 ? rest.Length : feed + 1;
            if (feed >= 0)
            {
                return Line(isEnd: false, isTooLong, hasEnd: true);
            }
        }
    }

    private BoundedLine Line(bool isEnd, bool isTooLong, bool hasEnd) =>
        new(isEnd, isTooLong, hasEnd, isTooLong ? default : _line.WrittenSpan.ToArray());

    private async ValueTask<bool> FillAsync(CancellationToken cancellation)
    {
        (_next, _end) = (0, await stream.ReadAsync(_buffer, cancellation));
        if (!_isBegun)
        {
            _isBegun = true;
            while (_end > 0 && _end < Mark.Length && Mark.StartsWith(_buffer.AsSpan(0, _end))
                && await stream.ReadAsync(_buffer.AsMemory(_end), cancellation) is > 0 and var more)
            {
                _end += more;
            }

            _next = _buffer.AsSpan(0, _end).StartsWith(Mark) ? Mark.Length : 0;
            return _next < _end || (_next > 0 && await FillAsync(cancellation));
        }

        return _end > 0;
    }
}
