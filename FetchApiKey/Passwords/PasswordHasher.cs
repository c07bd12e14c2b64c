// Checks passwords: knows stored hashes and costs, nothing of accounts, limits or HTTP.

using FetchApiKey.Argon2;
using FetchApiKey.Attempts;
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
/// <param name="Cost">Of new hashes.</param>
/// <param name="UseKonscious">Konscious in place of the built-in engine.</param>
public sealed record HashingSettings(Argon2Cost Cost, GateLimits Gate, bool UseKonscious)
{
    /// <summary>
    /// Costs of stored hashes beside <see cref="Cost"/>. Every login pays for one hash of each, so that the time does not show
    /// which of them an account has.
    /// </summary>
    public IReadOnlyList<HashCost> AlsoInUse { get; init; } = [];

    /// <summary>The most memory that a hash of any of the costs takes, in KiB.</summary>
    public int LargestMemoryKib => AlsoInUse.Append(Cost).Max(cost => cost.WorkspaceKib);
}

/// <summary>Verifies against stored hashes, and makes new ones with the configured cost.</summary>
public sealed class PasswordHasher : IDisposable
{
    private readonly Argon2Cost _cost;
    private readonly ILogger _log;

    /// <summary>
    /// Chosen, and tested on known answers, in the background: that takes as long as some hashes. The first hash waits for it.
    /// </summary>
    private readonly Task<Engine> _engine;

    /// <summary>What every login pays for, the configured cost first, and what is hashed where there is nothing to compare with.</summary>
    private readonly List<HashCost> _costs;
    private readonly ComputedHash[] _decoys;
    private bool _hasWarned;

    public PasswordHasher(HashingSettings settings, TimeProvider time, ILogger<PasswordHasher> log)
    {
        (_cost, _log) = (settings.Cost, log);
        _engine = Task.Run(() =>
        {
            var argon2 = Choose(settings, log);
            try
            {
                var gate = new HashingGate(argon2, settings.LargestMemoryKib, StoredHash.MaxMemoryKib, settings.Gate, time, log);
                return new Engine(argon2, gate);
            }
            catch (InsufficientMemoryException)
            {
                throw new InvalidSettingsException(
                    ["Hashing__memoryMib: the system does not have the memory that hashing needs; lower it, or Argon2__memoryKib"]);
            }
        });
        _costs = [.. settings.AlsoInUse.Prepend(_cost).Distinct()];
        _decoys = [.. _costs.Select(cost => cost.NewDecoy())];
    }

    /// <summary>Ends when hashes can be computed.</summary>
    /// <exception cref="InvalidSettingsException">The system has not as much memory.</exception>
    public Task WarmUpAsync() => _engine;

    /// <summary>
    /// Every call costs the same: one hash of the configured cost and of each that is also in use. The stored hash takes
    /// the place of the one of its cost; where there is none, or it is unusable or malformed (or the password is empty,
    /// which is never right), all are decoys. A stored hash of a cost that the settings do not name takes the place of the
    /// configured one, and its time tells it from others.
    /// </summary>
    /// <param name="client">Whose login it is: clients take turns at the gate.</param>
    /// <param name="begin">Called when the hash is about to be computed; from then on it is seen through.</param>
    /// <param name="stored">The password column; null when there is no account.</param>
    /// <returns>The verdict, and for a hash that was refused unread the reason, which is for the operator alone.</returns>
    /// <exception cref="HashingGateFullException">Too many others are hashing.</exception>
    public async Task<(PasswordVerdict Verdict, string? Refused)> VerifyAsync(
        ClientAddress client, string? stored, TypedPassword password, Action begin, CancellationToken waiting)
    {
        var engine = await _engine.WaitAsync(waiting);
        var hash = stored is null || password.IsEmpty ? new UnusableHash() : ComputableOrRefused(StoredHash.Parse(stored), engine);
        var hashes = (ComputedHash[])_decoys.Clone();
        var computed = hash as ComputedHash;
        int? place = computed is null ? null : PlaceOf(computed.Cost);
        if (place is { } own)
        {
            hashes[own] = computed!;
        }

        var isRight = await engine.Gate.RunAsync(
            client,
            hashes.Max(each => each.Cost.WorkspaceKib),
            workspace =>
            {
                begin();
                var isRight = false;
                for (var i = 0; i < hashes.Length; i++)
                {
                    isRight |= hashes[i].Matches(password, engine.Argon2, workspace) & i == place;
                }

                return isRight;
            },
            waiting);
        return (isRight ? Right(computed!.IsCurrent(_cost)) : PasswordVerdict.Wrong, (hash as RefusedHash)?.Reason);
    }

    /// <summary>The memory that one hash of so many KiB takes.</summary>
    public static long SlotBytes(int memoryKib, bool useKonscious) =>
        HashingGate.Bytes(memoryKib) * (useKonscious ? KonsciousArgon2.PeakFactor : 1);

    /// <summary>A new hash in the form it is stored in.</summary>
    /// <exception cref="HashingGateFullException">Too many others are hashing.</exception>
    public async Task<string> HashAsync(ClientAddress client, TypedPassword password, CancellationToken cancellation)
    {
        var engine = await _engine.WaitAsync(cancellation);
        var hash = Argon2Hash.NewUntagged(_cost);
        await engine.Gate.RunAsync(
            client,
            _cost.WorkspaceKib,
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
        // An engine that failed to start has nothing to give back.
        ((IAsyncResult)_engine).AsyncWaitHandle.WaitOne();
        if (_engine.IsCompletedSuccessfully)
        {
            _engine.Result.Gate.Dispose();
        }
    }

    /// <summary>Which of the hashes that every login pays for a stored hash of this cost replaces.</summary>
    private int PlaceOf(HashCost cost)
    {
        var place = _costs.IndexOf(cost);
        if (place < 0 && !Interlocked.Exchange(ref _hasWarned, true))
        {
            _log.StoredHashOfAnotherCost(cost.Setting);
        }

        return Math.Max(place, 0);
    }

    private static StoredHash ComputableOrRefused(StoredHash hash, Engine engine) =>
        hash is not ComputedHash computed ? hash
        : !engine.Gate.Fits(computed.Cost.WorkspaceKib) ? new RefusedHash("needs more memory than there is for hashing")
        : computed.ReasonNotComputed(engine.Argon2) is { } reason ? new RefusedHash(reason)
        : hash;

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
