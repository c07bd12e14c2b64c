// Our Argon2 on every path: published vectors, tags of libargon2, Konscious and libsodium as oracles.

using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using FetchApiKey.Passwords;
using FetchApiKey.Argon2;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;

namespace FetchApiKeyFunction.Tests.Passwords;

public sealed partial class Argon2EngineTests
{
    private static readonly Argon2Path[] Paths = [.. Enum.GetValues<Argon2Path>().Where(Argon2Engine.IsSupported)];

    // ---- Published vectors ----

    /// <summary>RFC 9106 sections 5.1 to 5.3: password 32 x 01, salt 16 x 02, secret 8 x 03, data 12 x 04; m=32, t=3, p=4.</summary>
    [Theory]
    [InlineData(Argon2Variant.Argon2d, "512b391b6f1162975371d30919734294f868e3be3984f3c1a13a4db9fabe4acb")]
    [InlineData(Argon2Variant.Argon2i, "c814d9d1dc7f37aa13f0d77f2494bda1c8de6b016dd388d29952a4c4672b6ce8")]
    [InlineData(Argon2Variant.Argon2id, "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659")]
    public void The_vectors_of_RFC_9106_come_out_on_every_path(Argon2Variant variant, string expected)
    {
        var parameters = new Argon2Parameters(variant, 0x13, 32, 3, 4, 32);

        foreach (var path in Paths)
        {
            var tag = Derive(path, parameters, Filled(32, 1), Filled(16, 2), Filled(8, 3), Filled(12, 4));
            Assert.Equal((path, expected), (path, Convert.ToHexStringLower(tag)));
        }
    }

    /// <summary>BLAKE2b-512 of "abc", RFC 7693 appendix A.</summary>
    [Fact]
    public void Blake2b_gives_the_vector_of_RFC_7693()
    {
        var digest = new byte[64];
        var hash = new Blake2b(64);
        hash.Add("abc"u8);
        hash.Finish(digest);

        Assert.Equal(
            "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d17d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923",
            Convert.ToHexStringLower(digest));
    }

    // ---- libargon2 ----

    [Fact]
    public void Every_tag_of_libargon2_comes_out_on_every_path_alone_and_with_workers()
    {
        var lines = File.ReadLines(Path.Combine(AppContext.BaseDirectory, "Passwords", "libargon2.tsv")).Skip(1).Select(line => line.Split('\t')).ToList();
        using var workers = new LaneWorkers(3);

        foreach (var (password, encoded) in lines.Select(cells => (cells[0], cells[1])))
        {
            var hash = Assert.IsType<Argon2Hash>(StoredHash.Parse(encoded));
            foreach (var path in Paths)
            {
                var alone = Derive(path, hash.Parameters, Encoding.UTF8.GetBytes(password), hash.Salt);
                var shared = Derive(path, hash.Parameters, Encoding.UTF8.GetBytes(password), hash.Salt, workers: workers);
                Assert.Equal((path, encoded, Convert.ToHexString(hash.Tag)), (path, encoded, Convert.ToHexString(alone)));
                Assert.Equal((path, encoded, Convert.ToHexString(hash.Tag)), (path, encoded, Convert.ToHexString(shared)));
            }

            var tag = new byte[hash.Tag.Length];
            Argon2Engine.Derive(hash.Parameters, Encoding.UTF8.GetBytes(password), hash.Salt, tag);
            Assert.Equal((encoded, Convert.ToHexString(hash.Tag)), (encoded, Convert.ToHexString(tag)));
        }

        Assert.Equal(42, lines.Count);
    }

    // ---- Oracles ----

    public sealed record Case(Argon2Variant Variant, int MemoryKib, int Passes, int Lanes, int TagBytes, byte[] Password, byte[] Salt, byte[] Secret, byte[] Data)
    {
        public Argon2Parameters Parameters => new(Variant, Argon2Parameters.CurrentVersion, MemoryKib, Passes, Lanes, TagBytes);

