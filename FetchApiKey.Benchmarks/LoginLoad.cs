// Load on a login server, of two kinds: clients that wait for their answer before they ask again, and logins that come when they come.

using System.Collections.Concurrent;
using System.Diagnostics;
using System.Security.Cryptography;

namespace FetchApiKey.Benchmarks;

/// <summary>How long logins took, in milliseconds.</summary>
internal sealed class Latencies(IEnumerable<double> milliseconds)
{
    private readonly double[] _sorted = [.. milliseconds.Order()];

    public int Count => _sorted.Length;

    /// <param name="percentile">0 to 100.</param>
    public double At(double percentile) =>
        _sorted.Length == 0 ? double.NaN : _sorted[(int)Math.Min(_sorted.Length - 1, _sorted.Length * percentile / 100)];
}

internal static class LoginLoad
{
    /// <summary>Each client logs in, waits for the answer and begins again, until the time is over.</summary>
    /// <param name="isOneAddress">Whether all clients come from one address, as from one office, and not each from its own.</param>
    /// <exception cref="InvalidOperationException">An answer was not 200.</exception>
    public static async Task<(double Rate, Latencies Latencies)> ClosedAsync(
        int port, IReadOnlyList<LoadedAccount> accounts, int clients, TimeSpan time, bool isOneAddress = false)
    {
        var started = Stopwatch.GetTimestamp();
        var latencies = await Task.WhenAll(Enumerable.Range(0, clients).Select(client => Task.Factory.StartNew(
            () =>
            {
                using var connection = new LoginConnection(
                    port, accounts[client % accounts.Count], LoginConnection.AddressOf(isOneAddress ? 0 : client));
                var own = new List<double>();
                while (Stopwatch.GetElapsedTime(started) < time)
                {
                    var sent = Stopwatch.GetTimestamp();
                    var status = connection.LogIn();
                    own.Add(status == 200 ? Stopwatch.GetElapsedTime(sent).TotalMilliseconds : throw new InvalidOperationException($"A login got {status}."));
                }

                return own;
            },
            CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)));
        var all = new Latencies(latencies.SelectMany(own => own));
        return (all.Count / Stopwatch.GetElapsedTime(started).TotalSeconds, all);
    }

    /// <summary>
    /// Logins that come by chance, so many a second on average (a Poisson process), whether or not those before are answered. Each is
    /// timed from when it was due, so that a server which falls behind is seen to: where every account has a login in flight, what is
    /// due waits for one, and its time runs.
    /// </summary>
    /// <returns>How long those took that got 200, how many got 503, and how many seconds it was until all were answered.</returns>
    /// <exception cref="InvalidOperationException">An answer was neither 200 nor 503.</exception>
    public static async Task<(Latencies Latencies, int Unavailable, double Seconds)> OpenAsync(
        int port, IReadOnlyList<LoadedAccount> accounts, double perSecond, TimeSpan time)
    {
        var (answered, unavailable) = (new ConcurrentBag<double>(), 0);
        using var due = new BlockingCollection<long>();
        var clients = accounts.Select((account, client) => Task.Factory.StartNew(
            () =>
            {
                using var connection = new LoginConnection(port, account, LoginConnection.AddressOf(client));
                foreach (var moment in due.GetConsumingEnumerable())
                {
                    switch (connection.LogIn())
                    {
                        case 200:
                            answered.Add(Stopwatch.GetElapsedTime(moment).TotalMilliseconds);
                            break;
                        case 503:
                            Interlocked.Increment(ref unavailable);
                            break;
                        case var status:
                            throw new InvalidOperationException($"A login got {status}.");
                    }
                }
            },
            CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)).ToArray();
        var started = Stopwatch.GetTimestamp();
        var arrivals = Task.Factory.StartNew(
            () =>
            {
                for (var seconds = Gap(perSecond); seconds < time.TotalSeconds; seconds += Gap(perSecond))
                {
                    var moment = started + (long)(seconds * Stopwatch.Frequency);
                    if (Stopwatch.GetElapsedTime(Stopwatch.GetTimestamp(), moment) is { Ticks: > 0 } early)
                    {
                        // Whole milliseconds, up: late is counted, early would be a gift.
                        Thread.Sleep((int)Math.Ceiling(early.TotalMilliseconds));
                    }

                    due.Add(moment);
                }

                due.CompleteAdding();
            },
            CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        await Task.WhenAll([arrivals, .. clients]);
        return (new Latencies(answered), unavailable, Stopwatch.GetElapsedTime(started).TotalSeconds);
    }

    /// <summary>Seconds to the next arrival: exponentially distributed.</summary>
    private static double Gap(double perSecond) =>
        -Math.Log((RandomNumberGenerator.GetInt32(int.MaxValue) + 1.0) / int.MaxValue) / perSecond;
}
