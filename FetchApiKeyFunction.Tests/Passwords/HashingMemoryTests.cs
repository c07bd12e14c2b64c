// The engine's memory and threads: slots that hashes cannot leave, wiping, and lane workers that several hashes use.

using FetchApiKey.Argon2;

namespace FetchApiKeyFunction.Tests.Passwords;

public sealed class HashingMemoryTests
{
    private const int Kib = 1024;

    /// <summary>Takes exactly 64 KiB.</summary>
    private static readonly Argon2Parameters Small = new(Argon2Variant.Argon2id, Argon2Parameters.CurrentVersion, 64, 1, 2, 32);

    private static readonly byte[] Salt = [1, 2, 3, 4, 5, 6, 7, 8];

    public static TheoryData<Argon2Path> Paths => [.. Enum.GetValues<Argon2Path>().Where(Argon2Engine.IsSupported)];

    [Theory]
    [MemberData(nameof(Paths))]
    public void The_memory_of_a_hash_is_wiped_after_it_and_nothing_else_is(Argon2Path path)
    {
        using var memory = new HashingMemory(192 * Kib);
        var all = All(memory);
        all.Fill(0xAA);

        Hash(path, Small, new HashingWorkspace(memory, 64 * Kib, 64 * Kib));

        Assert.Equal(-1, all[(64 * Kib)..(128 * Kib)].IndexOfAnyExcept((byte)0));
        Assert.Equal(-1, all[..(64 * Kib)].IndexOfAnyExcept((byte)0xAA));
        Assert.Equal(-1, all[(128 * Kib)..].IndexOfAnyExcept((byte)0xAA));
    }

    [Fact]
    public void A_hash_that_needs_one_byte_more_than_its_slot_is_refused()
    {
        using var memory = new HashingMemory(192 * Kib);
        var exact = new HashingWorkspace(memory, 64 * Kib, 64 * Kib);
        var tooSmall = new HashingWorkspace(memory, 64 * Kib, (64 * Kib) - 1);

        Assert.Equal(64 * Kib, Small.MemoryBytes);
        Hash(Argon2Path.Portable, Small, exact);
        Assert.Throws<InvalidOperationException>(() => Hash(Argon2Path.Portable, Small, tooSmall));
        Assert.Throws<InvalidOperationException>(() => Take(exact, (64 * Kib) + 1));
        Assert.Throws<InvalidOperationException>(() => Hash(Argon2Path.Portable, Small, default));
    }

    [Theory]
    [InlineData(-64, 64)]
    [InlineData(32, 64)]
    [InlineData(0, -1)]
    [InlineData(0, (64 * Kib) + 1)]
    [InlineData(64, 64 * Kib)]
    [InlineData(128 * Kib, 0)]
    [InlineData(64, long.MaxValue)]
    [InlineData(long.MaxValue - 63, 64)]
    public void A_slot_that_is_not_inside_the_memory_or_not_aligned_is_refused(long offset, long bytes)
    {
        using var memory = new HashingMemory(64 * Kib);

        Assert.Throws<ArgumentOutOfRangeException>(() => new HashingWorkspace(memory, offset, bytes));
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(-1, 64)]
    [InlineData(65, 64)]
    public void Memory_of_no_size_or_with_more_kept_than_there_is_is_refused(long kept, long bytes) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new HashingMemory(kept, bytes));

    [Fact]
    public void A_hash_in_the_reserve_leaves_its_neighbours_there_alone()
    {
        const int mib = 1024 * Kib;
        using var memory = new HashingMemory(64 * Kib, (9 * mib) + (64 * Kib));
        var all = All(memory);
        all.Fill(0xAA);

        // One that begins and ends inside a page, and one that ends the memory.
        Hash(Argon2Path.Portable, Small, new HashingWorkspace(memory, mib + 64, 5 * mib));
        Hash(Argon2Path.Portable, Small, new HashingWorkspace(memory, 9 * mib, 64 * Kib));

        Assert.Equal(-1, all[..(mib + 64)].IndexOfAnyExcept((byte)0xAA));
        Assert.Equal(-1, all[((6 * mib) + 64)..(9 * mib)].IndexOfAnyExcept((byte)0xAA));
        Assert.Equal(-1, all.Slice(mib + 64, 64 * Kib).IndexOfAnyExcept((byte)0));
        Assert.Equal(-1, all[(9 * mib)..].IndexOfAnyExcept((byte)0));
    }

    [Fact]
    public void Memory_and_workers_that_were_disposed_of_are_refused_and_may_be_disposed_of_again()
    {
        using var memory = new HashingMemory(64 * Kib);
        using var workers = new LaneWorkers(2);
        var gone = new HashingMemory(64 * Kib);
        gone.Dispose();
        gone.Dispose();
        workers.Dispose();

        Assert.Throws<ObjectDisposedException>(() => Hash(Argon2Path.Portable, Small, new HashingWorkspace(gone, 0, 64 * Kib)));
        Assert.Throws<ObjectDisposedException>(() => Hash(Argon2Path.Portable, Small, new HashingWorkspace(memory, 0, 64 * Kib, workers)));
        Assert.Throws<ArgumentOutOfRangeException>(() => new LaneWorkers(1));
    }

    [Fact]
    public async Task Hashes_that_use_the_same_workers_at_once_all_come_out_right()
    {
        using var memory = new HashingMemory(4 * 1024 * Kib);
        using var workers = new LaneWorkers(3);
        var parameters = new Argon2Parameters(Argon2Variant.Argon2id, Argon2Parameters.CurrentVersion, 1024, 3, 4, 32);
        var expected = Hash(Argon2Engine.BestPath, parameters, new HashingWorkspace(memory, 0, 1024 * Kib));

        var tags = await Task.WhenAll(Enumerable.Range(0, 4).Select(slot => Task.Run(() =>
        {
            var workspace = new HashingWorkspace(memory, slot * 1024L * Kib, 1024 * Kib, workers);
            return Enumerable.Range(0, 20).Select(_ => Hash(Argon2Engine.BestPath, parameters, workspace)).ToList();
        })));

        Assert.All(tags.SelectMany(each => each), tag => Assert.Equal(expected, tag));
    }

    private static unsafe Span<byte> All(HashingMemory memory) => new(memory.Start, (int)memory.Bytes);

    private static unsafe void Take(HashingWorkspace workspace, long bytes) => _ = workspace.Take(bytes);

    private static byte[] Hash(Argon2Path path, Argon2Parameters parameters, HashingWorkspace workspace)
    {
        var tag = new byte[parameters.TagBytes];
        Argon2Engine.Derive(path, parameters, "password"u8, Salt, [], [], workspace, tag);
        return tag;
    }
}
