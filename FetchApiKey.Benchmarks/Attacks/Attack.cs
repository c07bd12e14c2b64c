// What is tried against a server, each for some seconds.

using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using FetchApiKeyFunction.Tests.Attempts;

namespace FetchApiKey.Benchmarks.Attacks;

/// <summary>What an attack has sent, and what it heard.</summary>
internal sealed class AttackTally
{
    private readonly ConcurrentDictionary<string, int> _answers = new(StringComparer.Ordinal);
    private int _sent;

    public int Sent => _sent;

    /// <summary>Answers by status, and connections that the server ended without one.</summary>
    public string Answers => string.Join(", ", _answers.OrderBy(answer => answer.Key, StringComparer.Ordinal).Select(answer => $"{answer.Key}: {answer.Value}"));

    public void Send() => Interlocked.Increment(ref _sent);

    public void Hear(int? status) =>
        _answers.AddOrUpdate(status?.ToString(CultureInfo.InvariantCulture) ?? "ended", 1, (_, count) => count + 1);

    public int Heard(int status) => _answers.GetValueOrDefault(status.ToString(CultureInfo.InvariantCulture));
}

/// <param name="Letter">By which it is asked for.</param>
/// <param name="Address">Where all of it comes from; null for many addresses.</param>
/// <param name="RunAsync">Attacks a port for so long.</param>
internal sealed record Attack(string Letter, string Name, string? Address, Func<int, TimeSpan, AttackTally, Task> RunAsync)
{
    /// <summary>How late the directory refuses, beside the account's own password; null for no directory.</summary>
    public TimeSpan? DirectoryDelay { get; init; }

    /// <summary>Where it comes from is limited, and so is what it costs.</summary>
    public bool IsAborting { get; init; }

    private const string One = "198.51.100.7";

    public static IReadOnlyList<Attack> All { get; } =
    [
        new("a", "8 connections reset after 20 ms", One, (port, time, tally) => AbortAsync(port, time, tally, 8, () => 20, () => One, NewName)) { IsAborting = true },
        new("b", "40 connections reset after 10 ms", One, (port, time, tally) => AbortAsync(port, time, tally, 40, () => 10, () => One, NewName)) { IsAborting = true },
        new("c", "16 from random addresses, reset after 20 ms", null, (port, time, tally) => AbortAsync(port, time, tally, 16, () => 20, RandomAddress, NewName)),
        new("d1", "200 bodies, a byte a second", One, TrickleAsync),
        new("d2", "1,200 bodies of 64 KiB, one byte each", One, StallAsync),
        new("e1", "300 clients in 300 /64s of one /48", null, (port, time, tally) => FloodAsync(port, time, tally, client => $"2001:db8:5:{client + 1:x}::1")),
        new("e2", "300 clients in one IPv4 /24", null, (port, time, tally) => FloodAsync(port, time, tally, client => $"198.51.100.{client % 254 + 1}")),
        new(
            "f", "8 clients that leave a slow directory after 0.1 to 0.4 s", One,
            (port, time, tally) => AbortAsync(port, time, tally, 8, () => RandomNumberGenerator.GetInt32(100, 401), () => One, () => $"user{AttackedServer.AttackedUser}@example.com"))
        {
            DirectoryDelay = TimeSpan.FromSeconds(1),
        },
    ];

    private static int _names;

    private static string NewName() => $"guess{Interlocked.Increment(ref _names)}@example.com";

    /// <summary>Of 20.0.0.0 to 90.255.255.255: none is private.</summary>
    private static string RandomAddress() => string.Create(CultureInfo.InvariantCulture,
        $"{RandomNumberGenerator.GetInt32(20, 91)}.{RandomNumberGenerator.GetInt32(256)}.{RandomNumberGenerator.GetInt32(256)}.{RandomNumberGenerator.GetInt32(1, 255)}");

    /// <summary>Each sends a wrong login on a new connection, waits so many milliseconds, resets the connection, and begins again.</summary>
    private static Task AbortAsync(
        int port, TimeSpan time, AttackTally tally, int connections, Func<int> waitMs, Func<string> address, Func<string> name)
    {
        var started = Stopwatch.GetTimestamp();
        return Task.WhenAll(Enumerable.Range(0, connections).Select(_ => Task.Run(async () =>
        {
            while (Stopwatch.GetElapsedTime(started) < time)
            {
                using var connection = await AttackConnection.OpenAsync(port);
                await connection.SendAsync(AttackConnection.Login(name(), "wrong", address()));
                tally.Send();
                await Task.Delay(waitMs());
                connection.Reset();
            }
        })));
    }

    /// <summary>Each sends a byte of its body every second until the server answers or ends the connection.</summary>
    private static Task TrickleAsync(int port, TimeSpan time, AttackTally tally) =>
        Task.WhenAll(Enumerable.Range(0, 200).Select(_ => HoldAsync(port, tally, length: 5000, isTrickling: true)));

    /// <summary>Each promises a body of 64 KiB, sends one byte of it, and waits.</summary>
    private static Task StallAsync(int port, TimeSpan time, AttackTally tally) =>
        Task.WhenAll(Enumerable.Range(0, 1200).Select(_ => HoldAsync(port, tally, length: 64 * 1024, isTrickling: false)));

    private static async Task HoldAsync(int port, AttackTally tally, int length, bool isTrickling)
    {
        using var connection = await AttackConnection.OpenAsync(port);
        await connection.SendAsync(Encoding.ASCII.GetBytes(AttackConnection.Head(One, length) + "u"));
        tally.Send();
        var answer = connection.ReceiveAsync();
        while (isTrickling && await Task.WhenAny(answer, Task.Delay(1000)) != answer)
        {
            try
            {
                await connection.SendAsync("x"u8.ToArray());
            }
            catch (SocketException)
            {
                // Ended meanwhile; the answer tells.
                break;
            }
        }

        tally.Hear(await answer);
    }

    /// <summary>300 clients, each at its address and with wrong passwords for new names; each waits for its answer before it sends again.</summary>
    private static Task FloodAsync(int port, TimeSpan time, AttackTally tally, Func<int, string> addressOf)
    {
        var started = Stopwatch.GetTimestamp();
        return Task.WhenAll(Enumerable.Range(0, 300).Select(client => Task.Run(async () =>
        {
            AttackConnection? connection = null;
            while (Stopwatch.GetElapsedTime(started) < time)
            {
                connection ??= await AttackConnection.OpenAsync(port);
                int? status = null;
                try
                {
                    await connection.SendAsync(AttackConnection.Login(NewName(), "wrong", addressOf(client)));
                    tally.Send();
                    status = await connection.ReceiveAsync();
                }
                catch (SocketException)
                {
                    // Ended by the server.
                }

                tally.Hear(status);
                if (status is null)
                {
                    connection.Dispose();
                    connection = null;
                }
            }

            connection?.Dispose();
        })));
    }
}
