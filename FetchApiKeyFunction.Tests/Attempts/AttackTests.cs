// The attacks of `FetchApiKey.Benchmarks -- attack` in short: what a client does by leaving, waiting or coming in numbers.

using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using Azure.Data.Tables;
using FetchApiKey.Attempts;
using FetchApiKey.Cli;
using FetchApiKeyFunction.Tests.Hosts;
using FetchApiKeyFunction.Tests.Ldap;
using static FetchApiKeyFunction.Tests.Attempts.AttackedEndpoint;

namespace FetchApiKeyFunction.Tests.Attempts;

public sealed class AttackTests
{
    /// <summary>RFC 5737.</summary>
    private const string Attacker = "198.51.100.7";

    private const int Limit = 5;

    /// <summary>Idle connections that the storage client keeps for a while.</summary>
    private const int StorageConnections = 50;

    private static int _names;

    // ---- Clients that leave ----

    [Fact]
    public async Task Logins_whose_clients_reset_them_count_until_their_address_is_blocked()
    {
        const int perAddress = 40;
        await using var endpoint = await StartAsync();
        var port = Azurite.FreePort();
        using var program = TestedProgram.Usual.Start(
            ["serve", "--address", "127.0.0.1", "--port", $"{port}"], endpoint.Environment(("AttemptLimit__perAddress", $"{perAddress}")));
        await program.WaitForAsync("Listening on");
        Assert.Equal(200, await LogInAsync(port, Bystander, Password, BystanderAddress));
        var (handles, calls) = (Handles(program), endpoint.StorageCalls);

        var sent = await AbortAsync(port, connections: 8, TimeSpan.FromSeconds(3), () => 20, NewName);

        Assert.Equal(429, await LogInAsync(port, Bystander, Password, Attacker));
        Assert.Equal(200, await LogInAsync(port, Bystander, Password, BystanderAddress));
        await EventuallyAsync(() => Handles(program) <= handles + StorageConnections);
        var (addresses, names) = await endpoint.FailuresAsync();
        Assert.Equal([perAddress], addresses);
        // Those in flight when the address was full count for their names, and their verdicts stay inside.
        Assert.InRange(names.Sum(), 1, perAddress + OpenAttempts.OfAddress);
        Assert.InRange(endpoint.StorageCalls - calls, perAddress, (5 * names.Sum()) + (2 * (sent - names.Sum())));
    }

    [Fact]
    public async Task A_directory_gets_as_many_guesses_as_the_limit_allows_though_clients_leave_it()
    {
        using var directory = new SlowDirectory(TimeSpan.FromMilliseconds(700));
        await using var endpoint = await StartAsync(
            [("AttemptLimit__perAddress", "1000"), .. directory.Settings.Select(setting => (setting.Key, setting.Value))]);

        await AbortAsync(
            endpoint.Port, connections: 8, TimeSpan.FromSeconds(2.5), () => 100 + RandomNumberGenerator.GetInt32(300), () => Bystander);
        await endpoint.SettleAsync();

        var (addresses, names) = await endpoint.FailuresAsync();
        Assert.Equal((Limit, Limit), (directory.Binds, names.Single()));
        Assert.True(addresses.Single() > Limit, "Those that waited for their turn count for the address alone.");
        Assert.Equal(429, await endpoint.LogInAsync(Bystander, Password, BystanderAddress));
    }

    [Fact]
    public async Task A_guess_whose_client_left_while_the_directory_was_asked_counts_for_its_name()
    {
        using var directory = new SlowDirectory(TimeSpan.FromMilliseconds(500));
        await using var endpoint = await StartAsync([.. directory.Settings.Select(setting => (setting.Key, setting.Value))]);

        using (var connection = await AttackConnection.OpenAsync(endpoint.Port))
        {
            await connection.SendAsync(AttackConnection.Login(Bystander, "wrong", Attacker));
            await EventuallyAsync(() => directory.Binds == 1);
            connection.Reset();
        }

        await endpoint.SettleAsync();
        var (addresses, names) = await endpoint.FailuresAsync();
        Assert.Equal((1, 1), (addresses.Single(), names.Single()));
    }

