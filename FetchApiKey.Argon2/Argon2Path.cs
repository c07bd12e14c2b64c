// The instructions that a hash is computed with.

namespace FetchApiKey.Argon2;

/// <summary>The instructions that a hash is computed with. The later, the faster.</summary>
public enum Argon2Path
{
    /// <summary>No vector instructions.</summary>
    Portable = 0,

    /// <summary>128 bits: AdvSimd, or SSSE3.</summary>
    Vector128,

    /// <summary>256 bits: AVX2.</summary>
    Avx2,

    /// <summary>512 bits: AVX-512F.</summary>
    Avx512,
}
