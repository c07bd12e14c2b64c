// A server whose name has several addresses, some of which are dead.

using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using FetchApiKey.Attempts;
using FetchApiKey.Backends.Ldap;
using FetchApiKey.Cli;
using Microsoft.Extensions.Logging.Abstractions;

namespace FetchApiKeyFunction.Tests.Ldap;

public sealed class DirectoryAddressTests : IDisposable
{
    private const string Name = "ldap.example.com";

    private readonly ScriptedDirectory _directory = new ScriptedDirectory().With("hamlet", "right");
    private readonly List<IDisposable> _dead = [];

    public void Dispose()
    {
        _dead.ForEach(each => each.Dispose());
        _directory.Dispose();
    }

    [Theory]
    // Nobody listens there; no packet is answered; the kernel takes the connection, and no program reads from it.
    [InlineData("refusing", 1)]
    [InlineData("silent", 1)]
    [InlineData("hanging", 1)]
    [InlineData("silent silent silent silent", 1)]
    [InlineData("silent refusing silent", 1)]
    [InlineData("silent hanging", 1)]
    // Another server, each address of which is dead.
    [InlineData("silent silent", 2)]
    [InlineData("hanging", 2)]
    public async Task The_next_address_is_asked_within_one_deadline_and_the_dead_ones_after_it_for_a_while(string dead, int servers)
    {
        var addresses = dead.Split(' ').Select((kind, place) => Dead(kind, IPAddress.Parse($"127.0.1.{place + 1}"))).ToArray();
        using var directory = Open(
            servers == 1 ? $"ldap://{Name}:{_directory.Port}" : $"ldap://dead.example.com:{_directory.Port} ldap://{Name}:{_directory.Port}",
            host => servers == 1 ? [.. addresses, IPAddress.Loopback] : host == Name ? [IPAddress.Loopback] : addresses);

        var (first, took) = await AskAsync(directory);
        var (again, tookAgain) = await AskAsync(directory);

        Assert.Equal((DirectoryVerdict.Right, DirectoryVerdict.Right, 2), (first, again, _directory.Binds));
        Assert.InRange(took, TimeSpan.Zero, TimeSpan.FromSeconds(5));
        Assert.InRange(tookAgain, TimeSpan.Zero, TimeSpan.FromMilliseconds(500));
    }

    [Fact]
    public async Task An_address_whose_bind_was_not_answered_is_asked_after_the_others()
    {
        using var second = new ScriptedDirectory(IPAddress.Parse("127.0.1.1"), _directory.Port).With("hamlet", "right");
        _directory.UserBind = (_, _) => new ScriptedReply(null);
        using var directory = Open($"ldap://{Name}:{_directory.Port}", _ => [IPAddress.Loopback, IPAddress.Parse("127.0.1.1")]);

        Assert.Equal(DirectoryVerdict.Unanswered, (await AskAsync(directory)).Verdict);
        Assert.Equal(DirectoryVerdict.Right, (await AskAsync(directory)).Verdict);
        // The person's bind goes to the address that has answered the service's.
        Assert.Equal((1, 2, 1, 2), (_directory.Binds, _directory.Connections, second.Binds, second.Connections));
    }

    [Fact]
    public async Task With_every_address_dead_there_is_an_answer_within_the_deadline_and_no_bind()
    {
        var addresses = Enumerable.Range(1, 20).Select(place => Dead("hanging", IPAddress.Parse($"127.0.1.{place}"))).ToArray();
        using var directory = Open($"ldap://{Name}:{_directory.Port}", _ => addresses);

        var begun = Stopwatch.GetTimestamp();
        await Assert.ThrowsAsync<DirectoryUnavailableException>(() => AskAsync(directory));

        Assert.InRange(Stopwatch.GetElapsedTime(begun), TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(6));
        Assert.Equal(0, _directory.Binds);
    }

