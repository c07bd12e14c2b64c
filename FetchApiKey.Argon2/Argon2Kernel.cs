// The compression function G of Argon2, for four widths of vectors.

using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace FetchApiKey.Argon2;

/// <summary>
/// RFC 9106 sections 3.5 and 3.6. A block is a matrix of 8 rows of 16 words, or of 8 pairs of words:
/// <code>
///            pair 0     pair 1    ...   pair 7
/// row 0    w0   w1    w2   w3         w14  w15
/// row 1    w16  w17   w18  w19        w30  w31
///  ...
/// row 7    w112 w113  w114 w115       w126 w127
/// </code>
/// G(X, Y) takes R = X ^ Y, runs the permutation P over every row of R and then over every column of pairs, and returns the
/// result ^ R. P takes v0 to v15 for a 4 x 4 matrix and mixes its columns (v0, v4, v8, v12) ..., then its diagonals
/// (v0, v5, v10, v15) .... Vectors hold it in one of two shapes:
/// <list type="bullet">
/// <item>pairs: r0 = (v0, v1) to r7 = (v14, v15). For the diagonals words change places between neighbours
/// (<see cref="IArgon2Pairs{TVector}"/>). A vector of k pairs carries k runs of P.</item>
/// <item>quads: a = (v0 .. v3) to d = (v12 .. v15). For the diagonals b, c and d are turned by 1, 2 and 3 words
/// (<see cref="IArgon2Turns{TVector}"/>). A vector of k quads carries k runs of P.</item>
/// </list>
/// </summary>
[ExcludeFromCodeCoverage(Justification = Reason)]
internal static unsafe class Argon2Kernel
{
    /// <summary>Of the attribute on the inner loops.</summary>
    internal const string Reason = "Counters in the inner loops would slow the tests many times over; vectors and oracles test them.";

    public const int BlockBytes = Argon2Parameters.BlockBytes;
    public const int BlockWords = BlockBytes / sizeof(ulong);

    // ---- P over pairs ----

    /// <summary>Eight vectors, <paramref name="stride"/> words apart: state = P(X ^ Y).</summary>
    // SAFETY: reads and writes eight vectors, 0 to 7 strides on; the path chooses the stride so that the last ends within its
    // block.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void FirstPairs<TVector, TWords>(ulong* x, ulong* y, ulong* state, int stride)
        where TWords : IArgon2Words<TVector>, IArgon2Pairs<TVector>
    {
        var (r0, r1) = (Sum<TVector, TWords>(x, y, 0), Sum<TVector, TWords>(x, y, stride));
        var (r2, r3) = (Sum<TVector, TWords>(x, y, 2 * stride), Sum<TVector, TWords>(x, y, 3 * stride));
        var (r4, r5) = (Sum<TVector, TWords>(x, y, 4 * stride), Sum<TVector, TWords>(x, y, 5 * stride));
        var (r6, r7) = (Sum<TVector, TWords>(x, y, 6 * stride), Sum<TVector, TWords>(x, y, 7 * stride));
        PermutePairs<TVector, TWords>(ref r0, ref r1, ref r2, ref r3, ref r4, ref r5, ref r6, ref r7);
        TWords.Store(state, r0);
        TWords.Store(state + stride, r1);
        TWords.Store(state + (2 * stride), r2);
        TWords.Store(state + (3 * stride), r3);
        TWords.Store(state + (4 * stride), r4);
        TWords.Store(state + (5 * stride), r5);
        TWords.Store(state + (6 * stride), r6);
        TWords.Store(state + (7 * stride), r7);
    }

