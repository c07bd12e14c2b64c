// Argon2 as stored: RFC 9106 for the function, the PHC string format for the encoding.

using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using FetchApiKey.Argon2;

namespace FetchApiKey.Passwords;

/// <summary>What one hash costs.</summary>
/// <param name="MemoryKib">8 a lane, to <see cref="StoredHash.MaxMemoryKib"/>.</param>
/// <param name="Passes">1 to <see cref="MaxPasses"/>.</param>
/// <param name="Lanes">1 to <see cref="MaxLanes"/>.</param>
public sealed record Argon2Cost(int MemoryKib, int Passes, int Lanes) : HashCost
{
    public const int MaxPasses = 10;
    public const int MaxLanes = 16;

    /// <summary>Django's and Zulip's.</summary>
    public static Argon2Cost Default { get; } = new(102400, 2, 8);

    /// <summary>Cheaper than the cheapest set of OWASP's Password Storage Cheat Sheet, 7168 KiB and 5 passes.</summary>
    public bool IsBelowAdvice => MemoryKib < 7168 || (long)MemoryKib * Passes < 7168 * 5;

    public override int WorkspaceKib => MemoryKib;

    public override string Setting => string.Create(CultureInfo.InvariantCulture, $"{MemoryKib}:{Passes}:{Lanes}");

    public override ComputedHash NewDecoy() => Argon2Hash.NewUntagged(this);

    /// <summary>Of parameters read from a stored hash or a setting.</summary>
    internal static bool IsWithinLimits(long memoryKib, long passes, long lanes) =>
        memoryKib <= StoredHash.MaxMemoryKib && passes <= MaxPasses && lanes <= MaxLanes;

    /// <summary>The range of RFC 9106.</summary>
    internal static bool IsLegal(long memoryKib, long passes, long lanes) =>
        passes >= 1 && lanes >= 1 && memoryKib >= Argon2Parameters.MinMemoryKibPerLane * lanes;

    /// <summary>Reads KIB:PASSES:LANES; see <see cref="HashFormat.ParseCost"/>.</summary>
    internal static Argon2Cost? ParseSetting(string text)
    {
        var numbers = Array.ConvertAll(
            text.Split(':'), part => int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : -1);
        return numbers is [var memory, var passes, var lanes] && IsWithinLimits(memory, passes, lanes) && IsLegal(memory, passes, lanes)
            ? new Argon2Cost(memory, passes, lanes)
            : null;
    }
}

/// <summary>
/// One stored Argon2 hash. Legal ranges are those of <see cref="Argon2Parameters"/>, limits those of <see cref="Argon2Cost"/>.
/// A string without a version is of version 0x10, as the format has it.
/// </summary>
public sealed partial record Argon2Hash(Argon2Variant Variant, int Version, Argon2Cost Cost, byte[] Salt, byte[] Tag) : ComputedHash
{
    private const int NewSaltCharacters = 22;
    private const int NewTagBytes = 32;
    private const string Alphanumerics = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    private const string DjangoPrefix = "argon2";

    public static HashFormat Format { get; } =
        new([$"{DjangoPrefix}$", "$argon2"], ParseEncoded, "KIB:PASSES:LANES", Argon2Cost.ParseSetting);

    public override Argon2Cost Cost { get; } = Cost;

    public Argon2Parameters Parameters => new(Variant, Version, Cost.MemoryKib, Cost.Passes, Cost.Lanes, Tag.Length);

    public override string Description => string.Create(CultureInfo.InvariantCulture,
        $"{Name(Variant)}, {Cost.MemoryKib} KiB, {Cost.Passes} passes, {Cost.Lanes} lanes");

    /// <summary>Argon2id with a random salt in Django's form, 22 alphanumerics, and room for a tag of 32 bytes.</summary>
    public static Argon2Hash NewUntagged(Argon2Cost cost) => new(
        Argon2Variant.Argon2id, Argon2Parameters.CurrentVersion, cost,
        Encoding.ASCII.GetBytes(RandomNumberGenerator.GetString(Alphanumerics, NewSaltCharacters)), new byte[NewTagBytes]);

