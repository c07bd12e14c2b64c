// What an Argon2 call is made of, and the legal ranges of it.

namespace FetchApiKey.Argon2;

/// <summary>The variant; the values are the type numbers y of RFC 9106 section 3.2.</summary>
public enum Argon2Variant
{
    Argon2d = 0,
    Argon2i = 1,
    Argon2id = 2,
}

/// <summary>
/// The parameters of RFC 9106 section 3.1, and its ranges. Where ours are narrower: at most 255 lanes and less than 2 GiB
/// of any input, which no stored password comes near.
/// </summary>
/// <param name="Version">0x13, or 0x10 for rows from before 2016.</param>
/// <param name="MemoryKib">8 for each lane, and more. The memory used is this rounded down to a multiple of 4 x lanes.</param>
/// <param name="Passes">1 and more.</param>
/// <param name="Lanes">1 to 255.</param>
/// <param name="TagBytes">4 and more.</param>
public readonly record struct Argon2Parameters(Argon2Variant Variant, int Version, int MemoryKib, int Passes, int Lanes, int TagBytes)
{
    public const int CurrentVersion = 0x13;
    public const int OldVersion = 0x10;
    public const int MinSaltBytes = 8;
    public const int MinTagBytes = 4;
    public const int MaxLanes = 255;
    public const int MinMemoryKibPerLane = 8;

    /// <summary>Blocks of 1 KiB a slice of a lane; a lane has four slices.</summary>
    internal int SegmentBlocks => MemoryKib / (4 * Lanes);

    internal int LaneBlocks => 4 * SegmentBlocks;

    internal int Blocks => LaneBlocks * Lanes;

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