    /// <summary>
    /// Eight vectors, <paramref name="stride"/> words apart: next = P(state) ^ X ^ Y, or with <paramref name="accumulate"/>
    /// next ^= that.
    /// </summary>
    // SAFETY: as FirstPairs. A place of x and y is read before that place of next is written, and not afterwards, so next may be x or y.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void LastPairs<TVector, TWords>(ulong* state, ulong* x, ulong* y, ulong* next, int stride, bool accumulate)
        where TWords : IArgon2Words<TVector>, IArgon2Pairs<TVector>
    {
        var (r0, r1) = (TWords.Load(state), TWords.Load(state + stride));
        var (r2, r3) = (TWords.Load(state + (2 * stride)), TWords.Load(state + (3 * stride)));
        var (r4, r5) = (TWords.Load(state + (4 * stride)), TWords.Load(state + (5 * stride)));
        var (r6, r7) = (TWords.Load(state + (6 * stride)), TWords.Load(state + (7 * stride)));
        PermutePairs<TVector, TWords>(ref r0, ref r1, ref r2, ref r3, ref r4, ref r5, ref r6, ref r7);
        Emit<TVector, TWords>(r0, x, y, next, 0, accumulate);
        Emit<TVector, TWords>(r1, x, y, next, stride, accumulate);
        Emit<TVector, TWords>(r2, x, y, next, 2 * stride, accumulate);
        Emit<TVector, TWords>(r3, x, y, next, 3 * stride, accumulate);
        Emit<TVector, TWords>(r4, x, y, next, 4 * stride, accumulate);
        Emit<TVector, TWords>(r5, x, y, next, 5 * stride, accumulate);
        Emit<TVector, TWords>(r6, x, y, next, 6 * stride, accumulate);
        Emit<TVector, TWords>(r7, x, y, next, 7 * stride, accumulate);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void PermutePairs<TVector, TWords>(
        ref TVector r0, ref TVector r1, ref TVector r2, ref TVector r3, ref TVector r4, ref TVector r5, ref TVector r6, ref TVector r7)
        where TWords : IArgon2Words<TVector>, IArgon2Pairs<TVector>
    {
        Mix<TVector, TWords>(ref r0, ref r2, ref r4, ref r6, ref r1, ref r3, ref r5, ref r7);

        var (b0, b1) = (TWords.Straddle(r2, r3), TWords.Straddle(r3, r2));
        var (d0, d1) = (TWords.Straddle(r7, r6), TWords.Straddle(r6, r7));
        Mix<TVector, TWords>(ref r0, ref b0, ref r5, ref d0, ref r1, ref b1, ref r4, ref d1);

        (r2, r3) = (TWords.Straddle(b1, b0), TWords.Straddle(b0, b1));
        (r6, r7) = (TWords.Straddle(d0, d1), TWords.Straddle(d1, d0));
    }

    // ---- P over quads ----

    /// <summary>
    /// Two sets of four vectors, <paramref name="set"/> words apart, the vectors of a set <paramref name="stride"/> words:
    /// reads R from X and Y, leaves P(R) in <paramref name="state"/>.
    /// </summary>
    // SAFETY: reads and writes eight vectors, 0 to 3 strides on and a set further; the path chooses them so that the last ends
    // within its block.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void FirstQuads<TVector, TWords, TTurns>(ulong* x, ulong* y, ulong* state, int stride, int set)
        where TWords : IArgon2Words<TVector>
        where TTurns : IArgon2Turns<TVector>
    {
        var (a0, b0) = (Sum<TVector, TWords>(x, y, 0), Sum<TVector, TWords>(x, y, stride));
        var (c0, d0) = (Sum<TVector, TWords>(x, y, 2 * stride), Sum<TVector, TWords>(x, y, 3 * stride));
        var (a1, b1) = (Sum<TVector, TWords>(x, y, set), Sum<TVector, TWords>(x, y, set + stride));
        var (c1, d1) = (Sum<TVector, TWords>(x, y, set + (2 * stride)), Sum<TVector, TWords>(x, y, set + (3 * stride)));
        PermuteQuads<TVector, TWords, TTurns>(ref a0, ref b0, ref c0, ref d0, ref a1, ref b1, ref c1, ref d1);
        TWords.Store(state, a0);
        TWords.Store(state + stride, b0);
        TWords.Store(state + (2 * stride), c0);
        TWords.Store(state + (3 * stride), d0);
        TWords.Store(state + set, a1);
        TWords.Store(state + set + stride, b1);
        TWords.Store(state + set + (2 * stride), c1);
        TWords.Store(state + set + (3 * stride), d1);
    }

    /// <summary>
    /// Vectors as in <see cref="FirstQuads"/>: next = P(state) ^ X ^ Y, or with <paramref name="accumulate"/> next ^= that.
    /// </summary>
    // SAFETY: as FirstQuads, and next may be x or y as in LastPairs.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void LastQuads<TVector, TWords, TTurns>(
        ulong* state, ulong* x, ulong* y, ulong* next, int stride, int set, bool accumulate)
        where TWords : IArgon2Words<TVector>
        where TTurns : IArgon2Turns<TVector>
    {
        var (a0, b0) = (TWords.Load(state), TWords.Load(state + stride));
        var (c0, d0) = (TWords.Load(state + (2 * stride)), TWords.Load(state + (3 * stride)));
        var (a1, b1) = (TWords.Load(state + set), TWords.Load(state + set + stride));
        var (c1, d1) = (TWords.Load(state + set + (2 * stride)), TWords.Load(state + set + (3 * stride)));
        PermuteQuads<TVector, TWords, TTurns>(ref a0, ref b0, ref c0, ref d0, ref a1, ref b1, ref c1, ref d1);
        Emit<TVector, TWords>(a0, x, y, next, 0, accumulate);
        Emit<TVector, TWords>(b0, x, y, next, stride, accumulate);
        Emit<TVector, TWords>(c0, x, y, next, 2 * stride, accumulate);
        Emit<TVector, TWords>(d0, x, y, next, 3 * stride, accumulate);
        Emit<TVector, TWords>(a1, x, y, next, set, accumulate);
        Emit<TVector, TWords>(b1, x, y, next, set + stride, accumulate);
        Emit<TVector, TWords>(c1, x, y, next, set + (2 * stride), accumulate);
        Emit<TVector, TWords>(d1, x, y, next, set + (3 * stride), accumulate);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void PermuteQuads<TVector, TWords, TTurns>(
        ref TVector a0, ref TVector b0, ref TVector c0, ref TVector d0, ref TVector a1, ref TVector b1, ref TVector c1, ref TVector d1)
        where TWords : IArgon2Words<TVector>
        where TTurns : IArgon2Turns<TVector>
    {
        Mix<TVector, TWords>(ref a0, ref b0, ref c0, ref d0, ref a1, ref b1, ref c1, ref d1);

        (b0, c0, d0) = (TTurns.Turn1(b0), TTurns.Turn2(c0), TTurns.Turn3(d0));
        (b1, c1, d1) = (TTurns.Turn1(b1), TTurns.Turn2(c1), TTurns.Turn3(d1));
        Mix<TVector, TWords>(ref a0, ref b0, ref c0, ref d0, ref a1, ref b1, ref c1, ref d1);

        (b0, c0, d0) = (TTurns.Turn3(b0), TTurns.Turn2(c0), TTurns.Turn1(d0));
        (b1, c1, d1) = (TTurns.Turn3(b1), TTurns.Turn2(c1), TTurns.Turn1(d1));
    }

    // ---- What both shapes share ----

    /// <summary>GB of RFC 9106 section 3.6 on two independent sets, side by side so that their latencies overlap.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Mix<TVector, TWords>(
        ref TVector a0, ref TVector b0, ref TVector c0, ref TVector d0, ref TVector a1, ref TVector b1, ref TVector c1, ref TVector d1)
        where TWords : IArgon2Words<TVector>
    {
        a0 = TWords.MultiplyAdd(a0, b0);
        a1 = TWords.MultiplyAdd(a1, b1);
        d0 = TWords.Rotate32(TWords.Xor(d0, a0));
        d1 = TWords.Rotate32(TWords.Xor(d1, a1));
        c0 = TWords.MultiplyAdd(c0, d0);
        c1 = TWords.MultiplyAdd(c1, d1);
        b0 = TWords.Rotate24(TWords.Xor(b0, c0));
        b1 = TWords.Rotate24(TWords.Xor(b1, c1));
        a0 = TWords.MultiplyAdd(a0, b0);
        a1 = TWords.MultiplyAdd(a1, b1);
        d0 = TWords.Rotate16(TWords.Xor(d0, a0));
        d1 = TWords.Rotate16(TWords.Xor(d1, a1));
        c0 = TWords.MultiplyAdd(c0, d0);
        c1 = TWords.MultiplyAdd(c1, d1);
        b0 = TWords.Rotate63(TWords.Xor(b0, c0));
        b1 = TWords.Rotate63(TWords.Xor(b1, c1));
    }

    // SAFETY: the callers' offsets are within both blocks.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Sum<TVector, TWords>(ulong* x, ulong* y, int offset)
        where TWords : IArgon2Words<TVector> => TWords.Xor(TWords.Load(x + offset), TWords.Load(y + offset));

    // SAFETY: the callers' offsets are within all three blocks.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Emit<TVector, TWords>(TVector permuted, ulong* x, ulong* y, ulong* next, int offset, bool accumulate)
        where TWords : IArgon2Words<TVector>
    {
        var sum = TWords.Xor(permuted, Sum<TVector, TWords>(x, y, offset));
        TWords.Store(next + offset, accumulate ? TWords.Xor(sum, TWords.Load(next + offset)) : sum);
    }
}
