// BLAKE2b, unkeyed, as Argon2 needs it.

using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace FetchApiKey.Argon2;

/// <summary>
/// BLAKE2b (RFC 7693) with a digest of 1 to 64 bytes, and the variable-length hash H' that RFC 9106 section 3.3 builds on
/// it. The state is wiped by <see cref="Finish"/>: after the first of a password's hashes it would let a guess be tested
/// for the price of one BLAKE2b call.
/// </summary>
internal ref struct Blake2b
{
    private const int BlockBytes = 128;
    private const int MaxDigestBytes = 64;

    /// <summary>RFC 7693 section 2.6.</summary>
    private static ReadOnlySpan<ulong> InitialVector =>
    [
        0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
        0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
    ];

    /// <summary>RFC 7693 section 2.7; rounds 10 and 11 use the first two rows again.</summary>
    private static ReadOnlySpan<byte> Schedule =>
    [
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
        14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3,
        11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4,
        7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8,
        9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13,
        2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9,
        12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11,
        13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10,
        6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5,
        10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0,
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
        14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3,
    ];

    private readonly int _digestBytes;
    private State _state;
    private Block _block;
    private int _filled;
    private ulong _compressed;

    public Blake2b(int digestBytes)
    {
        _digestBytes = digestBytes;
        InitialVector.CopyTo(_state);
        // Parameter block: digest length, no key, fan-out 1, depth 1.
        _state[0] ^= 0x01010000u ^ (uint)digestBytes;
    }

    public void Add(scoped ReadOnlySpan<byte> input)
    {
        while (!input.IsEmpty)
        {
            // A full block is compressed only when more follows, since the last one is marked.
            if (_filled == BlockBytes)
            {
                Compress(isLast: false);
            }

            var part = input[..Math.Min(input.Length, BlockBytes - _filled)];
            part.CopyTo(((Span<byte>)_block)[_filled..]);
            _filled += part.Length;
            input = input[part.Length..];
        }
    }

    public void Add(int littleEndian)
    {
        Span<byte> bytes = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, littleEndian);
        Add(bytes);
    }

    /// <summary>Writes the digest and wipes the state.</summary>
    public void Finish(scoped Span<byte> digest)
    {
        ((Span<byte>)_block)[_filled..].Clear();
        Compress(isLast: true);
        MemoryMarshal.AsBytes((Span<ulong>)_state)[.._digestBytes].CopyTo(digest);
        CryptographicOperations.ZeroMemory(MemoryMarshal.AsBytes((Span<ulong>)_state));
        CryptographicOperations.ZeroMemory(_block);
    }

    /// <summary>H' of RFC 9106 section 3.3: <paramref name="input"/> stretched to the length of <paramref name="output"/>.</summary>
    public static void Stretch(ReadOnlySpan<byte> input, Span<byte> output)
    {
        var first = new Blake2b(Math.Min(output.Length, MaxDigestBytes));
        first.Add(output.Length);
        first.Add(input);
        if (output.Length <= MaxDigestBytes)
        {
            first.Finish(output);
            return;
        }

        // Half of each digest is output, the whole of it is the next input; the last digest is output whole.
        Span<byte> digest = stackalloc byte[MaxDigestBytes];
        first.Finish(digest);
        digest[..(MaxDigestBytes / 2)].CopyTo(output);
        output = output[(MaxDigestBytes / 2)..];
        while (output.Length > MaxDigestBytes)
        {
            var next = new Blake2b(MaxDigestBytes);
            next.Add(digest);
            next.Finish(digest);
            digest[..(MaxDigestBytes / 2)].CopyTo(output);
            output = output[(MaxDigestBytes / 2)..];
        }

        var last = new Blake2b(output.Length);
        last.Add(digest);
        last.Finish(output);
        CryptographicOperations.ZeroMemory(digest);
    }

    [ExcludeFromCodeCoverage(Justification = Argon2Kernel.Reason)]
    private void Compress(bool isLast)
    {
        _compressed += (ulong)_filled;
        Span<ulong> v = stackalloc ulong[16];
        ((Span<ulong>)_state).CopyTo(v);
        InitialVector.CopyTo(v[8..]);
        v[12] ^= _compressed;
        v[14] ^= isLast ? ulong.MaxValue : 0;
        var m = MemoryMarshal.Cast<byte, ulong>((Span<byte>)_block);
        for (var round = 0; round < 12; round++)
        {
            var s = Schedule.Slice(round * 16, 16);
            Mix(v, 0, 4, 8, 12, m[s[0]], m[s[1]]);
            Mix(v, 1, 5, 9, 13, m[s[2]], m[s[3]]);
            Mix(v, 2, 6, 10, 14, m[s[4]], m[s[5]]);
            Mix(v, 3, 7, 11, 15, m[s[6]], m[s[7]]);
            Mix(v, 0, 5, 10, 15, m[s[8]], m[s[9]]);
            Mix(v, 1, 6, 11, 12, m[s[10]], m[s[11]]);
            Mix(v, 2, 7, 8, 13, m[s[12]], m[s[13]]);
            Mix(v, 3, 4, 9, 14, m[s[14]], m[s[15]]);
        }

        for (var i = 0; i < 8; i++)
        {
            _state[i] ^= v[i] ^ v[i + 8];
        }

        CryptographicOperations.ZeroMemory(MemoryMarshal.AsBytes(v));
        _filled = 0;
    }

    /// <summary>RFC 7693 section 3.1.</summary>
    [ExcludeFromCodeCoverage(Justification = Argon2Kernel.Reason)]
    private static void Mix(Span<ulong> v, int a, int b, int c, int d, ulong x, ulong y)
    {
        v[a] += v[b] + x;
        v[d] = BitOperations.RotateRight(v[d] ^ v[a], 32);
        v[c] += v[d];
        v[b] = BitOperations.RotateRight(v[b] ^ v[c], 24);
        v[a] += v[b] + y;
        v[d] = BitOperations.RotateRight(v[d] ^ v[a], 16);
        v[c] += v[d];
        v[b] = BitOperations.RotateRight(v[b] ^ v[c], 63);
    }

    [System.Runtime.CompilerServices.InlineArray(8)]
    private struct State
    {
        private ulong _first;
    }

    [System.Runtime.CompilerServices.InlineArray(BlockBytes)]
    private struct Block
    {
        private byte _first;
    }
}
