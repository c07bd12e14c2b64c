// The rule for passwords that are set or hashed anew.

using System.Text;

namespace FetchApiKeyFunction.Passwords;

/// <summary>At least 6 characters, and at least 10000 guesses by zxcvbn's estimate (contract section 7).</summary>
public static class PasswordStrength
{
    private const int MinCharacters = 6;
    private const double MinGuesses = 10_000;

    /// <summary>zxcvbn's time grows faster than the length; what is strong in its first part is strong.</summary>
    private const int JudgedCharacters = 100;

    public const string Rule = "a password needs at least 6 characters and must not be easy to guess";

    /// <summary>
    /// The estimator only takes a string, so this is the one place where a password becomes one: after it was verified,
    /// when it is about to be hashed anew.
    /// </summary>
    public static bool IsEnough(TypedPassword password)
    {
        var text = Encoding.UTF8.GetString(password.Utf8);
        if (text.EnumerateRunes().Count() < MinCharacters)
        {
            return false;
        }

        var judged = text.Length > JudgedCharacters ? text[..JudgedCharacters] : text;
        // The library reports bits of entropy: log2 of the guesses.
        return Math.Pow(2, new Zxcvbn.Zxcvbn().EvaluatePassword(judged).Entropy) >= MinGuesses;
    }
}
