// Argon2 as stored: RFC 9106 for the function, the PHC string format for the encoding, Konscious for the arithmetic.

using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Konscious.Security.Cryptography;

namespace FetchApiKeyFunction.Passwords;

public enum Argon2Variant
{
    Argon2d,
    Argon2i,
    Argon2id,
}

/// <summary>What one hash costs: memory in KiB (at least 8 a lane), passes (at least 1), lanes (at least 1).</summary>
public sealed record Argon2Cost(int MemoryKib, int Passes, int Lanes)
{
    /// <summary>Django's and Zulip's.</summary>
    public static Argon2Cost Default { get; } = new(102400, 2, 8);

    /// <summary>Cheaper than the cheapest set of OWASP's Password Storage Cheat Sheet, 7168 KiB and 5 passes.</summary>
    public bool IsBelowAdvice => MemoryKib < 7168 || (long)MemoryKib * Passes < 7168 * 5;
}

/// <summary>
/// One stored Argon2 hash. Legal ranges, RFC 9106 section 3.1: memory 8 x lanes KiB and more, passes 1 and more, lanes
/// 1 to 2^24-1, salt 8 bytes and more (the section recommends 16), tag 4 bytes and more; the upper ends are
/// <see cref="HashCeilings"/>. Version 0x13 alone: Konscious does not compute the older 0x10.
/// </summary>
public sealed partial record Argon2Hash(Argon2Variant Variant, Argon2Cost Cost, byte[] Salt, byte[] Tag) : StoredHash
{
    private const int Version = 0x13;
    private const int MinSaltBytes = 8;
    private const int MinTagBytes = 4;
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

        if (Number(match, "v") != Version)
        {
            return new RefusedHash("of an Argon2 version other than 19");
        }

        var (memory, passes, lanes) = (Number(match, "m"), Number(match, "t"), Number(match, "p"));
        if (memory > ceilings.MemoryKib || passes > ceilings.Passes || lanes > ceilings.Lanes)
        {
            return new RefusedHash("dearer than the ceilings allow");
        }

        if (passes < 1 || lanes < 1 || memory < 8 * lanes)
        {
            return new RefusedHash("with Argon2 parameters outside RFC 9106");
        }

        if (UnpaddedBase64.Decode(match.Groups["salt"].Value) is not { Length: >= MinSaltBytes and <= HashCeilings.Bytes } salt
            || UnpaddedBase64.Decode(match.Groups["tag"].Value) is not { Length: >= MinTagBytes and <= HashCeilings.Bytes } tag)
        {
            return new RefusedHash("with a salt or tag of an impossible length");
        }

        var variant = match.Groups["variant"].Value switch
        {
            "id" => Argon2Variant.Argon2id,
            "i" => Argon2Variant.Argon2i,
            _ => Argon2Variant.Argon2d,
        };
        return new Argon2Hash(variant, new Argon2Cost((int)memory, (int)passes, (int)lanes), salt, tag);
    }

    /// <summary>A new Argon2id hash with a random salt in Django's form: 22 alphanumerics, 32 bytes of tag.</summary>
    public static async Task<Argon2Hash> CreateAsync(Argon2Cost cost, TypedPassword password)
    {
        var salt = Encoding.ASCII.GetBytes(RandomNumberGenerator.GetString(Alphanumerics, NewSaltCharacters));
        var untagged = new Argon2Hash(Argon2Variant.Argon2id, cost, salt, new byte[NewTagBytes]);
        return untagged with { Tag = await untagged.ComputeAsync(password.Utf8) };
    }

    /// <summary>Whether a hash made today would have this variant, cost and tag length.</summary>
    public bool IsCurrent(Argon2Cost configured) =>
        Variant == Argon2Variant.Argon2id && Cost == configured && Tag.Length == NewTagBytes;

    public async Task<bool> MatchesAsync(TypedPassword password) =>
        CryptographicOperations.FixedTimeEquals(await ComputeAsync(password.Utf8), Tag);

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

    private async Task<byte[]> ComputeAsync(byte[] password)
    {
        using Argon2 argon2 = Variant switch
        {
            Argon2Variant.Argon2id => new Argon2id(password),
            Argon2Variant.Argon2i => new Argon2i(password),
            _ => new Argon2d(password),
        };
        argon2.MemorySize = Cost.MemoryKib;
        argon2.Iterations = Cost.Passes;
        argon2.DegreeOfParallelism = Cost.Lanes;
        argon2.Salt = Salt;
        return await argon2.GetBytesAsync(Tag.Length);
    }

    /// <summary>Numbers have no sign and no leading zero, and ten digits hold any that fits the format.</summary>
    private static long Number(Match match, string group) => long.Parse(match.Groups[group].Value, NumberStyles.None, CultureInfo.InvariantCulture);

    [GeneratedRegex("""\A\$argon2(?<variant>id|i|d)\$v=(?<v>[1-9][0-9]{0,9})\$m=(?<m>[1-9][0-9]{0,9}),t=(?<t>[1-9][0-9]{0,9}),p=(?<p>[1-9][0-9]{0,9})\$(?<salt>[A-Za-z0-9+/]+)\$(?<tag>[A-Za-z0-9+/]+)\z""", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex PhcString();
}
