// A text that is sent as a secret and must not come back where it does not belong.

using System.Text;

namespace FetchApiKeyFunction.Tests.Hosts;

internal static class Canary
{
    /// <summary>Letters and digits alone, so that percent-encoding what it stands in leaves it as it is.</summary>
    public const string Text = "c4n4ry7f3a9b";

    private const int ShownAround = 160;

    /// <summary>As a client may write it that encodes more than it needs to.</summary>
    public static string PercentEncoded { get; } = string.Concat(Encoding.ASCII.GetBytes(Text).Select(letter => $"%{letter:X2}"));

    /// <summary>As itself, percent-encoded, in hexadecimal, and in base64 wherever in it the text begins.</summary>
    private static readonly string[] Forms =
        [Text, PercentEncoded, Convert.ToHexString(Encoding.ASCII.GetBytes(Text)), .. Enumerable.Range(0, 3).Select(InBase64)];

    /// <summary>Where the text stands in any form, with what stands around it; null where it does not.</summary>
    public static string? FoundIn(string text) => FoundIn(text, Forms);

    /// <summary>The same for other secrets, as they are.</summary>
    public static string? FoundIn(string text, params string[] secrets) => secrets
        .Select(secret => text.IndexOf(secret, StringComparison.OrdinalIgnoreCase))
        .Where(place => place >= 0)
        .Select(place => text[Math.Max(0, place - ShownAround)..Math.Min(text.Length, place + ShownAround)])
        .FirstOrDefault();

    /// <summary>The letters that are the same whatever stands before and behind: each holds six bits.</summary>
    private static string InBase64(int bytesBefore)
    {
        var encoded = Convert.ToBase64String([.. new byte[bytesBefore], .. Encoding.ASCII.GetBytes(Text)]);
        return encoded[((bytesBefore * 8 + 5) / 6)..((bytesBefore + Text.Length) * 8 / 6)];
    }
}
