// Who checks a password: knows stored hashes and costs, nothing of accounts, limits or HTTP.

using System.Text;

namespace FetchApiKeyFunction.Passwords;

/// <summary>The zero value is the refusal.</summary>
public enum PasswordVerdict
{
    Wrong = 0,
    Right,

    /// <summary>Right, and the stored hash is not what a hash made today would be.</summary>
    RightButOutdated,
}

/// <summary>Verifies against stored hashes, and makes new ones with the configured cost.</summary>
public sealed class PasswordHasher(Argon2Cost cost, HashCeilings ceilings)
{
    /// <summary>What is hashed where there is nothing to compare with; its tag matches no password but by a 256-bit chance.</summary>
    private readonly Argon2Hash _decoy = new(Argon2Variant.Argon2id, cost, Encoding.ASCII.GetBytes("decoydecoydecoydecoyde"), new byte[32]);

    /// <summary>
    /// Every call costs one hash: the stored one where it is sound, else a decoy of the configured cost, so that an
    /// absent, unusable or malformed hash (and an empty password, which is never right) takes the same time as a wrong
    /// password.
    /// </summary>
    /// <param name="stored">The password column; null when there is no account.</param>
    /// <returns>The verdict, and for a hash that was refused unread the reason, which is for the operator alone.</returns>
    public async Task<(PasswordVerdict Verdict, string? Refused)> VerifyAsync(string? stored, TypedPassword password)
    {
        var hash = stored is null || password.IsEmpty ? new UnusableHash() : StoredHash.Parse(stored, ceilings);
        switch (hash)
        {
            case Argon2Hash argon2:
                return (await argon2.MatchesAsync(password) ? Right(argon2.IsCurrent(cost)) : PasswordVerdict.Wrong, null);

            case Pbkdf2Hash pbkdf2:
                return (await pbkdf2.MatchesAsync(password) ? Right(isCurrent: false) : PasswordVerdict.Wrong, null);

            default:
                // Konscious throws on an empty password, and one byte costs the same as none.
                using (var decoyed = TypedPassword.FromUtf8([0]))
                {
                    await _decoy.MatchesAsync(password.IsEmpty ? decoyed : password);
                }

                return (PasswordVerdict.Wrong, (hash as RefusedHash)?.Reason);
        }
    }

    /// <summary>A new hash in the form it is stored in.</summary>
    public async Task<string> HashAsync(TypedPassword password) => (await Argon2Hash.CreateAsync(cost, password)).Encode();

    private static PasswordVerdict Right(bool isCurrent) => isCurrent ? PasswordVerdict.Right : PasswordVerdict.RightButOutdated;
}
