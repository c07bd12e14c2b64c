// Who checks a password: knows stored hashes and costs, nothing of accounts, limits or HTTP.

using System.Security.Cryptography;
using FetchApiKey.Argon2;
using Microsoft.Extensions.Logging;

namespace FetchApiKey.Passwords;

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
public sealed record HashingSettings(Argon2Cost Cost, HashCeilings Ceilings, GateLimits Gate, bool UseKonscious)
{
    /// <summary>Costs of stored hashes beside <see cref="Cost"/>: every login pays for one hash of each, so that none tells from the time which one it met.</summary>
    public IReadOnlyList<HashCost> AlsoInUse { get; init; } = [];

    /// <summary>The most memory that a hash of any of the costs takes, in KiB.</summary>
    public int LargestMemoryKib => AlsoInUse.Select(cost => cost.Argon2?.MemoryKib ?? 0).Append(Cost.MemoryKib).Max();
}

/// <summary>Argon2, or PBKDF2 of so many iterations.</summary>
public sealed record HashCost(Argon2Cost? Argon2, int Pbkdf2Iterations)
{
    /// <summary>As the setting Hashing__alsoInUse has it.</summary>
    public override string ToString() => Argon2 is { } argon2
        ? FormattableString.Invariant($"{argon2.MemoryKib}:{argon2.Passes}:{argon2.Lanes}")
        : FormattableString.Invariant($"pbkdf2:{Pbkdf2Iterations}");
}

/// <summary>Verifies against stored hashes, and makes new ones with the configured cost.</summary>
public sealed class PasswordHasher : IDisposable
{
    private readonly Argon2Cost _cost;
    private readonly HashCeilings _ceilings;
    private readonly ILogger _log;

    /// <summary>Chosen and tried on known answers in the background, since that takes as long as some hashes: who wants to hash waits for it.</summary>
    private readonly Task<Engine> _engine;

    /// <summary>The costs every login pays for, the configured one first, and what is hashed where there is nothing to compare with.</summary>
    private readonly List<HashCost> _costs;
    private readonly StoredHash[] _decoys;
    private bool _hasWarned;

    public PasswordHasher(HashingSettings settings, TimeProvider time, ILogger<PasswordHasher> log)
    {
        (_cost, _ceilings, _log) = (settings.Cost, settings.Ceilings, log);
        _engine = Task.Run(() =>
        {
            var argon2 = Choose(settings, log);
            return new Engine(argon2, new HashingGate(argon2, settings.LargestMemoryKib, _ceilings.MemoryKib, settings.Gate, time, log));
        });
        _costs = [.. settings.AlsoInUse.Prepend(new HashCost(_cost, 0)).Distinct()];
        _decoys = [.. _costs.Select(cost => cost.Argon2 is { } argon2
            ? Argon2Hash.NewUntagged(argon2)
            : (StoredHash)new Pbkdf2Hash(cost.Pbkdf2Iterations, new byte[16], new byte[32]))];
    }

    /// <summary>Ends when hashes can be computed.</summary>
    /// <exception cref="Exception">They cannot.</exception>
    public Task WarmUpAsync() => _engine;

    /// <summary>
    /// Every call costs the same: one hash of the configured cost and of each that is also in use. The stored hash takes
    /// the place of the one of its cost; where there is none, or it is unusable or malformed (or the password is empty,
    /// which is never right), all are decoys. A stored hash of a cost that the settings do not name takes the place of the
    /// configured one, and its time tells it from others.
    /// </summary>
    /// <param name="client">Whose login it is: clients take turns at the gate.</param>
    /// <param name="stored">The password column; null when there is no account.</param>
    /// <returns>The verdict, and for a hash that was refused unread the reason, which is for the operator alone.</returns>
    /// <exception cref="HashingGateFullException">Too many others are hashing.</exception>
    public async Task<(PasswordVerdict Verdict, string? Refused)> VerifyAsync(string client, string? stored, TypedPassword password, CancellationToken cancellation)
    {
        var engine = await _engine.WaitAsync(cancellation);
        var hash = stored is null || password.IsEmpty ? new UnusableHash() : RefuseBeyondUs(StoredHash.Parse(stored, _ceilings), engine);
        var hashes = (StoredHash[])_decoys.Clone();
        var place = PlaceOf(hash);
        if (place is { } own)
        {
            hashes[own] = hash;
        }

        var isRight = await engine.Gate.RunAsync(
            client,
            hashes.Max(each => (each as Argon2Hash)?.Cost.MemoryKib ?? 0),
            workspace =>
            {
                var isRight = false;
                for (var i = 0; i < hashes.Length; i++)
                {
                    isRight |= Matches(engine.Argon2, hashes[i], password, workspace) & i == place;
                }

                return isRight;
            },
            cancellation);
        return (isRight ? Right((hash as Argon2Hash)?.IsCurrent(_cost) ?? false) : PasswordVerdict.Wrong, (hash as RefusedHash)?.Reason);
    }

