// Passwords of people who log in by a directory alone, as an operator may set them.

using FetchApiKey.Cli;

namespace FetchApiKeyFunction.Tests.Ldap;

public sealed class DirectoryRealmCommandTests
{
    private const string NewPassword = "correct horse battery staple";

    [Fact]
    public async Task A_password_of_its_own_is_set_only_where_somebody_says_that_it_is_meant()
    {
        var desk = await OperatorDesk.OpenAsync();
        var settings = desk.With(
            ("Ldap:corp:realms", "@"), ("Ldap:corp:uri", "ldap://127.0.0.1:1"), ("Ldap:corp:userSearchBase", "dc=example,dc=com"), ("Ldap:corp:appendDomain", "example.com"));
        Task<CommandResult> RunAsync(string command, string? input = null) => OperatorDesk.RunAsync(command, input, settings);
        Assert.Equal(ExitCode.Done, (await RunAsync("users add ada@example.com", NewPassword)).Code);
        Assert.Equal(ExitCode.Done, (await RunAsync("users set-password ada@example.com", NewPassword)).Code);
        Assert.Equal(ExitCode.Done, (await RunAsync("users invite-reset ada@example.com")).Code);

        Assert.Equal(ExitCode.Done, (await RunAsync("realms set --email-backend false --yes")).Code);

        foreach (var verb in new[] { "set-password", "invite-reset" })
        {
            var refused = await RunAsync($"users {verb} ada@example.com", NewPassword);
            Assert.Equal(ExitCode.Refused, refused.Code);
            Assert.Contains("log in by a directory alone", refused.Error, StringComparison.Ordinal);
        }

        Assert.Equal(ExitCode.Done, (await RunAsync("users set-password ada@example.com --despite-directory", NewPassword)).Code);
    }
}
