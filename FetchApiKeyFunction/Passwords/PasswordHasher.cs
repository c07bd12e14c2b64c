// Who checks a password: knows stored hashes and costs, nothing of accounts, limits or HTTP.

using System.Security.Cryptography;
using FetchApiKeyFunction.Passwords.Argon2;
using Microsoft.Extensions.Logging;

namespace FetchApiKeyFunction.Passwords;

/// <summary>The zero value is the refusal.</summary>
public enum PasswordVerdict
{
    Wrong = 0,
    Right,

    /// <summary>Right, and the stored hash is not what a hash made today would be.</summary>
    RightButOutdated,
}

/// <summary>What passwords are hashed with.</summary>
/// <param name="UseKonscious">Konscious in place of our own engine.</param>
public sealed record HashingSettings(Argon2Cost Cost, HashCeilings Ceilings, GateLimits Gate, bool UseKonscious);

/// <summary>Verifies against stored hashes, and makes new ones with the configured cost.</summary>
public sealed class PasswordHasher : IDisposable
{
    private readonly Argon2Cost _cost;
    private readonly HashCeilings _ceilings;
    private readonly IArgon2 _argon2;
    private readonly HashingGate _gate;

    /// <summary>What is hashed where there is nothing to compare with.</summary>
    private readonly Argon2Hash _decoy;

    public PasswordHasher(HashingSettings settings, TimeProvider time, ILogger log)
    {
        (_cost, _ceilings) = (settings.Cost, settings.Ceilings);
        _argon2 = Choose(settings, log);
        _gate = new HashingGate(_argon2, _cost, _ceilings.MemoryKib, settings.Gate, time, log);
        _decoy = Argon2Hash.NewUntagged(_cost);
    }

    /// <summary>
    /// Every call costs one hash: the stored one where it is sound, else a decoy of the configured cost, so that an
    /// absent, unusable or malformed hash (and an empty password, which is never right) takes the same time as a wrong
    /// password.
    /// </summary>
    /// <param name="stored">The password column; null when there is no account.</param>
    /// <returns>The verdict, and for a hash that was refused unread the reason, which is for the operator alone.</returns>
    /// <exception cref="HashingGateFullException">Too many others are hashing.</exception>
    public async Task<(PasswordVerdict Verdict, string? Refused)> VerifyAsync(string? stored, TypedPassword password, CancellationToken cancellation)
    {
        var hash = stored is null || password.IsEmpty ? new UnusableHash() : RefuseBeyondUs(StoredHash.Parse(stored, _ceilings));
        switch (hash)
        {
            case Argon2Hash argon2:
                return (await MatchesAsync(argon2, password, cancellation) ? Right(argon2.IsCurrent(_cost)) : PasswordVerdict.Wrong, null);

            case Pbkdf2Hash pbkdf2:
                var isRight = await _gate.RunAsync(0, _ => pbkdf2.Matches(password), cancellation);
                return (isRight ? Right(isCurrent: false) : PasswordVerdict.Wrong, null);

            default:
                await MatchesAsync(_decoy, password, cancellation);
                return (PasswordVerdict.Wrong, (hash as RefusedHash)?.Reason);
        }
    }

    /// <summary>The memory that one hash of that cost takes.</summary>
    public static long SlotBytes(Argon2Cost cost, bool useKonscious) =>
        (long)cost.MemoryKib * Argon2Kernel.BlockBytes * (useKonscious ? KonsciousArgon2.PeakFactor : 1);

    /// <summary>A new hash in the form it is stored in.</summary>
    /// <exception cref="HashingGateFullException">Too many others are hashing.</exception>
    public async Task<string> HashAsync(TypedPassword password, CancellationToken cancellation)
    {
        var hash = Argon2Hash.NewUntagged(_cost);
        await _gate.RunAsync(
            _cost.MemoryKib,
            workspace =>
            {
                _argon2.Derive(hash.Parameters, password.Utf8, hash.Salt, workspace, hash.Tag);
                return true;
            },
            cancellation);
        return hash.Encode();
    }

    public void Dispose() => _gate.Dispose();

    private Task<bool> MatchesAsync(Argon2Hash hash, TypedPassword password, CancellationToken cancellation) => _gate.RunAsync(
        hash.Cost.MemoryKib,
        workspace =>
        {
            Span<byte> tag = stackalloc byte[hash.Tag.Length];
            // Konscious throws on an empty password, which is never right, and one byte costs the same as none.
            _argon2.Derive(hash.Parameters, password.IsEmpty ? [0] : password.Utf8, hash.Salt, workspace, tag);
            return CryptographicOperations.FixedTimeEquals(tag, hash.Tag);
        },
        cancellation);

    private StoredHash RefuseBeyondUs(StoredHash hash) => hash switch
    {
        Argon2Hash { Cost: var cost } when !_gate.Fits(cost.MemoryKib) => new RefusedHash("dearer than all the hashing memory together"),
        Argon2Hash { Version: var version } when !_argon2.Computes(version) => new RefusedHash("of an Argon2 version that Konscious does not compute"),
        _ => hash,
    };

    private static IArgon2 Choose(HashingSettings settings, ILogger log)
    {
        if (settings.UseKonscious)
        {
            return new KonsciousArgon2();
        }

        var path = Argon2Engine.BestPath;
        if (BuiltInArgon2.PassesSelfTest(path))
        {
            log.Argon2Chosen(path);
            return new BuiltInArgon2(path);
        }

        log.Argon2SelfTestFailed(path);
        return new KonsciousArgon2();
    }

    private static PasswordVerdict Right(bool isCurrent) => isCurrent ? PasswordVerdict.Right : PasswordVerdict.RightButOutdated;
}
