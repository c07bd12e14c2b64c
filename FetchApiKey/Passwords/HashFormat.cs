// A format of stored hashes, and what its hashes cost.

namespace FetchApiKey.Passwords;

/// <summary>How hashes of one format are recognised and read.</summary>
/// <param name="Prefixes">What its strings begin with. No two formats share one.</param>
/// <param name="Parse">Reads such a string and never throws: a <see cref="ComputedHash"/> or a <see cref="RefusedHash"/>.</param>
/// <param name="CostSyntax">How the setting Hashing__alsoInUse writes a cost of this format.</param>
/// <param name="ParseCost">Reads such a cost; null when it is none, or exceeds the limits.</param>
public sealed record HashFormat(
    IReadOnlyList<string> Prefixes, Func<string, StoredHash> Parse, string CostSyntax, Func<string, HashCost?> ParseCost);

/// <summary>What computing a hash costs. Hashes of equal cost take equally long.</summary>
public abstract record HashCost
{
    /// <summary>Memory that a hash takes from its workspace, in KiB; 0 for none.</summary>
    public abstract int WorkspaceKib { get; }

    /// <summary>As the setting Hashing__alsoInUse writes it.</summary>
    public abstract string Setting { get; }

    /// <summary>A hash to compute where there is no stored one: whether a password matches it means nothing.</summary>
    public abstract ComputedHash NewDecoy();

    /// <summary>Null when the text is no cost of any format, or exceeds the limits.</summary>
    public static HashCost? Parse(string text) =>
        StoredHash.Formats.Select(format => format.ParseCost(text)).FirstOrDefault(cost => cost is not null);

    public sealed override string ToString() => Setting;
}
