// The rule for people's names.

using System.Text;

namespace FetchApiKey.Accounts;

/// <summary>
/// One rule for every way in, so that what one stores another does not refuse. Characters are counted as a Zulip server counts them:
/// code points.
/// </summary>
public static class FullName
{
    public const int MaxCodePoints = 100;

    /// <summary>1 to 100 code points, none of them a control character or half of one.</summary>
    public static bool IsName(string text)
    {
        // A code point has at most two characters: of a longer text nothing need be counted.
        if (text.Length is 0 or > 2 * MaxCodePoints)
        {
            return false;
        }

        var count = 0;
        for (var at = 0; at < text.Length; count++)
        {
            if (!Rune.TryGetRuneAt(text, at, out var rune) || Rune.IsControl(rune))
            {
                return false;
            }

            at += rune.Utf16SequenceLength;
        }

        return count <= MaxCodePoints;
    }
}
