// What an Argon2 call is made of, and the legal ranges of it.

namespace FetchApiKey.Argon2;

/// <summary>The variant; the values are the type numbers y of RFC 9106 section 3.2.</summary>
public enum Argon2Variant
{
    /// <summary>Addresses depend on the password.</summary>
    Argon2d = 0,

    /// <summary>Addresses do not depend on the password.</summary>
    Argon2i = 1,

    /// <summary>As Argon2i in the first half of the first pass, then as Argon2d. The one to use.</summary>
    Argon2id = 2,
}

/// <summary>
/// The parameters of RFC 9106 section 3.1, and its ranges. Ours are narrower in two places: at most 255 lanes, and less than
/// 2 GiB of any input.
/// </summary>
/// <param name="Variant">d, i or id.</param>
/// <param name="Version">0x13, or 0x10 for rows from before 2016.</param>
/// <param name="MemoryKib">8 for each lane, and more. The memory used is this rounded down to a multiple of 4 x lanes.</param>
/// <param name="Passes">1 and more.</param>
/// <param name="Lanes">1 to 255.</param>
/// <param name="TagBytes">4 and more.</param>
public readonly record struct Argon2Parameters(Argon2Variant Variant, int Version, int MemoryKib, int Passes, int Lanes, int TagBytes)
{
    /// <summary>The version of RFC 9106.</summary>
    public const int CurrentVersion = 0x13;

    /// <summary>The version before 2016, which overwrites blocks instead of adding to them.</summary>
    public const int OldVersion = 0x10;

    /// <summary>Shortest salt.</summary>
    public const int MinSaltBytes = 8;

    /// <summary>Shortest tag.</summary>
    public const int MinTagBytes = 4;

    /// <summary>Most lanes.</summary>
    public const int MaxLanes = 255;

    /// <summary>Least memory of each lane.</summary>
    public const int MinMemoryKibPerLane = 8;

    /// <summary>What a hash needs: <see cref="MemoryKib"/> in bytes, rounded down to a multiple of 4 KiB x lanes.</summary>
    public long MemoryBytes => (long)Blocks * BlockBytes;

    internal const int BlockBytes = 1024;

    /// <summary>Blocks of 1 KiB a slice of a lane; a lane has four slices.</summary>
    internal int SegmentBlocks => MemoryKib / (4 * Lanes);

    internal int LaneBlocks => 4 * SegmentBlocks;

    internal int Blocks => LaneBlocks * Lanes;

    /// <summary>Refuses what is outside its range.</summary>
    /// <param name="saltBytes">Length of the salt.</param>
    /// <exception cref="ArgumentOutOfRangeException">A parameter or the salt is outside its range.</exception>
    public void Validate(int saltBytes)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((int)Variant, (int)Argon2Variant.Argon2id, nameof(Variant));
        ArgumentOutOfRangeException.ThrowIfNotEqual(Version == OldVersion ? CurrentVersion : Version, CurrentVersion, nameof(Version));
        ArgumentOutOfRangeException.ThrowIfLessThan(Passes, 1, nameof(Passes));
        ArgumentOutOfRangeException.ThrowIfLessThan(Lanes, 1, nameof(Lanes));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(Lanes, MaxLanes, nameof(Lanes));
        ArgumentOutOfRangeException.ThrowIfLessThan(MemoryKib, MinMemoryKibPerLane * Lanes, nameof(MemoryKib));
        ArgumentOutOfRangeException.ThrowIfLessThan(TagBytes, MinTagBytes, nameof(TagBytes));
        ArgumentOutOfRangeException.ThrowIfLessThan(saltBytes, MinSaltBytes);
    }
}
