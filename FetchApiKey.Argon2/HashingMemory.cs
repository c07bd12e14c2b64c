// The memory that hashes are computed in: taken once, kept, wiped after every use.

using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace FetchApiKey.Argon2;

/// <summary>
/// Memory outside the managed heap: a part that is kept, and behind it a reserve that is taken from the system when it is
/// used and given back after. On Linux it is mapped on its own, asked to be backed by huge pages, left out of core dumps and
/// (the kept part) locked, so that no password's first blocks reach a disk; where the system refuses one of these,
/// <see cref="Unprotected"/> says which. Elsewhere it is plain memory.
/// </summary>
internal sealed unsafe partial class HashingMemory : IDisposable
{
    private const int ProtectionReadWrite = 1 | 2;
    private const int MapPrivateAnonymous = 0x02 | 0x20;
    private const int AdviseDontNeed = 4;
    private const int AdviseHugePage = 14;
    private const int AdviseDontDump = 16;
    private const nuint Alignment = 2 * 1024 * 1024;

    private readonly nuint _bytes;
    private readonly nuint _keptBytes;
    private readonly bool _isMapped;
    private readonly nint _mapping;
    private readonly nuint _mappedBytes;

    /// <param name="keptBytes">What stays; a multiple of 1024.</param>
    /// <param name="bytes">That and the reserve.</param>
    public HashingMemory(long keptBytes, long bytes)
    {
        (_keptBytes, _bytes) = (checked((nuint)keptBytes), checked((nuint)bytes));
        if (OperatingSystem.IsLinux())
        {
            // Room to begin at a huge page's boundary.
            _mappedBytes = _bytes + Alignment;
            _mapping = Map(0, _mappedBytes, ProtectionReadWrite, MapPrivateAnonymous, -1, 0);
            if (_mapping == -1)
            {
                throw new InsufficientMemoryException($"No {bytes} bytes of memory for hashing.");
            }

            _isMapped = true;
            Blocks = (ulong*)(((nuint)_mapping + Alignment - 1) & ~(Alignment - 1));
            _ = Advise((nint)Blocks, _bytes, AdviseHugePage);
            var refused = new List<string>();
            if (Advise((nint)Blocks, _bytes, AdviseDontDump) != 0)
            {
                refused.Add("exclusion from core dumps");
            }

            if (Lock((nint)Blocks, _keptBytes) != 0)
            {
                refused.Add("locking in memory");
            }

            Unprotected = refused;
        }
        else
        {
            Blocks = (ulong*)NativeMemory.AlignedAlloc(_bytes, 64);
            Unprotected = ["exclusion from core dumps", "locking in memory"];
        }
    }

    public ulong* Blocks { get; }

    public long Bytes => (long)_bytes;

    /// <summary>What the system refused.</summary>
    public IReadOnlyList<string> Unprotected { get; }

    /// <summary>Overwrites with zeros, and gives back what of it lies in the reserve.</summary>
    public void Wipe(long offset, long bytes)
    {
        const int LargestSpan = 1 << 30;
        for (var done = 0L; done < bytes; done += LargestSpan)
        {
            CryptographicOperations.ZeroMemory(new Span<byte>((byte*)Blocks + offset + done, (int)Math.Min(bytes - done, LargestSpan)));
        }

        if (_isMapped && (nuint)(offset + bytes) > _keptBytes)
        {
            var reserve = ((nuint)Blocks + _keptBytes + Alignment - 1) & ~(Alignment - 1);
            _ = Advise((nint)reserve, (nuint)Blocks + _bytes - Math.Min(reserve, (nuint)Blocks + _bytes), AdviseDontNeed);
        }
    }

    public void Dispose()
    {
        if (_isMapped)
        {
            _ = Unmap(_mapping, _mappedBytes);
        }
        else
        {
            NativeMemory.AlignedFree(Blocks);
        }
    }

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static partial nint Map(nint address, nuint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int Unmap(nint address, nuint length);

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(nint address, nuint length, int advice);

    [LibraryImport("libc", EntryPoint = "mlock")]
    private static partial int Lock(nint address, nuint length);
}
