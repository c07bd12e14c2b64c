// What stands for a value in templates and examples, and was never replaced by one.

using System.Text.RegularExpressions;

namespace FetchApiKey;

/// <summary>
/// A reference that nothing resolved, a variable that nothing filled in, a gap to fill: as a secret each is known to everybody. Judged
/// without the quotation marks around it and without characters that nobody sees. What a generator of passwords makes is none of them:
/// each has a form that chance does not give.
/// </summary>
internal static partial class Placeholders
{
    private const string UnresolvedByPlatform =
        "is a reference that was not resolved: check the app's identity, its role at the vault and the network to it; "
        + "the value is still there, so make no new key";

    private const string Unresolved =
        "is a reference that was not resolved: set the value that it stands for, which is still there, so make no new key";

    private const string Unfilled = "is a variable that nothing filled in: set the value itself";

    private const string Example =
        "is a placeholder of an example: set the secret itself, of an existing deployment the one that it has";

    /// <summary>Control and format characters, but for white space, and others of no width or of no ink.</summary>
    private const string Unseen =
        @"[\p{Cc}\p{Cf}\u034F\u115F\u1160\u17B4\u17B5\u180B-\u180F\u2800\u3164\uFE00-\uFE0F\uFFA0-[\s]]|\uDB40[\uDC00-\uDDEF]";

    private const string Quotes = @"[\s""'`\u00AB\u00BB\u2018-\u201F]";

    /// <summary>The fault of a setting of any kind; null for a value that is no reference.</summary>
    public static string? FaultOfReference(string value) =>
        Bare(value).StartsWith("@Microsoft.", StringComparison.OrdinalIgnoreCase) ? UnresolvedByPlatform : null;

    /// <summary>The fault of a secret; null for what may be one.</summary>
    /// <param name="hasParts">Whether it is of parts, NAME=VALUE, as connection strings are, one of which may be the placeholder.</param>
    public static string? FaultOfSecret(string secret, bool hasParts)
    {
        if (Bare(secret).Length == 0 && !string.IsNullOrWhiteSpace(secret))
        {
            return "has no character that can be seen: set the secret itself";
        }

        var values = hasParts
            ? secret.Split(';', ',').Select(part => part[(part.IndexOf('=', StringComparison.Ordinal) + 1)..]).Prepend(secret)
            : [secret, EncodingPrefix().Replace(Bare(secret), "")];
        return values.Select(value => FaultOfReference(value) ?? FaultOf(Bare(value))).FirstOrDefault(fault => fault is not null);
    }

    private static string? FaultOf(string bare) =>
        Reference().IsMatch(bare) ? Unresolved : Variable().IsMatch(bare) ? Unfilled : Gap().IsMatch(bare) ? Example : null;

    /// <summary>Without what is around it and what cannot be seen.</summary>
    private static string Bare(string value) => Wrapping().Replace(value, "");

    [GeneratedRegex($@"\A(?:{Quotes}|{Unseen})+|(?:{Quotes}|{Unseen})+\z|{Unseen}", RegexOptions.CultureInvariant)]
    private static partial Regex Wrapping();

    /// <summary>op://, vault:, ref+vault://, arn:aws:secretsmanager:, projects/NAME/secrets/: of stores of secrets.</summary>
    [GeneratedRegex(
        @"\A(?:(?:op|env|file|kv|akv|bws|secrets?|[a-z+-]*vault|ref\+[a-z0-9]+)://|(?:hashi)?vault:"
        + @"|arn:aws[a-z-]*:(?:secretsmanager|ssm):|projects/[^/]+/secrets/)",
        RegexOptions.CultureInvariant | RegexOptions.IgnoreCase)]
    private static partial Regex Reference();

    /// <summary>
    /// %NAME%, ${NAME}, $(NAME), {{NAME}}, #{NAME}#, __NAME__, $env:NAME: of shells, pipelines and template engines; $NAME in capitals
    /// alone, since passwords may begin with a dollar sign.
    /// </summary>
    [GeneratedRegex(
        @"\A(?:%[\w\s.:()-]+%|\$\{.*\}|\$\(.*\)|\{\{.*\}\}|#\{.*\}#?|__[\w.-]+__|\$env:\w+|\$[A-Z][A-Z0-9_]{2,})\z",
        RegexOptions.CultureInvariant | RegexOptions.Singleline)]
    private static partial Regex Variable();

    /// <summary>
    /// &lt;paste it here&gt;, with or without a comment behind it; changeme, change-this-please, REPLACE_ME, your-256-bit-secret,
    /// insert-key-here, todo.
    /// </summary>
    [GeneratedRegex(
        @"\A(?:<[^<>$%&*^|~{}\\]*>(?:\s*\z|\s+(?:#|//|;|--))"
        + @"|(?:change|replace)(?:me|this|[-_ ]+(?:me|this|it|with)(?!\p{L})|it\z)"
        + @"|your(?:[-_ ](?:[a-z0-9]+[-_]){0,4})?(?:secret|password|passphrase|key|token)(?!\p{L})"
        + @"|(?:insert|paste|enter|put|add)[-_ ].*[-_ ]here\W*\z"
        + @"|(?:todo|fixme|placeholder)(?:[-_: ].*)?\z)",
        RegexOptions.CultureInvariant | RegexOptions.Singleline | RegexOptions.IgnoreCase)]
    private static partial Regex Gap();

    /// <summary>That JWT keys can have.</summary>
    [GeneratedRegex(@"\Abase64:", RegexOptions.CultureInvariant)]
    private static partial Regex EncodingPrefix();
}
