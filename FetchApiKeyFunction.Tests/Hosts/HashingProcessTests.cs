// The engine in a process of its own: on every path that a processor may lack, and under a burst.

using System.Globalization;
using FetchApiKey.Cli;
using FetchApiKey.Argon2;

namespace FetchApiKeyFunction.Tests.Hosts;

public sealed class HashingProcessTests(Organisation organisation) : IClassFixture<Organisation>
{
    [Theory]
    [InlineData("DOTNET_TieredPGO", Argon2Path.Avx512)]
    [InlineData("DOTNET_EnableAVX512", Argon2Path.Avx2)]
    [InlineData("DOTNET_EnableAVX2", Argon2Path.Vector128)]
    [InlineData("DOTNET_EnableHWIntrinsic", Argon2Path.Portable)]
    public async Task A_processor_without_wide_vectors_logs_the_same_users_in(string switchedOff, Argon2Path expected)
    {
        using var server = await StartAsync(TestedProgram.JustInTime, new() { [switchedOff] = "0" });

        Assert.Equal(200, await server.LogInAsync("abcd1234"));
        Assert.Equal(401, await server.LogInAsync("wrong"));
        var path = expected < Argon2Engine.BestPath ? expected : Argon2Engine.BestPath;
        Assert.Contains($"Argon2 runs on the path {path}", server.Output, StringComparison.Ordinal);
    }

    [PackageTheory]
    [InlineData("", Argon2Path.Avx512)]
    [InlineData("glibc.cpu.hwcaps=-AVX512F", Argon2Path.Avx2)]
    public async Task The_packaged_program_takes_the_widest_path_that_the_processor_has(string tunables, Argon2Path expected)
    {
        using var server = await StartAsync(await TestedProgram.PackagedAsync(), new() { ["GLIBC_TUNABLES"] = tunables });

        Assert.Equal(200, await server.LogInAsync("abcd1234"));
        Assert.Equal(401, await server.LogInAsync("wrong"));
        var path = expected < Argon2Engine.BestPath ? expected : Argon2Engine.BestPath;
        Assert.Contains($"Argon2 runs on the path {path}", server.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Bursts_of_logins_take_no_more_memory_than_the_slots_and_64_MiB()
    {
        const int slots = 2;
        const int slotMib = 32;
        using var server = await StartAsync(
            TestedProgram.Usual, new() { ["Argon2__memoryKib"] = $"{slotMib * 1024}", ["Argon2__lanes"] = "4", ["Hashing__memoryMib"] = $"{slots * slotMib}" });
        // Nobody, so that every request costs one decoy of the configured cost.
        Assert.Equal(401, await server.LogInAsync("x", "nobody@zulip.com"));
        var before = server.ResidentMib();

        for (var burst = 0; burst < 3; burst++)
        {
            var statuses = await Task.WhenAll(Enumerable.Range(0, 128).Select(_ => server.LogInAsync("x", "nobody@zulip.com")));
            // On a busy machine some find no turn in time; what is bounded is memory.
            Assert.All(statuses, status => Assert.True(status is 401 or 503, $"{status}"));
            Assert.Contains(401, statuses);
            Assert.InRange(server.ResidentMib() - before, int.MinValue, (slots * slotMib) + 64);
        }
    }

    private async Task<Server> StartAsync(TestedProgram program, Dictionary<string, string> environment)
    {
        var port = Azurite.FreePort();
        environment["AccountStorage"] = await SharedAzurite.ConnectionStringAsync();
        environment["TablePrefix"] = organisation.TablePrefix;
        environment["ExternalHost"] = "127.0.0.1";
        environment[TestServer.KeyVariable.Name] = TestServer.KeyVariable.Value;
        environment["AttemptLimit__perAccount"] = "1000";
        environment["AttemptLimit__perAddress"] = "1000";
        environment.TryAdd("Argon2__memoryKib", "64");
        environment.TryAdd("Argon2__passes", "1");
        environment.TryAdd("Argon2__lanes", "1");
        var run = program.Start(["serve", "--port", $"{port}"], environment);
        await run.WaitForAsync("Listening on");
        return new Server(run, port);
    }

    private sealed class Server(ProcessRun run, int port) : IDisposable
    {
        private readonly HttpClient _client = new() { BaseAddress = new Uri($"http://127.0.0.1:{port}") };

        public string Output => run.Output;

        public async Task<int> LogInAsync(string password, string username = "iago@zulip.com")
        {
            using var form = TestServer.Form(("username", username), ("password", password));
            using var answer = await _client.PostAsync(new Uri("/api/v1/fetch_api_key", UriKind.Relative), form);
            return (int)answer.StatusCode;
        }

        public int ResidentMib()
        {
            var line = File.ReadLines($"/proc/{run.ProcessId}/status").First(line => line.StartsWith("VmRSS:", StringComparison.Ordinal));
            return int.Parse(line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) / 1024;
        }

        public void Dispose()
        {
            _client.Dispose();
            run.Dispose();
        }
    }
}
