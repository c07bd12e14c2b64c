// Keyboards, and what a stretch of neighbouring keys on one takes to guess.

namespace FetchApiKey.Passwords;

/// <summary>
/// Where each key lies. On a keyboard every row lies half a key to the right of the one above, so that a key has six neighbours; on a key
/// pad they lie in columns, and it has eight.
/// </summary>
internal sealed class Keyboard
{
    /// <summary>The keyboards of zxcvbn 4.4.</summary>
    public static readonly IReadOnlyList<Keyboard> All =
    [
        new(isSlanted: true,
            new Row(0, "`1234567890-=", "~!@#$%^&*()_+"), new Row(1, @"qwertyuiop[]\", "QWERTYUIOP{}|"),
            new Row(1, "asdfghjkl;'", "ASDFGHJKL:\""), new Row(1, "zxcvbnm,./", "ZXCVBNM<>?")),
        new(isSlanted: true,
            new Row(0, "`1234567890[]", "~!@#$%^&*(){}"), new Row(1, @"',.pyfgcrl/=\", "\"<>PYFGCRL?+|"),
            new Row(1, "aoeuidhtns-", "AOEUIDHTNS_"), new Row(1, ";qjkxbmwvz", ":QJKXBMWVZ")),
        new(isSlanted: false, new Row(1, "/*-"), new Row(0, "789+"), new Row(0, "456"), new Row(0, "123"), new Row(1, "0.")),
        new(isSlanted: false, new Row(1, "=/*"), new Row(0, "789-"), new Row(0, "456+"), new Row(0, "123"), new Row(1, "0.")),
    ];

    private readonly Dictionary<char, (int X, int Y, bool IsShifted)> _keys = [];
    private readonly bool _isSlanted;

    /// <summary>
    /// How many keys a stretch can begin with, and how many ways it can take from one to the next: the averages of qwerty and of the first
    /// key pad.
    /// </summary>
    private readonly (double Keys, double Neighbours) _choices;

    private Keyboard(bool isSlanted, params Row[] rows)
    {
        (_isSlanted, _choices) = (isSlanted, isSlanted ? (94, 432.0 / 94) : (15, 76.0 / 15));
        for (var y = 0; y < rows.Length; y++)
        {
            for (var x = 0; x < rows[y].Keys.Length; x++)
            {
                _keys[rows[y].Keys[x]] = (rows[y].Start + x, y, false);
                if (rows[y].Shifted is { } shifted)
                {
                    _keys[shifted[x]] = (rows[y].Start + x, y, true);
                }
            }
        }
    }

    /// <summary>Infinity for what is no stretch of three keys or more, each a neighbour of the one before.</summary>
    public double GuessesOf(ReadOnlySpan<char> text)
    {
        if (text.Length < 3 || !_keys.TryGetValue(text[0], out var before))
        {
            return double.PositiveInfinity;
        }

        var (shifted, turns, direction) = (before.IsShifted ? 1 : 0, 0, (X: 0, Y: 0));
        foreach (var character in text[1..])
        {
            if (!_keys.TryGetValue(character, out var key) || !AreNeighbours(key.X - before.X, key.Y - before.Y))
            {
                return double.PositiveInfinity;
            }

            turns += direction == (key.X - before.X, key.Y - before.Y) ? 0 : 1;
            direction = (key.X - before.X, key.Y - before.Y);
            shifted += key.IsShifted ? 1 : 0;
            before = key;
        }

        return Stretches(text.Length, turns) * Combinations.Variations(shifted, text.Length - shifted);
    }

    private bool AreNeighbours(int x, int y) =>
        Math.Abs(x) <= 1 && Math.Abs(y) <= 1 && (x, y) != (0, 0) && !(_isSlanted && x == y);

    /// <summary>How many stretches are no longer and have no more turns; the first step is a turn too.</summary>
    private double Stretches(int length, int turns)
    {
        var count = 0.0;
        for (var keys = 2; keys <= length; keys++)
        {
            for (var turned = 1; turned <= Math.Min(turns, keys - 1); turned++)
            {
                count += Combinations.Of(keys - 1, turned - 1) * _choices.Keys * Math.Pow(_choices.Neighbours, turned);
            }
        }

        return count;
    }

    private sealed record Row(int Start, string Keys, string? Shifted = null);
}
