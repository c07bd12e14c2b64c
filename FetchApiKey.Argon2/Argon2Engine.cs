// Argon2: the memory, its filling and the tag.

using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace FetchApiKey.Argon2;

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
    private const int PreHashBytes = 64;

    /// <summary>Lanes that one thread fills in step. Measured on 102400 KiB, 2 passes, 8 lanes: 1 takes 1.4 times as long as 2, 4 take 1.15 times, 8 take 1.4 times.</summary>
    private const int LanesInStep = 2;

    private static readonly Argon2Path[] Preference = [Argon2Path.Avx512, Argon2Path.Avx2, Argon2Path.Vector128, Argon2Path.Portable];

    /// <summary>The widest path that this processor, and the way this program was compiled, allow.</summary>
    public static Argon2Path BestPath { get; } = Preference.First(IsSupported);

    public static bool IsSupported(Argon2Path path) => path switch
    {
        Argon2Path.Avx512 => Avx512Compression.IsSupported || Avx512Library.IsThere,
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
                Derive<Avx512Compression>(
                    parameters, preHash, blocks, crew, tag, Avx512Compression.IsSupported ? &Argon2Filling.FillLanes<Avx512Compression> : &Avx512Library.FillLanes);
                break;
            case Argon2Path.Avx2:
                Derive<Avx2Compression>(parameters, preHash, blocks, crew, tag, &Argon2Filling.FillLanes<Avx2Compression>);
                break;
            case Argon2Path.Vector128:
                Derive<Vector128Compression>(parameters, preHash, blocks, crew, tag, &Argon2Filling.FillLanes<Vector128Compression>);
                break;
            default:
                Derive<PortableCompression>(parameters, preHash, blocks, crew, tag, &Argon2Filling.FillLanes<PortableCompression>);
                break;
        }

        CryptographicOperations.ZeroMemory(preHash);
    }

    /// <summary>Computes a tag in the workspace, and wipes what it wrote there.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A parameter or the salt is outside its range.</exception>
    public static void Derive(
        Argon2Path path, in Argon2Parameters parameters, ReadOnlySpan<byte> password, ReadOnlySpan<byte> salt,
        ReadOnlySpan<byte> secret, ReadOnlySpan<byte> data, HashingWorkspace workspace, Span<byte> tag)
    {
        var bytes = (long)parameters.Blocks * Argon2Kernel.BlockBytes;
        var memory = workspace.Take(bytes);
        try
        {
            Derive(path, parameters, password, salt, secret, data, memory, parameters.Lanes > 1 ? workspace.Crew : null, tag);
        }
        finally
        {
            workspace.Wipe(bytes);
        }
    }

    /// <summary>
    /// Two known answers: the vector of RFC 9106 section 5.3, with secret and data, and a tag of libargon2's that takes
    /// more than one block of addresses. An instruction that this processor computes wrongly shows here, before it accepts
    /// or refuses a password.
    /// </summary>
    public static bool PassesSelfTest(Argon2Path path)
    {
        Span<byte> inputs = stackalloc byte[32 + 16 + 8 + 12];
        inputs[..32].Fill(1);
        inputs[32..48].Fill(2);
        inputs[48..56].Fill(3);
        inputs[56..].Fill(4);
        return Gives(
                "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659", path,
                new(Argon2Variant.Argon2id, Argon2Parameters.CurrentVersion, 32, 3, 4, 32),
                inputs[..32], inputs[32..48], inputs[48..56], inputs[56..])
            && Gives(
                "d00887cceca5a3ebd2dfebddf755310d43f58ac57a6aff9c47d3552c1bcc7fba", path,
                new(Argon2Variant.Argon2id, Argon2Parameters.CurrentVersion, 2048, 2, 2, 32),
                "abcd1234"u8, "somesalt"u8, [], []);
    }

    private static bool Gives(
        string expected, Argon2Path path, in Argon2Parameters parameters,
        ReadOnlySpan<byte> password, ReadOnlySpan<byte> salt, ReadOnlySpan<byte> secret, ReadOnlySpan<byte> data)
    {
        using var memory = new HashingMemory((long)parameters.Blocks * Argon2Kernel.BlockBytes, (long)parameters.Blocks * Argon2Kernel.BlockBytes);
        Span<byte> tag = stackalloc byte[parameters.TagBytes];
        Argon2Engine.Derive(path, parameters, password, salt, secret, data, memory.Blocks, crew: null, tag);
        return Convert.ToHexStringLower(tag) == expected;
    }

    private static void Derive<TCompression>(
        in Argon2Parameters parameters, Span<byte> preHash, ulong* blocks, LaneCrew? crew, Span<byte> tag,
        delegate*<in Argon2Parameters, ulong*, int, int, int, int, void> fillLanes)
        where TCompression : IArgon2Compression
    {
        WriteFirstBlocks<TCompression>(parameters, preHash, blocks);
        var filling = new Filling(parameters, blocks, fillLanes);
        for (var pass = 0; pass < parameters.Passes; pass++)
        {
            for (var slice = 0; slice < Argon2Filling.SlicesPerPass; slice++)
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
