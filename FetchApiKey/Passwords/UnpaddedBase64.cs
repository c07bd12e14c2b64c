// Base64 as PHC strings write it: the standard alphabet, no padding.

namespace FetchApiKey.Passwords;

/// <summary>RFC 4648 section 4 without padding. Decoding takes the one canonical spelling of the bytes.</summary>
internal static class UnpaddedBase64
{
    public static string Encode(ReadOnlySpan<byte> bytes) => Convert.ToBase64String(bytes).TrimEnd('=');

    /// <summary>Null when the text is not what <see cref="Encode"/> gives for any bytes.</summary>
    public static byte[]? Decode(string text)
    {
        var bytes = new byte[(text.Length / 4 * 3) + 3];
        var padded = text.PadRight((text.Length + 3) / 4 * 4, '=');
        return Convert.TryFromBase64String(padded, bytes, out var length) && Encode(bytes.AsSpan(0, length)) == text
            ? bytes[..length]
            : null;
    }
}
