// The path without vector instructions.

using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace FetchApiKey.Argon2;

/// <summary>Word by word, straight from the RFC.</summary>
[ExcludeFromCodeCoverage(Justification = Argon2Kernel.Reason)]
internal readonly unsafe struct PortableCompression : IArgon2Compression
{
    private const int RowWords = 16;

    public static int PlaceOf(int word) => word;

    // SAFETY: x, y, next and scratch are whole blocks of 128 words (IArgon2Compression.Compress); indexes end at 127.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Compress(ulong* x, ulong* y, ulong* next, ulong* scratch, bool accumulate)
    {
        for (var i = 0; i < Argon2Kernel.BlockWords; i++)
        {
            scratch[i] = x[i] ^ y[i];
        }

        for (var row = 0; row < Argon2Kernel.BlockWords; row += RowWords)
        {
            Permute(scratch + row, pair: 2);
        }

        for (var column = 0; column < RowWords; column += 2)
        {
            Permute(scratch + column, pair: RowWords);
        }

        for (var i = 0; i < Argon2Kernel.BlockWords; i++)
        {
            next[i] = scratch[i] ^ x[i] ^ y[i] ^ (accumulate ? next[i] : 0);
        }
    }

    /// <param name="v">The first word of the first pair.</param>
    /// <param name="pair">How many words one pair lies behind the other.</param>
    // SAFETY: the last word is v[7 * pair + 1]: word 112 + 15 of a block for rows (pair 2), word 14 + 113 for columns (pair 16).
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Permute(ulong* v, int pair)
    {
        Mix(v, 0, 2 * pair, 4 * pair, 6 * pair);
        Mix(v, 1, (2 * pair) + 1, (4 * pair) + 1, (6 * pair) + 1);
        Mix(v, pair, 3 * pair, 5 * pair, 7 * pair);
        Mix(v, pair + 1, (3 * pair) + 1, (5 * pair) + 1, (7 * pair) + 1);
        Mix(v, 0, (2 * pair) + 1, 5 * pair, (7 * pair) + 1);
        Mix(v, 1, 3 * pair, (5 * pair) + 1, 6 * pair);
        Mix(v, pair, (3 * pair) + 1, 4 * pair, (6 * pair) + 1);
        Mix(v, pair + 1, 2 * pair, (4 * pair) + 1, 7 * pair);
    }

    // SAFETY: indexes are those of Permute.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Mix(ulong* v, int a, int b, int c, int d)
    {
        var (va, vb, vc, vd) = (v[a], v[b], v[c], v[d]);
        va = MultiplyAdd(va, vb);
        vd = ulong.RotateRight(vd ^ va, 32);
        vc = MultiplyAdd(vc, vd);
        vb = ulong.RotateRight(vb ^ vc, 24);
        va = MultiplyAdd(va, vb);
        vd = ulong.RotateRight(vd ^ va, 16);
        vc = MultiplyAdd(vc, vd);
        vb = ulong.RotateRight(vb ^ vc, 63);
        (v[a], v[b], v[c], v[d]) = (va, vb, vc, vd);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong MultiplyAdd(ulong x, ulong y) => x + y + (2 * (ulong)(uint)x * (uint)y);
}
