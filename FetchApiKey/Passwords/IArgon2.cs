// The two implementations of Argon2.

using System.Security.Cryptography;
using FetchApiKey.Argon2;
using Konscious.Security.Cryptography;

namespace FetchApiKey.Passwords;

/// <summary>Argon2 without secret and associated data, on the thread that calls.</summary>
internal interface IArgon2
{
    /// <summary>Peak memory of a hash as a multiple of the memory in its cost.</summary>
    int MemoryFactor { get; }

    /// <summary>Whether it computes this version.</summary>
    bool Computes(int version);

    /// <summary>Computes a tag in the workspace, and wipes what it wrote there.</summary>
    void Derive(
        in Argon2Parameters parameters, ReadOnlySpan<byte> password, ReadOnlySpan<byte> salt, HashingWorkspace workspace, Span<byte> tag);
}

/// <summary>The engine of FetchApiKey.Argon2.</summary>
internal sealed class BuiltInArgon2(Argon2Path path) : IArgon2
{
    public int MemoryFactor => 1;

    public bool Computes(int version) => version is Argon2Parameters.CurrentVersion or Argon2Parameters.OldVersion;

    public void Derive(
        in Argon2Parameters parameters, ReadOnlySpan<byte> password, ReadOnlySpan<byte> salt, HashingWorkspace workspace, Span<byte> tag) =>
        Argon2Engine.Derive(path, parameters, password, salt, [], [], workspace, tag);
}

/// <summary>
/// Konscious.Security.Cryptography: used when the engine fails its self-test or the setting says so, and the oracle of the
/// tests. It takes memory from the managed heap, not from the workspace.
/// </summary>
internal sealed class KonsciousArgon2 : IArgon2
{
    /// <summary>Measured: its peak is 2.9 to 4.1 times the memory of a hash.</summary>
    public const int PeakFactor = 4;

    public int MemoryFactor => PeakFactor;

    public bool Computes(int version) => version == Argon2Parameters.CurrentVersion;

    public void Derive(
        in Argon2Parameters parameters, ReadOnlySpan<byte> password, ReadOnlySpan<byte> salt, HashingWorkspace workspace, Span<byte> tag)
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
