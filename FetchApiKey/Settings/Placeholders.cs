// What stands for a value in templates and examples, and was never replaced by one.

using System.Text.RegularExpressions;

namespace FetchApiKey;

/// <summary>
/// A reference that the platform did not resolve, a variable that nothing filled in, a gap to fill: as a secret each is known to everybody.
/// </summary>
internal static partial class Placeholders
{
    private const string Unresolved =
        "is a reference that was not resolved: check the app's identity, its role at the vault and the network to it; "
        + "the value is still there, so make no new key";

    /// <summary>The fault of a setting of any kind; null for a value that is no reference.</summary>
    public static string? FaultOfReference(string value) =>
        value.AsSpan().Trim().StartsWith("@Microsoft.", StringComparison.OrdinalIgnoreCase) ? Unresolved : null;

    /// <summary>The fault of a secret; null for what may be one.</summary>
    /// <param name="hasParts">Whether it is of parts, NAME=VALUE, as connection strings are, one of which may be the placeholder.</param>
    public static string? FaultOfSecret(string secret, bool hasParts)
    {
        var values = hasParts
            ? secret.Split(';', ',').Select(part => part[(part.IndexOf('=', StringComparison.Ordinal) + 1)..]).Prepend(secret)
            : [secret, EncodingPrefix().Replace(secret, "")];
        return values.Select(value => FaultOfReference(value)
            ?? (Variable().IsMatch(value) ? "is a variable that nothing filled in: set the value itself"
                : Gap().IsMatch(value) ? "is a placeholder of an example: set the secret itself, of an existing deployment the one that it has"
                : null)).FirstOrDefault(fault => fault is not null);
    }

    /// <summary>%NAME%, ${NAME}, $(NAME), {{NAME}}, #{NAME}#: of shells, pipelines and template engines.</summary>
    [GeneratedRegex(@"\A\s*(?:%.+%|\$\{.*\}|\$\(.*\)|\{\{.*\}\}|#\{.*\}#?)\s*\z", RegexOptions.CultureInvariant | RegexOptions.Singleline)]
    private static partial Regex Variable();

    /// <summary>&lt;paste it here&gt;, changeme, change-me-please, REPLACE_ME.</summary>
    [GeneratedRegex(
        @"\A\s*(?:<.*>\s*\z|(?:change|replace)[-_ ]?me)", RegexOptions.CultureInvariant | RegexOptions.Singleline | RegexOptions.IgnoreCase)]
    private static partial Regex Gap();

    /// <summary>That JWT keys can have.</summary>
    [GeneratedRegex(@"\A\s*base64:", RegexOptions.CultureInvariant)]
    private static partial Regex EncodingPrefix();
}
