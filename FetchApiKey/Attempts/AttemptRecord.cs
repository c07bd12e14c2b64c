// What is remembered of one bucket's attempts, and the rules by which another is let through. Pure: no clock, no storage.

using System.Buffers.Binary;

namespace FetchApiKey.Attempts;

/// <summary>How many attempts a bucket lets through.</summary>
/// <param name="Limit">Failures within <paramref name="Window"/> that a success clears (or none does, in a bucket that nobody clears).</param>
/// <param name="DailyLimit">Failures within a day, which no success clears; null for none.</param>
/// <param name="IsClearedBySuccess">Whether a success forgets the failures before it.</param>
public sealed record AttemptPolicy(int Limit, TimeSpan Window, int? DailyLimit, bool IsClearedBySuccess);

public enum AttemptDecision
{
    /// <summary>The zero value: no, until <see cref="AttemptStanding.RetryAfter"/> has passed.</summary>
    Blocked = 0,

    /// <summary>Not yet: attempts in flight may still turn out right and make room.</summary>
    Wait,

    Allowed,
}

/// <param name="Remaining">Attempts left after this one.</param>
/// <param name="RetryAfter">When blocked: until the next attempt is allowed.</param>
public readonly record struct AttemptStanding(AttemptDecision Decision, int Remaining, TimeSpan RetryAfter);

/// <summary>
/// The attempts of one bucket: failures, and reservations of attempts whose verdict is not known yet. Each has a number in
/// the order of reservation, so that a success clears exactly what was reserved before it, however many are in flight. A
/// reservation that is not settled within its lifetime, because its process died, has become a failure.
/// <para>
/// Stored: the last number given, the number up to which successes have cleared, and 32 bytes an attempt, little-endian:
/// number (8), time in seconds since 1970 by the store's clock (8), the reservation's id (16; zero for a failure).
/// </para>
/// </summary>
public sealed class AttemptRecord
{
    /// <summary>Longer than any request lives.</summary>
    public static readonly TimeSpan ReservationLifetime = TimeSpan.FromSeconds(30);

    public static readonly TimeSpan Day = TimeSpan.FromDays(1);

    private const int EntryBytes = 32;
    private readonly List<Entry> _entries = [];

    private readonly record struct Entry(long Number, DateTimeOffset Time, Guid Reservation)
    {
        public bool IsFailure => Reservation == Guid.Empty;
    }

    /// <summary>The number of the last attempt reserved.</summary>
    public long LastNumber { get; private set; }

    /// <summary>Attempts up to this number are cleared from the window, though not from the day.</summary>
    public long ClearedNumber { get; private set; }

    public static AttemptRecord Read(long lastNumber, long clearedNumber, ReadOnlySpan<byte> entries)
    {
        var record = new AttemptRecord { LastNumber = lastNumber, ClearedNumber = clearedNumber };
        for (; entries.Length >= EntryBytes; entries = entries[EntryBytes..])
        {
            record._entries.Add(new Entry(
                BinaryPrimitives.ReadInt64LittleEndian(entries),
                DateTimeOffset.FromUnixTimeSeconds(BinaryPrimitives.ReadInt64LittleEndian(entries[8..])),
                new Guid(entries[16..32])));
        }

        return record;
    }

    /// <summary>There is nothing in it to remember.</summary>
    public bool IsEmpty => _entries.Count == 0;

    public byte[] WriteEntries()
    {
        var bytes = new byte[_entries.Count * EntryBytes];
        var rest = bytes.AsSpan();
        foreach (var entry in _entries)
        {
            BinaryPrimitives.WriteInt64LittleEndian(rest, entry.Number);
            BinaryPrimitives.WriteInt64LittleEndian(rest[8..], entry.Time.ToUnixTimeSeconds());
            entry.Reservation.TryWriteBytes(rest[16..32]);
            rest = rest[EntryBytes..];
        }

        return bytes;
    }

