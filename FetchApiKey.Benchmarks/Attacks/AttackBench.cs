// Attacks against a server in a process of its own, each beside a bystander who has the right password.

using System.Globalization;
using FetchApiKey.Cli;
using FetchApiKeyFunction.Tests.Ldap;

namespace FetchApiKey.Benchmarks.Attacks;

/// <summary>
/// A server for each attack, over tables of its own. Requests and storage calls are as the server counts them, less the bystander's: three
/// calls for each of its logins. Clients, Azurite and the server share the machine.
/// </summary>
internal static class AttackBench
{
    /// <summary>AttemptLimit__perAccount and AttemptLimit__perAddress as they are unless set.</summary>
    private const int NameLimit = 5;
    private const int AddressLimit = 100;

    /// <summary>A right login of somebody without failures on record.</summary>
    private const int CallsOfRightLogin = 3;

    /// <summary>The storage client keeps as many connections for a while.</summary>
    private const int StorageConnections = 50;

    private const int MemoryMarginMib = 64;
    private static readonly TimeSpan Quiet = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Afterwards = TimeSpan.FromSeconds(30);

    /// <param name="Counts">Of the attack alone.</param>
    /// <param name="Blocked">What a right login from where the attack came from got; null where it came from many addresses.</param>
    private sealed record Result(
        Attack Attack, AttackTally Tally, ServerCounts Counts, CountedFailures Addresses, CountedFailures Names, int? Blocked, int? Binds,
        ProcessSample Before, ProcessSample Peak, ProcessSample After, BystanderLogins Alone, BystanderLogins Meanwhile, IReadOnlyDictionary<string, int> Errors);

    public static async Task<int> RunAsync(Options options)
    {
        if (options.Host is not ("serve" or "worker"))
        {
            Console.Error.WriteLine("--host is serve or worker.");
            return 2;
        }

        var scratch = Directory.CreateTempSubdirectory("fetch-api-key-attack-").FullName;
        try
        {
            var folder = options.Published;
            if (folder is null && options.Host == "worker")
            {
                folder = Path.Combine(scratch, "worker");
                await HostComparison.PublishAsync("FetchApiKeyFunction", folder, Path.Combine(scratch, "build"));
            }

            await using var azurite = await Azurite.StartAsync(Azurite.FreePort(), null, Console.Error.WriteLine, CancellationToken.None);
            var results = new List<Result>();
            foreach (var attack in Attack.All.Where(attack => options.Only is null || options.Only.Split(',').Any(attack.Letter.StartsWith)))
            {
                Console.Error.WriteLine($"{attack.Letter}: {attack.Name}");
                results.Add(await AttackAsync(azurite, folder, attack, options.Round));
            }

            return Print(results, options);
        }
        finally
        {
            Directory.Delete(scratch, recursive: true);
        }
    }

    private static async Task<Result> AttackAsync(Azurite azurite, string? folder, Attack attack, TimeSpan time)
    {
        using var directory = attack.DirectoryDelay is { } delay ? new SlowDirectory(delay) : null;
        await using var server = await AttackedServer.StartAsync(
            azurite, $"attack{attack.Letter}", folder, directory?.Settings ?? new Dictionary<string, string>());
        using var quiet = new CancellationTokenSource(Quiet);
        var alone = await Bystander.LogInAsync(server.Port, server.BystanderAccount, quiet.Token);
        var counted = await server.CountAsync();

        var (tally, before) = (new AttackTally(), ProcessSample.Of(server.ProcessId));
        using var over = new CancellationTokenSource();
        using var settled = new CancellationTokenSource();
        var peak = ProcessSample.PeakAsync(server.ProcessId, settled.Token);
        var bystanding = Bystander.LogInAsync(server.Port, server.BystanderAccount, over.Token);
        await attack.RunAsync(server.Port, time, tally);
        await over.CancelAsync();
        var meanwhile = await bystanding;
        var counts = await server.CountAsync() - counted;
        await settled.CancelAsync();
        var (addresses, names) = await server.FailuresAsync();
        // Where a name was attacked, from elsewhere: its own limit must hold.
        int? blocked = attack.Address is null ? null : await server.LogInAttackedAsync(attack.DirectoryDelay is null ? attack.Address : "203.0.113.77");
        await Task.Delay(Afterwards);
        return new Result(
            attack, tally,
            counts with
            {
                Reached = counts.Reached - meanwhile.Tried, Limited = counts.Limited - meanwhile.Tried, Hashed = counts.Hashed - meanwhile.Served,
                StorageCalls = counts.StorageCalls - (CallsOfRightLogin * meanwhile.Served),
            },
            addresses, names, blocked, directory?.Binds, before, await peak, ProcessSample.Of(server.ProcessId), alone, meanwhile, server.Errors);
    }

