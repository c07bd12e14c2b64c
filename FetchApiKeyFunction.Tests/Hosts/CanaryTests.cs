// No password, key, token, name or query string leaves the process by its log, its telemetry or its tables, under any host.

using System.Net;
using System.Net.Sockets;
using System.Text;
using Azure.Data.Tables;
using FetchApiKey.Accounts;

namespace FetchApiKeyFunction.Tests.Hosts;

[Collection(EveryHostDefinition.Name)]
public sealed class CanaryTests(EveryHost hosts)
{
    private static int _userId = 300;

    /// <summary>Settings that make a .NET server log and export more; none may have an effect.</summary>
    private static readonly (string, string)[] Verbose =
    [
        ("Logging__LogLevel__Default", "Trace"), ("Logging__LogLevel__Microsoft.AspNetCore", "Trace"),
        ("Logging__LogLevel__Microsoft.AspNetCore.Hosting.Diagnostics", "Trace"), ("Logging__Console__LogLevel__Default", "Trace"),
        ("Logging__Console__FormatterOptions__IncludeScopes", "true"), ("Logging__OpenTelemetry__LogLevel__Default", "Trace"),
        ("Logging__OpenTelemetry__IncludeScopes", "true"), ("Logging__OpenTelemetry__ParseStateValues", "true"),
        ("ASPNETCORE_ENVIRONMENT", "Development"), ("DOTNET_ENVIRONMENT", "Development"),
        ("AZURE_FUNCTIONS_ENVIRONMENT", "Development"), ("ASPNETCORE_DETAILEDERRORS", "true"),
    ];

    public static TheoryData<HostKind, bool> Cases => new()
    {
        { HostKind.Worker, false }, { HostKind.Worker, true }, { HostKind.CustomHandler, false }, { HostKind.CustomHandler, true },
        { HostKind.Serve, false }, { HostKind.Serve, true },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task Nothing_that_was_sent_or_stored_leaves_by_log_telemetry_or_table(HostKind kind, bool isVerbose)
    {
        var account = await AddAccountAsync();
        var spoofed = Guid.NewGuid().ToString();
        await using var collector = await Collector.StartAsync();
        await using var host = await StartAndFailAsync(kind, [.. collector.Settings, .. isVerbose ? Verbose : []]);

        await SendAsync(host, CanaryRequests.All(account, spoofed));
        await SendRawAsync(host);
        await EndAsync(host);

        var (printed, logged) = (host.Process.Printed, string.Join('\n', host.Log));
        var rows = await RowsAsync(hosts.Organisation.Tables.Audit) + await RowsAsync(hosts.Organisation.Tables.Attempts);
        AssertTold(collector, kind == HostKind.Worker ? logged : printed, rows);
        Assert.Equal(kind != HostKind.Serve, host.Invocations.Any(collector.Received("/v1/traces").Contains));
        foreach (var (place, text) in new[] { ("printed", printed), ("logged", logged), ("exported", collector.All), ("stored", rows) })
        {
            var found = Canary.FoundIn(text) ?? Canary.FoundIn(
                text, account.ResetToken, spoofed, "iago@", Organisation.IagosKey, TestServer.KeyVariable.Value, WireCases.TokenSecret,
                "argon2id$");
            Assert.True(found is null, $"{place}: {found}");
        }
    }

    /// <summary>What must not be told could else be missing because nothing is.</summary>
    private static void AssertTold(Collector collector, string log, string rows)
    {
        Assert.Contains("Security event login: logged_in", log, StringComparison.Ordinal);
        Assert.Contains("A stored row cannot be used: table ", log, StringComparison.Ordinal);
        Assert.Contains("logged_in", rows, StringComparison.Ordinal);
        foreach (var (path, text) in new[]
        {
            ("/v1/traces", "unknown_user"), ("/v1/logs", "Security event"), ("/v1/metrics", "fetch_api_key.logins"),
            ("/v2.1/track", "unknown_user"), ("/v2.1/track", "Security event"), ("/v2.1/track", "fetch_api_key.logins"),
        })
        {
            Assert.Contains(text, collector.Received(path), StringComparison.Ordinal);
        }
    }

    private async Task<CanaryAccount> AddAccountAsync()
    {
        var organisation = hosts.Organisation;
        var userId = Interlocked.Increment(ref _userId);
        var (email, password) = ($"{Canary.Text}-{userId}@zulip.com", $"{Canary.Text} password");
        var account = await organisation.AddAsync("", userId, email, await Organisation.HashAsync(password), apiKey: CanaryAccount.Key);
        var token = await new PasswordInvitations(organisation.Tables).IssueAsync(
            account, EmailAddress.TryParse(email)!, TimeProvider.System.GetUtcNow().AddHours(1), CancellationToken.None);
        return new CanaryAccount(email, password, token!.Reveal());
    }

    /// <summary>The first request meets a stored row that cannot be read, of which the operator is told.</summary>
    private async Task<IEndpointHost> StartAndFailAsync(HostKind kind, (string, string)[] settings)
    {
        var accounts = hosts.Organisation.Tables.Accounts;
        var partition = Account.PartitionOf("", EmailAddress.TryParse($"{Canary.Text}@zulip.com")!);
        await accounts.UpsertEntityAsync(
            new TableEntity(partition, partition) { ["UserId"] = Canary.Text, ["PasswordHash"] = Canary.Text });
        try
        {
            var host = await hosts.StartAsync(kind, settings);
            Assert.Equal(401, (await host.LogInAsync($"{Canary.Text}@zulip.com", Canary.Text)).Status);
            return host;
        }
        finally
        {
            await accounts.DeleteEntityAsync(partition, partition);
        }
    }

    private static async Task SendAsync(IEndpointHost host, IEnumerable<WireCase> requests)
    {
        using var client = new HttpClient();
        foreach (var request in requests)
        {
            using var message = request.ToRequest(host.Origin);
            using var response = await client.SendAsync(message);
            var body = await response.Content.ReadAsStringAsync();
            Assert.True(request.Status == (int)response.StatusCode, $"{request.Name}: {response.StatusCode} {body}");
        }
    }

    private static async Task SendRawAsync(IEndpointHost host)
    {
        foreach (var text in CanaryRequests.Raw)
        {
            using var client = new TcpClient();
            await client.ConnectAsync(IPAddress.Loopback, host.Origin.Port);
            await using var stream = client.GetStream();
            await stream.WriteAsync(Encoding.Latin1.GetBytes(text));
            client.Client.Shutdown(SocketShutdown.Send);
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
            try
            {
                await stream.CopyToAsync(Stream.Null, limit.Token);
            }
            catch (IOException)
            {
                // An end of the connection is an answer, too.
            }
        }
    }

    /// <summary>In the way that exports what is held. The host of a custom handler kills it, and loses that.</summary>
    private static async Task EndAsync(IEndpointHost host)
    {
        if (host is CustomHandlerHost)
        {
            host.Process.ExpectEnd();
            host.Process.Current.Terminate();
            await host.Process.Current.ExitCodeAsync();
        }
        else
        {
            Assert.Equal(ExitCode.Done, await host.StopProcessAsync());
        }
    }

    private static async Task<string> RowsAsync(TableClient table)
    {
        var rows = new StringBuilder();
        await foreach (var row in table.QueryAsync<TableEntity>())
        {
            var cells = row.Select(cell => $"{cell.Key}={(cell.Value is byte[] bytes ? Encoding.UTF8.GetString(bytes) : cell.Value)}");
            rows.AppendJoin('|', cells).Append('\n');
        }

        return rows.ToString();
    }
}
