// What is wrong with a password, and how that is said.

using System.Globalization;

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
    Date,
}

public static class Weaknesses
{
    /// <summary>A sentence or two for who chose the password, the same on the page and on the command line.</summary>
    public static string Explanation(this Weakness weakness) => weakness switch
    {
        Weakness.TooShort => string.Create(
            CultureInfo.InvariantCulture, $"Too short: use at least {PasswordStrength.MinCharacters} characters."),
        Weakness.TooLong => string.Create(
            CultureInfo.InvariantCulture, $"Too long: use at most {PasswordStrength.MaxCharacters} characters."),
        Weakness.OwnAddress => "Too easy to guess: it is made of the account's own e-mail address, which others know.",
        Weakness.CommonPassword => "Too easy to guess: it is, or is little more than, one of the passwords that most people use and everybody tries first.",
        Weakness.Name => "Too easy to guess: it is little more than a name.",
        Weakness.CommonWord => "Too easy to guess: it is little more than one common word. Put some unrelated words together.",
        Weakness.Repetition => "Too easy to guess: it repeats the same few characters.",
        Weakness.Sequence => "Too easy to guess: it is a sequence such as abcdef or 123456.",
        Weakness.KeyboardPattern => "Too easy to guess: its keys lie side by side on the keyboard.",
        Weakness.Date => "Too easy to guess: it is little more than a date or a year.",
        _ => "Too easy to guess: make it longer.",
    };
}
