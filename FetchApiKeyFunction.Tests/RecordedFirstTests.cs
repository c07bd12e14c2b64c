// What cannot be undone is on record before it is done, and the answer says what became of it, whatever storage does afterwards.

using System.Text;
using FetchApiKey;
using FetchApiKey.Accounts;
using FetchApiKey.Audit;
using FetchApiKey.Cli;
using FetchApiKeyFunction.Tests.Ldap;
using FetchApiKeyFunction.Tests.Pages;
using Microsoft.Extensions.Configuration;
using static FetchApiKeyFunction.Tests.TestServer;

namespace FetchApiKeyFunction.Tests;

public sealed class RecordedFirstTests(Organisation organisation) : IClassFixture<Organisation>
{
    private const string Strong = ResetLinks.Strong;
    private const string NothingDone = "Nothing was done.";
    private const string MaySet = "Your new password may be set";
    private const string IsSet = "Your new password is set";

    /// <summary>What fails, how, and what that comes to: the page, whether the event is there, and which password is right.</summary>
    public static TheoryData<string, StorageFault, int, string, bool, bool> Resets => new()
    {
        { "event", StorageFault.Unavailable, 503, NothingDone, false, false },
        { "event", StorageFault.LostAcknowledgement, 200, IsSet, true, true },
        { "account", StorageFault.Unavailable, 503, MaySet, true, false },
        { "account", StorageFault.Reset, 503, MaySet, true, false },
        { "account", StorageFault.LostAcknowledgement, 200, IsSet, true, true },
        { "account, and all after it", StorageFault.LostAcknowledgement, 503, MaySet, true, true },
        { "attempts", StorageFault.Unavailable, 200, IsSet, true, true },
        { "attempts", StorageFault.Delay, 200, IsSet, true, true },
        { "attempts", StorageFault.LostAcknowledgement, 200, IsSet, true, true },
    };

    [Theory]
    [MemberData(nameof(Resets))]
    public async Task A_reset_says_what_became_of_the_password_and_is_on_record(
        string failing, StorageFault fault, int status, string text, bool isRecorded, bool isChanged)
    {
        await using var script = await StorageScript.StartAsync(organisation);
        var account = await organisation.NewAccountAsync();
        var token = await organisation.InviteAsync(account);
        script.Play(call => failing switch
        {
            "event" => call is { Table: "audit", IsChange: true } ? fault : StorageFault.None,
            "account" => call.Table == "batch" ? fault : StorageFault.None,
            "attempts" => call is { Table: "attempts", IsChange: true } ? fault : StorageFault.None,
            _ when call.Batches == 0 => StorageFault.None,
            _ => call.Table == "batch" ? fault : StorageFault.Reset,
        });

        var answer = await script.Server.ChooseAsync(token, Strong);
        script.Stop();

        Assert.Equal(status, answer.Status);
        Assert.Contains(text, answer.Body, StringComparison.Ordinal);
        Assert.Equal(isRecorded ? ["password_changed"] : [], await OutcomesAsync(account.Email, SecurityEventKind.PasswordChanged));
        Assert.Equal(isChanged ? 200 : 401, (await organisation.Server.LogInAsync(account.Email, Strong)).Status);
        Assert.Equal(isChanged ? 401 : 200, (await organisation.Server.LogInAsync(account.Email, Organisation.RightPassword)).Status);
    }

