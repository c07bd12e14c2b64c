// An audit table that disappears: logins go on, what must be recorded first is not begun, and readiness says so.

using FetchApiKey.Accounts;
using FetchApiKey.Audit;
using FetchApiKeyFunction.Tests.Pages;
using static FetchApiKeyFunction.Tests.TestServer;

namespace FetchApiKeyFunction.Tests;

public sealed class AuditAwayTests(Organisation organisation) : IClassFixture<Organisation>
{
    private const string Ready = "/api/v1/health/ready";

    [Fact]
    public async Task Without_an_audit_table_logins_go_on_nothing_that_must_be_recorded_is_begun_and_all_recovers()
    {
        var own = new Organisation();
        await own.InitializeAsync();
        await using (var server = await TestServer.StartAsync(own.Tables))
        {
            var account = await own.NewAccountAsync();
            var token = await own.InviteAsync(account);
            Assert.Equal(Opening.Opened, Cipher.Open(account, out var key));
            await own.Tables.Audit.DeleteAsync();

            var login = await server.LogInAsync(account.Email, Organisation.RightPassword);
            var reset = await server.ChooseAsync(token, ResetLinks.Strong);
            var regeneration = await RecordedFirstTests.RegenerateAsync(server, account.Email, key);
            var ready = await server.SendAsync(HttpMethod.Get, Ready);

            Assert.Equal((200, 503, 503, 503), (login.Status, reset.Status, regeneration.Status, ready.Status));
            Assert.Contains("Nothing was done.", reset.Body, StringComparison.Ordinal);
            Assert.Contains(server.Log, line => line.Contains("Security event login: logged_in", StringComparison.Ordinal));
            Assert.DoesNotContain(server.Log, line => line.Contains("Security event password_changed", StringComparison.Ordinal));
            Assert.Equal(account, await own.FindAsync(account.Email));

            await own.Tables.CreateAsync(CancellationToken.None);
            Assert.Equal(200, (await server.ChooseAsync(token, ResetLinks.Strong)).Status);
            Assert.Equal(200, (await RecordedFirstTests.RegenerateAsync(server, account.Email, key)).Status);
            Assert.Equal(["logged_in"], await own.OutcomesAsync(account.Email, SecurityEventKind.Login, count: 1));
            await RecordedEvents.UntilAsync(async () => (await server.SendAsync(HttpMethod.Get, Ready)).Status == 200);
        }

        await own.DisposeAsync();
    }

    [Fact]
    public async Task An_audit_table_that_is_there_and_takes_nothing_makes_the_endpoint_unready_until_it_does()
    {
        await using var script = await StorageScript.StartAsync(organisation);
        script.Play(call => call.Table == "audit" ? StorageFault.Throttled : StorageFault.None);

        Assert.Equal(401, (await script.Server.LogInAsync("nobody@zulip.com", "wrong")).Status);
        await RecordedEvents.UntilAsync(async () => (await script.Server.SendAsync(HttpMethod.Get, Ready)).Status == 503);
        Assert.Contains(script.Server.Log, line => line.Contains("Not ready: the audit table takes no events", StringComparison.Ordinal));

        script.Stop();
        await RecordedEvents.UntilAsync(async () => (await script.Server.SendAsync(HttpMethod.Get, Ready)).Status == 200);
    }
}
