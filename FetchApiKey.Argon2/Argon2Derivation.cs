// Argon2: the steps around the filling of the memory.

using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace FetchApiKey.Argon2;

/// <summary>
/// RFC 9106 section 3.2.
/// <para>
/// Memory is a matrix of lanes (rows) and blocks of 1024 bytes (columns), one lane after the other, each cut into four
/// slices. A block is 128 little-endian 64-bit words, in the order that suits the path
/// (<see cref="IArgon2Compression.PlaceOf"/>). A segment, one slice of one lane, refers to other lanes only in
/// slices that are finished, so the segments of a slice may be filled in any order. Here one thread fills several lanes
/// in step, a block of each in turn, and asks for the next reference of one lane while it computes the others. That hides
/// most of the time a reference takes to come from memory, which is what large hashes spend most of their time on.
/// </para>
/// <para>
/// The first blocks let a guess be tested for the price of a few BLAKE2b calls, so the memory is wiped, and H0 and every
/// intermediate block as well.
/// </para>
/// </summary>
internal static unsafe class Argon2Derivation
{
    private const int PreHashBytes = 64;

    /// <summary>
    /// Lanes that one thread fills in step. Measured on 102400 KiB, 2 passes, 8 lanes: 1 takes 1.4 times as long as 2, 4 take
    /// 1.15 times, 8 take 1.4 times.
    /// </summary>
    private const int LanesInStep = 2;

    /// <summary>Computes a tag in the workspace, and wipes what it wrote there.</summary>
    /// <remarks>The caller has checked that all arguments are in their ranges and that the path is supported.</remarks>
    // SAFETY: Take gives a pointer to as many bytes as all blocks need, aligned to 64, or throws. They stay valid until this
    // returns, since whoever disposes of the memory must not do so while a hash runs (see HashingMemory.Dispose).
    public static void Derive(
        Argon2Path path, in Argon2Parameters parameters, ReadOnlySpan<byte> password, ReadOnlySpan<byte> salt,
        ReadOnlySpan<byte> secret, ReadOnlySpan<byte> data, HashingWorkspace workspace, Span<byte> tag)
    {
        var blocks = workspace.Take(parameters.MemoryBytes);
        var preHash = (Span<byte>)stackalloc byte[PreHashBytes + (2 * sizeof(int))];
        try
        {
            PreHash(parameters, password, salt, secret, data, preHash[..PreHashBytes]);
            var workers = parameters.Lanes > 1 ? workspace.Workers : null;
            switch (path)
            {
                case Argon2Path.Avx512:
                    Derive<Avx512Compression>(
                        parameters, preHash, blocks, workers, tag,
                        Avx512Compression.IsSupported ? &Argon2Filling.FillLanes<Avx512Compression> : &Avx512Library.FillLanes);
                    break;
                case Argon2Path.Avx2:
                    Derive<Avx2Compression>(parameters, preHash, blocks, workers, tag, &Argon2Filling.FillLanes<Avx2Compression>);
                    break;
                case Argon2Path.Vector128:
                    Derive<Vector128Compression>(parameters, preHash, blocks, workers, tag, &Argon2Filling.FillLanes<Vector128Compression>);
                    break;
                default:
                    Derive<PortableCompression>(parameters, preHash, blocks, workers, tag, &Argon2Filling.FillLanes<PortableCompression>);
                    break;
            }
        }
        finally
        {
            CryptographicOperations.ZeroMemory(preHash);
            workspace.Wipe(parameters.MemoryBytes);
        }
    }

    // SAFETY: the blocks are as Derive above took them; every callee stays within lanes x laneBlocks of them. The function
    // pointer is of a managed method or of Avx512Library, which is taken only where its library was loaded.
    private static void Derive<TCompression>(
        in Argon2Parameters parameters, Span<byte> preHash, ulong* blocks, LaneWorkers? workers, Span<byte> tag,
        delegate*<in Argon2Parameters, ulong*, int, int, int, int, void> fillLanes)
        where TCompression : IArgon2Compression
    {
        WriteFirstBlocks<TCompression>(parameters, preHash, blocks);
        var filling = new Filling(parameters, blocks, fillLanes);
        for (var pass = 0; pass < parameters.Passes; pass++)
        {
            for (var slice = 0; slice < Argon2Filling.SlicesPerPass; slice++)
            {
                if (workers is null)
                {
                    filling.FillLanes(pass, slice, 0, parameters.Lanes);
                }
                else
                {
                    workers.Fill(filling, pass, slice);
                }
            }
        }

        WriteTag<TCompression>(parameters, blocks, tag);
    }

    /// <summary>A filling in progress: what any thread needs to fill some lanes of a slice.</summary>
    // SAFETY: the pointers are those of Derive, which returns only when no thread fills any more (LaneWorkers.Fill waits).
    internal readonly struct Filling(
        Argon2Parameters parameters, ulong* blocks, delegate*<in Argon2Parameters, ulong*, int, int, int, int, void> fillLanes)
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
        in Argon2Parameters parameters, ReadOnlySpan<byte> password, ReadOnlySpan<byte> salt,
        ReadOnlySpan<byte> secret, ReadOnlySpan<byte> data, Span<byte> preHash)
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

    // SAFETY: a lane has 8 blocks and more, so columns 0 and 1 of every lane are inside; PlaceOf gives 0 to 127.
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

    // ---- Step 7: the tag ----

    // SAFETY: reads the last block of every lane, which begins one block before the end of that lane; PlaceOf gives 0 to 127.
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
