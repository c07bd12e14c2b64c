// Accounts that are invited to choose a password, and the two requests that a browser makes of an invitation.

using FetchApiKey.Accounts;
using FetchApiKey.Attempts;
using FetchApiKey.Pages;
using static FetchApiKeyFunction.Tests.TestServer;

namespace FetchApiKeyFunction.Tests.Pages;

internal static class ResetLinks
{
    public const string Strong = "unrelated clouds juggle turnips";

    private static int _users = 1000;

    /// <summary>An account of its own for each test, in a realm of the organisation's.</summary>
    public static async Task<Account> NewAccountAsync(
        this Organisation organisation, string? hash = null, string subdomain = "", bool isActive = true)
    {
        var id = Interlocked.Increment(ref _users);
        await organisation.AddAsync(
            subdomain, id, $"User{id}@zulip.com", hash ?? await Organisation.HashAsync(Organisation.RightPassword), isActive);
        return await organisation.FindAsync($"User{id}@zulip.com", subdomain);
    }

    public static async Task<string> InviteAsync(this Organisation organisation, Account account, TimeSpan? lifetime = null)
    {
        var token = await new PasswordInvitations(organisation.Tables).IssueAsync(
            account, EmailAddress.TryParse(account.Email)!, TimeProvider.System.GetUtcNow() + (lifetime ?? TimeSpan.FromHours(24)), CancellationToken.None);
        return token!.Reveal();
    }

    public static Task<Answer> OpenAsync(this TestServer server, string token, string host = RootHost) =>
        server.SendAsync(HttpMethod.Get, $"{PasswordResetPage.Path}?token={token}", host: host);

    public static Task<Answer> ChooseAsync(
        this TestServer server, string token, string password, string? again = null, string host = RootHost, params (string, string)[] headers) =>
        server.SendAsync(
            HttpMethod.Post, PasswordResetPage.Path, Form(("token", token), ("password", password), ("password_again", again ?? password)), host, headers);

    public static Task<TestServer> StartAsync(this Organisation organisation, AttemptSettings attempts) =>
        TestServer.StartAsync(organisation.Tables, NewSettings(attempts));
}
