// A server whose log nobody reads any more, such as one behind a pager or a collector that hangs.

using System.Net;
using FetchApiKey.Cli;

namespace FetchApiKeyFunction.Tests.Hosts;

public sealed class UnreadLogTests(Organisation organisation) : IClassFixture<Organisation>
{
    /// <summary>More lines than a pipe and the console logger's queue hold, each of 200 characters or so.</summary>
    private const int Logins = 3_600;
    private const int Clients = 16;

    [Fact]
    public async Task Logins_do_not_wait_for_a_log_that_nobody_reads()
    {
        var port = Azurite.FreePort();
        using var server = TestedProgram.Usual.StartUnread(
            ["serve", "--port", $"{port}"],
            new Dictionary<string, string>
            {
                ["AccountStorage"] = await SharedAzurite.ConnectionStringAsync(),
                ["TablePrefix"] = organisation.TablePrefix,
                ["ExternalHost"] = "127.0.0.1",
                [TestServer.KeyVariable.Name] = TestServer.KeyVariable.Value,
                ["Argon2__memoryKib"] = "64",
                ["Argon2__passes"] = "1",
                ["Argon2__lanes"] = "1",
            });
        using var client = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{port}"), Timeout = TimeSpan.FromSeconds(20) };
        await UntilListeningAsync(client, server);

        var statuses = await Task.WhenAll(Enumerable.Range(0, Clients).Select(_ => LogInAsync(client, Logins / Clients)));

        Assert.All(statuses.SelectMany(own => own), status => Assert.Equal(HttpStatusCode.OK, status));
    }

    private static async Task<List<HttpStatusCode>> LogInAsync(HttpClient client, int times)
    {
        var statuses = new List<HttpStatusCode>();
        for (var i = 0; i < times; i++)
        {
            using var form = TestServer.Form(("username", "iago@zulip.com"), ("password", "abcd1234"));
            using var answer = await client.PostAsync(new Uri("/api/v1/fetch_api_key", UriKind.Relative), form);
            statuses.Add(answer.StatusCode);
        }

        return statuses;
    }

    private static async Task UntilListeningAsync(HttpClient client, ProcessRun server)
    {
        while (true)
        {
            try
            {
                using var answer = await client.GetAsync(new Uri("/health/live", UriKind.Relative));
                return;
            }
            catch (HttpRequestException) when (!server.HasExited)
            {
                await Task.Delay(50);
            }
        }
    }
}
