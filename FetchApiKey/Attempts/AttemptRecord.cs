// What is remembered of one bucket: its failures. Pure: no clock, no storage.

using System.Buffers.Binary;
using System.Collections.Immutable;

namespace FetchApiKey.Attempts;

/// <param name="Id">Random, so that a verdict whose acknowledgement was lost finds itself.</param>
/// <param name="Time">By the store's clock, in whole seconds.</param>
/// <param name="IsCleared">A later success has cleared it from the window, though not from the day.</param>
public readonly record struct Failure(ulong Id, DateTimeOffset Time, bool IsCleared);

public enum CommitDecision
{
    /// <summary>The zero value: the limit is reached, and the verdict stays inside.</summary>
    Withheld = 0,

    /// <summary>It may leave if the state can be written.</summary>
    Write,

    /// <summary>It was written before, and the acknowledgement was lost.</summary>
    Done,
}

/// <param name="Next">What to write.</param>
/// <param name="Standing">Before the verdict.</param>
public readonly record struct CommitStep(CommitDecision Decision, AttemptRecord Next, AttemptStanding Standing);

/// <summary>
/// Failures, the oldest first. Stored as entries of 8 or 12 bytes, little-endian: seconds since 2020 with the highest bit set where the
/// failure is cleared (4), id (4 or 8, see <see cref="AttemptPolicy"/>).
/// </summary>
public sealed class AttemptRecord
{
    private const uint ClearedBit = 1u << 31;
    private static readonly DateTimeOffset Epoch = new(2020, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private readonly ImmutableList<Failure> _failures;

    private AttemptRecord(ImmutableList<Failure> failures) => _failures = failures;

    public static AttemptRecord Empty { get; } = new([]);

    public bool IsEmpty => _failures.IsEmpty;

    public IReadOnlyList<Failure> Failures => _failures;

    /// <summary>Null for bytes that no record was written as.</summary>
    public static AttemptRecord? TryRead(ReadOnlySpan<byte> stored, int idBytes)
    {
        var entryBytes = sizeof(uint) + idBytes;
        if (stored.Length % entryBytes != 0)
        {
            return null;
        }

        var failures = ImmutableList.CreateBuilder<Failure>();
        for (; !stored.IsEmpty; stored = stored[entryBytes..])
        {
            var time = BinaryPrimitives.ReadUInt32LittleEndian(stored);
            var id = idBytes == sizeof(uint)
                ? BinaryPrimitives.ReadUInt32LittleEndian(stored[sizeof(uint)..])
                : BinaryPrimitives.ReadUInt64LittleEndian(stored[sizeof(uint)..]);
            failures.Add(new Failure(id, Epoch.AddSeconds(time & ~ClearedBit), (time & ClearedBit) != 0));
        }

        return new AttemptRecord(failures.ToImmutable());
    }

    public byte[] Write(int idBytes)
    {
        var entryBytes = sizeof(uint) + idBytes;
        var stored = new byte[_failures.Count * entryBytes];
        var rest = stored.AsSpan();
        foreach (var failure in _failures)
        {
            var seconds = (uint)(failure.Time - Epoch).TotalSeconds & ~ClearedBit;
            BinaryPrimitives.WriteUInt32LittleEndian(rest, failure.IsCleared ? seconds | ClearedBit : seconds);
            if (idBytes == sizeof(uint))
            {
                BinaryPrimitives.WriteUInt32LittleEndian(rest[sizeof(uint)..], (uint)failure.Id);
            }
            else
            {
                BinaryPrimitives.WriteUInt64LittleEndian(rest[sizeof(uint)..], failure.Id);
            }

            rest = rest[entryBytes..];
        }

        return stored;
    }

    public bool Has(ulong id) => _failures.Exists(failure => failure.Id == id);

    /// <summary>The failures that a success would clear.</summary>
    public ImmutableHashSet<ulong> Uncleared => [.. _failures.Where(failure => !failure.IsCleared).Select(failure => failure.Id)];

    public AttemptStanding Judge(AttemptPolicy policy, DateTimeOffset now)
    {
        if (IsEmpty)
        {
            // Of most names, and asked several times a login.
            return new AttemptStanding(Math.Min(policy.Limit, policy.DailyLimit ?? policy.Limit), TimeSpan.Zero);
        }

        var ofWindow = Standing([.. _failures.Where(failure => !failure.IsCleared)], policy.Limit, policy.Window, now);
        if (policy.DailyLimit is not { } daily)
        {
            return ofWindow;
        }

        var ofDay = Standing(_failures, daily, AttemptPolicy.Day, now);
        return new AttemptStanding(
            Math.Min(ofWindow.Room, ofDay.Room), ofWindow.RetryAfter > ofDay.RetryAfter ? ofWindow.RetryAfter : ofDay.RetryAfter);
    }

    /// <summary>The record with one more failure; without what has lost its meaning.</summary>
    public AttemptRecord WithFailure(ulong id, AttemptPolicy policy, DateTimeOffset now) =>
        new(Remembered(policy, now).Add(new Failure(id, now, IsCleared: false)));

    /// <summary>The record after a success that clears these failures and no later ones; without what has lost its meaning.</summary>
    public AttemptRecord WithCleared(ImmutableHashSet<ulong> ids, AttemptPolicy policy, DateTimeOffset now)
    {
        var remembered = Remembered(policy, now);
        return policy.DailyLimit is null
            ? new AttemptRecord(remembered.RemoveAll(failure => ids.Contains(failure.Id)))
            : new AttemptRecord([.. remembered.Select(failure => ids.Contains(failure.Id) ? failure with { IsCleared = true } : failure)]);
    }

    /// <summary>
    /// What a verdict that is to be committed makes of this state: whether it is in it already, must be withheld, or may be written, and
    /// the state to write then. Nothing else decides, so this is what is tested under arbitrary interleavings; <see cref="AttemptBucket"/> has the proof.
    /// </summary>
    /// <param name="failure">The id of a wrong verdict; null for a right one.</param>
    /// <param name="cleared">The failures that a right verdict found at its first try, and clears.</param>
    public CommitStep Step(ulong? failure, ImmutableHashSet<ulong> cleared, AttemptPolicy policy, DateTimeOffset now)
    {
        var standing = Judge(policy, now);
        return failure is { } written && Has(written) ? new CommitStep(CommitDecision.Done, this, standing)
            : standing.IsBlocked ? new CommitStep(CommitDecision.Withheld, this, standing)
            : failure is { } id ? new CommitStep(CommitDecision.Write, WithFailure(id, policy, now), standing)
            : new CommitStep(CommitDecision.Write, policy.IsClearedBySuccess ? WithCleared(cleared, policy, now) : this, standing);
    }

    private ImmutableList<Failure> Remembered(AttemptPolicy policy, DateTimeOffset now) =>
        _failures.RemoveAll(failure => failure.Time <= now - policy.Memory);

    private static AttemptStanding Standing(IReadOnlyList<Failure> failures, int limit, TimeSpan period, DateTimeOffset now)
    {
        var recent = failures.Where(failure => failure.Time > now - period).Select(failure => failure.Time).Order().ToList();
        return recent.Count < limit
            ? new AttemptStanding(limit - recent.Count, TimeSpan.Zero)
            : new AttemptStanding(0, recent[recent.Count - limit] + period - now);
    }
}
