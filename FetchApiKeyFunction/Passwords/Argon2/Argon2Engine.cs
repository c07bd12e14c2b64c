// Argon2: the memory, its filling and the tag.

using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using System.Security.Cryptography;

namespace FetchApiKeyFunction.Passwords.Argon2;

/// <summary>
/// Argon2 as in RFC 9106, section 3.2 for the steps; variants d, i and id, versions 0x13 and 0x10.
/// <para>
/// Memory is a matrix of lanes (rows) and blocks of 1024 bytes (columns), one lane after the other, each cut into four
/// slices. A block is 128 little-endian 64-bit words, in the order that suits the path
/// (<see cref="IArgon2Compression.PlaceOf"/>). A segment, one slice of one lane, refers to other lanes only in
/// slices that are finished, so the segments of a slice may be filled in any order: here one thread fills several lanes
/// in step, a block of each in turn, and asks for the next reference of one lane while it computes the others. That hides
/// most of the time a reference takes to come from memory, which is what large hashes spend most of their time on.
/// </para>
/// <para>
/// Memory is the caller's, see <see cref="HashingMemory"/>, and kept between hashes: fresh memory costs a page fault for
/// every 4 KiB, which on the virtual machine that the README's figures come from took 2 to 3 microseconds each (libargon2 on
/// 102400 KiB, 2 passes, 8 lanes: 130 ms of CPU with fresh memory, 71 ms with kept). The first blocks let a guess be tested
/// for the price of a few BLAKE2b calls, so that whoever owns it must wipe it. H0 and every intermediate block are wiped here.
/// </para>
/// </summary>
internal static unsafe class Argon2Engine
{
    private const int SlicesPerPass = 4;
    private const int PreHashBytes = 64;
    private const int Alignment = 64;

    /// <summary>Lanes that one thread fills in step. Measured on 102400 KiB, 2 passes, 8 lanes: 1 takes 1.4 times as long as 2, 4 take 1.15 times, 8 take 1.4 times.</summary>
    private const int LanesInStep = 2;

    private static readonly Argon2Path[] Preference = [Argon2Path.Avx512, Argon2Path.Avx2, Argon2Path.Vector128, Argon2Path.Portable];

    /// <summary>The widest path that this processor, and the way this program was compiled, allow.</summary>
    public static Argon2Path BestPath { get; } = Preference.First(IsSupported);

    public static bool IsSupported(Argon2Path path) => path switch
    {
        Argon2Path.Avx512 => Avx512Compression.IsSupported,
        Argon2Path.Avx2 => Avx2Compression.IsSupported,
        Argon2Path.Vector128 => Vector128Compression.IsSupported,
        _ => BitConverter.IsLittleEndian,
    };

    /// <summary>Computes a tag of <see cref="Argon2Parameters.TagBytes"/> bytes.</summary>
    /// <param name="blocks">At least <see cref="Argon2Parameters.Blocks"/> x 1024 bytes, aligned to 64; holds secrets afterwards.</param>
    /// <param name="crew">Threads to share the lanes with; null to do all alone.</param>
    /// <exception cref="ArgumentOutOfRangeException">A parameter or the salt is outside its range.</exception>
    public static void Derive(
        Argon2Path path, in Argon2Parameters parameters, ReadOnlySpan<byte> password, ReadOnlySpan<byte> salt,
        ReadOnlySpan<byte> secret, ReadOnlySpan<byte> data, ulong* blocks, LaneCrew? crew, Span<byte> tag)
    {
        parameters.Validate(salt.Length);
        var preHash = (Span<byte>)stackalloc byte[PreHashBytes + (2 * sizeof(int))];
        PreHash(parameters, password, salt, secret, data, preHash[..PreHashBytes]);
        switch (path)
        {
            case Argon2Path.Avx512:
                Derive<Avx512Compression>(parameters, preHash, blocks, crew, tag);
                break;
            case Argon2Path.Avx2:
                Derive<Avx2Compression>(parameters, preHash, blocks, crew, tag);
                break;
            case Argon2Path.Vector128:
                Derive<Vector128Compression>(parameters, preHash, blocks, crew, tag);
                break;
            default:
                Derive<PortableCompression>(parameters, preHash, blocks, crew, tag);
                break;
        }

        CryptographicOperations.ZeroMemory(preHash);
    }

    private static void Derive<TCompression>(in Argon2Parameters parameters, Span<byte> preHash, ulong* blocks, LaneCrew? crew, Span<byte> tag)
        where TCompression : IArgon2Compression
    {
        WriteFirstBlocks<TCompression>(parameters, preHash, blocks);
        var filling = new Filling(parameters, blocks, &FillLanes<TCompression>);
        for (var pass = 0; pass < parameters.Passes; pass++)
        {
            for (var slice = 0; slice < SlicesPerPass; slice++)
            {
                if (crew is null)
                {
                    filling.FillLanes(pass, slice, 0, parameters.Lanes);
                }
                else
                {
                    crew.Fill(filling, pass, slice);
                }
            }
        }

        WriteTag<TCompression>(parameters, blocks, tag[..parameters.TagBytes]);
    }