    /// <summary>Whether another attempt may be reserved now.</summary>
    public AttemptStanding Judge(AttemptPolicy policy, DateTimeOffset now)
    {
        Expire(policy, now);
        var window = _entries.Where(entry => entry.Number > ClearedNumber && entry.Time > now - policy.Window).ToList();
        var failures = window.Where(entry => entry.IsFailure).ToList();
        var blocked = TimeUntilRoom(failures, policy.Limit, policy.Window, now);
        if (policy.DailyLimit is { } daily)
        {
            var ofDay = TimeUntilRoom([.. _entries.Where(entry => entry.IsFailure)], daily, Day, now);
            blocked = ofDay > blocked ? ofDay : blocked;
        }

        if (blocked > TimeSpan.Zero)
        {
            return new AttemptStanding(AttemptDecision.Blocked, 0, blocked);
        }

        return window.Count >= policy.Limit || _entries.Count >= (policy.DailyLimit ?? int.MaxValue)
            ? new AttemptStanding(AttemptDecision.Wait, 0, TimeSpan.Zero)
            : new AttemptStanding(AttemptDecision.Allowed, policy.Limit - window.Count - 1, TimeSpan.Zero);
    }

    /// <summary>The number of a reservation that is not settled yet; null when there is none of that id.</summary>
    public long? NumberOf(Guid reservation)
    {
        var index = _entries.FindIndex(entry => entry.Reservation == reservation);
        return index < 0 ? null : _entries[index].Number;
    }

    /// <summary>Gives the reservation's number.</summary>
    public long Reserve(Guid reservation, DateTimeOffset now)
    {
        LastNumber = LastNumber == 0 ? FirstNumber(reservation) : LastNumber + 1;
        _entries.Add(new Entry(LastNumber, now, reservation));
        return LastNumber;
    }

    /// <summary>
    /// Ends a reservation. One that has expired into a failure stays that, but a success still clears what was reserved before it.
    /// One that is not here any more was ended before, and what stands here now is not its to change.
    /// </summary>
    /// <returns>Whether anything has changed.</returns>
    public bool Settle(Guid reservation, long number, bool isSuccess, AttemptPolicy policy)
    {
        var index = _entries.FindIndex(entry => entry.Number == number);
        if (index < 0)
        {
            return false;
        }

        var isOpen = _entries[index].Reservation == reservation;
        if (!isSuccess)
        {
            _entries[index] = _entries[index] with { Reservation = Guid.Empty };
            return isOpen;
        }

        if (isOpen)
        {
            _entries.RemoveAt(index);
        }

        if (policy.IsClearedBySuccess)
        {
            ClearedNumber = Math.Max(ClearedNumber, number);
        }

        return isOpen || policy.IsClearedBySuccess;
    }

    /// <summary>Takes a reservation back, as if it had never been made.</summary>
    /// <returns>Whether anything has changed.</returns>
    public bool Withdraw(Guid reservation) => _entries.RemoveAll(entry => entry.Reservation == reservation) > 0;

    /// <summary>
    /// A number that no other record began with, 1 to 2^62: a record without attempts is deleted, and a verdict that comes twice must not find
    /// its number in the record that follows.
    /// </summary>
    private static long FirstNumber(Guid reservation)
    {
        Span<byte> random = stackalloc byte[16];
        reservation.TryWriteBytes(random);
        return (BinaryPrimitives.ReadInt64LittleEndian(random[8..]) >>> 2) + 1;
    }

    private void Expire(AttemptPolicy policy, DateTimeOffset now)
    {
        for (var i = 0; i < _entries.Count; i++)
        {
            if (!_entries[i].IsFailure && _entries[i].Time <= now - ReservationLifetime)
            {
                _entries[i] = _entries[i] with { Reservation = Guid.Empty };
            }
        }

        var remembered = policy.DailyLimit is null ? policy.Window : policy.Window > Day ? policy.Window : Day;
        _entries.RemoveAll(entry => entry.IsFailure && entry.Time <= now - remembered);
    }

    /// <summary>Until so many failures have left the period that one more is allowed; zero when one is allowed now.</summary>
    private static TimeSpan TimeUntilRoom(List<Entry> failures, int limit, TimeSpan period, DateTimeOffset now) =>
        failures.Count < limit
            ? TimeSpan.Zero
            : failures.Select(entry => entry.Time).Order().ElementAt(failures.Count - limit) + period - now;
}
