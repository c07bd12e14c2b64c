// users invite-reset: what it prints, stores and records, and what it refuses.

using System.Text.Json;
using Azure.Data.Tables;
using FetchApiKey.Accounts;
using FetchApiKey.Audit;
using FetchApiKey.Cli;
using FetchApiKey.Pages;
using Microsoft.Extensions.Configuration;

namespace FetchApiKeyFunction.Tests.Pages;

public sealed class InvitationTests(Organisation organisation) : IClassFixture<Organisation>
{
    [Theory]
    [InlineData("", "", "https://zulip.example.com", 24)]
    [InlineData("--hours 168", "", "https://zulip.example.com", 168)]
    [InlineData("--origin http://127.0.0.1:7071/", "", "http://127.0.0.1:7071", 24)]
    [InlineData("--realm acme", "acme", "https://chat.example.org", 24)]
    public async Task It_prints_a_link_that_works_and_stores_a_digest(string options, string realm, string origin, int hours)
    {
        var account = await organisation.NewAccountAsync(subdomain: realm);
        var started = TimeProvider.System.GetUtcNow();

        var (code, output, error) = await RunAsync($"users invite-reset {account.Email} --json {options}");

        Assert.Equal((ExitCode.Done, ""), (code, error));
        using var printed = JsonDocument.Parse(output);
        var link = printed.RootElement.GetProperty("link").GetString()!;
        Assert.StartsWith($"{origin}{PasswordResetPage.Path}?token=", link, StringComparison.Ordinal);
        Assert.InRange(
            printed.RootElement.GetProperty("expires").GetDateTimeOffset() - started, TimeSpan.FromHours(hours),
            TimeSpan.FromHours(hours) + TimeSpan.FromMinutes(1));
        TableEntity row = await organisation.Tables.Accounts.GetEntityAsync<TableEntity>(
            Account.PartitionOf(realm, EmailAddress.TryParse(account.Email)!), PasswordInvitation.Row);
        var token = link[(link.IndexOf('=', StringComparison.Ordinal) + 1)..];
        Assert.Matches("^[A-Za-z0-9_-]{86}$", token);
        Assert.Equal(InvitationToken.TryParse(token)!.Digest, row.GetString("SecretDigest"));
        Assert.DoesNotContain(token[44..], string.Join('|', row.Select(cell => cell.Value)), StringComparison.Ordinal);
        Assert.Equal(
            200,
            (await organisation.Server.OpenAsync(token, realm.Length > 0 ? realm + ".zulip.example.com" : TestServer.RootHost)).Status);
    }

    [Fact]
    public async Task A_second_invitation_replaces_the_first_and_other_accounts_keep_theirs()
    {
        var (one, other) = (await organisation.NewAccountAsync(), await organisation.NewAccountAsync());
        var first = await organisation.InviteAsync(one);
        var others = await organisation.InviteAsync(other);

        var second = await organisation.InviteAsync(one);

        Assert.Equal(404, (await organisation.Server.OpenAsync(first)).Status);
        Assert.Equal(
            (200, 200), ((await organisation.Server.OpenAsync(second)).Status, (await organisation.Server.OpenAsync(others)).Status));
    }

