// Whether the time of a refused login tells who exists.

using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using FetchApiKey.Accounts;
using FetchApiKey.Cli;
using FetchApiKey.Passwords;

namespace FetchApiKey.Benchmarks;

/// <summary>
/// Wrong passwords for accounts of every kind, in turn, and for each kind the chance that one of its answers took longer than
/// one for an unknown name: the area under the ROC curve (AUC), 0.5 where the time tells nothing.
/// </summary>
internal static class TimingComparison
{
    private const int Samples = 200;
    private static readonly Argon2Cost Cost = new(19456, 2, 1);
    private static readonly Argon2Cost OtherCost = new(47104, 1, 1);

    public static async Task<int> RunAsync()
    {
        await using var azurite = await Azurite.StartAsync(Azurite.FreePort(), null, Console.Error.WriteLine, CancellationToken.None);
        var tables = await EndpointLoad.PopulateAsync(azurite, "timing", Cost);
        var accounts = new AccountStore(tables);
        using var password = TypedPassword.FromText(EndpointLoad.Password);
        Task<string> HashAsync(Argon2Cost cost) => NewHash.OfAsync(
            password, new HashingSettings(cost, new GateLimits(), UseKonscious: false), TimeProvider.System);
        var kinds = new (string Name, string? Hash, bool IsActive)[]
        {
            ("unknown", null, false),
            ("unknown again", null, false),
            ("known", await HashAsync(Cost), true),
            ("deactivated", await HashAsync(Cost), false),
            ("unusable", "!", true),
            ("malformed", "argon2$argon2id$v=19$m=1$", true),
            ("exceeds the limits", "$argon2id$v=19$m=4194304,t=2,p=8$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA", true),
            ("other parameters", await HashAsync(OtherCost), true),
        };
        foreach (var (kind, i) in kinds.Select((kind, i) => (kind, i)).Where(each => each.kind.Hash is not null))
        {
            var account = new Account("", 100 + i, $"kind{i}@example.com", kind.Hash!, "v1.none", kind.IsActive, Account.Member, DateTimeOffset.UnixEpoch);
            await accounts.AddAsync(account, EmailAddress.TryParse(account.Email)!, CancellationToken.None);
        }

        using var server = await LoadedServer.StartAsync(azurite, "timing", Cost, new Dictionary<string, string>
        {
            ["AttemptLimit__perAccount"] = "1000", ["AttemptLimit__perAddress"] = "1000",
            ["ClientAddress__trustedHops"] = "1", ["Hashing__alsoInUse"] = $"{OtherCost.MemoryKib}:{OtherCost.Passes}:{OtherCost.Lanes}",
        });
        await server.LoadAsync(TimeSpan.FromSeconds(2));
        Console.WriteLine($"{Samples} interleaved samples a kind, wrong passwords; {Cost.MemoryKib},{Cost.Passes},{Cost.Lanes} configured, {OtherCost.MemoryKib},{OtherCost.Passes},{OtherCost.Lanes} also in use");
        Console.WriteLine("| kind | idle: median ms | AUC | under load: median ms | AUC |");
        Console.WriteLine("|---|---|---|---|---|");
        var idle = await SampleAsync(server, kinds.Length);
        using var over = new CancellationTokenSource();
        var load = Enumerable.Range(0, 2).Select(client => LoadAsync(server, client, over.Token)).ToList();
        var loaded = await SampleAsync(server, kinds.Length);
        await over.CancelAsync();
        await Task.WhenAll(load);
        for (var kind = 0; kind < kinds.Length; kind++)
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"| {kinds[kind].Name} | {EndpointLoad.Median(idle[kind]):F2} | {Auc(idle[kind], idle[0]):F3} | {EndpointLoad.Median(loaded[kind]):F2} | {Auc(loaded[kind], loaded[0]):F3} |"));
        }

        return 0;
    }

    private static async Task<List<double>[]> SampleAsync(LoadedServer server, int kinds)
    {
        var samples = Enumerable.Range(0, kinds).Select(_ => new List<double>()).ToArray();
        for (var round = 0; round < Samples; round++)
        {
            var order = Enumerable.Range(0, kinds).ToArray();
            RandomNumberGenerator.Shuffle<int>(order);
            foreach (var kind in order)
            {
                var sent = Stopwatch.GetTimestamp();
                var status = await server.LogInAsync($"kind{kind}@example.com", "wrong", $"203.0.113.{round}");
                samples[kind].Add(status == 401 ? Stopwatch.GetElapsedTime(sent).TotalMilliseconds : throw new InvalidOperationException($"A guess got {status}."));
            }
        }

        return samples;
    }

    private static async Task LoadAsync(LoadedServer server, int client, CancellationToken over)
    {
        while (!over.IsCancellationRequested)
        {
            await server.LogInAsync(client);
        }
    }

    private static double Auc(List<double> samples, List<double> reference) =>
        samples.Average(sample => reference.Average(other => sample > other ? 1.0 : sample < other ? 0.0 : 0.5));
}
