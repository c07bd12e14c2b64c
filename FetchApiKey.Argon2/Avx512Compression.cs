// The AVX-512 path: how it holds a block in vectors, and its instructions.

using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace FetchApiKey.Argon2;

/// <summary>
/// AVX-512. Two rows lie interleaved by quads in four vectors, so that both directions of P are over quads and no word has
/// to cross a vector between them:
/// <code>
/// vector 4p + q = quad q of row 2p, quad q of row 2p + 1      (p, q = 0 .. 3)
/// </code>
/// Rows: a to d are vectors 4p to 4p + 3, two runs of P. Columns: vectors q, q + 4, q + 8, q + 12 hold columns 2q and 2q + 1;
/// a quad of such a column is a pair of the even row and a pair of the odd row, four words apart.
/// </summary>
[ExcludeFromCodeCoverage(Justification = Argon2Kernel.Reason)]
internal readonly unsafe struct Avx512Compression : IArgon2Compression
{
    private const int VectorWords = 8;
    private const int RowPairWords = 4 * VectorWords;

    public static bool IsSupported => Avx512F.IsSupported;

    public static int PlaceOf(int word)
    {
        var (row, quad, rest) = (word / 16, word % 16 / 4, word % 4);
        return (row / 2 * RowPairWords) + (quad * VectorWords) + (row % 2 * 4) + rest;
    }

    // SAFETY: x, y, next and scratch are whole blocks of 128 words (IArgon2Compression.Compress). The loop over rows
    // ends at word 64 + 32 + 24 + 7, the one over columns at 16 + 96 + 8 + 7, both 127.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Compress(ulong* x, ulong* y, ulong* next, ulong* scratch, bool accumulate)
    {
        for (var rows = 0; rows < Argon2Kernel.BlockWords; rows += 2 * RowPairWords)
        {
            Argon2Kernel.FirstQuads<Vector512<ulong>, Words, RowTurns>(x + rows, y + rows, scratch + rows, VectorWords, set: RowPairWords);
        }

        for (var columns = 0; columns < RowPairWords; columns += 2 * VectorWords)
        {
            Argon2Kernel.LastQuads<Vector512<ulong>, Words, ColumnTurns>(
                scratch + columns, x + columns, y + columns, next + columns, RowPairWords, set: VectorWords, accumulate);
        }
    }

    private readonly struct Words : IArgon2Words<Vector512<ulong>>
    {
        // SAFETY of Load and Store: the kernel passes places that have a whole vector; unaligned ones are allowed.
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector512<ulong> Load(ulong* source) => Vector512.Load(source);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Store(ulong* target, Vector512<ulong> value) => value.Store(target);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector512<ulong> Xor(Vector512<ulong> left, Vector512<ulong> right) => left ^ right;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector512<ulong> MultiplyAdd(Vector512<ulong> x, Vector512<ulong> y)
        {
            var product = Avx512F.Multiply(x.AsUInt32(), y.AsUInt32());
            return x + y + (product + product);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector512<ulong> Rotate32(Vector512<ulong> x) => Avx512F.RotateRight(x, 32);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector512<ulong> Rotate24(Vector512<ulong> x) => Avx512F.RotateRight(x, 24);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector512<ulong> Rotate16(Vector512<ulong> x) => Avx512F.RotateRight(x, 16);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector512<ulong> Rotate63(Vector512<ulong> x) => Avx512F.RotateRight(x, 63);
    }

    /// <summary>Each half is a quad.</summary>
    private readonly struct RowTurns : IArgon2Turns<Vector512<ulong>>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector512<ulong> Turn1(Vector512<ulong> quads) => Avx512F.Permute4x64(quads, 0b00_11_10_01);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector512<ulong> Turn2(Vector512<ulong> quads) => Avx512F.Permute4x64(quads, 0b01_00_11_10);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector512<ulong> Turn3(Vector512<ulong> quads) => Avx512F.Permute4x64(quads, 0b10_01_00_11);
    }

    /// <summary>Words 0, 1, 4, 5 are one quad, and 2, 3, 6, 7 the other.</summary>
    private readonly struct ColumnTurns : IArgon2Turns<Vector512<ulong>>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector512<ulong> Turn1(Vector512<ulong> quads) =>
            Avx512F.PermuteVar8x64(quads, Vector512.Create(1UL, 4, 3, 6, 5, 0, 7, 2));

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector512<ulong> Turn2(Vector512<ulong> quads) => Avx512F.Shuffle4x128(quads, quads, 0b01_00_11_10);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector512<ulong> Turn3(Vector512<ulong> quads) =>
            Avx512F.PermuteVar8x64(quads, Vector512.Create(5UL, 0, 7, 2, 1, 4, 3, 6));
    }
}
