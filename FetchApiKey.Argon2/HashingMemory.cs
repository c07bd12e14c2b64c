// The memory that hashes are computed in: taken once, kept, wiped after every use.

using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace FetchApiKey.Argon2;

/// <summary>
/// Memory outside the managed heap: a part that is kept, and behind it a reserve that is taken from the system when it is
/// used and given back afterwards. On Linux it is a mapping of its own. Huge pages are asked for, core dumps leave it out,
/// and the kept part is locked, so that no password's first blocks reach a disk; <see cref="Unprotected"/> names what the
/// system refused. On other systems it is plain memory.
/// <para>
/// It is kept between hashes because page faults are expensive: 2 to 3 microseconds for every 4 KiB on the virtual machine
/// that the figures of the README come from. libargon2 on 102400 KiB, 2 passes, 8 lanes took 130 ms of CPU there with
/// fresh memory, and 71 ms with kept memory.
/// </para>
/// </summary>
public sealed unsafe partial class HashingMemory : IDisposable
{
    private const int ProtectionReadWrite = 1 | 2;
    private const int MapPrivateAnonymous = 0x02 | 0x20;
    private const int AdviseDontNeed = 4;
    private const int AdviseHugePage = 14;
    private const int AdviseDontDump = 16;
    private const nuint HugePage = 2 * 1024 * 1024;

    private readonly long _keptBytes;
    private readonly bool _isMapped;
    private readonly nint _mapping;
    private readonly nuint _mappedBytes;
    private byte* _start;

    /// <summary>Memory without a reserve.</summary>
    /// <param name="bytes">1 and more.</param>
    /// <exception cref="InsufficientMemoryException">The system has no such memory.</exception>
    public HashingMemory(long bytes)
        : this(bytes, bytes)
    {
    }

    /// <summary>Memory with a reserve.</summary>
    /// <param name="keptBytes">What stays: 0 to <paramref name="bytes"/>.</param>
    /// <param name="bytes">That and the reserve; 1 and more.</param>
    /// <exception cref="InsufficientMemoryException">The system has no such memory.</exception>
    // SAFETY: a mapping is longer than asked for by one huge page, so the first boundary inside it has all the bytes behind it.
    // The calls to libc are given that range alone, and they change no memory of anything else.
    public HashingMemory(long keptBytes, long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(bytes, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(keptBytes);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(keptBytes, bytes);
        (_keptBytes, Bytes) = (keptBytes, bytes);
        if (OperatingSystem.IsLinux())
        {
            _mappedBytes = checked((nuint)bytes + HugePage);
            _mapping = Map(0, _mappedBytes, ProtectionReadWrite, MapPrivateAnonymous, -1, 0);
            if (_mapping == -1)
            {
                throw new InsufficientMemoryException($"The system has no {bytes} bytes of memory for hashing.");
            }

            _isMapped = true;
            _start = (byte*)AlignUp((nuint)_mapping);
            _ = Advise((nint)_start, (nuint)bytes, AdviseHugePage);
            var refused = new List<string>();
            if (Advise((nint)_start, (nuint)bytes, AdviseDontDump) != 0)
            {
                refused.Add("exclusion from core dumps");
            }

            if (Lock((nint)_start, (nuint)keptBytes) != 0)
            {
                refused.Add("locking in memory");
            }

            Unprotected = refused;
        }
        else
        {
            try
            {
                _start = (byte*)NativeMemory.AlignedAlloc(checked((nuint)bytes), HashingWorkspace.Alignment);
            }
            catch (OutOfMemoryException)
            {
                throw new InsufficientMemoryException($"The system has no {bytes} bytes of memory for hashing.");
            }

            Unprotected = ["exclusion from core dumps", "locking in memory"];
        }
    }

    /// <summary>The kept part and the reserve.</summary>
    public long Bytes { get; }

    /// <summary>The protections that the system refused, in words for a log.</summary>
    public IReadOnlyList<string> Unprotected { get; }

    /// <summary>
    /// Has the system back the kept part with memory now, where locking has not done so: the first hashes need not wait for page faults, and
    /// memory that the system does not have is missed here.
    /// </summary>
    // SAFETY: writes zeros within the kept part, before any hash runs in it.
    public void Touch()
    {
        const int page = 4096;
        for (var offset = 0L; offset < _keptBytes; offset += page)
        {
            Start[offset] = 0;
        }
    }

    /// <summary>Gives everything back to the system. No hash may run in this memory meanwhile.</summary>
    // SAFETY: frees once, what the constructor took; Start refuses to give the pointer out afterwards.
    public void Dispose()
    {
        if (_start is null)
        {
            return;
        }

        if (_isMapped)
        {
            _ = Unmap(_mapping, _mappedBytes);
        }
        else
        {
            NativeMemory.AlignedFree(_start);
        }

        _start = null;
    }

    /// <summary>The first byte, aligned to <see cref="HashingWorkspace.Alignment"/>.</summary>
    /// <exception cref="ObjectDisposedException">The memory was given back.</exception>
    internal byte* Start => _start is not null ? _start : throw new ObjectDisposedException(nameof(HashingMemory));

    /// <summary>Overwrites a range with zeros.</summary>
    // SAFETY: the caller is a workspace, whose range was found to lie within Bytes when it was made.
    internal void Wipe(long offset, long bytes)
    {
        const int largestSpan = 1 << 30;
        for (var done = 0L; done < bytes; done += largestSpan)
        {
            CryptographicOperations.ZeroMemory(new Span<byte>(Start + offset + done, (int)Math.Min(bytes - done, largestSpan)));
        }
    }

    /// <summary>Gives back to the system what of a range lies in the reserve. It reads as zeros afterwards.</summary>
    // SAFETY: the range is cut to whole huge pages, so neither the kept part nor what lies beside the range loses a byte. Only at
    // the end of the memory is it rounded up, by the system, to the end of a page that nothing else has a part of.
    internal void GiveBack(long offset, long bytes)
    {
        if (!_isMapped || offset + bytes <= _keptBytes)
        {
            return;
        }

        var from = AlignUp((nuint)Start + (nuint)Math.Max(offset, _keptBytes));
        var end = (nuint)Start + (nuint)(offset + bytes);
        var to = offset + bytes == Bytes ? end : end & ~(HugePage - 1);
        if (from < to)
        {
            _ = Advise((nint)from, to - from, AdviseDontNeed);
        }
    }

    private static nuint AlignUp(nuint address) => (address + HugePage - 1) & ~(HugePage - 1);

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static partial nint Map(nint address, nuint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int Unmap(nint address, nuint length);

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(nint address, nuint length, int advice);

    [LibraryImport("libc", EntryPoint = "mlock")]
    private static partial int Lock(nint address, nuint length);
}
