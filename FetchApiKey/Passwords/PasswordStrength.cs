// The rule for passwords that are set or hashed anew.

using System.Text;
using Zxcvbn.Matcher;

namespace FetchApiKey.Passwords;

/// <summary>What is wrong with a password, for who chose it.</summary>
public enum Weakness
{
    /// <summary>Easy to guess for no one reason.</summary>
    Guessable = 0,
    TooShort,
    TooLong,
    OwnAddress,
    CommonPassword,
    Name,
    CommonWord,
    Repetition,
    Sequence,
    KeyboardPattern,
}

/// <summary>At least 6 characters, and at least 10000 guesses by zxcvbn's estimate (contract section 7).</summary>
public static class PasswordStrength
{
    public const int MinCharacters = 6;

    /// <summary>As many as a Zulip server's own forms take; a longer one could not be used there.</summary>
    public const int MaxCharacters = 100;

    private const double MinGuesses = 10_000;

    /// <summary>zxcvbn's time grows faster than the length; what is strong in its first part is strong.</summary>
    private const int JudgedCharacters = 100;

    public const string Rule = "a password needs at least 6 characters and must not be easy to guess";

    /// <summary>
    /// The estimator only takes a string, so this class is the one place where a password becomes one: after it was verified,
    /// when it is about to be hashed anew.
    /// </summary>
    public static bool IsEnough(TypedPassword password) => WeaknessOf(Encoding.UTF8.GetString(password.Utf8), []) is null;

    /// <summary>
    /// What is wrong with a password that somebody has just chosen, null for nothing. Stricter than <see cref="IsEnough"/>, since there is
    /// somebody who can choose another: the parts of the account's own address are known to everybody, and there is a longest.
    /// </summary>
    public static Weakness? WeaknessOf(TypedPassword chosen, EmailAddress address)
    {
        var text = Encoding.UTF8.GetString(chosen.Utf8);
        return text.EnumerateRunes().Count() > MaxCharacters
            ? Weakness.TooLong
            : WeaknessOf(text, [address.Canonical, .. address.Canonical.Split('.', '@', '-', '_', '+').Where(part => part.Length > 2)]);
    }

    private static Weakness? WeaknessOf(string text, string[] known)
    {
        if (text.EnumerateRunes().Count() < MinCharacters)
        {
            return Weakness.TooShort;
        }

        var judged = text.Length > JudgedCharacters ? text[..JudgedCharacters] : text;
        var estimate = new Zxcvbn.Zxcvbn().EvaluatePassword(judged, known);
        // The library reports bits of entropy: log2 of the guesses.
        return Math.Pow(2, estimate.Entropy) >= MinGuesses ? null : ReasonOf(estimate.MatchSequence.MaxBy(match => match.j - match.i));
    }

    /// <summary>By what the estimator found the longest part of a password to be.</summary>
    private static Weakness ReasonOf(Zxcvbn.Match? longest) => longest switch
    {
        DictionaryMatch { DictionaryName: "user_inputs" } => Weakness.OwnAddress,
        DictionaryMatch { DictionaryName: "passwords" } => Weakness.CommonPassword,
        DictionaryMatch { DictionaryName: "male_names" or "female_names" or "surnames" } => Weakness.Name,
        DictionaryMatch => Weakness.CommonWord,
        RepeatMatch => Weakness.Repetition,
        SequenceMatch => Weakness.Sequence,
        SpatialMatch => Weakness.KeyboardPattern,
        _ => Weakness.Guessable,
    };
}
