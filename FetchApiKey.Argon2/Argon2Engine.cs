// The entry points: a tag in memory of its own, a tag in memory that is kept, and the self-test.

namespace FetchApiKey.Argon2;

/// <summary>
/// Argon2 as in RFC 9106: variants d, i and id, versions 0x13 and 0x10, on the widest vectors that the processor has.
/// Methods may be called from any number of threads at once.
/// </summary>
public static class Argon2Engine
{
    private static readonly Argon2Path[] Preference = [Argon2Path.Avx512, Argon2Path.Avx2, Argon2Path.Vector128, Argon2Path.Portable];

    /// <summary>The widest path that this processor, and the way this program was compiled, allow.</summary>
    public static Argon2Path BestPath { get; } = Preference.First(IsSupported);

    /// <summary>Whether a path can be taken on this processor. No path can where integers are big-endian.</summary>
    public static bool IsSupported(Argon2Path path) => BitConverter.IsLittleEndian && path switch
    {
        Argon2Path.Avx512 => Avx512Compression.IsSupported || Avx512Library.IsLoaded,
        Argon2Path.Avx2 => Avx2Compression.IsSupported,
        Argon2Path.Vector128 => Vector128Compression.IsSupported,
        Argon2Path.Portable => true,
        _ => false,
    };

    /// <summary>
    /// Computes a tag on the best path, on the calling thread, without secret and associated data. Takes memory from the
    /// system, wipes it and gives it back. A program that hashes often keeps its memory and uses the other overload, since
    /// fresh memory can cost more than the hash.
    /// </summary>
    /// <param name="parameters">Cost, variant, version and length of the tag.</param>
    /// <param name="password">0 bytes and more.</param>
    /// <param name="salt">8 bytes and more.</param>
    /// <param name="tag">Takes the result; exactly <see cref="Argon2Parameters.TagBytes"/> bytes.</param>
    /// <exception cref="ArgumentOutOfRangeException">A parameter, the salt or the tag is outside its range.</exception>
    /// <exception cref="InsufficientMemoryException">The system has no memory for the hash.</exception>
    public static void Derive(in Argon2Parameters parameters, ReadOnlySpan<byte> password, ReadOnlySpan<byte> salt, Span<byte> tag)
    {
        parameters.Validate(salt.Length);
        using var memory = new HashingMemory(parameters.MemoryBytes);
        Derive(BestPath, parameters, password, salt, [], [], new HashingWorkspace(memory, 0, memory.Bytes), tag);
    }

    /// <summary>Computes a tag in a workspace, and wipes what it wrote there.</summary>
    /// <param name="path">A path that <see cref="IsSupported"/> allows.</param>
    /// <param name="parameters">Cost, variant, version and length of the tag.</param>
    /// <param name="password">0 bytes and more.</param>
    /// <param name="salt">8 bytes and more.</param>
    /// <param name="secret">The key K of the RFC; may be empty.</param>
    /// <param name="data">The associated data X of the RFC; may be empty.</param>
    /// <param name="workspace">At least <see cref="Argon2Parameters.MemoryBytes"/> bytes that nothing else uses meanwhile.</param>
    /// <param name="tag">Takes the result; exactly <see cref="Argon2Parameters.TagBytes"/> bytes.</param>
    /// <exception cref="ArgumentOutOfRangeException">A parameter, the salt or the tag is outside its range.</exception>
    /// <exception cref="PlatformNotSupportedException">This processor does not have the path.</exception>
    /// <exception cref="InvalidOperationException">The workspace is too small.</exception>
    public static void Derive(
        Argon2Path path, in Argon2Parameters parameters, ReadOnlySpan<byte> password, ReadOnlySpan<byte> salt,
        ReadOnlySpan<byte> secret, ReadOnlySpan<byte> data, HashingWorkspace workspace, Span<byte> tag)
    {
        parameters.Validate(salt.Length);
        ArgumentOutOfRangeException.ThrowIfNotEqual(tag.Length, parameters.TagBytes);
        if (!IsSupported(path))
        {
            throw new PlatformNotSupportedException($"This processor does not have the path {path}.");
        }

        Argon2Derivation.Derive(path, parameters, password, salt, secret, data, workspace, tag);
    }

    /// <summary>
    /// Two known answers: the vector of RFC 9106 section 5.3, with secret and data, and a tag of libargon2 that takes more
    /// than one block of addresses. Run it once at start: it finds an instruction that this processor computes wrongly
    /// before a password is accepted or refused by it.
    /// </summary>
    /// <exception cref="PlatformNotSupportedException">This processor does not have the path.</exception>
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
        using var memory = new HashingMemory(parameters.MemoryBytes);
        Span<byte> tag = stackalloc byte[parameters.TagBytes];
        Derive(path, parameters, password, salt, secret, data, new HashingWorkspace(memory, 0, memory.Bytes), tag);
        return Convert.ToHexStringLower(tag) == expected;
    }
}
