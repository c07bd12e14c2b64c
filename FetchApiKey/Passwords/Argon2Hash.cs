// Argon2 as stored: RFC 9106 for the function, the PHC string format for the encoding.

using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using FetchApiKey.Argon2;

namespace FetchApiKey.Passwords;


/// <summary>What one hash costs: memory in KiB (at least 8 a lane), passes (at least 1), lanes (at least 1).</summary>
public sealed record Argon2Cost(int MemoryKib, int Passes, int Lanes)
{
    /// <summary>Django's and Zulip's.</summary>
    public static Argon2Cost Default { get; } = new(102400, 2, 8);

    /// <summary>Cheaper than the cheapest set of OWASP's Password Storage Cheat Sheet, 7168 KiB and 5 passes.</summary>
    public bool IsBelowAdvice => MemoryKib < 7168 || (long)MemoryKib * Passes < 7168 * 5;
}

/// <summary>
/// One stored Argon2 hash. Legal ranges are those of <see cref="Argon2Parameters"/>; the upper ends are
/// <see cref="HashCeilings"/>. A string without a version is of version 0x10, as the format has it.
/// </summary>
public sealed partial record Argon2Hash(Argon2Variant Variant, int Version, Argon2Cost Cost, byte[] Salt, byte[] Tag) : StoredHash
{
    private const int NewSaltCharacters = 22;
    private const int NewTagBytes = 32;
    private const string Alphanumerics = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

    /// <summary>Parses a PHC string; see <see cref="StoredHash"/>.</summary>
    public static StoredHash ParsePhc(string phc, HashCeilings ceilings)
    {
        if (PhcString().Match(phc) is not { Success: true } match)
        {
            return new RefusedHash("a malformed Argon2 string");
        }

        var version = match.Groups["v"].Success ? Number(match, "v") : Argon2Parameters.OldVersion;
        if (version is not (Argon2Parameters.CurrentVersion or Argon2Parameters.OldVersion))
        {
            return new RefusedHash("of an unknown Argon2 version");
        }

        var (memory, passes, lanes) = (Number(match, "m"), Number(match, "t"), Number(match, "p"));
        if (memory > ceilings.MemoryKib || passes > ceilings.Passes || lanes > ceilings.Lanes)
        {
            return new RefusedHash("dearer than the ceilings allow");
        }

        if (memory < Argon2Parameters.MinMemoryKibPerLane * lanes)
        {
            return new RefusedHash("with Argon2 parameters outside RFC 9106");
        }

        if (UnpaddedBase64.Decode(match.Groups["salt"].Value) is not { Length: >= Argon2Parameters.MinSaltBytes and <= HashCeilings.Bytes } salt
            || UnpaddedBase64.Decode(match.Groups["tag"].Value) is not { Length: >= Argon2Parameters.MinTagBytes and <= HashCeilings.Bytes } tag)
        {
            return new RefusedHash("with a salt or tag of an impossible length");
        }

        var variant = match.Groups["variant"].Value switch
        {
            "id" => Argon2Variant.Argon2id,
            "i" => Argon2Variant.Argon2i,
            _ => Argon2Variant.Argon2d,
        };
        return new Argon2Hash(variant, (int)version, new Argon2Cost((int)memory, (int)passes, (int)lanes), salt, tag);
    }

    /// <summary>Argon2id with a random salt in Django's form, 22 alphanumerics, and room for a tag of 32 bytes.</summary>
    public static Argon2Hash NewUntagged(Argon2Cost cost) => new(
        Argon2Variant.Argon2id, Argon2Parameters.CurrentVersion, cost,
        Encoding.ASCII.GetBytes(RandomNumberGenerator.GetString(Alphanumerics, NewSaltCharacters)), new byte[NewTagBytes]);

    public Argon2Parameters Parameters => new(Variant, Version, Cost.MemoryKib, Cost.Passes, Cost.Lanes, Tag.Length);

    /// <summary>Whether a hash made today would have this variant, version, cost and tag length.</summary>
    public bool IsCurrent(Argon2Cost configured) =>
        Variant == Argon2Variant.Argon2id && Version == Argon2Parameters.CurrentVersion && Cost == configured && Tag.Length == NewTagBytes;

    /// <summary>Django's encoding.</summary>
    public string Encode() => string.Create(CultureInfo.InvariantCulture,
        $"argon2${Name(Variant)}$v={Version}$m={Cost.MemoryKib},t={Cost.Passes},p={Cost.Lanes}${UnpaddedBase64.Encode(Salt)}${UnpaddedBase64.Encode(Tag)}");

    public override string ToString() => $"({Name(Variant)} hash)";

    public static string Name(Argon2Variant variant) => variant switch
    {
        Argon2Variant.Argon2id => "argon2id",
        Argon2Variant.Argon2i => "argon2i",
        _ => "argon2d",
    };

    /// <summary>Numbers have no sign and no leading zero, and ten digits hold any that fits the format.</summary>
    private static long Number(Match match, string group) => long.Parse(match.Groups[group].Value, NumberStyles.None, CultureInfo.InvariantCulture);

    [GeneratedRegex("""\A\$argon2(?<variant>id|i|d)(?:\$v=(?<v>[1-9][0-9]{0,9}))?\$m=(?<m>[1-9][0-9]{0,9}),t=(?<t>[1-9][0-9]{0,9}),p=(?<p>[1-9][0-9]{0,9})\$(?<salt>[A-Za-z0-9+/]+)\$(?<tag>[A-Za-z0-9+/]+)\z""", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex PhcString();
}
