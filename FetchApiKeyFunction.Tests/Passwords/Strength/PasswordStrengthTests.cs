// The strength rule, held against the original of the estimate on passwords such as people choose.

using System.Diagnostics;
using System.Globalization;
using FetchApiKey.Cli;
using FetchApiKey.Passwords;
using FetchApiKeyFunction.Tests.Hosts;
using Microsoft.Extensions.Time.Testing;
using Xunit.Abstractions;

namespace FetchApiKeyFunction.Tests.Passwords.Strength;

public sealed class PasswordStrengthTests(ITestOutputHelper output)
{
    private const double MinGuesses = 10_000;

    private static readonly EmailAddress Iago = EmailAddress.TryParse("iago@zulip.com")!;

    /// <summary>In the year that the vectors were made for.</summary>
    private static readonly FakeTimeProvider Time = new(new DateTimeOffset(2026, 7, 1, 0, 0, 0, TimeSpan.Zero));

    private static readonly string Folder = Path.Combine(AppContext.BaseDirectory, "Passwords", "Strength");

    [Fact]
    public void A_login_and_the_original_agree_on_every_password_of_the_vectors()
    {
        var vectors = Vectors();
        var refused = vectors.Where(vector => vector.Guesses >= MinGuesses && !IsEnough(vector.Password)).ToList();
        var accepted = vectors.Where(vector => vector.Guesses < MinGuesses && IsEnough(vector.Password)).ToList();

        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{vectors.Count} passwords, {vectors.Count(vector => vector.Guesses >= MinGuesses)} of them strong for the original. At a login {refused.Count} of these are refused, and {accepted.Count} weak ones accepted."));
        Assert.True(vectors.Count >= 5000);
        Assert.Empty(refused);
        Assert.Empty(accepted);
    }

    [Fact]
    public void What_is_one_part_takes_as_many_guesses_as_the_original_says()
    {
        var weak = Vectors().Where(vector => vector.Guesses < MinGuesses).ToList();

        Assert.All(weak, vector => Assert.Equal(vector.Guesses, new GuessEstimate([], 2026).Of(vector.Password).Guesses, tolerance: 0.001));
    }

