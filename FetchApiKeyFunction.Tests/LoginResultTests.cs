// What a login's outcome means: whether it is granted, and whether it counts as a failed attempt.

using FetchApiKey.Accounts;
using FetchApiKey.Attempts;

namespace FetchApiKeyFunction.Tests;

public sealed class LoginResultTests
{
    public static TheoryData<LoginOutcome> Outcomes => [.. Enum.GetValues<LoginOutcome>()];

    [Theory]
    [MemberData(nameof(Outcomes))]
    public void Each_outcome_is_granted_or_a_failure_or_was_not_judged(LoginOutcome outcome)
    {
        var isGranted = outcome is LoginOutcome.LoggedIn or LoginOutcome.ApiKeyChanged;
        var isAway = outcome is LoginOutcome.Unavailable or LoginOutcome.DirectoryUnavailable;

        var result = new LoginResult(outcome, null);
        Assert.Equal((isGranted, isAway, !isGranted && !isAway), (result.IsGranted, result.IsUnjudged, result.IsFailure));

        // A backend has refused the password, though another was away.
        var judged = new LoginResult(outcome, null) { WasJudged = true };
        Assert.Equal((isGranted, false, !isGranted), (judged.IsGranted, judged.IsUnjudged, judged.IsFailure));

        // Nobody guesses who is vouched for.
        var vouchedFor = new LoginResult(outcome, null) { IsVouchedFor = true };
        Assert.Equal((isGranted, isAway, false), (vouchedFor.IsGranted, vouchedFor.IsUnjudged, vouchedFor.IsFailure));
    }

    [Fact]
    public void A_result_says_nothing_that_nobody_gave_it()
    {
        var result = new LoginResult(LoginOutcome.WrongPassword, null);

        Assert.Equal(("", "", TimeSpan.Zero, default(RateLimit)), (result.ApiKey, result.Detail, result.RetryAfter, result.RateLimit));
        Assert.Null(result.Consequence);
        Assert.Null(result.Fault);
    }

    [Theory]
    [InlineData(true, true, null)]
    [InlineData(true, false, LoginOutcome.UserDeactivated)]
    [InlineData(false, true, LoginOutcome.RealmDeactivated)]
    [InlineData(false, false, LoginOutcome.RealmDeactivated)]
    public void A_realm_that_is_deactivated_is_told_before_an_account_that_is(
        bool isRealmActive, bool isAccountActive, LoginOutcome? outcome)
    {
        var realm = new Realm("", "Realm", "", "", null, isRealmActive, PasswordBackends.Email);
        var account = new Account("", 5, "a@b.com", "!", "", isAccountActive, Account.Member, DateTimeOffset.UnixEpoch);

        var refusal = Login.RefuseDeactivated(realm, account);

        Assert.Equal(outcome, refusal?.Outcome);
        Assert.Same(outcome is null ? null : account, refusal?.Account);
    }
}
