// The part of the memory that one hash is computed in.

namespace FetchApiKey.Argon2;

/// <summary>
/// What a hash is computed with: its slot of a <see cref="HashingMemory"/>, and the threads that may share its lanes. A hash
/// that needs more than the slot is refused. The default value has no memory.
/// </summary>
public readonly unsafe struct HashingWorkspace
{
    /// <summary>Of a slot's first byte, for the widest vectors.</summary>
    public const int Alignment = 64;

    private readonly HashingMemory? _memory;
    private readonly long _offset;

    /// <summary>A slot. Slots of hashes that run at once must not overlap.</summary>
    /// <param name="memory">What it is a part of.</param>
    /// <param name="offset">Of its first byte; a multiple of <see cref="Alignment"/>.</param>
    /// <param name="bytes">Its length.</param>
    /// <param name="workers">Threads that share the lanes of a hash; null to compute all of them on the calling thread.</param>
    /// <exception cref="ArgumentOutOfRangeException">The slot does not lie within the memory, or is not aligned.</exception>
    public HashingWorkspace(HashingMemory memory, long offset, long bytes, LaneWorkers? workers = null)
    {
        ArgumentNullException.ThrowIfNull(memory);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNotEqual(offset % Alignment, 0, nameof(offset));
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes, memory.Bytes - offset);
        (_memory, _offset, Bytes, Workers) = (memory, offset, bytes, workers);
    }

    /// <summary>Length of the slot.</summary>
    public long Bytes { get; }

    internal LaneWorkers? Workers { get; }

    /// <summary>The slot's first byte, for a hash of so many bytes.</summary>
    /// <exception cref="InvalidOperationException">The slot has fewer.</exception>
    // SAFETY: the constructor found the slot to lie within the memory; a default value has no bytes and is refused here.
    internal ulong* Take(long bytes) => _memory is not null && bytes <= Bytes
        ? (ulong*)(_memory.Start + _offset)
        : throw new InvalidOperationException($"A hash needs {bytes} bytes of memory, and its workspace has {Bytes}.");

    /// <summary>Wipes what a hash took, and gives back what of the slot lies in the memory's reserve.</summary>
    internal void Wipe(long bytes)
    {
        _memory!.Wipe(_offset, bytes);
        _memory.GiveBack(_offset, Bytes);
    }
}