    [Fact]
    public void No_password_is_newly_set_that_the_original_finds_weak()
    {
        var (weak, strong) = (Vectors().Where(vector => vector.Guesses < MinGuesses), Vectors().Where(vector => vector.Guesses >= MinGuesses));
        Assert.All(weak, vector => Assert.NotNull(WeaknessOf(vector.Password)));

        // The package takes its time, so it is asked about some.
        var some = strong.Where((_, index) => index % 20 == 0).ToList();
        var strict = some.Where(vector => WeaknessOf(vector.Password) is not null).Select(vector => vector.Password).ToList();
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"Of {some.Count} that are strong for the original {strict.Count} cannot be chosen: {string.Join(' ', strict)}"));
        Assert.InRange(strict.Count, 1, some.Count / 5);
    }

    [Fact]
    public async Task The_vectors_are_what_their_script_makes_of_the_original()
    {
        var modules = await NpmPackages.InstallAsync("strength-vectors", Folder, Console.WriteLine, CancellationToken.None);
        using var node = ProcessRun.Start("node", [Path.Combine(Folder, "strength-vectors.js"), modules]);

        Assert.True(await node.ExitCodeAsync() == 0, node.Output);
        Assert.Equal(await File.ReadAllTextAsync(Path.Combine(Folder, "strength.tsv")), node.Output);
    }

    [Theory]
    [InlineData("abcd1234", false)]
    [InlineData("password", false)]
    [InlineData("short", false)]
    [InlineData("", false)]
    [InlineData("🔑🔑🔑🔑🔑", false)]
    [InlineData("somesomesome", false)]
    [InlineData("hellhellhell", false)]
    [InlineData("a\na\na\na\n", true)]
    [InlineData("tr0ub4dour&3", true)]
    [InlineData("correct horse battery staple", true)]
    [InlineData("Grüße, 世界 🔑", true)]
    public void A_login_refuses_what_is_short_or_guessable(string text, bool isEnough) => Assert.Equal(isEnough, IsEnough(text));

    [Fact]
    public void A_login_does_not_estimate_what_is_longer_than_can_be_chosen()
    {
        Assert.False(IsEnough(new string('a', 100)));
        Assert.True(IsEnough(new string('a', 101)));
        // The original would take it, too: 908 are 9988 guesses, and 910 are 10010.
        Assert.True(IsEnough(new string('a', 910)));
    }

    [Theory]
    [InlineData(2026, "11221998", true)]
    [InlineData(2026, "11221999", false)]
    [InlineData(2027, "11221999", true)]
    public void Years_are_the_easier_to_guess_the_closer_they_are(int year, string text, bool isEnough)
    {
        using var password = TypedPassword.FromText(text);

        Assert.Equal(
            isEnough, PasswordStrength.IsEnough(password, new FakeTimeProvider(new DateTimeOffset(year, 1, 1, 0, 0, 0, TimeSpan.Zero))));
    }

    [Theory]
    [InlineData("short", Weakness.TooShort)]
    [InlineData("🔑🔑🔑🔑🔑", Weakness.TooShort)]
    [InlineData("qwerty12", Weakness.CommonPassword)]
    [InlineData("P@ssw0rd", Weakness.CommonPassword)]
    [InlineData("drowssap", Weakness.CommonPassword)]
    [InlineData("fitzgerald", Weakness.Name)]
    [InlineData("butterflies", Weakness.CommonWord)]
    [InlineData("aaaaaaaaaa", Weakness.Repetition)]
    [InlineData("somesomesome", Weakness.Repetition)]
    [InlineData("xq7xq7xq7", Weakness.Repetition)]
    [InlineData("cdefghijk", Weakness.Sequence)]
    [InlineData("жзийкл", Weakness.Sequence)]
    [InlineData("sdfghjk", Weakness.KeyboardPattern)]
    [InlineData("22071999", Weakness.Date)]
    [InlineData("iago@zulip.com", Weakness.OwnAddress)]
    [InlineData("IagoZulip", Weakness.OwnAddress)]
    [InlineData("moc.piluz@ogai", Weakness.OwnAddress)]
    [InlineData("z0l1pzulip", null)]
    [InlineData("correct horse battery staple", null)]
    [InlineData("Grüße, 世界 🔑", null)]
    public void Who_chooses_a_weak_password_is_told_what_is_weak(string text, Weakness? weakness) =>
        Assert.Equal(weakness, WeaknessOf(text));

    [Fact]
    public void Every_weakness_has_a_sentence_of_its_own()
    {
        var sentences = Enum.GetValues<Weakness>().Select(weakness => weakness.Explanation()).ToList();

        Assert.Equal(sentences.Count, sentences.Distinct().Count());
    }

    [Fact]
    public void A_chosen_password_has_a_hundred_characters_at_the_most()
    {
        var words = string.Concat(Enumerable.Range(0, 20).Select(i => $"wörd{i}"));

        Assert.Null(WeaknessOf(words[..100]));
        Assert.Equal(Weakness.TooLong, WeaknessOf(words[..101]));
        Assert.Null(WeaknessOf(string.Concat(Enumerable.Repeat("🔑🔒🗝🛡", 24)) + "key!"));
    }

    [Fact]
    public void A_password_is_judged_at_once_however_long_it_is_and_whatever_is_in_it()
    {
        var started = Stopwatch.GetTimestamp();

        Assert.True(IsEnough(string.Concat(Enumerable.Range(0, 9000).Select(i => $"{i} "))));
        Assert.True(IsEnough("4@8({[<369!1|70$5+%2gila"[..23]));
        Assert.Null(WeaknessOf(string.Concat(Enumerable.Repeat("4@8({[<369!1|70$5+%2", 5))));
        Assert.True(Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(5));
    }

    private static List<(string Password, double Guesses)> Vectors() =>
    [
        .. File.ReadLines(Path.Combine(Folder, "strength.tsv")).Skip(1)
            .Select(line => line.Split('\t'))
            .Select(fields => (fields[0], double.Parse(fields[1], CultureInfo.InvariantCulture))),
    ];

    private static bool IsEnough(string text)
    {
        using var password = TypedPassword.FromText(text);
        return PasswordStrength.IsEnough(password, Time);
    }

    private static Weakness? WeaknessOf(string text)
    {
        using var password = TypedPassword.FromText(text);
        return PasswordStrength.WeaknessOf(password, Iago, Time);
    }
}
