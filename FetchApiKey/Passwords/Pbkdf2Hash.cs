// PBKDF2 with HMAC-SHA-256 as Django stores it: rows that came before Argon2.

using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;

namespace FetchApiKey.Passwords;

/// <summary>One stored PBKDF2 hash (RFC 8018 section 5.2). Always outdated: new hashes are Argon2id.</summary>
public sealed partial record Pbkdf2Hash(int Iterations, byte[] Salt, byte[] Key) : StoredHash
{
    private const int KeyBytes = 32;

    /// <summary>Parses Django's encoding; see <see cref="StoredHash"/>.</summary>
    public static StoredHash ParseDjango(string encoded, HashCeilings ceilings)
    {
        if (DjangoEncoding().Match(encoded) is not { Success: true } match)
        {
            return new RefusedHash("a malformed PBKDF2 string");
        }

        var iterations = long.Parse(match.Groups["iterations"].Value, NumberStyles.None, CultureInfo.InvariantCulture);
        if (iterations > ceilings.Pbkdf2Iterations)
        {
            return new RefusedHash("dearer than the ceilings allow");
        }

        var salt = match.Groups["salt"].Value;
        return UnpaddedBase64.Decode(match.Groups["key"].Value) is { Length: KeyBytes } key && salt.Length <= HashCeilings.Bytes
            ? new Pbkdf2Hash((int)iterations, Encoding.ASCII.GetBytes(salt), key)
            : new RefusedHash("with a salt or key of an impossible length");
    }

    /// <summary>The whole work in one call of the framework's.</summary>
    public bool Matches(TypedPassword password)
    {
        Span<byte> key = stackalloc byte[KeyBytes];
        Rfc2898DeriveBytes.Pbkdf2(password.Utf8, Salt, key, Iterations, HashAlgorithmName.SHA256);
        return CryptographicOperations.FixedTimeEquals(key, Key);
    }

    public override string ToString() => "(pbkdf2 hash)";

    [GeneratedRegex("""\Apbkdf2_sha256\$(?<iterations>[1-9][0-9]{0,9})\$(?<salt>[!-#%-~]+)\$(?<key>[A-Za-z0-9+/]+)=?\z""", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex DjangoEncoding();
}