    /// <summary>A filling in progress: what it needs to fill some lanes of a slice, on whatever thread.</summary>
    internal readonly struct Filling(Argon2Parameters parameters, ulong* blocks, delegate*<in Argon2Parameters, ulong*, int, int, int, int, void> fillLanes)
    {
        private readonly Argon2Parameters _parameters = parameters;
        private readonly ulong* _blocks = blocks;
        private readonly delegate*<in Argon2Parameters, ulong*, int, int, int, int, void> _fillLanes = fillLanes;

        public int Lanes => _parameters.Lanes;

        public void FillLanes(int pass, int slice, int fromLane, int toLane)
        {
            for (var lane = fromLane; lane < toLane; lane += LanesInStep)
            {
                _fillLanes(_parameters, _blocks, pass, slice, lane, Math.Min(lane + LanesInStep, toLane));
            }
        }
    }

    // ---- Section 3.2, step 1: H0 ----

    private static void PreHash(
        in Argon2Parameters parameters, ReadOnlySpan<byte> password, ReadOnlySpan<byte> salt, ReadOnlySpan<byte> secret, ReadOnlySpan<byte> data, Span<byte> preHash)
    {
        var hash = new Blake2b(PreHashBytes);
        hash.Add(parameters.Lanes);
        hash.Add(parameters.TagBytes);
        hash.Add(parameters.MemoryKib);
        hash.Add(parameters.Passes);
        hash.Add(parameters.Version);
        hash.Add((int)parameters.Variant);
        hash.Add(password.Length);
        hash.Add(password);
        hash.Add(salt.Length);
        hash.Add(salt);
        hash.Add(secret.Length);
        hash.Add(secret);
        hash.Add(data.Length);
        hash.Add(data);
        hash.Finish(preHash);
    }

    // ---- Steps 3 and 4: the first two blocks of each lane ----

    private static void WriteFirstBlocks<TCompression>(in Argon2Parameters parameters, Span<byte> preHash, ulong* blocks)
        where TCompression : IArgon2Compression
    {
        Span<ulong> words = stackalloc ulong[Argon2Kernel.BlockWords];
        for (var lane = 0; lane < parameters.Lanes; lane++)
        {
            for (var column = 0; column < 2; column++)
            {
                BitConverter.TryWriteBytes(preHash[PreHashBytes..], column);
                BitConverter.TryWriteBytes(preHash[(PreHashBytes + sizeof(int))..], lane);
                var block = blocks + (((long)lane * parameters.LaneBlocks) + column) * Argon2Kernel.BlockWords;
                Blake2b.Stretch(preHash, MemoryMarshal.AsBytes(words));
                for (var i = 0; i < words.Length; i++)
                {
                    block[TCompression.PlaceOf(i)] = words[i];
                }
            }
        }

        CryptographicOperations.ZeroMemory(MemoryMarshal.AsBytes(words));
    }

    // ---- Steps 5 and 6: the other blocks, segment by segment ----

    /// <summary>Fills one slice of the lanes from <paramref name="fromLane"/> to before <paramref name="toLane"/>, in step.</summary>
    [ExcludeFromCodeCoverage(Justification = Argon2Kernel.Reason)]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FillLanes<TCompression>(in Argon2Parameters parameters, ulong* blocks, int pass, int slice, int fromLane, int toLane)
        where TCompression : IArgon2Compression
    {
        const int AddressBlocks = 3;
        var lanes = toLane - fromLane;
        var isIndependent = parameters.Variant == Argon2Variant.Argon2i
            || (parameters.Variant == Argon2Variant.Argon2id && pass == 0 && slice < SlicesPerPass / 2);
        var accumulate = pass > 0 && parameters.Version != Argon2Parameters.OldVersion;
        var segment = parameters.SegmentBlocks;
        var laneBlocks = parameters.LaneBlocks;
        var start = pass == 0 && slice == 0 ? 2 : 0;

        // One block of scratch, and for each lane what its addresses come from.
        var workspaceBytes = (1 + (isIndependent ? AddressBlocks * lanes : 0)) * Argon2Kernel.BlockBytes;
        byte* unaligned = stackalloc byte[workspaceBytes + Alignment];
        var scratch = (ulong*)(((nint)unaligned + Alignment - 1) & ~(Alignment - 1));
        var workspace = new Span<byte>(scratch, workspaceBytes);
        workspace.Clear();
        var references = stackalloc ulong*[lanes];
        for (var index = start; index < segment; index++)
        {
            var column = (slice * segment) + index;
            for (var i = 0; i < lanes; i++)
            {
                var lane = blocks + ((long)(fromLane + i) * laneBlocks * Argon2Kernel.BlockWords);
                var next = lane + ((long)column * Argon2Kernel.BlockWords);
                var previous = lane + ((long)(column == 0 ? laneBlocks - 1 : column - 1) * Argon2Kernel.BlockWords);
                var addresses = scratch + ((1 + (AddressBlocks * i)) * Argon2Kernel.BlockWords);
                if (index == start)
                {
                    references[i] = blocks + ReferenceOffset(parameters, pass, slice, fromLane + i, index,
                        isIndependent ? Address<TCompression>(parameters, pass, slice, fromLane + i, index, addresses, scratch, isFirst: true) : previous[0]);
                }

                TCompression.Compress(previous, references[i], next, scratch, accumulate);
                if (index + 1 < segment)
                {
                    references[i] = blocks + ReferenceOffset(parameters, pass, slice, fromLane + i, index + 1,
                        isIndependent ? Address<TCompression>(parameters, pass, slice, fromLane + i, index + 1, addresses, scratch, isFirst: false) : next[0]);
                    Prefetch(references[i]);
                }
            }
        }

        CryptographicOperations.ZeroMemory(workspace);
    }

