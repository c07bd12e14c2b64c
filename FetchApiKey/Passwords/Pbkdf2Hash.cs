// PBKDF2 with HMAC-SHA-256 as Django stores it: rows that came before Argon2.

using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using FetchApiKey.Argon2;

namespace FetchApiKey.Passwords;

/// <summary>What one hash costs.</summary>
/// <param name="Iterations">1 to <see cref="MaxIterations"/>.</param>
public sealed record Pbkdf2Cost(int Iterations) : HashCost
{
    public const int MaxIterations = 2_000_000;

    private const string Prefix = "pbkdf2:";

    public override int WorkspaceKib => 0;

    public override string Setting => string.Create(CultureInfo.InvariantCulture, $"{Prefix}{Iterations}");

    public override ComputedHash NewDecoy() => new Pbkdf2Hash(this, new byte[16], new byte[Pbkdf2Hash.KeyBytes]);

    /// <summary>Reads pbkdf2:ITERATIONS; see <see cref="HashFormat.ParseCost"/>.</summary>
    internal static Pbkdf2Cost? ParseSetting(string text) =>
        text.StartsWith(Prefix, StringComparison.Ordinal)
        && int.TryParse(text.AsSpan(Prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var iterations)
        && iterations is >= 1 and <= MaxIterations
            ? new Pbkdf2Cost(iterations)
            : null;
}

/// <summary>One stored PBKDF2 hash (RFC 8018 section 5.2). Always outdated: new hashes are Argon2id.</summary>
public sealed partial record Pbkdf2Hash(Pbkdf2Cost Cost, byte[] Salt, byte[] Key) : ComputedHash
{
    public const int KeyBytes = 32;

    public static HashFormat Format { get; } = new(["pbkdf2_sha256$"], ParseDjango, "pbkdf2:ITERATIONS", Pbkdf2Cost.ParseSetting);

    public override Pbkdf2Cost Cost { get; } = Cost;

    public override string Description => string.Create(CultureInfo.InvariantCulture, $"pbkdf2_sha256, {Cost.Iterations} iterations");

    /// <summary>The whole work is one call of the framework.</summary>
    internal override bool Matches(TypedPassword password, IArgon2 argon2, HashingWorkspace workspace)
    {
        Span<byte> key = stackalloc byte[KeyBytes];
        Rfc2898DeriveBytes.Pbkdf2(password.Utf8, Salt, key, Cost.Iterations, HashAlgorithmName.SHA256);
        return CryptographicOperations.FixedTimeEquals(key, Key);
    }

    /// <summary>Reads Django's encoding.</summary>
    private static StoredHash ParseDjango(string encoded)
    {
        if (DjangoEncoding().Match(encoded) is not { Success: true } match)
        {
            return new RefusedHash("malformed PBKDF2 string");
        }

        var iterations = long.Parse(match.Groups["iterations"].Value, NumberStyles.None, CultureInfo.InvariantCulture);
        if (iterations > Pbkdf2Cost.MaxIterations)
        {
            return new RefusedHash(RefusedHash.ExceedsLimits);
        }

        var salt = match.Groups["salt"].Value;
        return UnpaddedBase64.Decode(match.Groups["key"].Value) is { Length: KeyBytes } key && salt.Length <= MaxPartBytes
            ? new Pbkdf2Hash(new Pbkdf2Cost((int)iterations), Encoding.ASCII.GetBytes(salt), key)
            : new RefusedHash("salt or key of an illegal length");
    }

    [GeneratedRegex(
        """\Apbkdf2_sha256\$(?<iterations>[1-9][0-9]{0,9})\$(?<salt>[!-#%-~]+)\$(?<key>[A-Za-z0-9+/]+)=?\z""",
        RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex DjangoEncoding();
}
