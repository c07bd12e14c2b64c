// What the compression function needs of a path.

namespace FetchApiKey.Argon2;

/// <summary>Arithmetic on vectors of 64-bit words.</summary>
internal unsafe interface IArgon2Words<TVector>
{
    static abstract TVector Load(ulong* source);

    static abstract void Store(ulong* target, TVector value);

    static abstract TVector Xor(TVector left, TVector right);

    /// <summary>x + y + 2 * low32(x) * low32(y), word by word.</summary>
    static abstract TVector MultiplyAdd(TVector x, TVector y);

    /// <summary>Each word rotated right by 32 bits.</summary>
    static abstract TVector Rotate32(TVector x);

    static abstract TVector Rotate24(TVector x);

    static abstract TVector Rotate16(TVector x);

    static abstract TVector Rotate63(TVector x);
}

/// <summary>Neighbours that exchange words, for the shape of pairs.</summary>
internal interface IArgon2Pairs<TVector>
{
    /// <summary>In every pair: the second word of <paramref name="low"/>, then the first word of <paramref name="high"/>.</summary>
    static abstract TVector Straddle(TVector low, TVector high);
}

/// <summary>Quads turned, for the shape of quads: the words 1, 2 or 3 places further on move to the front.</summary>
internal interface IArgon2Turns<TVector>
{
    static abstract TVector Turn1(TVector quads);

    static abstract TVector Turn2(TVector quads);

    static abstract TVector Turn3(TVector quads);
}

/// <summary>G as a whole, on one path.</summary>
internal unsafe interface IArgon2Compression
{
    /// <summary>Where in a block of this path the word w of RFC 9106 lies.</summary>
    static abstract int PlaceOf(int word);

    /// <summary>next = G(x, y), or with <paramref name="accumulate"/> next ^= G(x, y).</summary>
    /// <remarks>
    /// All four are blocks of 128 words. <paramref name="next"/> may be x or y; <paramref name="scratch"/> is none of the others
    /// and holds an intermediate state afterwards.
    /// </remarks>
    static abstract void Compress(ulong* x, ulong* y, ulong* next, ulong* scratch, bool accumulate);
}
