// How many guesses a password takes that is a single word, pattern or repetition: the part of zxcvbn 4.4's estimate that its rule needs.

namespace FetchApiKey.Passwords;

/// <summary>
/// zxcvbn 4.4 divides a password into parts and adds 10,000 guesses for the second, so whatever is two parts or more passes the rule of
/// 10,000. Only a password that is one part as a whole can be weak. Each member below judges one kind of part as zxcvbn does; strength.tsv
/// of the tests holds them against it. The characters of a password are counted in UTF-16 units, as there.
/// </summary>
/// <param name="known">Words that are known of whoever chose it, in lower case, the best known first.</param>
internal sealed class GuessEstimate(IReadOnlyList<string> known, int thisYear)
{
    private readonly WordGuesses _words = new(known);
    private readonly DateGuesses _dates = new(thisYear);

    /// <summary>How many guesses the text takes as one part, and by what it is guessed then.</summary>
    public (double Guesses, Weakness Reason) Of(ReadOnlySpan<char> text)
    {
        // A single character takes one guess more, so that it loses against everything else.
        var best = (Guesses: text.Length == 1 ? 11 : Math.Pow(10, text.Length), Reason: Weakness.Guessable);
        Keep(ref best, _words.Of(text));
        Keep(ref best, (OnKeyboard(text), Weakness.KeyboardPattern));
        Keep(ref best, (Repetition(text), Weakness.Repetition));
        Keep(ref best, (Sequence(text), Weakness.Sequence));
        Keep(ref best, (_dates.Of(text), Weakness.Date));
        return (best.Guesses + 1, best.Reason);
    }

    public static void Keep(ref (double Guesses, Weakness Reason) best, (double Guesses, Weakness Reason) other) =>
        best = other.Guesses < best.Guesses ? other : best;

    private static double OnKeyboard(ReadOnlySpan<char> text)
    {
        var fewest = double.PositiveInfinity;
        foreach (var keyboard in Keyboard.All)
        {
            fewest = Math.Min(fewest, keyboard.GuessesOf(text));
        }

        return fewest;
    }

    /// <summary>The guesses of what is repeated, as often as it is.</summary>
    private double Repetition(ReadOnlySpan<char> text)
    {
        var (first, last) = (Prefix(text, fromLongest: false), Prefix(text, fromLongest: true));
        // zxcvbn looks for the shortest beginning that is repeated and for the longest, and goes by the one that covers more.
        var covered = Math.Max(first.Covered, last.Covered);
        if (covered < text.Length || text.ContainsAny("\n\r\u2028\u2029"))
        {
            return double.PositiveInfinity;
        }

        var length = first.Length;
        if (last.Covered > first.Covered)
        {
            for (length = 1; text.Length % length != 0 || !text[length..].SequenceEqual(text[..^length]); length++)
            {
            }
        }

        return Of(text[..length]).Guesses * (text.Length / length);
    }

    /// <summary>The shortest or the longest beginning that is repeated at once, and how much of the text its repetitions cover.</summary>
    private static (int Length, int Covered) Prefix(ReadOnlySpan<char> text, bool fromLongest)
    {
        for (var i = 1; i <= text.Length / 2; i++)
        {
            var length = fromLongest ? (text.Length / 2) + 1 - i : i;
            var covered = length;
            while (covered + length <= text.Length && text.Slice(covered, length).SequenceEqual(text[..length]))
            {
                covered += length;
            }

            if (covered > length)
            {
                return (length, covered);
            }
        }

        return default;
    }

    private static double Sequence(ReadOnlySpan<char> text)
    {
        if (text.Length < 2)
        {
            return double.PositiveInfinity;
        }

        var step = text[1] - text[0];
        for (var i = 2; i < text.Length; i++)
        {
            if (text[i] - text[i - 1] != step)
            {
                return double.PositiveInfinity;
            }
        }

        if (Math.Abs(step) is 0 or > 5 || (text.Length == 2 && Math.Abs(step) != 1))
        {
            return double.PositiveInfinity;
        }

        var starts = "aAzZ019".Contains(text[0], StringComparison.Ordinal) ? 4 : char.IsAsciiDigit(text[0]) ? 10 : 26;
        return starts * (step > 0 ? 1 : 2) * text.Length;
    }
}