    [Fact]
    public async Task A_reset_that_another_overtakes_takes_its_event_back()
    {
        await using var script = await StorageScript.StartAsync(organisation);
        var account = await organisation.NewAccountAsync();
        var token = await organisation.InviteAsync(account);
        var (invitations, link) = (new PasswordInvitations(organisation.Tables), InvitationToken.TryParse(token)!);
        var (invitation, read) = await invitations.FindAsync("", link, CancellationToken.None);
        var hash = await Organisation.HashAsync(Strong + "!");
        script.Play(call =>
        {
            // Somebody else redeems the link between this one's event and its change.
            if (call is { Table: "batch", Batches: 1 })
            {
                Assert.True(invitations.RedeemAsync(link, invitation!, read!, hash, CancellationToken.None).GetAwaiter().GetResult());
            }

            return StorageFault.None;
        });

        Assert.Equal(404, (await script.Server.ChooseAsync(token, Strong)).Status);

        Assert.Equal(["not_done", "password_changed"], await OutcomesAsync(account.Email, SecurityEventKind.PasswordChanged, count: 2));
        Assert.Equal(200, (await organisation.Server.LogInAsync(account.Email, Strong + "!")).Status);
    }

    /// <summary>What fails, and the answer; whether the event is there and whether the old key is dead.</summary>
    public static TheoryData<string, StorageFault, int, bool, bool> Regenerations => new()
    {
        { "audit", StorageFault.Unavailable, 503, false, false },
        { "audit", StorageFault.LostAcknowledgement, 200, true, true },
        { "accounts", StorageFault.Unavailable, 503, true, false },
        { "accounts", StorageFault.LostAcknowledgement, 200, true, true },
        { "all after it", StorageFault.Reset, 200, true, true },
    };

    [Theory]
    [MemberData(nameof(Regenerations))]
    public async Task A_new_key_is_on_record_and_who_asked_for_it_gets_it(
        string failing, StorageFault fault, int status, bool isRecorded, bool isChanged)
    {
        await using var script = await StorageScript.StartAsync(organisation);
        var account = await organisation.NewAccountAsync();
        Assert.Equal(Opening.Opened, Cipher.Open(account, out var oldKey));
        var isWritten = false;
        script.Play(call =>
        {
            if (failing != "all after it")
            {
                return call.IsChange && call.Table == failing ? fault : StorageFault.None;
            }

            var before = isWritten;
            isWritten |= call.Changes > 0;
            return before ? fault : StorageFault.None;
        });

        var answer = await RegenerateAsync(script.Server, account.Email, oldKey);
        script.Stop();

        Assert.Equal(status, answer.Status);
        Assert.Equal(isRecorded ? ["api_key_changed"] : [], await OutcomesAsync(account.Email, SecurityEventKind.ApiKeyChanged));
        var login = await organisation.Server.LogInAsync(account.Email, Organisation.RightPassword);
        Assert.Equal(!isChanged, login.Body.Contains(oldKey, StringComparison.Ordinal));
        if (isChanged)
        {
            Assert.Contains(answer.Body.Split("\"api_key\":\"")[1][..32], login.Body, StringComparison.Ordinal);
        }
    }

    [SlapdTheory]
    [InlineData("audit", StorageFault.Unavailable, 503, false, false)]
    [InlineData("accounts", StorageFault.Unavailable, 503, true, false)]
    [InlineData("accounts", StorageFault.LostAcknowledgement, 200, true, true)]
    public async Task An_account_that_a_directorys_login_makes_is_on_record(
        string failing, StorageFault fault, int status, bool isRecorded, bool isMade)
    {
        var own = new Organisation();
        await own.InitializeAsync();
        await using var slapd = await Slapd.StartAsync();
        await using (var script = await StorageScript.StartAsync(own, DirectorySettings(
            ("uri", $"ldap://127.0.0.1:{slapd.Port}"), ("bindDn", Slapd.ReaderDn), ("bindPassword", Slapd.ReaderPassword), ("userSearchBase", Slapd.People),
            ("appendDomain", "example.com"), ("autoCreate", "true"))))
        {
            script.Play(call => call.IsChange && call.Table == failing ? fault : StorageFault.None);

            var answer = await script.Server.LogInAsync("hamlet", "canary-hamlet");
            script.Stop();

            Assert.Equal(status, answer.Status);
            Assert.Equal(
                isRecorded ? ["logged_in"] : [], await OutcomesAsync("hamlet@example.com", SecurityEventKind.AccountCreated, own: own));
            var (account, _) = await own.Accounts.FindAsync("", EmailAddress.TryParse("hamlet@example.com")!, CancellationToken.None);
            Assert.Equal(isMade, account is not null);
        }

        await own.DisposeAsync();
    }

