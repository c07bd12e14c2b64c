// BER as LDAP restricts it: RFC 4511 section 5.1.

using System.Formats.Asn1;
using System.Text;

namespace FetchApiKey.Backends.Ldap;

/// <summary>
/// Definite lengths only, strings primitive. It throws at nobody: after the first element that is not what was asked for, everything
/// reads as empty and <see cref="IsMalformed"/> is true.
/// </summary>
internal ref struct BerReader(ReadOnlySpan<byte> content)
{
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private ReadOnlySpan<byte> _rest = content;

    public bool IsMalformed { get; private set; }

    public readonly bool IsAtEnd => _rest.IsEmpty;

    /// <summary>The tag of the next element; null at the end.</summary>
    public readonly Asn1Tag? Next => Asn1Tag.TryDecode(_rest, out var tag, out _) ? tag : null;

    /// <summary>The content of the next element, which must have this tag.</summary>
    public ReadOnlySpan<byte> Read(Asn1Tag expected)
    {
        if (!IsMalformed && TryRead(_rest, out var tag, out var offset, out var length) && tag == expected)
        {
            var content = _rest.Slice(offset, length);
            _rest = _rest[(offset + length)..];
            return content;
        }

        IsMalformed = true;
        _rest = [];
        return [];
    }

    public BerReader ReadSequence(Asn1Tag expected) => new(Read(expected)) { IsMalformed = IsMalformed };

    public ReadOnlySpan<byte> ReadOctets() => Read(Asn1Tag.PrimitiveOctetString);

    /// <summary>A whole number from 0 to 2147483647, of INTEGER or ENUMERATED.</summary>
    public int ReadNumber(Asn1Tag expected)
    {
        var octets = Read(expected);
        if (octets.Length is 0 or > sizeof(int) || octets[0] >= 0x80)
        {
            IsMalformed = true;
            return 0;
        }

        var value = 0;
        foreach (var octet in octets)
        {
            value = (value << 8) | octet;
        }

        return value;
    }

    /// <summary>False for no whole element, and for one of indefinite length, which two octets more would close.</summary>
    private static bool TryRead(ReadOnlySpan<byte> from, out Asn1Tag tag, out int offset, out int length)
    {
        try
        {
            return AsnDecoder.TryReadEncodedValue(from, AsnEncodingRules.BER, out tag, out offset, out length, out var consumed)
                && consumed == offset + length;
        }
        catch (AsnContentException)
        {
            // In spite of its name it throws for an indefinite length without an end.
            (tag, offset, length) = (default, 0, 0);
            return false;
        }
    }

    /// <summary>Text in UTF-8; null for other octets.</summary>
    public static string? TextOf(ReadOnlySpan<byte> octets)
    {
        try
        {
            return StrictUtf8.GetString(octets);
        }
        catch (DecoderFallbackException)
        {
            return null;
        }
    }
}
