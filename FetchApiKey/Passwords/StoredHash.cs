// What a stored password is: a hash of a registered format, or a reason why there is none.

using FetchApiKey.Argon2;

namespace FetchApiKey.Passwords;

/// <summary>
/// A parsed password column (contract section 7). Formats, where b64 is base64 without padding unless noted:
/// <code>
/// argon2$argon2id$v=19$m=102400,t=2,p=8$b64(salt)$b64(tag)   Django; also argon2i, argon2d
/// $argon2id$v=19$m=102400,t=2,p=8$b64(salt)$b64(tag)         a bare PHC string
/// pbkdf2_sha256$260000$salt text$padded base64(key)          Django; the salt is hashed as its ASCII text
/// !anything                                                  unusable: no password matches
/// </code>
/// Anything else, and a hash that exceeds the limits, is a <see cref="RefusedHash"/>.
/// </summary>
public abstract record StoredHash
{
    /// <summary>The formats. A new one is its file, a line here, and its vectors.</summary>
    public static IReadOnlyList<HashFormat> Formats { get; } = [Argon2Hash.Format, Pbkdf2Hash.Format];

    /// <summary>The most memory that a hash of any format may ask for, in KiB.</summary>
    public const int MaxMemoryKib = 256 * 1024;

    /// <summary>The longest salt, and the longest tag, of any format.</summary>
    public const int MaxPartBytes = 128;

    /// <summary>Longer than any string that <see cref="MaxPartBytes"/> leaves room for.</summary>
    private const int MaxLength = 512;

    /// <summary>Never throws. Limits are checked before anything is allocated for a hash.</summary>
    public static StoredHash Parse(string encoded)
    {
        if (encoded.Length > MaxLength)
        {
            return new RefusedHash($"longer than {MaxLength} characters");
        }

        if (encoded.StartsWith('!'))
        {
            return new UnusableHash();
        }

        var format = Formats.FirstOrDefault(each => each.Prefixes.Any(prefix => encoded.StartsWith(prefix, StringComparison.Ordinal)));
        return format is null ? new RefusedHash("unknown format") : format.Parse(encoded);
    }

    /// <summary>Format and cost for an operator: nothing of the salt or the tag.</summary>
    public abstract string Description { get; }

    /// <summary>Sealed, so that no format prints its salt and tag.</summary>
    public sealed override string ToString() => Description;
}

/// <summary>A password column that says that no password is accepted for the account.</summary>
public sealed record UnusableHash : StoredHash
{
    public override string Description => "unusable";
}

/// <summary>A hash that is malformed, exceeds the limits, or cannot be computed here. The reason quotes nothing of the hash.</summary>
public sealed record RefusedHash(string Reason) : StoredHash
{
    /// <summary>So that a stored row cannot make the process run out of memory or time.</summary>
    public const string ExceedsLimits = "exceeds the limits for stored hashes";

    public override string Description => $"refused: {Reason}";
}

/// <summary>A hash of one of the formats, within the limits.</summary>
public abstract record ComputedHash : StoredHash
{
    public abstract HashCost Cost { get; }

    /// <summary>Whether a hash made today with the configured cost would have the same form and cost.</summary>
    public virtual bool IsCurrent(Argon2Cost configured) => false;

    /// <summary>Why it cannot be computed with this Argon2, for an operator; null when it can.</summary>
    internal virtual string? ReasonNotComputed(IArgon2 argon2) => null;

    /// <summary>Computes the hash of the password and compares in constant time. The password may be empty.</summary>
    /// <param name="argon2">What computes Argon2.</param>
    /// <param name="workspace">Has at least the memory of <see cref="HashCost.WorkspaceKib"/>.</param>
    internal abstract bool Matches(TypedPassword password, IArgon2 argon2, HashingWorkspace workspace);
}
