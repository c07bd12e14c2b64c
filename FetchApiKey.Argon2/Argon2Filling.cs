// Argon2's long work: every block but the first two of each lane, segment by segment.

using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using System.Security.Cryptography;

namespace FetchApiKey.Argon2;

/// <summary>Steps 5 and 6 of RFC 9106 section 3.2, and the addresses of section 3.4.</summary>
internal static unsafe class Argon2Filling
{
    public const int SlicesPerPass = 4;
    private const int Alignment = 64;

    /// <summary>Fills one slice of the lanes from <paramref name="fromLane"/> to before <paramref name="toLane"/>, in step.</summary>
    // SAFETY: blocks has lanes x laneBlocks blocks, and fromLane to toLane are among the lanes. column is below laneBlocks, and so is the
    // position that ReferenceOffset gives. The stack buffer has one block and three for each lane, behind its aligned beginning; at most
    // two lanes come here at once. No other thread writes these lanes, and other lanes are read only in slices that are finished.
    [ExcludeFromCodeCoverage(Justification = Argon2Kernel.Reason)]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void FillLanes<TCompression>(in Argon2Parameters parameters, ulong* blocks, int pass, int slice, int fromLane, int toLane)
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
                    var random = isIndependent
                        ? Address<TCompression>(parameters, pass, slice, fromLane + i, index, addresses, scratch, isFirst: true)
                        : previous[0];
                    references[i] = blocks + ReferenceOffset(parameters, pass, slice, fromLane + i, index, random);
                }

                TCompression.Compress(previous, references[i], next, scratch, accumulate);
                if (index + 1 < segment)
                {
                    var random = isIndependent
                        ? Address<TCompression>(parameters, pass, slice, fromLane + i, index + 1, addresses, scratch, isFirst: false)
                        : next[0];
                    references[i] = blocks + ReferenceOffset(parameters, pass, slice, fromLane + i, index + 1, random);
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
    // SAFETY: addresses has three blocks and scratch one, both of FillLanes's stack buffer; PlaceOf gives 0 to 127.
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

    /// <summary>Where the reference block of a pseudo-random word lies, in words from the first; sections 3.4.1.1 and 3.4.2.</summary>
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

    // SAFETY: a prefetch reads nothing and cannot fault.
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
}