    /// <summary>Whether a hash made today would have this variant, version, cost and tag length.</summary>
    public override bool IsCurrent(Argon2Cost configured) =>
        Variant == Argon2Variant.Argon2id && Version == Argon2Parameters.CurrentVersion && Cost == configured && Tag.Length == NewTagBytes;

    /// <summary>Django's encoding.</summary>
    public string Encode()
    {
        var cost = string.Create(CultureInfo.InvariantCulture, $"m={Cost.MemoryKib},t={Cost.Passes},p={Cost.Lanes}");
        return string.Create(CultureInfo.InvariantCulture,
            $"{DjangoPrefix}${Name(Variant)}$v={Version}${cost}${UnpaddedBase64.Encode(Salt)}${UnpaddedBase64.Encode(Tag)}");
    }

    internal override string? ReasonNotComputed(IArgon2 argon2) =>
        argon2.Computes(Version) ? null : "Konscious does not compute this version of Argon2";

    internal override bool Matches(TypedPassword password, IArgon2 argon2, HashingWorkspace workspace)
    {
        Span<byte> tag = stackalloc byte[Tag.Length];
        // Konscious throws on an empty password, which is never right, and one byte costs the same as none.
        argon2.Derive(Parameters, password.IsEmpty ? [0] : password.Utf8, Salt, workspace, tag);
        return CryptographicOperations.FixedTimeEquals(tag, Tag);
    }

    private static StoredHash ParseEncoded(string encoded)
    {
        var phc = encoded.StartsWith(DjangoPrefix, StringComparison.Ordinal) ? encoded[DjangoPrefix.Length..] : encoded;
        if (PhcString().Match(phc) is not { Success: true } match)
        {
            return new RefusedHash("malformed Argon2 string");
        }

        var version = match.Groups["v"].Success ? Number(match, "v") : Argon2Parameters.OldVersion;
        if (version is not (Argon2Parameters.CurrentVersion or Argon2Parameters.OldVersion))
        {
            return new RefusedHash("unknown version of Argon2");
        }

        var (memory, passes, lanes) = (Number(match, "m"), Number(match, "t"), Number(match, "p"));
        if (!Argon2Cost.IsWithinLimits(memory, passes, lanes))
        {
            return new RefusedHash(RefusedHash.ExceedsLimits);
        }

        if (!Argon2Cost.IsLegal(memory, passes, lanes))
        {
            return new RefusedHash("Argon2 parameters outside the range of RFC 9106");
        }

        if (UnpaddedBase64.Decode(match.Groups["salt"].ValueSpan) is not { Length: >= Argon2Parameters.MinSaltBytes and <= MaxPartBytes } salt
            || UnpaddedBase64.Decode(match.Groups["tag"].ValueSpan) is not { Length: >= Argon2Parameters.MinTagBytes and <= MaxPartBytes } tag)
        {
            return new RefusedHash("salt or tag of an illegal length");
        }

        var variant = match.Groups["variant"].ValueSpan switch
        {
            "id" => Argon2Variant.Argon2id,
            "i" => Argon2Variant.Argon2i,
            _ => Argon2Variant.Argon2d,
        };
        return new Argon2Hash(variant, (int)version, new Argon2Cost((int)memory, (int)passes, (int)lanes), salt, tag);
    }

    private static string Name(Argon2Variant variant) => variant switch
    {
        Argon2Variant.Argon2id => "argon2id",
        Argon2Variant.Argon2i => "argon2i",
        _ => "argon2d",
    };

    /// <summary>Numbers have no sign and no leading zero, and ten digits hold any that fits the format.</summary>
    private static long Number(Match match, string group) =>
        long.Parse(match.Groups[group].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture);

    [GeneratedRegex(
        """\A\$argon2(?<variant>id|i|d)(?:\$v=(?<v>[1-9][0-9]{0,9}))?"""
        + """\$m=(?<m>[1-9][0-9]{0,9}),t=(?<t>[1-9][0-9]{0,9}),p=(?<p>[1-9][0-9]{0,9})"""
        + """\$(?<salt>[A-Za-z0-9+/]+)\$(?<tag>[A-Za-z0-9+/]+)\z""",
        RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex PhcString();
}
