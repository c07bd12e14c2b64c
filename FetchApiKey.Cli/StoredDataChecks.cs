// What doctor finds in the tables: rows that cannot be read, keys that do not open, hashes, realms, clients.

using FetchApiKey.Accounts;
using FetchApiKey.Attempts;
using FetchApiKey.Audit;
using FetchApiKey.Passwords;
using Microsoft.Extensions.Logging.Abstractions;

namespace FetchApiKey.Cli;

/// <summary>Each reads what it needs when it is asked, so that what cannot be had fails one check alone.</summary>
internal sealed class StoredDataChecks(AccountTables tables, Settings settings, TimeProvider time, CancellationToken cancellation)
{
    /// <summary>As many as storage gives at once.</summary>
    private const int SampledRows = 1000;
    private const int SampledEvents = 500;

    /// <summary>From so many logins, of so many accounts, one address for all of them is no chance.</summary>
    private const int ManyLogins = 20;
    private const int ManyAccounts = 5;

    /// <summary>Rows that are named; more of them are counted.</summary>
    private const int ToldFaults = 20;

    private static readonly TimeSpan ClientHistory = TimeSpan.FromDays(7);

    private readonly AccountStore _store = new(tables);

    /// <summary>In the order in which they were met, each once.</summary>
    private readonly List<RowFault> _faults = [];

    private IReadOnlyList<Account>? _accounts;
    private IReadOnlyList<Realm>? _realms;
    private IReadOnlyList<SecurityEvent>? _events;

    /// <summary>The first rows of each table, by the reader that reads them at work.</summary>
    public async Task<IReadOnlyList<Finding>> RowsAsync()
    {
        _ = await AllRealmsAsync();
        _ = await AccountsAsync();
        _faults.AddRange(await new AttemptTable(tables, time, NullLogger<AttemptTable>.Instance).FaultsAsync(SampledRows, cancellation));
        var shutOut = _faults.Count;
        _faults.AddRange(await _store.FaultyClaimsAsync(SampledRows, cancellation));
        _faults.AddRange((await EventsAsync()).Select(happened => happened.Malformed).OfType<RowFault>());
        if (_faults.Count == 0)
        {
            return [new Finding(Verdict.Ok, "all of those looked at can be read")];
        }

        const string remedy = "compare the row with a backup; 'users' and 'realms' commands that write the column mend it";
        var told = _faults.Take(ToldFaults)
            .Select((fault, i) => new Finding(i < shutOut ? Verdict.Failed : Verdict.Warning, $"{fault}", remedy));
        return _faults.Count > ToldFaults
            ? [.. told, new Finding(Verdict.Failed, $"and {_faults.Count - ToldFaults} rows more", remedy)]
            : [.. told];
    }

    public async Task<IReadOnlyList<Finding>> KeysAsync()
    {
        await tables.SealMarker.ReadAsync(cancellation);
        return [Keys(new ApiKeyCipher(settings.ApiKeys, tables.SealMarker), await AccountsAsync())];
    }

    private static Finding Keys(ApiKeyCipher cipher, IReadOnlyList<Account> accounts)
    {
        var openings = accounts.CountBy(account => cipher.Open(account, out _)).ToDictionary(each => each.Key, each => each.Value);
        var outdated = accounts.Count(account => !cipher.IsCurrent(account));
        var seen = $"of {accounts.Count} API keys {openings.GetValueOrDefault(Opening.Opened)} open";
        if (openings.GetValueOrDefault(Opening.KeyUnknown) is > 0 and var unknown)
        {
            return new Finding(
                Verdict.Failed, $"{seen}, {unknown} are sealed with a key that is not configured",
                "put the key back that sealed them, in ApiKeys__keys__ID");
        }

        if (openings.GetValueOrDefault(Opening.Refused) is > 0 and var refused)
        {
            return new Finding(
                Verdict.Failed, $"{seen}, {refused} were altered, or sealed with another key of that id",
                "put the right key back, or compare the tables with a backup");
        }

        return outdated == 0
            ? new Finding(Verdict.Ok, seen)
            : new Finding(Verdict.Warning, $"{seen}, {outdated} are sealed with another key than ApiKeys__writeWith, or in the form of an earlier release", "run keys rotate");
    }

