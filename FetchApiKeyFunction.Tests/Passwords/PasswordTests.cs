// Stored passwords: the formats and their limits, hashes that other tools made, published vectors.

using System.Diagnostics;
using System.Text;
using FetchApiKey.Passwords;
using Microsoft.Extensions.Logging.Abstractions;

namespace FetchApiKeyFunction.Tests.Passwords;

public sealed class PasswordTests : IDisposable
{
    private readonly PasswordHasher _hasher = new(TestServer.Hashing, TimeProvider.System, NullLogger<PasswordHasher>.Instance);

    public void Dispose() => _hasher.Dispose();

    public static TheoryData<string, string, string> KnownHashes
    {
        get
        {
            var rows = new TheoryData<string, string, string>();
            foreach (var line in File.ReadLines(Path.Combine(AppContext.BaseDirectory, "Passwords", "known-hashes.tsv")).Skip(1))
            {
                var cells = line.Split('\t');
                rows.Add(cells[0], cells[1], cells[2]);
            }

            return rows;
        }
    }

    [Theory]
    [MemberData(nameof(KnownHashes))]
    public async Task A_hash_made_by_another_tool_takes_its_password_and_no_other(string source, string password, string encoded)
    {
        Assert.NotEmpty(source);
        Assert.NotEqual(PasswordVerdict.Wrong, await VerifyAsync(encoded, password));
        Assert.Equal(PasswordVerdict.Wrong, await VerifyAsync(encoded, password + " "));
    }

    [Theory]
    [InlineData("cafe\u0301 au lait", "café au lait")]
    [InlineData("two words", " two words")]
    [InlineData("Straße", "strasse")]
    public async Task A_password_is_neither_normalised_nor_trimmed(string set, string typed)
    {
        var encoded = await HashAsync(set);

        Assert.Equal(PasswordVerdict.Right, await VerifyAsync(encoded, set));
        Assert.Equal(PasswordVerdict.Wrong, await VerifyAsync(encoded, typed));
    }

    [Fact]
    public async Task A_new_hash_is_encoded_as_Django_encodes_it_and_salted_afresh()
    {
        var (first, second) = (await HashAsync("same"), await HashAsync("same"));

        Assert.Matches("""\Aargon2\$argon2id\$v=19\$m=64,t=1,p=1\$[A-Za-z0-9+/]{30}\$[A-Za-z0-9+/]{43}\z""", first);
        Assert.NotEqual(first, second);
        var salt = Encoding.ASCII.GetString(UnpaddedBase64.Decode(first.Split('$')[4])!);
        Assert.Matches("\\A[A-Za-z0-9]{22}\\z", salt);
    }

    [Fact]
    public async Task A_pbkdf2_hash_is_right_but_outdated() =>
        Assert.Equal(
            PasswordVerdict.RightButOutdated,
            await VerifyAsync("pbkdf2_sha256$1000$seasalt$CzFI+UslA/kG6Ee3mx9EuXdtUGTgSIJvT+8nrZvi+4s=", "pässwörd"));

    public static TheoryData<string> RefusedHashes =>
    [
        "",
        "plain",
        "md5$a$b",
        "bcrypt$$2b$12$abcdefghijklmnopqrstuv",
        "argon2$",
        "argon2$argon2id",
        "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ",
        "$argon2x$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=17$m=64,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=$m=64,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=0,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=064,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=-64,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=64,t=1,p=9$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$t=1,m=64,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=64,t=1,p=1,keyid=AAAA$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=262145,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=4194304,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=64,t=4294967295,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=9999999999,t=9999999999,p=16777216$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=99999999999999999999,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=64,t=1,p=1$c2FsdA$AAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$AAA",
        "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAB",
        "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ=$AAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA\n",
        "pbkdf2_sha256$2000001$seasalt$CzFI+UslA/kG6Ee3mx9EuXdtUGTgSIJvT+8nrZvi+4s=",
        "pbkdf2_sha256$2147483648$seasalt$CzFI+UslA/kG6Ee3mx9EuXdtUGTgSIJvT+8nrZvi+4s=",
        "pbkdf2_sha256$0$seasalt$CzFI+UslA/kG6Ee3mx9EuXdtUGTgSIJvT+8nrZvi+4s=",
        "pbkdf2_sha256$1000$$CzFI+UslA/kG6Ee3mx9EuXdtUGTgSIJvT+8nrZvi+4s=",
        "pbkdf2_sha256$1000$seasalt$CzFI",
        "pbkdf2_sha256$1000$" + new string('s', 129) + "$CzFI+UslA/kG6Ee3mx9EuXdtUGTgSIJvT+8nrZvi+4s=",
        "$argon2id$v=19$m=64,t=1,p=1$" + new string('A', 480) + "$AAAAAAAAAAAAAAAAAAAAAA",
        "argon2$" + new string('x', 1 << 20),
    ];

    [Theory]
    [MemberData(nameof(RefusedHashes))]
    public async Task A_malformed_or_excessive_hash_is_refused_unread(string encoded)
    {
        var refused = Assert.IsType<RefusedHash>(StoredHash.Parse(encoded));
        Assert.DoesNotContain("AAAA", refused.Reason, StringComparison.Ordinal);

        using var password = TypedPassword.FromText("any");
        var started = Stopwatch.GetTimestamp();
        var (verdict, reason) = await _hasher.VerifyAsync(TestServer.ClientOf("c"), encoded, password, () => { }, CancellationToken.None);

        Assert.Equal((PasswordVerdict.Wrong, refused.Reason), (verdict, reason));
        // Far below what any of these would cost; not a measurement.
        Assert.True(Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(5));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("!")]
    [InlineData("!abcd1234")]
    public async Task Nothing_and_an_unusable_hash_match_no_password(string? stored)
    {
        using var password = TypedPassword.FromText("abcd1234");

        Assert.Equal(
            (PasswordVerdict.Wrong, null),
            await _hasher.VerifyAsync(TestServer.ClientOf("c"), stored, password, () => { }, CancellationToken.None));
    }

    [Fact]
    public async Task An_empty_password_is_never_right()
    {
        using var empty = TypedPassword.FromText("");

        Assert.Equal(
            (PasswordVerdict.Wrong, null),
            await _hasher.VerifyAsync(TestServer.ClientOf("c"), await HashAsync("x"), empty, () => { }, CancellationToken.None));
    }

    [Fact]
    public void Invalid_UTF8_in_a_password_reads_as_the_replacement_character()
    {
        using var password = TypedPassword.FromUtf8([(byte)'a', 0xFF, 0xED, 0xA0, 0x80, (byte)'b']);

        Assert.Equal("a\uFFFD\uFFFD\uFFFD\uFFFDb", Encoding.UTF8.GetString(password.Utf8));
    }

    [Fact]
    public void A_password_shows_nothing_of_itself_and_is_wiped()
    {
        var password = TypedPassword.FromText("abcd1234");
        var bytes = password.Utf8;
        Assert.Equal("(password)", password.ToString());

        password.Dispose();

        Assert.All(bytes, value => Assert.Equal(0, value));
    }

    private async Task<string> HashAsync(string text)
    {
        using var password = TypedPassword.FromText(text);
        return await _hasher.HashAsync(TestServer.ClientOf("c"), password, CancellationToken.None);
    }

    private async Task<PasswordVerdict> VerifyAsync(string encoded, string text)
    {
        using var password = TypedPassword.FromText(text);
        var (verdict, refused) = await _hasher.VerifyAsync(TestServer.ClientOf("c"), encoded, password, () => { }, CancellationToken.None);
        Assert.Null(refused);
        return verdict;
    }
}
