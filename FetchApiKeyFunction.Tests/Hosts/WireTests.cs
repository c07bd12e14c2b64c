// The wire contract under every host: each answer as it is written down, and the same from all of them.

using System.Text.RegularExpressions;
using Azure.Data.Tables;
using FetchApiKey.Accounts;
using Xunit.Abstractions;

namespace FetchApiKeyFunction.Tests.Hosts;

[Collection(EveryHostDefinition.Name)]
public sealed partial class WireTests(EveryHost hosts, ITestOutputHelper output)
{
    /// <summary>Every header that an answer may have. `Server`, `Set-Cookie` and `ETag` are not among them.</summary>
    private static readonly string[] Headers =
    [
        "Content-Type", "Content-Length", "Cache-Control", "X-Content-Type-Options", "Vary", "Content-Language",
        "Allow", "Retry-After", "WWW-Authenticate", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset",
        "Content-Disposition", "Content-Security-Policy", "Referrer-Policy",
        "Access-Control-Allow-Origin", "Access-Control-Allow-Headers", "Access-Control-Allow-Methods",
    ];

    /// <summary>
    /// Not among the requests, since the Functions host answers them itself: paths outside /api/v1, `//` and `%2F` in a path, requests that
    /// are not HTTP. Whole answers are compared but for their times and what the requests use up.
    /// </summary>
    [Fact]
    public async Task Every_host_gives_the_same_answers_byte_for_byte()
    {
        await AddAccountsAsync();
        var answers = new Dictionary<HostKind, List<string>>();
        foreach (var kind in Enum.GetValues<HostKind>())
        {
            answers[kind] = await AskAllAsync(await hosts.RunningAsync(kind));
        }

        var differences = answers[HostKind.Serve].Zip(answers[HostKind.Worker], answers[HostKind.CustomHandler])
            .Where(three => three.First != three.Second || three.First != three.Third)
            .Select(three => $"serve: {three.First}\n-- worker: {three.Second}\n-- custom handler: {three.Third}")
            .ToList();
        output.WriteLine($"{answers[HostKind.Serve].Count} requests x {answers.Count} hosts: {differences.Count} differences");
        Assert.True(differences.Count == 0, string.Join("\n\n", differences));
    }

    /// <summary>
    /// Those elsewhere are in tests that need tables and limits of their own, or, as a late body, which the Functions host answers itself, in
    /// <see cref="Attempts.AttackTests"/>. The development variant does not start under the Functions host.
    /// </summary>
    [Fact]
    public void Every_answer_that_is_written_down_is_asked_for()
    {
        string[] elsewhere = ["E16", "E17", "E18", "settings-no-realm", "dev-users", "dev-backend-off", "body-timed-out"];
        var asked = WireCases.All(new WireSecrets("Basic x", "x"))
            .Select(wireCase => wireCase.Golden).OfType<string>().Concat(elsewhere).Distinct();

        var written = Directory.GetFiles(Path.Combine(AppContext.BaseDirectory, "Wire")).Select(Path.GetFileNameWithoutExtension);

        Assert.Equal(written.Order(StringComparer.Ordinal), asked.Order(StringComparer.Ordinal));
    }

    private async Task<List<string>> AskAllAsync(IEndpointHost host)
    {
        await ForgetAttemptsAsync();
        var organisation = hosts.Organisation;
        Assert.Equal(Opening.Opened, TestServer.Cipher.Open(await organisation.FindAsync(WireCases.ChangingEmail), out var key));
        var reset = await organisation.FindAsync(WireCases.ResetEmail);
        var token = await new PasswordInvitations(organisation.Tables).IssueAsync(
            reset, EmailAddress.TryParse(reset.Email)!, TimeProvider.System.GetUtcNow().AddHours(1), CancellationToken.None);
        var secrets = new WireSecrets(WireCases.Basic(WireCases.ChangingEmail, key), token!.Reveal());
        var answers = new List<string>();
        using var client = new HttpClient();
        foreach (var wireCase in WireCases.All(secrets))
        {
            answers.Add(await AskAsync(client, host, wireCase, secrets));
        }

        return answers;
    }

    /// <returns>The request and its answer, without the secrets of this host.</returns>
    private static async Task<string> AskAsync(HttpClient client, IEndpointHost host, WireCase wireCase, WireSecrets secrets)
    {
        using var request = wireCase.ToRequest(host.Origin);
        using var response = await client.SendAsync(request);
        var answer = await HostAnswer.OfAsync(response);
        var newKey = wireCase.Golden == "key-changed" ? Organisation.IagosKey : "$&";
        answer = answer with { Body = ApiKey().Replace(secrets.HideIn(answer.Body), newKey) };
        var golden = wireCase switch
        {
            { Golden: null } => answer.Body,
            { Method: "HEAD" } => "",
            { Golden: var name } => TestServer.Golden(name),
        };
        Assert.True(
            wireCase.Status == answer.Status && golden == answer.Body,
            $"{wireCase.Name}: expected {wireCase.Status} {golden}, got {answer}");
        Assert.Empty(answer.HeaderNames.Except(Headers));
        return $"{wireCase.Without(secrets).Name}\n{answer}";
    }

    private async Task AddAccountsAsync()
    {
        var organisation = hosts.Organisation;
        var hash = await Organisation.HashAsync(Organisation.RightPassword);
        await organisation.AddAsync("", 200, WireCases.ChangingEmail, hash);
        await organisation.AddAsync("", 201, WireCases.ResetEmail, hash);
        await organisation.AddAsync("", 202, "deactivated@zulip.com", hash, isActive: false, apiKey: WireCases.DeactivatedKey);
        await organisation.AddAsync("closed", 203, "key@zulip.com", hash, apiKey: WireCases.ClosedKey);
    }

    /// <summary>So that each host begins with the same counts.</summary>
    private async Task ForgetAttemptsAsync()
    {
        await foreach (var row in hosts.Organisation.Tables.Attempts.QueryAsync<TableEntity>())
        {
            await hosts.Organisation.Tables.Attempts.DeleteEntityAsync(row.PartitionKey, row.RowKey);
        }
    }

    [GeneratedRegex("(?<=\"api_key\":\")[A-Za-z0-9]{32}(?=\")")]
    private static partial Regex ApiKey();
}