        public override string ToString() => string.Create(CultureInfo.InvariantCulture,
            $"{Variant} m={MemoryKib} t={Passes} p={Lanes} tag={TagBytes} password={Convert.ToHexString(Password)} salt={Convert.ToHexString(Salt)} secret={Convert.ToHexString(Secret)} data={Convert.ToHexString(Data)}");
    }

    public static class Cases
    {
        public static Arbitrary<Case> Case() => (
            from variant in Gen.Elements(Enum.GetValues<Argon2Variant>())
            from lanes in Gen.Choose(1, 9)
            from memory in Gen.Frequency((6, Gen.Choose(8 * lanes, (8 * lanes) + 200)), (3, Gen.Choose(8 * lanes, 1500)), (1, Gen.Choose(8 * lanes, 6000)))
            from passes in Gen.Choose(1, 4)
            from tagBytes in Gen.Frequency((3, Gen.Choose(4, 70)), (1, Gen.Choose(71, 300)))
            from password in Bytes(1, 200)
            from salt in Bytes(8, 100)
            from secret in Bytes(0, 40)
            from data in Bytes(0, 40)
            select new Case(variant, memory, passes, lanes, tagBytes, password, salt, secret, data)).ToArbitrary();

        private static Gen<byte[]> Bytes(int min, int max) =>
            from length in Gen.Choose(min, max)
            from bytes in Gen.Choose(0, 255).ArrayOf(length)
            select Array.ConvertAll(bytes, value => (byte)value);
    }

    /// <summary>2000 random sets of parameters, each on every path that this processor has.</summary>
    [Property(Arbitrary = [typeof(Cases)], MaxTest = 2000)]
    public void Every_path_agrees_with_Konscious(Case given)
    {
        var expected = Konscious(given);
        foreach (var path in Paths)
        {
            Assert.Equal(expected, Derive(path, given.Parameters, given.Password, given.Salt, given.Secret, given.Data));
        }
    }

    /// <summary>libsodium verifies PHC strings of any number of lanes, of argon2i and argon2id, salts of 8 to 48 bytes and tags of 16 and more.</summary>
    [Property(Arbitrary = [typeof(Cases)], MaxTest = 300)]
    public void Libsodium_accepts_what_every_path_makes(Case given)
    {
        if (given.Variant == Argon2Variant.Argon2d)
        {
            return;
        }

        var password = Array.ConvertAll(given.Password, value => (byte)Math.Max((int)value, 1));
        var salt = given.Salt[..Math.Min(given.Salt.Length, 48)];
        var cost = new Argon2Cost(given.MemoryKib, Math.Max(given.Passes, given.Variant == Argon2Variant.Argon2i ? 3 : 1), given.Lanes);
        foreach (var path in Paths)
        {
            var hash = new Argon2Hash(given.Variant, Argon2Parameters.CurrentVersion, cost, salt, new byte[32]);
            hash = hash with { Tag = Derive(path, hash.Parameters, password, salt) };
            // libsodium reads a bare PHC string in a buffer of 128 bytes.
            var phc = Encoding.ASCII.GetBytes(hash.Encode().AsSpan("argon2".Length).ToString());
            if (phc.Length >= 128)
            {
                return;
            }

            var encoded = new byte[128];
            phc.CopyTo(encoded, 0);

            Assert.Equal(0, SodiumVerify(encoded, password, (ulong)password.Length));
            Assert.NotEqual(0, SodiumVerify(encoded, [.. password, 1], (ulong)password.Length + 1));
        }
    }

    // ---- What is not a tag ----

    [Fact]
    public void An_empty_password_and_every_length_of_tag_agree_between_the_paths()
    {
        for (var tagBytes = 4; tagBytes < 200; tagBytes++)
        {
            var parameters = new Argon2Parameters(Argon2Variant.Argon2id, 0x13, 16, 1, 2, tagBytes);
            var tags = Paths.Select(path => Convert.ToHexString(Derive(path, parameters, [], Filled(8, 2)))).Distinct();
            Assert.Single(tags);
        }
    }