    [Theory]
    [InlineData("nobody@zulip.com", ExitCode.Refused, "There is no account of nobody@zulip.com")]
    [InlineData("gone@zulip.com", ExitCode.Refused, "The account of gone@zulip.com is deactivated.")]
    [InlineData("iago@zulip.com --realm closed", ExitCode.Refused, "The realm 'closed' is deactivated.")]
    [InlineData("iago@zulip.com --realm nowhere", ExitCode.Refused, "There is no realm 'nowhere'.")]
    [InlineData("iago@zulip.com --origin https://x/path", ExitCode.Refused, "'https://x/path' is not an origin")]
    [InlineData("iago@zulip.com --hours 0", ExitCode.Usage, "--hours takes a whole number from 1 to 168")]
    [InlineData("iago@zulip.com --hours 169", ExitCode.Usage, "--hours takes a whole number from 1 to 168")]
    [InlineData("iago@zulip.com --hours x", ExitCode.Usage, "Cannot parse argument 'x'")]
    public async Task It_refuses_whom_no_password_would_help(string arguments, int code, string reason)
    {
        var result = await RunAsync($"users invite-reset {arguments}");

        Assert.Equal(code, result.Code);
        Assert.StartsWith(reason, result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("token=", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_a_host_or_a_public_URL_it_asks_for_the_origin()
    {
        var account = await organisation.NewAccountAsync();

        var result = await RunAsync($"users invite-reset {account.Email}", externalHost: "");

        Assert.Equal(ExitCode.Refused, result.Code);
        Assert.Contains("--origin", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task It_is_recorded_before_it_is_done_and_not_done_where_that_fails()
    {
        var account = await organisation.NewAccountAsync();
        await RunAsync($"users invite-reset {account.Email}");
        var (_, recorded, _) = await RunAsync($"audit search --email {account.Email} --json");
        Assert.Contains(
            $"\"kind\":\"{SecurityEventKind.OperatorAct}\",\"outcome\":\"users invite-reset\"", recorded, StringComparison.Ordinal);

        var tables = await SharedAzurite.NewStorageAsync();
        var opened = AccountTables.Open(tables);
        await opened.CreateAsync(CancellationToken.None);
        await RunAsync("realms add", tables.TablePrefix);
        await RunAsync("users add iago@zulip.com", tables.TablePrefix, ResetLinks.Strong);
        await opened.Audit.DeleteAsync();

        var result = await RunAsync("users invite-reset iago@zulip.com", tables.TablePrefix);

        Assert.Equal((ExitCode.BadSettings, ""), (result.Code, result.Output));
        var row = await opened.Accounts.GetEntityIfExistsAsync<TableEntity>(
            Account.PartitionOf("", EmailAddress.TryParse("iago@zulip.com")!), PasswordInvitation.Row);
        Assert.False(row.HasValue);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_password_or_an_invitation_that_was_changed_meanwhile_stands(bool isInvitation)
    {
        var invitations = new PasswordInvitations(organisation.Tables);
        var account = await organisation.NewAccountAsync();
        var token = InvitationToken.TryParse(await organisation.InviteAsync(account))!;
        var (invitation, found) = await invitations.FindAsync("", token, CancellationToken.None);
        if (isInvitation)
        {
            await organisation.InviteAsync(account);
        }
        else
        {
            Assert.True(await organisation.Accounts.SetPasswordHashAsync(account, "!by somebody else", CancellationToken.None));
        }

        Assert.False(await invitations.RedeemAsync(token, invitation!, found!, "!by the link", CancellationToken.None));

        Assert.Equal(isInvitation ? account.PasswordHash : "!by somebody else", (await organisation.FindAsync(account.Email)).PasswordHash);
        Assert.NotNull((await invitations.FindAsync("", token, CancellationToken.None)).Invitation);
    }

    [Fact]
    public async Task An_invitation_is_no_account_and_in_no_backup()
    {
        await organisation.InviteAsync(await organisation.NewAccountAsync());
        var file = Path.Combine(Directory.CreateTempSubdirectory("fetch-api-key-").FullName, "backup.jsonl");

        var backup = await RunAsync($"tables backup {file}");
        var lines = await File.ReadAllLinesAsync(file);
        File.Delete(file);
        var listed = await RunAsync("users list --json");

        Assert.Equal((ExitCode.Done, ExitCode.Done), (backup.Code, listed.Code));
        Assert.DoesNotContain(lines, line => line.Contains("SecretDigest", StringComparison.Ordinal));
        using var last = System.Text.Json.JsonDocument.Parse(lines[^1]);
        Assert.Equal(lines.Length - 2, last.RootElement.EnumerateObject().First().Value.GetInt32());
    }

    private async Task<(int Code, string Output, string Error)> RunAsync(
        string command, string? prefix = null, string input = "", string externalHost = "zulip.example.com,127.0.0.1")
    {
        using var output = new StringWriter { NewLine = "\n" };
        using var error = new StringWriter { NewLine = "\n" };
        var environment = new ConfigurationBuilder().AddInMemoryCollection(
        [
            new("AccountStorage", await SharedAzurite.ConnectionStringAsync()), new("TablePrefix", prefix ?? organisation.TablePrefix),
            new("ExternalHost", externalHost), new("Argon2:memoryKib", "64"), new("Argon2:passes", "1"), new("Argon2:lanes", "1"),
            new(TestServer.KeyVariable.Name.Replace("__", ":", StringComparison.Ordinal), TestServer.KeyVariable.Value),
        ]).Build();
        var code = await new CommandLine(
            environment, new StandardInput(new MemoryStream(System.Text.Encoding.UTF8.GetBytes(input)), isTerminal: false),
            TimeProvider.System)
            .RunAsync(command.Split(' ', StringSplitOptions.RemoveEmptyEntries), output, error);
        return (code, output.ToString(), error.ToString());
    }
}