    [Theory]
    [InlineData("fails")]
    [InlineData("has no address")]
    [InlineData("never ends")]
    public async Task A_name_that_cannot_be_looked_up_is_a_server_that_fails(string lookUp)
    {
        using var directory = Open(
            $"ldap://nowhere.invalid:{_directory.Port} ldap://{Name}:{_directory.Port}",
            async (host, cancellation) =>
            {
                if (host == Name)
                {
                    return [IPAddress.Loopback];
                }

                await Task.Delay(lookUp == "never ends" ? Timeout.InfiniteTimeSpan : TimeSpan.Zero, cancellation);
                return lookUp == "fails" ? throw new SocketException((int)SocketError.HostNotFound) : [];
            });

        Assert.Equal(DirectoryVerdict.Right, (await AskAsync(directory)).Verdict);
    }

    [Fact]
    public async Task A_kept_connection_is_used_without_looking_the_name_up_again()
    {
        var count = 0;
        using var directory = Open(
            $"ldap://{Name}:{_directory.Port}",
            _ =>
            {
                count++;
                return [IPAddress.Loopback];
            });

        await AskAsync(directory);
        await AskAsync(directory);

        Assert.Equal((1, 1, 2), (count, _directory.ServiceBinds, _directory.Binds));
    }

    [Fact]
    public async Task Doctor_has_a_finding_for_each_address()
    {
        var refusing = Dead("refusing", IPAddress.Parse("127.0.1.1"));
        var settings = DirectoryEndpoint.SettingsFor(_directory, ("uri", $"ldap://{Name}:{_directory.Port}"), ("allowUnencrypted", "true")).Ldap[0];

        var findings = await new DirectoryCheck(settings, TimeProvider.System, (_, _) => Task.FromResult<IPAddress[]>([refusing, IPAddress.Loopback]))
            .RunAsync(CancellationToken.None);

        Assert.Equal([Verdict.Failed, Verdict.Ok], findings.Select(finding => finding.Verdict));
        Assert.StartsWith($"{Name}:{_directory.Port} (127.0.1.1): no connection", findings[0].Seen, StringComparison.Ordinal);
    }

    private LdapDirectory Open(string uri, Func<string, IPAddress[]> addresses) =>
        Open(uri, (host, _) => Task.FromResult(addresses(host)));

    private LdapDirectory Open(string uri, HostLookUp lookUp) => new(
        DirectoryEndpoint.SettingsFor(_directory, ("uri", uri), ("allowUnencrypted", "true"), ("operationTimeoutMs", "2000")).Ldap[0],
        TimeProvider.System, NullLogger.Instance, lookUp);

    private static async Task<(DirectoryVerdict Verdict, TimeSpan Took)> AskAsync(LdapDirectory directory)
    {
        var begun = Stopwatch.GetTimestamp();
        var caller = new DirectoryCaller(
            ClientAddress.Of(IPAddress.Parse("198.51.100.1")), () => { }, TimeSpan.FromSeconds(8), CancellationToken.None);
        var query = new DirectoryQuery([directory.Settings.UserSearchFilter.With("hamlet")], _ => true);
        var answer = await directory.AuthenticateAsync(query, "right"u8.ToArray(), caller, CancellationToken.None);
        return (answer.Verdict, Stopwatch.GetElapsedTime(begun));
    }

    /// <summary>An address that is dead on the directory's port.</summary>
    private IPAddress Dead(string kind, IPAddress address)
    {
        if (kind != "refusing")
        {
            var listener = new Socket(SocketType.Stream, ProtocolType.Tcp);
            _dead.Add(listener);
            listener.Bind(new IPEndPoint(address, _directory.Port));
            listener.Listen(kind == "silent" ? 0 : 100);
            if (kind == "silent")
            {
                // With one connection waiting, the kernel answers no more of them.
                var waiting = new Socket(SocketType.Stream, ProtocolType.Tcp);
                _dead.Add(waiting);
                waiting.Connect(address, _directory.Port);
            }
        }

        return address;
    }
}
