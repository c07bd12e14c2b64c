// Somebody with the right password, from a network that takes no part in the attack.

using System.Diagnostics;

namespace FetchApiKey.Benchmarks.Attacks;

/// <param name="Tried">Logins that were sent.</param>
/// <param name="Served">Those that got 200 with the account's key.</param>
internal sealed record BystanderLogins(int Tried, int Served, Latencies Latencies);

internal static class Bystander
{
    /// <summary>RFC 5737: no attack comes from this network.</summary>
    public const string Address = "203.0.113.9";

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(25);

    /// <summary>
    /// Logs in again and again until it is stopped, from a thread that does nothing else, with a pause after each answer.
    /// </summary>
    public static Task<BystanderLogins> LogInAsync(int port, LoadedAccount account, CancellationToken stop) =>
        Task.Factory.StartNew(
            () => LogIn(port, account, stop), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private static BystanderLogins LogIn(int port, LoadedAccount account, CancellationToken stop)
    {
        var (tried, served) = (0, new List<double>());
        using var connection = new LoginConnection(port, account, Address);
        while (!stop.IsCancellationRequested)
        {
            tried++;
            var sent = Stopwatch.GetTimestamp();
            try
            {
                if (connection.LogIn() == 200)
                {
                    served.Add(Stopwatch.GetElapsedTime(sent).TotalMilliseconds);
                }
            }
            catch (Exception fault) when (fault is System.Net.Sockets.SocketException or InvalidOperationException)
            {
                // Not served. The next login connects anew.
                connection.Dispose();
            }

            Thread.Sleep(Pause);
        }

        return new BystanderLogins(tried, served.Count, new Latencies(served));
    }
}
