// What a new password by a link makes of the failed attempts on its account.

using FetchApiKey.Accounts;
using FetchApiKey.Attempts;
using Microsoft.Extensions.Logging.Abstractions;
using static FetchApiKeyFunction.Tests.TestServer;

namespace FetchApiKeyFunction.Tests.Pages;

public sealed class PasswordResetAttemptsTests(Organisation organisation) : IClassFixture<Organisation>
{
    private const string Strong = ResetLinks.Strong;

    [Fact]
    public async Task A_link_clears_what_a_right_login_clears_and_nothing_of_the_day()
    {
        var limits = ManyAttempts with { PerAccount = 2, PerAccountDaily = 2 };
        await using var server = await organisation.StartAsync(limits);
        var account = await organisation.NewAccountAsync();
        await server.LogInAsync(account.Email, "wrong");
        await server.LogInAsync(account.Email, "wrong");

        Assert.Equal(200, (await server.ChooseAsync(await organisation.InviteAsync(account), Strong)).Status);

        Assert.Equal(429, (await server.LogInAsync(account.Email, Strong)).Status);
        var table = new AttemptTable(organisation.Tables, TimeProvider.System, NullLogger<AttemptTable>.Instance);
        var (stored, _) = await table.ReadAsync(KeyOf(account), LoginAttempts.NamePolicyOf(limits), CancellationToken.None);
        Assert.Equal([true, true], stored.Record.Failures.Select(failure => failure.IsCleared));
    }

    [Fact]
    public async Task A_password_is_set_and_said_to_be_where_the_failed_attempts_cannot_be_cleared()
    {
        await using var server = await organisation.StartAsync(ManyAttempts);
        var account = await organisation.NewAccountAsync();
        await server.LogInAsync(account.Email, "wrong");
        var key = KeyOf(account);
        await DamagedRow.PutAsync(organisation.Tables.Attempts, key, key + "~2", "Failures", DamagedRow.Undecodable);

        Assert.Equal(200, (await server.ChooseAsync(await organisation.InviteAsync(account), Strong)).Status);

        Assert.Contains(
            server.Log, line => line.Contains("could not be cleared (AttemptRecordUnreadableException)", StringComparison.Ordinal));
    }

    private static string KeyOf(Account account) => LoginAttempts.KeyOf(account.Subdomain, EmailAddress.TryParse(account.Email)!);
}