    /// <summary>
    /// The pseudo-random word of a block that is addressed independently of the password, section 3.4.1.2. Of the three
    /// blocks at <paramref name="addresses"/> the first holds 128 such words, the second their input, the third zeros.
    /// </summary>
    private static ulong Address<TCompression>(
        in Argon2Parameters parameters, int pass, int slice, int lane, int index, ulong* addresses, ulong* scratch, bool isFirst)
        where TCompression : IArgon2Compression
    {
        if (isFirst || index % Argon2Kernel.BlockWords == 0)
        {
            var input = addresses + Argon2Kernel.BlockWords;
            var zeros = input + Argon2Kernel.BlockWords;
            input[TCompression.PlaceOf(0)] = (ulong)pass;
            input[TCompression.PlaceOf(1)] = (ulong)lane;
            input[TCompression.PlaceOf(2)] = (ulong)slice;
            input[TCompression.PlaceOf(3)] = (ulong)parameters.Blocks;
            input[TCompression.PlaceOf(4)] = (ulong)parameters.Passes;
            input[TCompression.PlaceOf(5)] = (ulong)parameters.Variant;
            input[TCompression.PlaceOf(6)]++;
            TCompression.Compress(zeros, input, addresses, scratch, accumulate: false);
            TCompression.Compress(zeros, addresses, addresses, scratch, accumulate: false);
        }

        return addresses[TCompression.PlaceOf(index % Argon2Kernel.BlockWords)];
    }

    /// <summary>Where the reference block of a pseudo-random word lies, in words from the first block; sections 3.4.1.1 and 3.4.2.</summary>
    [ExcludeFromCodeCoverage(Justification = Argon2Kernel.Reason)]
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static long ReferenceOffset(in Argon2Parameters parameters, int pass, int slice, int lane, int index, ulong random)
    {
        var segment = parameters.SegmentBlocks;
        var laneBlocks = 4 * segment;
        var referenceLane = pass == 0 && slice == 0 ? lane : (int)((uint)(random >> 32) % (uint)parameters.Lanes);

        // Every finished block of the last four slices of that lane, and in the own lane those of this segment too, but
        // never the block just before the one to be filled.
        var finished = pass == 0 ? slice * segment : laneBlocks - segment;
        var area = referenceLane == lane ? finished + index - 1 : finished - (index == 0 ? 1 : 0);
        var first = pass == 0 || slice == SlicesPerPass - 1 ? 0 : (slice + 1) * segment;

        var low = random & uint.MaxValue;
        var square = (low * low) >> 32;
        var position = first + (uint)area - 1 - (uint)(((ulong)(uint)area * square) >> 32);
        if (position >= laneBlocks)
        {
            position -= laneBlocks;
        }

        return (((long)referenceLane * laneBlocks) + position) * Argon2Kernel.BlockWords;
    }

    [ExcludeFromCodeCoverage(Justification = Argon2Kernel.Reason)]
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch(ulong* block)
    {
        if (Sse.IsSupported)
        {
            for (var line = 0; line < Argon2Kernel.BlockBytes; line += 64)
            {
                Sse.Prefetch0((byte*)block + line);
            }
        }
    }

    // ---- Step 7: the tag ----

    private static void WriteTag<TCompression>(in Argon2Parameters parameters, ulong* blocks, Span<byte> tag)
        where TCompression : IArgon2Compression
    {
        var sum = (Span<ulong>)stackalloc ulong[Argon2Kernel.BlockWords];
        sum.Clear();
        for (var lane = 1; lane <= parameters.Lanes; lane++)
        {
            var last = blocks + (((long)lane * parameters.LaneBlocks) - 1) * Argon2Kernel.BlockWords;
            for (var i = 0; i < sum.Length; i++)
            {
                sum[i] ^= last[TCompression.PlaceOf(i)];
            }
        }

        Blake2b.Stretch(MemoryMarshal.AsBytes(sum), tag);
        CryptographicOperations.ZeroMemory(MemoryMarshal.AsBytes(sum));
    }
}
