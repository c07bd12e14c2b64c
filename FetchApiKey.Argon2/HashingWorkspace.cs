// The part of the memory that one hash is computed in.

namespace FetchApiKey.Argon2;

/// <summary>What a hash is computed with: its part of the gate's memory, and helpers if it is alone.</summary>
internal readonly unsafe struct HashingWorkspace(HashingMemory? memory, long offset, LaneCrew? crew)
{
    public LaneCrew? Crew => crew;

    public ulong* Take(long bytes) => offset + bytes <= memory!.Bytes
        ? (ulong*)((byte*)memory.Blocks + offset)
        : throw new InvalidOperationException("A hash asked for more memory than the gate let it in for.");

    public void Wipe(long bytes) => memory!.Wipe(offset, bytes);
}
