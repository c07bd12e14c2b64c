// What doctor says of a directory: a message of its own for each thing that can be wrong.

using System.Net;
using System.Net.Sockets;
using FetchApiKey.Cli;

namespace FetchApiKeyFunction.Tests.Ldap;

public sealed class DirectoryCheckTests
{
    [Theory]
    [InlineData("nothing", Verdict.Ok, "answers and has the bases", "")]
    [InlineData("bind password", Verdict.Failed, "it refuses bindDn and bindPassword (ldap 49 data 52e)", "Ldap__people__bindPassword")]
    [InlineData("base", Verdict.Failed, "it has no such base as userSearchBase names (LDAP result 32)", "Ldap__people__userSearchBase")]
    [InlineData("hidden base", Verdict.Failed, "does not show bindDn base 1 of userSearchBase", "Ldap__people__userSearchBase")]
    [InlineData("time-out", Verdict.Failed, "no answer to a search within 600 ms", "Ldap__people__operationTimeoutMs")]
    [InlineData("slow bind", Verdict.Warning, "more than half of Ldap__people__operationTimeoutMs", "Ldap__people__operationTimeoutMs")]
    [InlineData("slower bind", Verdict.Failed, "no answer to a bind within 600 ms that it refuses, though it answers the service's own", "Ldap__people__operationTimeoutMs")]
    [InlineData("busy", Verdict.Failed, "it says that it is busy or unavailable (LDAP result 51)", "recovers by itself")]
    [InlineData("search refused", Verdict.Failed, "it refuses to search (LDAP result 50)", "bindDn")]
    [InlineData("stopped", Verdict.Failed, "no connection (ConnectionRefused)", "Ldap__people__uri")]
    [InlineData("no LDAP", Verdict.Failed, "what it sends is not LDAP", "Ldap__people__uri")]
    public async Task Each_fault_has_its_message_and_its_remedy(string fault, Verdict verdict, string seen, string remedy)
    {
        using var directory = new ScriptedDirectory();
        using var other = new TcpListener(IPAddress.Loopback, 0);
        var settings = DirectoryEndpoint.SettingsFor(directory).Ldap[0];
        switch (fault)
        {
            case "bind password":
                directory.ServiceBind = _ => new ScriptedReply(
                    49, Diagnostic: "80090308: comment: AcceptSecurityContext error, data 52e, v4563");
                break;
            case "base":
                directory.Search = _ => new ScriptedReply(32);
                break;
            case "hidden base":
                directory.Instead = _ => [];
                break;
            case "time-out":
                directory.Search = _ => new ScriptedReply(null);
                break;
            case "slow bind":
                directory.UserBind = (_, _) => new ScriptedReply(49, TimeSpan.FromMilliseconds(400));
                break;
            case "slower bind":
                directory.UserBind = (_, _) => new ScriptedReply(49, TimeSpan.FromMilliseconds(900));
                break;
            case "busy":
                directory.ServiceBind = _ => new ScriptedReply(51);
                break;
            case "search refused":
                directory.Search = _ => new ScriptedReply(50);
                break;
            case "stopped":
                directory.Stop();
                break;
            case "no LDAP":
                directory.ServiceBind = _ => new ScriptedReply(null);
                other.Start();
                _ = GreetAsync(other);
                settings = settings with { Servers = [settings.Servers[0] with { Port = ((IPEndPoint)other.LocalEndpoint).Port }] };
                break;
            default:
                break;
        }

        var finding = Assert.Single(await new DirectoryCheck(settings, TimeProvider.System).RunAsync(CancellationToken.None));

        Assert.Equal(verdict, finding.Verdict);
        Assert.Contains(seen, finding.Seen, StringComparison.Ordinal);
        Assert.Contains(remedy, finding.Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Each_server_has_a_finding_of_its_own()
    {
        using var first = new ScriptedDirectory();
        using var second = new ScriptedDirectory();
        first.Stop();
        var settings = DirectoryEndpoint.SettingsFor(
            first, ("uri", $"ldap://127.0.0.1:{first.Port} ldap://127.0.0.1:{second.Port}")).Ldap[0];

        var findings = await new DirectoryCheck(settings, TimeProvider.System).RunAsync(CancellationToken.None);

        Assert.Equal([Verdict.Failed, Verdict.Ok], findings.Select(finding => finding.Verdict));
    }

    private static async Task GreetAsync(TcpListener listener)
    {
        using var client = await listener.AcceptTcpClientAsync();
        await client.GetStream().WriteAsync("220 mail.example.com ESMTP\r\n"u8.ToArray());
        await Task.Delay(200);
    }
}
