// How many guesses a word takes: as it is, backwards, with capitals, and with other characters in place of letters.

namespace FetchApiKey.Passwords;

/// <summary>The dictionaries of zxcvbn 4.4, and how it counts the ways to write a word of theirs.</summary>
/// <param name="known">Words that are known of whoever chose the password, in lower case, the best known first.</param>
internal sealed class WordGuesses(IReadOnlyList<string> known)
{
    /// <summary>Of each letter, the characters that are written in its place.</summary>
    private static readonly (char Letter, string Characters)[] Replacements =
    [
        ('a', "4@"), ('b', "8"), ('c', "({[<"), ('e', "3"), ('g', "69"), ('i', "1!|"),
        ('l', "1|7"), ('o', "0"), ('s', "$5"), ('t', "+7"), ('x', "%"), ('z', "2"),
    ];

    /// <summary>Infinity for what is no word.</summary>
    public (double Guesses, Weakness Reason) Of(ReadOnlySpan<char> text)
    {
        var best = Forwards(text);
        GuessEstimate.Keep(ref best, Reversed(text));
        GuessEstimate.Keep(ref best, WithReplacements(text));
        return best;
    }

    private (double Guesses, Weakness Reason) Forwards(ReadOnlySpan<char> text)
    {
        Span<char> lower = stackalloc char[text.Length];
        text.ToLowerInvariant(lower);
        var (rank, reason) = Rank(lower);
        lower.Clear();
        return (rank * Capitals(text), reason);
    }

    private (double Guesses, Weakness Reason) Reversed(ReadOnlySpan<char> text)
    {
        Span<char> reversed = stackalloc char[text.Length];
        text.CopyTo(reversed);
        reversed.Reverse();
        var (guesses, reason) = Forwards(reversed);
        reversed.Clear();
        return (guesses * 2, reason);
    }

    private (double Rank, Weakness Reason) Rank(ReadOnlySpan<char> lower)
    {
        for (var i = 0; i < known.Count; i++)
        {
            if (lower.SequenceEqual(known[i]))
            {
                return (i + 1, Weakness.OwnAddress);
            }
        }

        return lower.Length <= CommonWords.MaxLength && CommonWords.TryFind(lower, out var rank, out var kind)
            ? (rank, kind)
            : (double.PositiveInfinity, default);
    }

    /// <summary>Times two for the first letter, the last or all; else by how many are capitals.</summary>
    private static double Capitals(ReadOnlySpan<char> text)
    {
        var (capitals, small) = (0, 0);
        foreach (var character in text)
        {
            capitals += char.IsAsciiLetterUpper(character) ? 1 : 0;
            small += char.IsAsciiLetterLower(character) ? 1 : 0;
        }

        var isUsual = capitals == 1 && text.Length > 1 && (char.IsAsciiLetterUpper(text[0]) || char.IsAsciiLetterUpper(text[^1]));
        return isUsual ? 2 : Combinations.Variations(capitals, small);
    }

    // ---- Words with characters in place of letters, as in p4ssw0rd ----

    private (double Guesses, Weakness Reason) WithReplacements(ReadOnlySpan<char> text)
    {
        if (text.Length is 1 or > CommonWords.MaxLength)
        {
            return (double.PositiveInfinity, default);
        }

        var best = (double.PositiveInfinity, default(Weakness));
        TryReplacements(text, 0, new Dictionary<char, char>(), ref best);
        return best;
    }

    /// <summary>One character is read as one letter throughout, and one letter is written in one way; every choice is tried.</summary>
    private void TryReplacements(
        ReadOnlySpan<char> text, int index, Dictionary<char, char> letters, ref (double Guesses, Weakness Reason) best)
    {
        if (index == Replacements.Length)
        {
            if (letters.Count > 0)
            {
                GuessEstimate.Keep(ref best, Replaced(letters, text));
            }

            return;
        }

        var (letter, replacements) = Replacements[index];
        var isWritten = false;
        foreach (var replacement in replacements)
        {
            if (!text.Contains(replacement))
            {
                continue;
            }

            isWritten = true;
            var isOther = letters.TryGetValue(replacement, out var other);
            if (isOther)
            {
                TryReplacements(text, index + 1, letters, ref best);
            }

            letters[replacement] = letter;
            TryReplacements(text, index + 1, letters, ref best);
            if (isOther)
            {
                letters[replacement] = other;
            }
            else
            {
                letters.Remove(replacement);
            }
        }

        if (!isWritten)
        {
            TryReplacements(text, index + 1, letters, ref best);
        }
    }

    private (double Guesses, Weakness Reason) Replaced(Dictionary<char, char> letters, ReadOnlySpan<char> text)
    {
        Span<char> word = stackalloc char[text.Length];
        for (var i = 0; i < text.Length; i++)
        {
            word[i] = letters.GetValueOrDefault(text[i], char.ToLowerInvariant(text[i]));
        }

        var (guesses, reason) = Rank(word);
        word.Clear();
        if (double.IsPositiveInfinity(guesses))
        {
            return (guesses, reason);
        }

        foreach (var (replacement, letter) in letters)
        {
            var (replaced, left) = (text.Count(replacement), text.Count(letter) + text.Count(char.ToUpperInvariant(letter)));
            guesses *= left == 0 ? 2 : Combinations.Variations(replaced, left);
        }

        return (guesses * Capitals(text), reason);
    }
}
