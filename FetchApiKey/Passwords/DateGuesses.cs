// How many guesses a year or a date takes.

namespace FetchApiKey.Passwords;

/// <summary>Years are the easier to guess, the closer they are; at the closest they take as many guesses as there are in twenty.</summary>
internal sealed class DateGuesses(int thisYear)
{
    private const int MinYears = 20;

    /// <summary>Infinity for what is neither.</summary>
    public double Of(ReadOnlySpan<char> text) => Math.Min(Year(text), DayMonthAndYear(text));

    private double Year(ReadOnlySpan<char> text) =>
        text.Length == 4 && Digits(text) is >= 1900 and <= 2019 and var year ? Years(year) : double.PositiveInfinity;

    /// <summary>Day, month and year in any order with the year first or last, without separators; with them it is strong.</summary>
    private double DayMonthAndYear(ReadOnlySpan<char> text)
    {
        var fewest = double.PositiveInfinity;
        if (text.Length is >= 4 and <= 8 && Digits(text) >= 0)
        {
            foreach (var (first, second) in Splits(text.Length))
            {
                if (YearOf(Digits(text[..first]), Digits(text[first..second]), Digits(text[second..])) is { } year)
                {
                    fewest = Math.Min(fewest, Years(year) * 365);
                }
            }
        }

        return fewest;
    }

    private int Years(int year) => Math.Max(Math.Abs(year - thisYear), MinYears);

    /// <summary>Minus one for what is not digits alone.</summary>
    private static int Digits(ReadOnlySpan<char> text)
    {
        var number = 0;
        foreach (var character in text)
        {
            if (!char.IsAsciiDigit(character))
            {
                return -1;
            }

            number = (number * 10) + character - '0';
        }

        return number;
    }

    private static (int First, int Second)[] Splits(int length) => length switch
    {
        4 => [(1, 2), (2, 3)],
        5 => [(1, 3), (2, 3)],
        6 => [(1, 2), (2, 4), (4, 5)],
        7 => [(1, 3), (2, 3), (4, 5), (4, 6)],
        _ => [(2, 4), (4, 6)],
    };

    /// <summary>The year of three numbers that can be a date; null when they cannot.</summary>
    private static int? YearOf(int first, int middle, int last)
    {
        int[] all = [first, middle, last];
        if (middle is > 31 or <= 0
            || all.Any(number => number is (> 99 and < 1000) or > 2050)
            || all.Count(number => number > 31) >= 2 || all.All(number => number > 12) || all.Count(number => number <= 0) >= 2)
        {
            return null;
        }

        if (last >= 1000 || first >= 1000)
        {
            return last >= 1000 ? (IsDay(first, middle) ? last : null) : IsDay(middle, last) ? first : null;
        }

        return IsDay(first, middle) ? WithCentury(last) : IsDay(middle, last) ? WithCentury(first) : null;
    }

    private static bool IsDay(int one, int other) =>
        (one is >= 1 and <= 31 && other is >= 1 and <= 12) || (other is >= 1 and <= 31 && one is >= 1 and <= 12);

    private static int WithCentury(int year) => year > 99 ? year : year > 50 ? year + 1900 : year + 2000;
}
