// Lines of a text, of which none can fill the memory.

using System.Text;

namespace FetchApiKey.Cli.Transfer;

public sealed class BoundedLines(TextReader reader)
{
    /// <summary>In characters; several times the longest line that makes sense.</summary>
    public const int MaxLength = 64 * 1024;

    private readonly char[] _buffer = new char[32 * 1024];
    private readonly StringBuilder _line = new();
    private int _next;
    private int _end;

    /// <summary>The next line without its end, LF or CR LF; null for one that is too long, which is passed over.</summary>
    public async ValueTask<(bool IsEnd, string? Line)> ReadAsync(CancellationToken cancellation)
    {
        _line.Clear();
        var (isAny, isTooLong) = (false, false);
        while (true)
        {
            if (_next == _end)
            {
                (_next, _end) = (0, await reader.ReadAsync(_buffer, cancellation));
                if (_end == 0)
                {
                    return (!isAny, isTooLong ? null : _line.ToString());
                }
            }

            isAny = true;
            var rest = _buffer.AsSpan(_next, _end - _next);
            var feed = rest.IndexOf('\n');
            var part = feed < 0 ? rest : rest[..feed];
            isTooLong |= _line.Length + part.Length > MaxLength;
            if (!isTooLong)
            {
                _line.Append(part);
            }

            _next += feed < 0 ? rest.Length : feed + 1;
            if (feed >= 0)
            {
                if (_line is [.., '\r'])
                {
                    _line.Length--;
                }

                return (false, isTooLong ? null : _line.ToString());
            }
        }
    }
}
