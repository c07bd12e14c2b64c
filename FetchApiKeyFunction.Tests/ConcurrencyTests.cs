// Many at once, and processes that die: no mix-ups, and nothing lost.

using System.Security.Cryptography;
using System.Text.Json;
using FetchApiKey.Accounts;
using FetchApiKey.Cli;
using FetchApiKeyFunction.Tests.Hosts;

namespace FetchApiKeyFunction.Tests;

public sealed class ConcurrencyTests(Organisation organisation) : IClassFixture<Organisation>
{
    private const string Strong = "correct horse battery staple";

    /// <summary>Made by libargon2: argon2id, m=256, t=3, p=1, salt "somesalt", of <see cref="Strong"/>.</summary>
    private const string Outdated = "$argon2id$v=19$m=256,t=3,p=1$c29tZXNhbHQ$MPX1lFEz5gX4A+FzWUEvKIsEXFeiJxs3YcghNh7KrNI";

    [Fact]
    public async Task Sixteen_clients_over_many_accounts_each_get_their_own_key()
    {
        var hash = await Organisation.HashAsync("abcd1234");
        var keys = new Dictionary<int, string>();
        for (var id = 2000; id < 2040; id++)
        {
            keys[id] = Account.NewApiKey();
            await organisation.AddAsync("", id, $"many{id}@zulip.com", hash, apiKey: keys[id]);
        }

        var over = Task.Delay(TimeSpan.FromSeconds(LongTests.Or(10, 3)));
        var counts = await Task.WhenAll(Enumerable.Range(0, 16).Select(async client =>
        {
            var count = 0;
            while (!over.IsCompleted)
            {
                var id = 2000 + ((client + (count * 7)) % 40);
                var answer = await organisation.Server.LogInAsync($"many{id}@zulip.com", "abcd1234");
                using var body = JsonDocument.Parse(answer.Body);
                Assert.Equal((200, id, keys[id]), (answer.Status, body.RootElement.GetProperty("user_id").GetInt32(), body.RootElement.GetProperty("api_key").GetString()));
                count++;
            }

            return count;
        }));

        Assert.All(counts, count => Assert.True(count > 0));
    }

    [Fact]
    public async Task A_password_change_that_races_a_renewing_login_always_wins()
    {
        for (var round = 0; round < 20; round++)
        {
            var email = $"race{round}@zulip.com";
            await organisation.AddAsync("", 3000 + round, email, Outdated);
            var changed = await Organisation.HashAsync("a new " + Strong);

            var login = organisation.Server.LogInAsync(email, Strong);
            await Task.Delay(RandomNumberGenerator.GetInt32(8));
            Assert.True(
                await organisation.Accounts.OverridePasswordHashAsync("", EmailAddress.TryParse(email)!, changed, CancellationToken.None));
            await login;

            Assert.Equal(changed, (await organisation.FindAsync(email)).PasswordHash);
            Assert.Equal(200, (await organisation.Server.LogInAsync(email, "a new " + Strong)).Status);
            Assert.Equal(401, (await organisation.Server.LogInAsync(email, Strong)).Status);
        }
    }

    [Fact]
    public async Task A_process_killed_while_it_renews_hashes_loses_no_password()
    {
        var kills = LongTests.Or(20, 6);
        for (var kill = 0; kill < kills; kill++)
        {
            var emails = Enumerable.Range(0, 8).Select(i => $"kill{kill}-{i}@zulip.com").ToList();
            foreach (var (email, i) in emails.Select((email, i) => (email, i)))
            {
                await organisation.AddAsync("", 4000 + (kill * 10) + i, email, Outdated);
            }

            var port = Azurite.FreePort();
            using var server = TestedProgram.Usual.Start(["serve", "--port", $"{port}"], new Dictionary<string, string>
            {
                ["AccountStorage"] = await SharedAzurite.ConnectionStringAsync(),
                ["TablePrefix"] = organisation.TablePrefix,
                ["ExternalHost"] = "127.0.0.1",
                [TestServer.KeyVariable.Name] = TestServer.KeyVariable.Value,
                ["Argon2__memoryKib"] = "64",
                ["Argon2__passes"] = "1",
                ["Argon2__lanes"] = "1",
            });
            await server.WaitForAsync("Listening on");
            using var client = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{port}") };
            var logins = emails.ConvertAll(async email =>
            {
                try
                {
                    using var form = TestServer.Form(("username", email), ("password", Strong));
                    using var answer = await client.PostAsync(new Uri("/api/v1/fetch_api_key", UriKind.Relative), form);
                }
                catch (HttpRequestException)
                {
                    // Killed under it.
                }
            });
            await Task.Delay(RandomNumberGenerator.GetInt32(150, 500));
            server.Kill();
            await Task.WhenAll(logins);

            foreach (var email in emails)
            {
                Assert.Equal(200, (await organisation.Server.LogInAsync(email, Strong)).Status);
            }
        }
    }
}