    /// <summary>The memory that one hash of so many KiB takes.</summary>
    public static long SlotBytes(int memoryKib, bool useKonscious) =>
        HashingGate.Bytes(memoryKib) * (useKonscious ? KonsciousArgon2.PeakFactor : 1);

    /// <summary>A new hash in the form it is stored in.</summary>
    /// <exception cref="HashingGateFullException">Too many others are hashing.</exception>
    public async Task<string> HashAsync(string client, TypedPassword password, CancellationToken cancellation)
    {
        var engine = await _engine.WaitAsync(cancellation);
        var hash = Argon2Hash.NewUntagged(_cost);
        await engine.Gate.RunAsync(
            client,
            _cost.MemoryKib,
            workspace =>
            {
                engine.Argon2.Derive(hash.Parameters, password.Utf8, hash.Salt, workspace, hash.Tag);
                return true;
            },
            cancellation);
        return hash.Encode();
    }

    public void Dispose()
    {
        // One that failed to come up has nothing to give back.
        ((IAsyncResult)_engine).AsyncWaitHandle.WaitOne();
        if (_engine.IsCompletedSuccessfully)
        {
            _engine.Result.Gate.Dispose();
        }
    }

    /// <summary>Where among the hashes of every login this one belongs; null for one that cannot be computed.</summary>
    private int? PlaceOf(StoredHash hash)
    {
        HashCost cost;
        switch (hash)
        {
            case Argon2Hash argon2:
                cost = new HashCost(argon2.Cost, 0);
                break;
            case Pbkdf2Hash pbkdf2:
                cost = new HashCost(null, pbkdf2.Iterations);
                break;
            default:
                return null;
        }

        var place = _costs.IndexOf(cost);
        if (place < 0 && !Interlocked.Exchange(ref _hasWarned, true))
        {
            _log.StoredHashOfAnotherCost(cost.ToString());
        }

        return Math.Max(place, 0);
    }

    private static bool Matches(IArgon2 engine, StoredHash hash, TypedPassword password, HashingWorkspace workspace)
    {
        if (hash is Pbkdf2Hash pbkdf2)
        {
            return pbkdf2.Matches(password);
        }

        var argon2 = (Argon2Hash)hash;
        Span<byte> tag = stackalloc byte[argon2.Tag.Length];
        // Konscious throws on an empty password, which is never right, and one byte costs the same as none.
        engine.Derive(argon2.Parameters, password.IsEmpty ? [0] : password.Utf8, argon2.Salt, workspace, tag);
        return CryptographicOperations.FixedTimeEquals(tag, argon2.Tag);
    }

    private static StoredHash RefuseBeyondUs(StoredHash hash, Engine engine) => hash switch
    {
        Argon2Hash { Cost: var cost } when !engine.Gate.Fits(cost.MemoryKib) => new RefusedHash("dearer than all the hashing memory together"),
        Argon2Hash { Version: var version } when !engine.Argon2.Computes(version) => new RefusedHash("of an Argon2 version that Konscious does not compute"),
        _ => hash,
    };

    private static IArgon2 Choose(HashingSettings settings, ILogger log)
    {
        if (settings.UseKonscious)
        {
            return new KonsciousArgon2();
        }

        var path = Argon2Engine.BestPath;
        if (Argon2Engine.PassesSelfTest(path))
        {
            log.Argon2Chosen(path);
            return new BuiltInArgon2(path);
        }

        log.Argon2SelfTestFailed(path);
        return new KonsciousArgon2();
    }

    private static PasswordVerdict Right(bool isCurrent) => isCurrent ? PasswordVerdict.Right : PasswordVerdict.RightButOutdated;

    /// <summary>What computes, and what bounds how much of it at once.</summary>
    private sealed record Engine(IArgon2 Argon2, HashingGate Gate);
}
