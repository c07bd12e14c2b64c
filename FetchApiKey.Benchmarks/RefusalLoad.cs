// What wrong logins cost: one at a time, and many at once on a name that the attempt limit has closed.

using System.Diagnostics;
using System.Globalization;
using FetchApiKey.Cli;
using FetchApiKey.Passwords;
using FetchApiKeyFunction.Tests.Attempts;

namespace FetchApiKey.Benchmarks;

/// <summary>With a hash that costs next to nothing, so that the rest shows.</summary>
internal static class RefusalLoad
{
    private const int AttackingClients = 32;

    /// <summary>Fewer than AttemptLimit__perAddress, so that the address is not what refuses.</summary>
    private const int LoginsOfAddress = 50;

    private const double WrongP50Ms = 3.5;
    private const double RefusedOfLogins = 5;

    private static readonly Argon2Cost Cost = new(1024, 1, 1);

    private static int _logins;

    /// <param name="published">Builds of the endpoint, NAME=FOLDER each; none for the one beside this program.</param>
    public static async Task<int> RunAsync(IReadOnlyList<string> published, Options options)
    {
        await using var azurite = await Azurite.StartAsync(Azurite.FreePort(), null, Console.Error.WriteLine, CancellationToken.None);
        var store = await LoadedStore.CreateAsync(azurite, "refusals", Cost, AttackingClients);
        var missing = new HashSet<string>();
        var stacks = await LoginStack.StartAllAsync(store, published, reason => missing.Add(reason));
        var runs = stacks.ToDictionary(stack => stack, _ => new List<(double WrongP50, double Logins, double? Refused)>());
        try
        {
            for (var round = -1; round < options.Rounds; round++)
            {
                foreach (var stack in stacks)
                {
                    var wrong = await WrongAsync(stack, store, options.Round);
                    var (rate, _) = await LoginLoad.ClosedAsync(stack.Port, store.Accounts, AttackingClients, options.Round);
                    double? refused = stack.IsEndpoint ? await RefusedAsync(stack, store, options.Round, $"closed{round}@example.com") : null;
                    // The first round compiles and connects.
                    runs[stack].AddRange(round < 0 ? [] : [(wrong.At(50), rate, refused)]);
                }
            }

            return Print(stacks, runs, missing, options);
        }
        finally
        {
            stacks.ForEach(stack => stack.Dispose());
        }
    }

    /// <summary>
    /// One client with a wrong password for another unknown name each time; the servers that have no limit get a known one.
    /// </summary>
    private static Task<Latencies> WrongAsync(LoginStack stack, LoadedStore store, TimeSpan time) => Task.Factory.StartNew(
        () =>
        {
            using var connection = new LoginConnection(stack.Port, store.Accounts[0], LoginConnection.AddressOf(0));
            var (began, latencies) = (Stopwatch.GetTimestamp(), new List<double>());
            while (Stopwatch.GetElapsedTime(began) < time)
            {
                var login = Interlocked.Increment(ref _logins);
                var name = stack.IsEndpoint ? $"unknown{login}@example.com" : store.Accounts[0].Email;
                var request = AttackConnection.Login(name, "wrong", LoginConnection.AddressOf(login / LoginsOfAddress));
                var sent = Stopwatch.GetTimestamp();
                var status = connection.Send(request);
                latencies.Add(Stopwatch.GetElapsedTime(sent).TotalMilliseconds);
                Require(status == 401, status);
            }

            return new Latencies(latencies);
        },
        CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    /// <summary>Requests a second that the limit refuses: clients with an address each, all on one name that is closed.</summary>
    private static async Task<double> RefusedAsync(LoginStack stack, LoadedStore store, TimeSpan time, string name)
    {
        string AddressOf(int client) => $"198.19.0.{client}";
        using (var closing = new LoginConnection(stack.Port, store.Accounts[0], AddressOf(AttackingClients)))
        {
            while (closing.Send(AttackConnection.Login(name, "wrong", AddressOf(AttackingClients))) is var status && status != 429)
            {
                Require(status == 401, status);
            }
        }

        var began = Stopwatch.GetTimestamp();
        var counts = await Task.WhenAll(Enumerable.Range(0, AttackingClients).Select(client => Task.Factory.StartNew(
            () =>
            {
                using var connection = new LoginConnection(stack.Port, store.Accounts[0], AddressOf(client));
                var request = AttackConnection.Login(name, "wrong", AddressOf(client));
                var count = 0;
                for (; Stopwatch.GetElapsedTime(began) < time; count++)
                {
                    var status = connection.Send(request);
                    Require(status == 429, status);
                }

                return count;
            },
            CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)));
        return counts.Sum() / Stopwatch.GetElapsedTime(began).TotalSeconds;
    }

    private static int Print(
        List<LoginStack> stacks, Dictionary<LoginStack, List<(double WrongP50, double Logins, double? Refused)>> runs, HashSet<string> missing, Options options)
    {
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{Cost.MemoryKib}, {Cost.Passes}, {Cost.Lanes}; {options.Rounds} rounds of {options.Seconds} s in turn, medians; {Environment.ProcessorCount} processors for servers, Azurite and clients together."));
        Console.WriteLine($"\n| | wrong logins, 1 client: p50 ms | right logins/s, {AttackingClients} clients | refused by the limit/s, {AttackingClients} clients on one name |\n|---|---|---|---|");
        var targets = new Targets();
        foreach (var stack in stacks)
        {
            var own = runs[stack];
            var (wrong, logins) = (EndpointLoad.Median(own.Select(run => run.WrongP50)), EndpointLoad.Median(own.Select(run => run.Logins)));
            double? refused = stack.IsEndpoint ? EndpointLoad.Median(own.Select(run => run.Refused!.Value)) : null;
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {stack.Name} | {wrong:F2} | {logins:F0} | {(refused is { } rate ? $"{rate:F0}" : "has no limit")} |"));
            if (refused is not null)
            {
                targets.AtMost($"{stack.Name}: wrong logins, p50 ms", WrongP50Ms, wrong, "F2");
                targets.AtLeast(
                    $"{stack.Name}: refused/s over logins/s", RefusedOfLogins,
                    EndpointLoad.Median(own.Select(run => run.Refused!.Value / run.Logins)), "F1");
            }
        }

        foreach (var reason in missing)
        {
            Console.WriteLine($"\n{reason}");
        }

        return targets.Print();
    }

    private static void Require(bool isExpected, int status)
    {
        if (!isExpected)
        {
            throw new InvalidOperationException($"A login got {status}.");
        }
    }
}
