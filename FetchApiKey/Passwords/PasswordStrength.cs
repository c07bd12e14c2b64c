// The rule for passwords that are set or hashed anew.

using System.Text;
using Zxcvbn.Matcher;

namespace FetchApiKey.Passwords;

/// <summary>
/// At least 6 characters, and at least 10,000 guesses by zxcvbn's estimate (contract section 7). At a login a Zulip server's own estimate
/// decides alone, so that nobody is refused who would get in there. Where a password is chosen the package's estimate has a say too: it is
/// of an older zxcvbn, which multiplies the guesses of the parts and adds nothing for their number, so it refuses two common words that the
/// newer one takes.
/// </summary>
public static class PasswordStrength
{
    public const int MinCharacters = 6;

    /// <summary>As many as a Zulip server's own forms take; a longer one could not be used there.</summary>
    public const int MaxCharacters = 100;

    private const double MinGuesses = 10_000;

    /// <summary>
    /// Whether a password that was verified may be hashed anew. One that is longer than can be chosen is not estimated: hardly any of them
    /// is weak, and the time of an estimate grows with the length.
    /// </summary>
    /// <param name="time">Years are the easier to guess, the closer they are.</param>
    public static bool IsEnough(TypedPassword password, TimeProvider time) => Characters(password) switch
    {
        < MinCharacters => false,
        > MaxCharacters => true,
        _ => WeaknessOf(password, [], time) is null,
    };

    /// <summary>
    /// What is wrong with a password that somebody has just chosen, null for nothing. Stricter than <see cref="IsEnough"/>, since there is
    /// somebody who can choose another: the parts of the account's own address are known to everybody, and there is a longest.
    /// </summary>
    public static Weakness? WeaknessOf(TypedPassword chosen, EmailAddress address, TimeProvider time)
    {
        string[] known = [address.Canonical, .. address.Canonical.Split('.', '@', '-', '_', '+').Where(part => part.Length > 2)];
        return Characters(chosen) switch
        {
            < MinCharacters => Weakness.TooShort,
            > MaxCharacters => Weakness.TooLong,
            _ => WeaknessOf(chosen, known, time) ?? WeaknessOfParts(chosen, known),
        };
    }

    /// <summary>In code points, as a Zulip server counts them.</summary>
    private static int Characters(TypedPassword password) => password.Utf8.Count(unit => (unit & 0xC0) != 0x80);

    private static Weakness? WeaknessOf(TypedPassword password, string[] known, TimeProvider time)
    {
        Span<char> characters = stackalloc char[2 * MaxCharacters];
        var text = characters[..Encoding.UTF8.GetChars(password.Utf8, characters)];
        var (guesses, reason) = new GuessEstimate(known, time.GetUtcNow().Year).Of(text);
        text.Clear();
        return guesses < MinGuesses ? reason : null;
    }

    /// <summary>The package only takes a string, so this is the one place where a password becomes one.</summary>
    private static Weakness? WeaknessOfParts(TypedPassword chosen, string[] known)
    {
        var estimate = new Zxcvbn.Zxcvbn().EvaluatePassword(Encoding.UTF8.GetString(chosen.Utf8), known);
        // It reports bits of entropy: log2 of the guesses.
        return Math.Pow(2, estimate.Entropy) >= MinGuesses ? null : ReasonOf(estimate.MatchSequence.MaxBy(match => match.j - match.i));
    }

    /// <summary>By what the package found the longest part of a password to be.</summary>
    private static Weakness ReasonOf(Zxcvbn.Match? longest) => longest switch
    {
        DictionaryMatch { DictionaryName: "user_inputs" } => Weakness.OwnAddress,
        DictionaryMatch { DictionaryName: "passwords" } => Weakness.CommonPassword,
        DictionaryMatch { DictionaryName: "male_names" or "female_names" or "surnames" } => Weakness.Name,
        DictionaryMatch => Weakness.CommonWord,
        RepeatMatch => Weakness.Repetition,
        SequenceMatch => Weakness.Sequence,
        SpatialMatch => Weakness.KeyboardPattern,
        DateMatch => Weakness.Date,
        _ => Weakness.Guessable,
    };
}
