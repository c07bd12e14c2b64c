// The path of 128-bit vectors: how it holds a block in them, and its instructions.

using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace FetchApiKey.Argon2;

/// <summary>
/// AdvSimd on Arm, SSSE3 on x64. Words lie as in the RFC, a pair a vector: a row is eight neighbours, a column eight vectors a
/// row apart.
/// </summary>
[ExcludeFromCodeCoverage(Justification = Argon2Kernel.Reason)]
internal readonly unsafe struct Vector128Compression : IArgon2Compression
{
    private const int VectorWords = 2;
    private const int RowWords = 16;

    public static bool IsSupported => AdvSimd.IsSupported || Ssse3.IsSupported;

    public static int PlaceOf(int word) => word;

    // SAFETY: x, y, next and scratch are whole blocks of 128 words (IArgon2Compression.Compress). The loop over rows
    // ends at word 112 + 14 + 1, the one over columns at 14 + 112 + 1, both 127.
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
        // SAFETY of Load and Store: the kernel passes places that have a whole vector; unaligned ones are allowed.
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
