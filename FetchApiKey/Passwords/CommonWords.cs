// The words that a guesser tries first, in the order of how common they are.

using System.Collections.Frozen;

namespace FetchApiKey.Passwords;

/// <summary>
/// The lists of zxcvbn 4.4, which the package zxcvbn-core has too, though its estimate is an older one. Ranks begin with 1, and every word
/// is in one list alone: the one where it is most common.
/// </summary>
internal static class CommonWords
{
    /// <summary>A word of a higher rank takes enough guesses by itself, so that it is not needed.</summary>
    public const int MaxRank = 10_000;

    /// <summary>The longest of the words.</summary>
    public const int MaxLength = 23;

    private static readonly (string List, Weakness Kind)[] Lists =
    [
        ("passwords", Weakness.CommonPassword),
        ("english", Weakness.CommonWord),
        ("us_tv_and_film", Weakness.CommonWord),
        ("female_names", Weakness.Name),
        ("male_names", Weakness.Name),
        ("surnames", Weakness.Name),
    ];

    private static readonly Lazy<FrozenDictionary<string, (int Rank, Weakness Kind)>> Words = new(Read);

    /// <param name="word">In lower case.</param>
    public static bool TryFind(ReadOnlySpan<char> word, out int rank, out Weakness kind)
    {
        var isFound = Words.Value.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(word, out var found);
        (rank, kind) = found;
        return isFound;
    }

    private static FrozenDictionary<string, (int Rank, Weakness Kind)> Read()
    {
        var words = new Dictionary<string, (int Rank, Weakness Kind)>(Lists.Length * MaxRank, StringComparer.Ordinal);
        foreach (var (list, kind) in Lists)
        {
            using var resource = typeof(Zxcvbn.Zxcvbn).Assembly.GetManifestResourceStream($"zxcvbn-core.Dictionaries.{list}.lst")!;
            using var lines = new StreamReader(resource);
            for (var rank = 1; rank <= MaxRank && lines.ReadLine() is { Length: > 0 } word; rank++)
            {
                words.TryAdd(word, (rank, kind));
            }
        }

        return words.ToFrozenDictionary(StringComparer.Ordinal);
    }
}
