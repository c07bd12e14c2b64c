// The names of outcomes, which metrics, alerts and the audit trail are searched by.

namespace FetchApiKeyFunction.Tests;

public sealed class LoginOutcomeTests
{
    [Fact]
    public void Every_outcome_of_a_login_has_a_unique_name_in_snake_case() => AssertNamed<LoginOutcome>(LoginOutcomes.Name);

    [Fact]
    public void Every_outcome_of_a_reset_link_has_a_unique_name_in_snake_case() => AssertNamed<ResetOutcome>(ResetOutcomes.Name);

    private static void AssertNamed<TOutcome>(Func<TOutcome, string> name)
        where TOutcome : struct, Enum
    {
        var names = Enum.GetValues<TOutcome>().Select(name).ToList();

        Assert.NotEmpty(names);
        Assert.All(names, each => Assert.Matches("^[a-z]+(_[a-z]+)*$", each));
        Assert.Equal(names.Count, names.Distinct().Count());
        Assert.Throws<ArgumentOutOfRangeException>(() => name((TOutcome)(object)names.Count));
    }
}
