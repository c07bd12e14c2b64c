// What a client sends and gets, the same under every host.

using System.Net;
using System.Net.Sockets;
using FetchApiKey.Audit;

namespace FetchApiKeyFunction.Tests.Hosts;

[Collection(EveryHostDefinition.Name)]
public sealed class EveryHostTests(EveryHost hosts)
{
    private const string Fetch = "/api/v1/fetch_api_key";

    /// <summary>Not the one that a Functions host has itself.</summary>
    private static readonly IPAddress Address = IPAddress.Parse("127.0.0.2");

    [Theory]
    [MemberData(nameof(EveryHost.Kinds), MemberType = typeof(EveryHost))]
    public async Task A_body_of_31_MB_gets_413_and_no_reset(HostKind kind)
    {
        var host = await hosts.RunningAsync(kind);
        using var client = new HttpClient { BaseAddress = host.Origin };
        foreach (var isChunked in new[] { false, true })
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, Fetch) { Content = new ByteArrayContent(new byte[31_000_000]) };
            request.Content.Headers.TryAddWithoutValidation("Content-Type", "application/x-www-form-urlencoded");
            request.Headers.TransferEncodingChunked = isChunked;

            using var response = await client.SendAsync(request);

            Assert.Equal(413, (int)response.StatusCode);
            Assert.Equal(TestServer.Golden("body-too-large"), await response.Content.ReadAsStringAsync());
        }
    }

    [Theory]
    [MemberData(nameof(EveryHost.Kinds), MemberType = typeof(EveryHost))]
    public async Task Twenty_right_logins_at_once_all_get_in(HostKind kind)
    {
        var host = await hosts.RunningAsync(kind);

        var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => host.LogInAsync()));

        Assert.All(answers, answer => Assert.Equal((200, TestServer.Golden("success")), (answer.Status, answer.Body)));
    }

    [Theory]
    [MemberData(nameof(EveryHost.Kinds), MemberType = typeof(EveryHost))]
    public async Task An_operators_probe_finds_nothing_wrong(HostKind kind)
    {
        await using var host = await hosts.StartAsync(kind, ("AttemptLimit__perAccount", "5"));

        using var probe = TestedProgram.Usual.Start(["probe", host.Origin.ToString(), "--json"]);

        Assert.True(await probe.ExitCodeAsync() == ExitCode.Done, probe.Output);
    }

    /// <summary>The headers name another realm, another scheme, another client and another request: none is believed.</summary>
    [Theory]
    [MemberData(nameof(EveryHost.Kinds), MemberType = typeof(EveryHost))]
    public async Task What_a_client_says_of_itself_in_headers_is_not_believed(HostKind kind)
    {
        var host = await hosts.RunningAsync(kind);
        var spoofed = Guid.NewGuid().ToString();
        var email = $"spoofed-{kind}@zulip.com";
        using var client = ClientAt(Address);

        var settings = await SendAsync(new WireCase("GET", "/api/v1/server_settings", 200));
        var page = await SendAsync(new WireCase("GET", "/api/v1/api_key", 200));
        var refused = await SendAsync(new WireCase("POST", $"{Fetch}?username={email}&password=x", 401));

        Assert.Equal(TestServer.Golden("settings-root"), settings);
        Assert.Contains(" action=\"/api/v1/api_key\"", page, StringComparison.Ordinal);
        Assert.Equal(TestServer.Golden("E5"), refused);
        var happened = await EventAsync(email);
        Assert.Equal(new CorrelationDigest(TestServer.Keys).OfClient(Address.ToString()), happened.Client);
        Assert.Equal(kind == HostKind.Serve ? "" : Assert.Single(host.Invocations, id => id == happened.Invocation), happened.Invocation);
        Assert.DoesNotContain(spoofed, host.Process.Printed + string.Concat(host.Log), StringComparison.OrdinalIgnoreCase);

        async Task<string> SendAsync(WireCase wireCase)
        {
            using var request = (wireCase with { Headers = Spoofed(spoofed) }).ToRequest(host.Origin);
            using var response = await client.SendAsync(request);
            Assert.Equal(wireCase.Status, (int)response.StatusCode);
            return await response.Content.ReadAsStringAsync();
        }
    }

    private static (string Name, string Value)[] Spoofed(string invocation) =>
    [
        ("X-Forwarded-For", "203.0.113.7"), ("X-Forwarded-Host", "acme.zulip.example.com"), ("X-Forwarded-Proto", "https"),
        ("X-Original-For", "203.0.113.7"), ("X-Original-Host", "acme.zulip.example.com"), ("X-Original-Proto", "https"),
        ("Forwarded", "for=203.0.113.7;host=acme.zulip.example.com;proto=https"), ("X-Forwarded-Prefix", "/x"),
        ("X-Azure-Functions-InvocationId", invocation), ("x-ms-invocation-id", invocation),
    ];

    /// <summary>A client whose requests come from an address of its own.</summary>
    private static HttpClient ClientAt(IPAddress address) => new(new SocketsHttpHandler
    {
        UseProxy = false,
        ConnectCallback = async (context, cancellation) =>
        {
            var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
            socket.Bind(new IPEndPoint(address, 0));
            await socket.ConnectAsync(IPAddress.Loopback, context.DnsEndPoint.Port, cancellation);
            return new NetworkStream(socket, ownsSocket: true);
        },
    });

    /// <summary>It is written a moment after the answer.</summary>
    private async Task<SecurityEvent> EventAsync(string email)
    {
        var account = new CorrelationDigest(TestServer.Keys).OfAccount("", EmailAddress.TryParse(email)!);
        var now = TimeProvider.System.GetUtcNow();
        var query = new AuditQuery(now.AddMinutes(-5), now.AddMinutes(5)) { Accounts = [account] };
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (true)
        {
            await foreach (var happened in new AuditTable(hosts.Organisation.Tables).SearchAsync(query, limit.Token))
            {
                return happened;
            }

            await Task.Delay(50, limit.Token);
        }
    }
}
