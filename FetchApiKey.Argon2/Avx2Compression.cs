// The AVX2 path: how it holds a block in vectors, and its instructions.

using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace FetchApiKey.Argon2;

/// <summary>
/// AVX2. Words lie as in the RFC. Rows: four vectors are the quads of a row. Columns: a vector is a pair of each of two columns.
/// </summary>
[ExcludeFromCodeCoverage(Justification = Argon2Kernel.Reason)]
internal readonly unsafe struct Avx2Compression : IArgon2Compression
{
    private const int VectorWords = 4;
    private const int RowWords = 16;

    public static bool IsSupported => Avx2.IsSupported;

    public static int PlaceOf(int word) => word;

    // SAFETY: x, y, next and scratch are whole blocks of 128 words (IArgon2Compression.Compress). The loop over rows
    // ends at word 96 + 16 + 12 + 3, the one over columns at 12 + 112 + 3, both 127.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Compress(ulong* x, ulong* y, ulong* next, ulong* scratch, bool accumulate)
    {
        for (var rows = 0; rows < Argon2Kernel.BlockWords; rows += 2 * RowWords)
        {
            Argon2Kernel.FirstQuads<Vector256<ulong>, Words, RowTurns>(x + rows, y + rows, scratch + rows, VectorWords, set: RowWords);
        }

        for (var columns = 0; columns < RowWords; columns += VectorWords)
        {
            Argon2Kernel.LastPairs<Vector256<ulong>, Words>(
                scratch + columns, x + columns, y + columns, next + columns, RowWords, accumulate);
        }
    }

    private readonly struct Words : IArgon2Words<Vector256<ulong>>, IArgon2Pairs<Vector256<ulong>>
    {
        // SAFETY of Load and Store: the kernel passes places that have a whole vector; unaligned ones are allowed.
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector256<ulong> Load(ulong* source) => Vector256.Load(source);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Store(ulong* target, Vector256<ulong> value) => value.Store(target);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector256<ulong> Xor(Vector256<ulong> left, Vector256<ulong> right) => left ^ right;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector256<ulong> MultiplyAdd(Vector256<ulong> x, Vector256<ulong> y)
        {
            var product = Avx2.Multiply(x.AsUInt32(), y.AsUInt32());
            return x + y + (product + product);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector256<ulong> Rotate32(Vector256<ulong> x) => Avx2.Shuffle(x.AsUInt32(), 0b10_11_00_01).AsUInt64();

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector256<ulong> Rotate24(Vector256<ulong> x) => Avx2.Shuffle(x.AsByte(), Vector256.Create(
            (byte)3, 4, 5, 6, 7, 0, 1, 2, 11, 12, 13, 14, 15, 8, 9, 10, 3, 4, 5, 6, 7, 0, 1, 2, 11, 12, 13, 14, 15, 8, 9, 10)).AsUInt64();

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector256<ulong> Rotate16(Vector256<ulong> x) => Avx2.Shuffle(x.AsByte(), Vector256.Create(
            (byte)2, 3, 4, 5, 6, 7, 0, 1, 10, 11, 12, 13, 14, 15, 8, 9, 2, 3, 4, 5, 6, 7, 0, 1, 10, 11, 12, 13, 14, 15, 8, 9)).AsUInt64();

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector256<ulong> Rotate63(Vector256<ulong> x) => (x + x) ^ (x >>> 63);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector256<ulong> Straddle(Vector256<ulong> low, Vector256<ulong> high) =>
            Avx2.AlignRight(high.AsByte(), low.AsByte(), 8).AsUInt64();
    }

    private readonly struct RowTurns : IArgon2Turns<Vector256<ulong>>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector256<ulong> Turn1(Vector256<ulong> quads) => Avx2.Permute4x64(quads, 0b00_11_10_01);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector256<ulong> Turn2(Vector256<ulong> quads) => Avx2.Permute4x64(quads, 0b01_00_11_10);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector256<ulong> Turn3(Vector256<ulong> quads) => Avx2.Permute4x64(quads, 0b10_01_00_11);
    }
}