    public async Task<IReadOnlyList<Finding>> RealmsAsync()
    {
        var realms = await AllRealmsAsync();
        var seen = $"{realms.Count}, {realms.Count(realm => !realm.IsActive)} of them deactivated";
        var findings = new List<Finding>
        {
            realms.Count == 0 ? new(Verdict.Failed, "none", "run realms add")
                : realms.All(realm => realm.Subdomain.Length > 0) ? new(Verdict.Warning, $"{seen}, no root realm", "run realms add, unless only subdomains are meant to answer")
                : new(Verdict.Ok, seen),
        };
        findings.AddRange(realms
            .Where(realm => realm.PublicUrl is { } url && new Uri(url) is { Scheme: "http", IsLoopback: false })
            .Select(realm => new Finding(Verdict.Warning, $"clients send passwords to {realm.PublicUrl} unprotected", "run realms set with an https --public-url")));
        findings.AddRange(realms
            .Where(realm => realm.Subdomain == Realm.RootAlias)
            .Select(_ => new Finding(
                Verdict.Warning, "there is a realm www", "people who type www. before a host name mean the root realm; give that realm another subdomain")));
        findings.AddRange(realms
            .Where(realm => realm.Subdomain.Length > 0)
            .SelectMany(realm => settings.ExternalHosts.Select(external => $"{realm.Subdomain}.{external}"))
            .Where(settings.ExternalHosts.Contains)
            .Select(host => new Finding(
                Verdict.Warning, $"{host} is the root realm, and not the realm that is called so", "take it out of ExternalHost, or rename the realm")));
        return findings;
    }

    public async Task<IReadOnlyList<Finding>> HashesAsync() => [.. StoredHashes(settings.Hashing, await AccountsAsync())];

    private static IEnumerable<Finding> StoredHashes(HashingSettings hashing, IReadOnlyList<Account> accounts)
    {
        var named = hashing.AlsoInUse.Append(hashing.Cost).ToHashSet();
        var hashes = accounts.Select(account => StoredHash.Parse(account.PasswordHash)).ToList();
        var others = hashes.OfType<ComputedHash>().Select(hash => hash.Cost)
            .Where(cost => !named.Contains(cost)).Select(cost => cost.Setting).Distinct().Order(StringComparer.Ordinal).ToList();
        var refused = hashes.Count(hash => hash is RefusedHash);
        if (refused > 0)
        {
            yield return new Finding(
                Verdict.Warning, $"{refused} of {hashes.Count} are malformed or exceed the limits: nobody can log in with them",
                "give these accounts a new password");
        }

        yield return others.Count == 0
            ? new Finding(Verdict.Ok, $"{hashes.Count - refused} of {hashes.Count} usable or meant for nobody, of named costs")
            : new Finding(Verdict.Warning, $"of costs that no setting names: {string.Join(", ", others)}", "name them in Hashing__alsoInUse, so that no time tells who has one");
    }

    public async Task<IReadOnlyList<Finding>> ClientAddressesAsync()
    {
        const string remedy = "set ASPNETCORE_FORWARDEDHEADERS_ENABLED on Azure, or ClientAddress__...";
        var digest = new CorrelationDigest(settings.ApiKeys);
        var logins = (await EventsAsync())
            .Where(happened => happened.Kind is SecurityEventKind.Login or SecurityEventKind.LoginRefused).ToList();
        var clients = logins.Select(happened => happened.Client).Distinct().Count();
        var seen = $"{logins.Count} newest logins from {clients} addresses";
        var nobodys = digest.AllOfClient(ClientAddress.Of(address: null).Bucket).ToHashSet(StringComparer.Ordinal);
        if (logins.Count(happened => nobodys.Contains(happened.Client)) is > 0 and var unknown)
        {
            return [new Finding(Verdict.Warning, $"{seen}, {unknown} of them with no address that could be read: they share one limit", remedy)];
        }

        return
        [
            clients == 1 && logins.Count >= ManyLogins && logins.Select(happened => happened.Account).Distinct().Count() >= ManyAccounts
                ? new Finding(Verdict.Warning, $"{seen}: everybody shares one limit", remedy)
                : new Finding(Verdict.Ok, seen),
        ];
    }

    private async Task<IReadOnlyList<Account>> AccountsAsync() =>
        _accounts ??= await _store.SomeAsync(SampledRows, _faults.Add, cancellation);

    private async Task<IReadOnlyList<Realm>> AllRealmsAsync() =>
        _realms ??= await new RealmStore(tables, TimeSpan.Zero, time).ListAsync(_faults.Add, cancellation);

    private async Task<IReadOnlyList<SecurityEvent>> EventsAsync()
    {
        var now = time.GetUtcNow();
        return _events ??= await new AuditTable(tables).TailAsync(SampledEvents, now, now - ClientHistory, cancellation);
    }
}
