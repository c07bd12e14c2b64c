// Base64 as PHC strings write it: the standard alphabet, no padding.

namespace FetchApiKey.Passwords;

/// <summary>RFC 4648 section 4 without padding. Decoding takes the one canonical spelling of the bytes.</summary>
internal static class UnpaddedBase64
{
    private const int MaxOnStack = 512;

    public static string Encode(ReadOnlySpan<byte> bytes) => Convert.ToBase64String(bytes).TrimEnd('=');

    /// <summary>Null when the text is not what <see cref="Encode"/> gives for any bytes.</summary>
    public static byte[]? Decode(ReadOnlySpan<char> text)
    {
        var whole = (text.Length + 3) / 4 * 4;
        var padded = whole <= MaxOnStack ? stackalloc char[whole] : new char[whole];
        text.CopyTo(padded);
        padded[text.Length..].Fill('=');
        var bytes = new byte[text.Length * 3 / 4];
        // Encoded again, since bits that are left over may have been set.
        return Convert.TryFromBase64Chars(padded, bytes, out var length) && length == bytes.Length
            && Convert.TryToBase64Chars(bytes, padded, out _) && padded[..text.Length].SequenceEqual(text)
            ? bytes
            : null;
    }
}
