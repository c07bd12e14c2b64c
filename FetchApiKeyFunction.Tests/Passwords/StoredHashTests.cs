// What holds for the formats of stored hashes, those of the future too.

using FetchApiKey.Passwords;

namespace FetchApiKeyFunction.Tests.Passwords;

public sealed class StoredHashTests
{
    private static readonly List<string> Known = [.. PasswordTests.KnownHashes.Select(row => (string)row[2])];

    public static TheoryData<string> KnownHashes => [.. Known];

    [Fact]
    public void Every_prefix_belongs_to_one_format_and_another_tool_made_a_hash_of_it()
    {
        var prefixes = StoredHash.Formats.SelectMany(format => format.Prefixes).ToList();

        Assert.All(prefixes, prefix => Assert.Single(prefixes, other => other.StartsWith(prefix, StringComparison.Ordinal)));
        Assert.DoesNotContain(prefixes, prefix => prefix.StartsWith('!'));
        Assert.All(prefixes, prefix => Assert.Contains(Known, encoded => encoded.StartsWith(prefix, StringComparison.Ordinal)));
    }

    [Theory]
    [MemberData(nameof(KnownHashes))]
    public void The_cost_of_a_hash_can_be_written_in_a_setting_and_has_a_decoy(string encoded)
    {
        var hash = Assert.IsType<ComputedHash>(StoredHash.Parse(encoded), exactMatch: false);

        Assert.Equal(hash.Cost, HashCost.Parse(hash.Cost.Setting));
        Assert.Equal(hash.Cost, hash.Cost.NewDecoy().Cost);
        Assert.Equal(hash.GetType(), hash.Cost.NewDecoy().GetType());
    }

    [Theory]
    [MemberData(nameof(KnownHashes))]
    public void The_description_of_a_hash_has_neither_its_salt_nor_its_tag(string encoded)
    {
        var hash = StoredHash.Parse(encoded);

        Assert.All(encoded.Split('$')[^2..], part => Assert.DoesNotContain(part, hash.Description, StringComparison.Ordinal));
        Assert.Equal(hash.Description, $"{hash}");
    }

    [Theory]
    [InlineData("argon2$argon2id$v=19$m=64,t=2,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA", "argon2id, 64 KiB, 2 passes, 1 lanes")]
    [InlineData("pbkdf2_sha256$1000$seasalt$CzFI+UslA/kG6Ee3mx9EuXdtUGTgSIJvT+8nrZvi+4s=", "pbkdf2_sha256, 1000 iterations")]
    [InlineData("!", "unusable")]
    [InlineData("md5$a$b", "refused: unknown format")]
    [InlineData("$argon2id$v=19$m=262145,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA", "refused: exceeds the limits for stored hashes")]
    [InlineData("$argon2id$v=19$m=64,t=11,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA", "refused: exceeds the limits for stored hashes")]
    [InlineData("$argon2id$v=19$m=1024,t=1,p=17$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA", "refused: exceeds the limits for stored hashes")]
    [InlineData("$argon2id$v=19$m=262144,t=10,p=16$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA", "argon2id, 262144 KiB, 10 passes, 16 lanes")]
    public void An_operator_is_told_format_and_cost_or_the_reason(string encoded, string description) =>
        Assert.Equal(description, StoredHash.Parse(encoded).Description);

    [Theory]
    [InlineData("argon2$argon2id$v=19$m=64,t=2,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    [InlineData("argon2$argon2id$v=16$m=64,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    [InlineData("argon2$argon2i$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    [InlineData("argon2$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA")]
    public void Another_variant_cost_or_length_is_outdated(string encoded) =>
        Assert.False(Assert.IsType<Argon2Hash>(StoredHash.Parse(encoded)).IsCurrent(TestServer.Cost));
}