    [Theory]
    [InlineData(Argon2Variant.Argon2id, 0x13, 7, 1, 1, 32, 8)]
    [InlineData(Argon2Variant.Argon2id, 0x13, 15, 1, 2, 32, 8)]
    [InlineData(Argon2Variant.Argon2id, 0x13, 64, 0, 1, 32, 8)]
    [InlineData(Argon2Variant.Argon2id, 0x13, 64, 1, 0, 32, 8)]
    [InlineData(Argon2Variant.Argon2id, 0x13, 4096, 1, 256, 32, 8)]
    [InlineData(Argon2Variant.Argon2id, 0x13, 64, 1, 1, 3, 8)]
    [InlineData(Argon2Variant.Argon2id, 0x13, 64, 1, 1, 32, 7)]
    [InlineData(Argon2Variant.Argon2id, 0x12, 64, 1, 1, 32, 8)]
    [InlineData((Argon2Variant)3, 0x13, 64, 1, 1, 32, 8)]
    public void An_illegal_parameter_is_an_error_and_not_an_answer(Argon2Variant variant, int version, int memory, int passes, int lanes, int tagBytes, int saltBytes) =>
        Assert.Throws<ArgumentOutOfRangeException>(() =>
            Derive(Argon2Path.Portable, new Argon2Parameters(variant, version, memory, passes, lanes, tagBytes), [1], new byte[saltBytes]));

    [Fact]
    public void The_self_test_passes_on_every_path() => Assert.All(Paths, path => Assert.True(Argon2Engine.PassesSelfTest(path)));

    [Fact]
    public void A_path_that_is_not_there_is_an_error() =>
        Assert.Throws<PlatformNotSupportedException>(() =>
            Derive((Argon2Path)9, new(Argon2Variant.Argon2id, 0x13, 64, 1, 1, 32), [1], new byte[8]));

    [Theory]
    [InlineData(31)]
    [InlineData(33)]
    public void A_tag_of_another_length_than_the_parameters_have_is_an_error(int tagBytes) =>
        Assert.Throws<ArgumentOutOfRangeException>(() =>
            Argon2Engine.Derive(new(Argon2Variant.Argon2id, 0x13, 64, 1, 1, 32), [1], new byte[8], new byte[tagBytes]));

    private static byte[] Konscious(Case given)
    {
        using global::Konscious.Security.Cryptography.Argon2 argon2 = given.Variant switch
        {
            Argon2Variant.Argon2d => new global::Konscious.Security.Cryptography.Argon2d(given.Password),
            Argon2Variant.Argon2i => new global::Konscious.Security.Cryptography.Argon2i(given.Password),
            _ => new global::Konscious.Security.Cryptography.Argon2id(given.Password),
        };
        argon2.Salt = given.Salt;
        argon2.KnownSecret = given.Secret;
        argon2.AssociatedData = given.Data;
        argon2.MemorySize = given.MemoryKib;
        argon2.Iterations = given.Passes;
        argon2.DegreeOfParallelism = given.Lanes;
        return argon2.GetBytes(given.TagBytes);
    }

    private static byte[] Derive(
        Argon2Path path, Argon2Parameters parameters, byte[] password, byte[] salt,
        byte[]? secret = null, byte[]? data = null, LaneWorkers? workers = null)
    {
        parameters.Validate(salt.Length);
        using var memory = new HashingMemory(parameters.MemoryBytes);
        var tag = new byte[parameters.TagBytes];
        Argon2Engine.Derive(path, parameters, password, salt, secret, data, new HashingWorkspace(memory, 0, memory.Bytes, workers), tag);
        return tag;
    }

    private static byte[] Filled(int length, byte value)
    {
        var bytes = new byte[length];
        Array.Fill(bytes, value);
        return bytes;
    }

    [LibraryImport("libsodium", EntryPoint = "crypto_pwhash_str_verify")]
    private static partial int SodiumVerify(byte[] encoded, byte[] password, ulong passwordLength);
}