    // ---- Caps ----

    [Fact]
    public async Task What_is_over_the_caps_is_refused_at_once_and_nothing_is_left_of_the_rest()
    {
        // Hashes that take longer than it takes to be refused.
        await using var endpoint = await StartAsync(
            ("Argon2__memoryKib", "131072"), ("Argon2__passes", "10"), ("AttemptLimit__perAddress", "1000"));
        var all = endpoint.Server.Part<OpenAttempts>();

        Assert.Equal(6, await CrowdAsync(endpoint, OpenAttempts.OfAddress + 6, refused: 6, _ => NewName(), _ => Attacker));
        Assert.Equal(8, await CrowdAsync(endpoint, OpenAttempts.OnName + 8, refused: 8, _ => Bystander, i => $"198.51.{i}.1"));
        Assert.True(
            await CrowdAsync(endpoint, OpenAttempts.InAll + 20, refused: 20, _ => NewName(), i => $"20.{i / 200}.{i % 200}.1") >= 20);
        Assert.Equal((0, 0), (all.Count, all.Keys));
    }

    [Fact]
    public async Task A_flood_from_one_network_leaves_room_for_logins_from_elsewhere()
    {
        await using var endpoint = await StartAsync(("Argon2__memoryKib", "19456"), ("Argon2__passes", "2"));
        var stop = false;
        var flood = Enumerable.Range(0, 300).Select(client => Task.Run(async () =>
        {
            for (; !Volatile.Read(ref stop); await Task.Yield())
            {
                await endpoint.LogInAsync(NewName(), "wrong", $"2001:db8:5:{client:x}::1");
            }
        })).ToList();
        await EventuallyAsync(() => endpoint.Server.Part<OpenAttempts>().Count > 200);

        var statuses = new List<int?>();
        for (var login = 0; login < 8; login++)
        {
            statuses.Add(await endpoint.LogInAsync(Bystander, Password, BystanderAddress));
        }

        Volatile.Write(ref stop, true);
        await Task.WhenAll(flood);
        Assert.Equal(Enumerable.Repeat<int?>(200, 8), statuses);
    }

    // ---- Bodies that do not arrive ----

    [Fact]
    public async Task A_body_that_does_not_arrive_gets_408_and_is_no_outage_of_storage()
    {
        await using var endpoint = await StartAsync();
        using var silent = await AttackConnection.OpenAsync(endpoint.Port);
        using var slow = await AttackConnection.OpenAsync(endpoint.Port);
        var head = AttackConnection.Head(Attacker, 64 * 1024);
        await silent.SendAsync(Encoding.ASCII.GetBytes(head + "u"));
        await slow.SendAsync(Encoding.ASCII.GetBytes(head));

        var answers = new[] { silent.ReceiveTextAsync(), slow.ReceiveTextAsync() };
        // Quicker than Kestrel's least rate, so that the endpoint's own deadline ends it.
        while (await Task.WhenAny(answers[1], Task.Delay(500)) != answers[1])
        {
            await slow.SendAsync(new byte[400]);
        }

        foreach (var answer in await Task.WhenAll(answers))
        {
            Assert.StartsWith("HTTP/1.1 408 ", answer, StringComparison.Ordinal);
            Assert.Contains("\r\nConnection: close\r\n", answer, StringComparison.Ordinal);
            Assert.EndsWith("""{"result":"error","msg":"Request timed out","code":"BAD_REQUEST"}""" + "\n", answer, StringComparison.Ordinal);
        }

        var alarms = endpoint.Server.Log.Where(line => line.StartsWith("Error", StringComparison.Ordinal) || line.Contains("unavailable", StringComparison.Ordinal)).ToList();
        Assert.True(alarms.Count == 0, string.Concat(alarms));
        var (addresses, names) = await endpoint.FailuresAsync();
        Assert.Empty(addresses.Concat(names));
    }