    [Theory]
    [InlineData(StorageFault.Unavailable, ExitCode.Unavailable, false)]
    [InlineData(StorageFault.LostAcknowledgement, ExitCode.Done, true)]
    public async Task An_account_that_the_command_line_makes_is_on_record_and_told_as_it_is(StorageFault fault, int code, bool isMade)
    {
        await using var script = await StorageScript.StartAsync(organisation);
        script.Play(call => call is { Table: "accounts", IsChange: true } ? fault : StorageFault.None);
        var email = $"added-{code}@zulip.com";

        var result = await OperatorDesk.RunAsync(
            // An id that no account of the other tests takes.
            $"users add {email} --user-id {900_000 + code}", Strong, OperatorDesk.Environment(script.Storage.ConnectionString!, script.Storage.TablePrefix));
        script.Stop();

        Assert.Equal(code, result.Code);
        Assert.Equal(!isMade, result.Error.Contains("Whether the command was carried out is not known", StringComparison.Ordinal));
        Assert.Equal(["users add"], await OutcomesAsync(email, SecurityEventKind.OperatorAct));
        Assert.Equal(
            isMade, (await organisation.Accounts.FindAsync("", EmailAddress.TryParse(email)!, CancellationToken.None)).Account is not null);
    }

    [Theory]
    [InlineData("realms add lost", "already", StorageFault.LostAcknowledgement, ExitCode.Done)]
    [InlineData("realms set acme --name Lost", "Somebody else", StorageFault.LostAcknowledgement, ExitCode.Done)]
    [InlineData("realms set acme --name Away", "Somebody else", StorageFault.Unavailable, ExitCode.Unavailable)]
    public async Task A_realm_whose_change_was_carried_out_is_not_told_as_refused(string command, string lie, StorageFault fault, int code)
    {
        await using var script = await StorageScript.StartAsync(organisation);
        script.Play(call => call is { Table: "realms", IsChange: true } ? fault : StorageFault.None);
        var environment = OperatorDesk.Environment(script.Storage.ConnectionString!, script.Storage.TablePrefix);

        var result = await OperatorDesk.RunAsync(command, null, environment);
        script.Stop();

        Assert.Equal(code, result.Code);
        Assert.DoesNotContain(lie, result.Error, StringComparison.Ordinal);
        Assert.Equal(
            code == ExitCode.Done, (await OperatorDesk.RunAsync("realms list", null, environment)).Output.Contains(command.Split(' ')[^1], StringComparison.Ordinal));
    }

    private static Settings DirectorySettings(params (string Name, string Value)[] directory) => Settings.Read(
        new ConfigurationBuilder().AddInMemoryCollection(
        [
            new("AccountStorage", "UseDevelopmentStorage=true"), new("ExternalHost", "zulip.example.com,127.0.0.1"), new("ApiKeys:keys:one", KeyVariable.Value),
            new("Argon2:memoryKib", "64"), new("Argon2:passes", "1"), new("Argon2:lanes", "1"), new("Ldap:people:realms", "@"),
            .. directory.Select(setting => KeyValuePair.Create($"Ldap:people:{setting.Name}", (string?)setting.Value)),
        ]).Build(),
        answersRequests: true);

    internal static Task<Answer> RegenerateAsync(TestServer server, string email, string key) => server.SendAsync(
        HttpMethod.Post, "/api/v1/users/me/api_key/regenerate",
        headers: ("Authorization", "Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes($"{email}:{key}"))));

    private Task<List<string>> OutcomesAsync(string email, string kind, int count = 0, Organisation? own = null) =>
        (own ?? organisation).OutcomesAsync(email, kind, count);
}