    private static int Print(List<Result> results, Options options)
    {
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{options.Host}{(options.Published is null ? "" : ", published")}, 19456, 2, 1; each attack {options.Seconds} s, bodies until they are cut off; limits {NameLimit} a name, {AddressLimit} an address."));
        Console.WriteLine("\n| attack | sent | reached the server | met the limit | refused by it | hashed | binds | storage calls | failures counted: addresses (most in one) | names (most in one) | right login after it | answers |");
        Console.WriteLine("|---|---|---|---|---|---|---|---|---|---|---|---|");
        foreach (var each in results)
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"| {each.Attack.Letter} {each.Attack.Name} | {each.Tally.Sent} | {each.Counts.Reached} | {each.Counts.Limited} | {each.Counts.Refused} | {each.Counts.Hashed} | {each.Binds} | {each.Counts.StorageCalls} | {each.Addresses.Sum} ({each.Addresses.Most}) | {each.Names.Sum} ({each.Names.Most}) | {each.Blocked} | {each.Tally.Answers} |"));
        }

        Console.WriteLine("\n| attack | handles before / peak / 30 s after | RSS MiB | bystander served of tried | p50, p95 ms | alone p50, p95 ms | errors logged |");
        Console.WriteLine("|---|---|---|---|---|---|---|");
        foreach (var each in results)
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"| {each.Attack.Letter} | {each.Before.Handles} / {each.Peak.Handles} / {each.After.Handles} | {each.Before.ResidentMib} / {each.Peak.ResidentMib} / {each.After.ResidentMib} | {each.Meanwhile.Served} of {each.Meanwhile.Tried} | {each.Meanwhile.Latencies.At(50):F0}, {each.Meanwhile.Latencies.At(95):F0} | {each.Alone.Latencies.At(50):F0}, {each.Alone.Latencies.At(95):F0} | {each.Errors.Values.Sum()} |"));
        }

        foreach (var (text, count) in results.SelectMany(each => each.Errors))
        {
            Console.WriteLine($"- {count} times: {text}");
        }

        return Judge(results);
    }

    /// <summary>Promises 38, 39, 40 and 50 of SECURITY.md, as far as they can be seen from here.</summary>
    private static int Judge(List<Result> results)
    {
        var targets = new Targets();
        foreach (var each in results)
        {
            var (letter, counts) = (each.Attack.Letter, each.Counts);
            targets.AtMost($"{letter}: handles left", StorageConnections, each.After.Handles - each.Before.Handles, "F0");
            targets.AtMost($"{letter}: memory left, MiB", MemoryMarginMib, each.After.ResidentMib - each.Before.ResidentMib, "F0");
            if (counts.Limited > 0)
            {
                targets.AtMost(
                    $"{letter}: storage calls, over 5 for each hash and 2 for each other that met the limit", 1,
                    counts.StorageCalls / (double)((5 * counts.Hashed) + (2 * (counts.Limited - counts.Hashed))), "F2");
            }

            targets.AtMost($"{letter}: failures of one name", NameLimit, each.Names.Most, "F0");
            if (each.Attack.IsAborting)
            {
                targets.AtLeast($"{letter}: failures of the address", AddressLimit, each.Addresses.Most, "F0");
            }

            if (each.Attack.Letter.StartsWith('d'))
            {
                targets.AtLeast($"{letter}: answered 408, of those sent", 1, each.Tally.Heard(408) / (double)each.Tally.Sent, "F2");
            }

            if (each.Attack.Letter is not "c")
            {
                targets.AtLeast($"{letter}: bystander served, of tried", 1, each.Meanwhile.Served / (double)each.Meanwhile.Tried, "F2");
            }

            if (each.Binds is { } binds)
            {
                targets.AtMost($"{letter}: passwords of one name that reached the directory", NameLimit, binds, "F0");
            }
        }

        return targets.Print();
    }
}
