// The four paths: how each holds a block in vectors, and the instructions it does the arithmetic with.

using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
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
        public static Vector512<ulong> Turn1(Vector512<ulong> quads) => Avx512F.PermuteVar8x64(quads, Vector512.Create(1UL, 4, 3, 6, 5, 0, 7, 2));

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector512<ulong> Turn2(Vector512<ulong> quads) => Avx512F.Shuffle4x128(quads, quads, 0b01_00_11_10);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector512<ulong> Turn3(Vector512<ulong> quads) => Avx512F.PermuteVar8x64(quads, Vector512.Create(5UL, 0, 7, 2, 1, 4, 3, 6));
    }
}

/// <summary>AVX2. Words lie as in the RFC. Rows: four vectors are the quads of a row. Columns: a vector is a pair of each of two columns.</summary>
[ExcludeFromCodeCoverage(Justification = Argon2Kernel.Reason)]
internal readonly unsafe struct Avx2Compression : IArgon2Compression
{
    private const int VectorWords = 4;
    private const int RowWords = 16;

    public static bool IsSupported => Avx2.IsSupported;

    public static int PlaceOf(int word) => word;

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

/// <summary>AdvSimd on Arm, SSSE3 on x64. Words lie as in the RFC, a pair a vector: a row is eight neighbours, a column eight vectors a row apart.</summary>
[ExcludeFromCodeCoverage(Justification = Argon2Kernel.Reason)]
internal readonly unsafe struct Vector128Compression : IArgon2Compression
{
    private const int VectorWords = 2;
    private const int RowWords = 16;

    public static bool IsSupported => AdvSimd.IsSupported || Ssse3.IsSupported;

    public static int PlaceOf(int word) => word;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Compress(ulong* x, ulong* y, ulong* next, ulong* scratch, bool accumulate)
    {
        for (var row = 0; row < Argon2Kernel.BlockWords; row += RowWords)
        {
            Argon2Kernel.FirstPairs<Vector128<ulong>, Words>(x + row, y + row, scratch + row, VectorWords);
        }

        for (var column = 0; column < RowWords; column += VectorWords)
        {
            Argon2Kernel.LastPairs<Vector128<ulong>, Words>(scratch + column, x + column, y + column, next + column, RowWords, accumulate);
        }
    }

    private readonly struct Words : IArgon2Words<Vector128<ulong>>, IArgon2Pairs<Vector128<ulong>>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector128<ulong> Load(ulong* source) => Vector128.Load(source);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Store(ulong* target, Vector128<ulong> value) => value.Store(target);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector128<ulong> Xor(Vector128<ulong> left, Vector128<ulong> right) => left ^ right;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector128<ulong> MultiplyAdd(Vector128<ulong> x, Vector128<ulong> y)
        {
            var product = AdvSimd.IsSupported
                ? AdvSimd.MultiplyWideningLower(AdvSimd.ExtractNarrowingLower(x), AdvSimd.ExtractNarrowingLower(y))
                : Sse2.Multiply(x.AsUInt32(), y.AsUInt32());
            return x + y + (product + product);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector128<ulong> Rotate32(Vector128<ulong> x) => (x >>> 32) | (x << 32);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector128<ulong> Rotate24(Vector128<ulong> x) => (x >>> 24) | (x << 40);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector128<ulong> Rotate16(Vector128<ulong> x) => (x >>> 16) | (x << 48);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector128<ulong> Rotate63(Vector128<ulong> x) => (x >>> 63) | (x << 1);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector128<ulong> Straddle(Vector128<ulong> low, Vector128<ulong> high) => AdvSimd.IsSupported
            ? AdvSimd.ExtractVector128(low, high, 1)
            : Ssse3.AlignRight(high.AsByte(), low.AsByte(), 8).AsUInt64();
    }
}

/// <summary>Word by word, straight from the RFC.</summary>
[ExcludeFromCodeCoverage(Justification = Argon2Kernel.Reason)]
internal readonly unsafe struct PortableCompression : IArgon2Compression
{
    private const int RowWords = 16;

    public static int PlaceOf(int word) => word;

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

    /// <param name="pair">How many words one pair lies behind the other.</param>
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
