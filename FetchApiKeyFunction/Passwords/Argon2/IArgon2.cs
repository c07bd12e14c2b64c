// Whoever computes Argon2, and the two who do.

using System.Security.Cryptography;
using Konscious.Security.Cryptography;

namespace FetchApiKeyFunction.Passwords.Argon2;

/// <summary>Argon2 without secret and associated data, on the thread that calls.</summary>
internal interface IArgon2
{
    /// <summary>How many times the memory of a hash it takes at its peak.</summary>
    int MemoryFactor { get; }

    /// <summary>Whether it computes this version.</summary>
    bool Computes(int version);

    /// <summary>Computes a tag in the workspace, and wipes what it wrote there.</summary>
    void Derive(in Argon2Parameters parameters, ReadOnlySpan<byte> password, ReadOnlySpan<byte> salt, HashingWorkspace workspace, Span<byte> tag);
}

/// <summary>Our own engine.</summary>
internal sealed unsafe class BuiltInArgon2(Argon2Path path) : IArgon2
{
    public int MemoryFactor => 1;

    public bool Computes(int version) => version is Argon2Parameters.CurrentVersion or Argon2Parameters.OldVersion;

    public void Derive(in Argon2Parameters parameters, ReadOnlySpan<byte> password, ReadOnlySpan<byte> salt, HashingWorkspace workspace, Span<byte> tag)
    {
        var bytes = (long)parameters.Blocks * Argon2Kernel.BlockBytes;
        var memory = workspace.Take(bytes);
        try
        {
            Argon2Engine.Derive(path, parameters, password, salt, [], [], memory, parameters.Lanes > 1 ? workspace.Crew : null, tag);
        }
        finally
        {
            workspace.Wipe(bytes);
        }
    }

    /// <summary>
    /// Two known answers: the vector of RFC 9106 section 5.3, with secret and data, and a tag of libargon2's that takes
    /// more than one block of addresses. An instruction that this processor computes wrongly shows here, before it accepts
    /// or refuses a password.
    /// </summary>
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
        using var memory = new HashingMemory((long)parameters.Blocks * Argon2Kernel.BlockBytes, (long)parameters.Blocks * Argon2Kernel.BlockBytes);
        Span<byte> tag = stackalloc byte[parameters.TagBytes];
        Argon2Engine.Derive(path, parameters, password, salt, secret, data, memory.Blocks, crew: null, tag);
        return Convert.ToHexStringLower(tag) == expected;
    }
}

/// <summary>Konscious.Security.Cryptography: the oracle of the tests, and what stands in when the self-test fails.</summary>
internal sealed class KonsciousArgon2 : IArgon2
{
    /// <summary>Measured: its peak is 2.9 to 4.1 times the memory of a hash.</summary>
    public const int PeakFactor = 4;

    public int MemoryFactor => PeakFactor;

    public bool Computes(int version) => version == Argon2Parameters.CurrentVersion;

    public void Derive(in Argon2Parameters parameters, ReadOnlySpan<byte> password, ReadOnlySpan<byte> salt, HashingWorkspace workspace, Span<byte> tag)
    {
        var copy = password.ToArray();
        using Konscious.Security.Cryptography.Argon2 argon2 = parameters.Variant switch
        {
            Argon2Variant.Argon2id => new Argon2id(copy),
            Argon2Variant.Argon2i => new Argon2i(copy),
            _ => new Argon2d(copy),
        };
        argon2.MemorySize = parameters.MemoryKib;
        argon2.Iterations = parameters.Passes;
        argon2.DegreeOfParallelism = parameters.Lanes;
        argon2.Salt = salt.ToArray();
        argon2.GetBytes(parameters.TagBytes).CopyTo(tag);
        CryptographicOperations.ZeroMemory(copy);
    }
}
