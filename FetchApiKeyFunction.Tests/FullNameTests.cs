// The rule for names.

using FetchApiKey.Accounts;

namespace FetchApiKeyFunction.Tests;

public sealed class FullNameTests
{
    [Theory]
    [InlineData("A", true)]
    [InlineData("", false)]
    [InlineData("Å̈", true)]
    [InlineData("a\nb", false)]
    [InlineData("\u009F", false)]
    [InlineData("zero\u200Bwidth", true)]
    public void A_name_has_code_points_and_no_control_characters(string text, bool isName) => Assert.Equal(isName, FullName.IsName(text));

    [Fact]
    public void Half_a_code_point_is_none() =>
        Assert.False(FullName.IsName("\ud83d") || FullName.IsName("a\udd11b") || FullName.IsName("\udd11\ud83d"));

    [Theory]
    [InlineData("x", 100)]
    [InlineData("世", 100)]
    [InlineData("👩🏽", 50)]
    public void It_is_counted_in_code_points(string piece, int count)
    {
        Assert.True(FullName.IsName(string.Concat(Enumerable.Repeat(piece, count))));
        Assert.False(FullName.IsName(string.Concat(Enumerable.Repeat(piece, count)) + "x"));
    }
}
