// The formats of a stored password, and the parser that judges a string before anything is allocated for it.

namespace FetchApiKey.Passwords;

/// <summary>
/// A parsed password column (contract section 7). Formats, where b64 is base64 without padding unless noted:
/// <code>
/// argon2$argon2id$v=19$m=102400,t=2,p=8$b64(salt)$b64(tag)   Django; also argon2i, argon2d
/// $argon2id$v=19$m=102400,t=2,p=8$b64(salt)$b64(tag)         a bare PHC string
/// pbkdf2_sha256$260000$salt text$padded base64(key)          Django; the salt is hashed as its ASCII text
/// !anything                                                  unusable: no password matches
/// </code>
/// Anything else, or more than <see cref="HashCeilings"/> allow, is a <see cref="RefusedHash"/>.
/// </summary>
public abstract record StoredHash
{
    /// <summary>Longer than any string the ceilings on salt and tag leave room for.</summary>
    private const int MaxLength = 512;

    public static StoredHash Parse(string encoded, HashCeilings ceilings) => encoded switch
    {
        { Length: > MaxLength } => new RefusedHash($"longer than {MaxLength} characters"),
        ['!', ..] => new UnusableHash(),
        _ when encoded.StartsWith("argon2$", StringComparison.Ordinal) => Argon2Hash.ParsePhc(encoded["argon2".Length..], ceilings),
        _ when encoded.StartsWith("$argon2", StringComparison.Ordinal) => Argon2Hash.ParsePhc(encoded, ceilings),
        _ when encoded.StartsWith("pbkdf2_sha256$", StringComparison.Ordinal) => Pbkdf2Hash.ParseDjango(encoded, ceilings),
        _ => new RefusedHash("of no known format"),
    };
}

/// <summary>A password column that says that nobody may log in with a password.</summary>
public sealed record UnusableHash : StoredHash;

/// <summary>A malformed hash, or one dearer than the ceilings. The reason quotes nothing of the hash.</summary>
public sealed record RefusedHash(string Reason) : StoredHash;

/// <summary>
/// The most that a stored hash may ask for. A row beyond them is refused before memory is taken, so that nobody who
/// can write a row can fell the process with it.
/// </summary>
public sealed record HashCeilings
{
    /// <summary>Argon2 memory in KiB; 8 to 4194304.</summary>
    public int MemoryKib { get; init; } = 256 * 1024;

    /// <summary>Argon2 passes; 1 to 1000.</summary>
    public int Passes { get; init; } = 10;

    /// <summary>Argon2 lanes; 1 to 255.</summary>
    public int Lanes { get; init; } = 16;

    /// <summary>PBKDF2 iterations; 1 to 100000000.</summary>
    public int Pbkdf2Iterations { get; init; } = 2_000_000;

    /// <summary>Salt and tag in bytes, of either algorithm.</summary>
    public const int Bytes = 128;
}