    // ---- Rows that cannot be read ----

    [Theory]
    [InlineData("text")]
    [InlineData(7)]
    [InlineData(new byte[] { 1, 2, 3, 4, 5 })]
    [InlineData(null)]
    public async Task An_attempts_row_that_cannot_be_read_closes_its_name_until_it_is_deleted(object? stored)
    {
        await using var endpoint = await StartAsync();
        var key = LoginAttempts.KeyOf("", EmailAddress.TryParse(Bystander)!);
        var row = new TableEntity(key, key + "~2") { ["Failures"] = stored };
        await endpoint.Tables.Attempts.AddEntityAsync(row);

        Assert.Equal(503, await endpoint.LogInAsync(Bystander, Password, BystanderAddress));
        var error = Assert.Single(endpoint.Server.Log, line => line.StartsWith("Error", StringComparison.Ordinal));
        Assert.Contains($"partition '{key}', column Failures is ", error, StringComparison.Ordinal);
        Assert.Equal(503, await endpoint.LogInAsync(Bystander, "wrong", BystanderAddress));
        Assert.Equal(401, await endpoint.LogInAsync(NewName(), "wrong", BystanderAddress));

        await endpoint.Tables.Attempts.DeleteEntityAsync(row.PartitionKey, row.RowKey);
        Assert.Equal(200, await endpoint.LogInAsync(Bystander, Password, BystanderAddress));
    }

    // ---- The parts ----

    private static string NewName() => $"guess{Interlocked.Increment(ref _names)}@example.com";

    /// <summary>Each connection sends a wrong login, waits so many milliseconds, is reset, and so on. Gives how many were sent.</summary>
    private static async Task<int> AbortAsync(int port, int connections, TimeSpan time, Func<int> waitMs, Func<string> name)
    {
        var (started, sent) = (Stopwatch.GetTimestamp(), 0);
        await Task.WhenAll(Enumerable.Range(0, connections).Select(_ => Task.Run(async () =>
        {
            while (Stopwatch.GetElapsedTime(started) < time)
            {
                using var connection = await AttackConnection.OpenAsync(port);
                await connection.SendAsync(AttackConnection.Login(name(), "wrong", Attacker));
                Interlocked.Increment(ref sent);
                await Task.Delay(waitMs());
                connection.Reset();
            }
        })));
        return sent;
    }

    /// <summary>Sends so many logins at once, waits until so many were refused with 503, and leaves. Gives how many were.</summary>
    private static async Task<int> CrowdAsync(
        AttackedEndpoint endpoint, int count, int refused, Func<int, string> name, Func<int, string> address)
    {
        var all = endpoint.Server.Part<OpenAttempts>();
        var (got503, others) = (0, 0);
        var connections = await Task.WhenAll(Enumerable.Range(0, count).Select(async i =>
        {
            var connection = await AttackConnection.OpenAsync(endpoint.Port);
            await connection.SendAsync(AttackConnection.Login(name(i), "wrong", address(i)));
            _ = connection.ReceiveAsync().ContinueWith(
                answer => Interlocked.Increment(ref answer.Result == 503 ? ref got503 : ref others), TaskScheduler.Default);
            return connection;
        }));
        await EventuallyAsync(() =>
        {
            Assert.InRange(all.Count, 0, OpenAttempts.InAll);
            return Volatile.Read(ref got503) >= refused;
        });
        Assert.True(Volatile.Read(ref others) < count / 2, "They were refused before most of the others had their turn.");
        var counted = Volatile.Read(ref got503);
        Array.ForEach(connections, connection => connection.Reset());
        await endpoint.SettleAsync();
        return counted;
    }

    private static int Handles(ProcessRun program) => Directory.GetFileSystemEntries($"/proc/{program.ProcessId}/fd").Length;

    private static async Task EventuallyAsync(Func<bool> isSo)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(15));
        while (!isSo())
        {
            await Task.Delay(20, limit.Token);
        }
    }
}
