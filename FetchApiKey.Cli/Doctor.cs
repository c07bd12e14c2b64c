// doctor: whether these settings, and the storage behind them, can log anybody in; a line each, with what to do.

using System.Globalization;
using Azure;
using Azure.Data.Tables;
using FetchApiKey.Accounts;
using FetchApiKey.Attempts;
using FetchApiKey.Audit;
using FetchApiKey.Passwords;
using FetchApiKey.Argon2;
using Microsoft.Extensions.Configuration;

namespace FetchApiKey.Cli;

public enum Verdict
{
    /// <summary>The zero value: logins fail, or will.</summary>
    Failed = 0,

    /// <summary>Logins go on; somebody should look at it.</summary>
    Warning,

    Ok,
}

/// <param name="Remedy">Empty where nothing is to be done.</param>
public sealed record Finding(Verdict Verdict, string Seen, string Remedy = "")
{
    /// <summary>Failed for settings or tables, which the exit code tells apart.</summary>
    public bool IsConfiguration { get; init; }
}

/// <summary>Reads and changes nothing. It sees the environment and the machine that it runs in, which need not be the server's.</summary>
public sealed class Doctor(IConfiguration environment, Report report, TimeProvider time)
{
    private const int SampledReads = 5;

    private const double MiB = 1024 * 1024;
    private static readonly TimeSpan ClockSkew = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan SlowRead = TimeSpan.FromMilliseconds(200);

    private readonly List<Finding> _findings = [];
    private readonly List<(string, object)[]> _rows = [];

    /// <returns>The exit code.</returns>
    public async Task<int> RunAsync(CancellationToken cancellation)
    {
        await CheckAsync(
            "settings", () => Task.FromResult(FaultsOf(answersRequests: false, Verdict.Failed, "see the README's table of settings")));
        if (_findings.All(finding => finding.Verdict == Verdict.Ok))
        {
            await CheckAsync(
                "server settings",
                () => Task.FromResult(FaultsOf(answersRequests: true, Verdict.Warning, "needed where the endpoint runs, if that is here")));
            await ExamineAsync(Settings.Read(environment, answersRequests: false), cancellation);
        }

        await report.WriteAsync(_rows);
        var failed = _findings.Where(finding => finding.Verdict == Verdict.Failed).ToList();
        return failed.Count == 0 ? ExitCode.Done : failed.Any(finding => finding.IsConfiguration) ? ExitCode.BadSettings : ExitCode.Refused;
    }

    /// <summary>Every check there is. One that needs tables is left out where the tables are not to be had.</summary>
    private async Task ExamineAsync(Settings settings, CancellationToken cancellation)
    {
        var tables = AccountTables.Open(settings.Storage);
        var isReached = await CheckAsync("storage", () => StorageAsync(settings.Storage, tables, cancellation))
            && await CheckAsync("tables", () => TablesAsync(tables, cancellation));
        if (isReached)
        {
            var stored = new StoredDataChecks(tables, settings, time, cancellation);
            await CheckAsync("clock", () => ClockAsync(tables, cancellation));
            await CheckAsync("keys", stored.KeysAsync);
            await CheckAsync("realms", stored.RealmsAsync);
            await CheckAsync("stored hashes", stored.HashesAsync);
            await CheckAsync("stored rows", stored.RowsAsync);
            await CheckAsync("client addresses", stored.ClientAddressesAsync);
        }

        foreach (var directory in settings.Ldap)
        {
            await CheckAsync($"directory {directory.Id}", () => new DirectoryCheck(directory, time).RunAsync(cancellation));
        }

        await CheckAsync("hashing", () => Task.FromResult<IReadOnlyList<Finding>>([Hashing(settings.Hashing)]));
        await CheckAsync("telemetry", () => Task.FromResult<IReadOnlyList<Finding>>([Telemetry(settings)]));
    }

    /// <returns>Whether nothing failed.</returns>
    private async Task<bool> CheckAsync(string check, Func<Task<IReadOnlyList<Finding>>> look)
    {
        IReadOnlyList<Finding> findings;
        try
        {
            findings = await look();
        }
        catch (MissingTablesException missing)
        {
            findings = [new Finding(Verdict.Failed, missing.Message, "run tables create; look at TablePrefix") { IsConfiguration = true }];
        }
        catch (Exception fault) when (AccountTables.IsUnavailability(fault))
        {
            // Not its message, which tells headers and addresses at length.
            var status = fault is RequestFailedException { Status: > 0 } answered ? $", status {answered.Status} {answered.ErrorCode}" : "";
            findings = [new Finding(Verdict.Failed, $"{fault.GetType().Name}{status}", "look at the storage account's network, roles and keys, and at AccountStorage")];
        }
        catch (Exception fault)
        {
            // One check that cannot be made must not cost the report of the others.
            findings =
            [
                new Finding(
                    Verdict.Failed, $"the check could not be made: {ProgramFault.Describe(fault)}", "report this fault of the program"),
            ];
        }

        foreach (var finding in findings)
        {
            _findings.Add(finding);
            _rows.Add([("check", check), ("result", Name(finding.Verdict)), ("seen", finding.Seen), ("remedy", finding.Remedy)]);
        }

        return findings.All(finding => finding.Verdict != Verdict.Failed);
    }

    private static string Name(Verdict verdict) => verdict switch
    {
        Verdict.Ok => "ok",
        Verdict.Warning => "warning",
        _ => "failed",
    };

    // ---- What needs no storage ----

    private IReadOnlyList<Finding> FaultsOf(bool answersRequests, Verdict verdict, string remedy)
    {
        try
        {
            _ = Settings.Read(environment, answersRequests);
            return [new Finding(Verdict.Ok, "complete, all within their ranges")];
        }
        catch (InvalidSettingsException invalid)
        {
            return [.. invalid.Faults.Select(fault => new Finding(verdict, fault, remedy) { IsConfiguration = true })];
        }
    }

    private static Finding Hashing(HashingSettings settings)
    {
        var slotBytes = PasswordHasher.SlotBytes(settings.LargestMemoryKib, settings.UseKonscious);
        var slots = HashingGate.SlotsFor(slotBytes, settings.Gate);
        var available = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        var path = Argon2Engine.BestPath;
        var isSound = settings.UseKonscious || Argon2Engine.PassesSelfTest(path);
        var engine = settings.UseKonscious || !isSound ? "Konscious" : $"the path {path}";
        var seen = string.Create(
            CultureInfo.InvariantCulture,
            $"{slots} slots of {slotBytes / MiB:F1} MiB of {available / MiB:F0} MiB that the process may use, on {engine}");
        return !isSound ? new Finding(Verdict.Warning, $"{seen}, since the built-in engine fails its self-test", "report this processor; Konscious is several times slower")
            : slots * slotBytes > available / 2 ? new Finding(Verdict.Warning, seen, "lower Hashing__memoryMib, or give the process more memory")
            : new Finding(Verdict.Ok, seen);
    }

    private static Finding Telemetry(Settings settings)
    {
        var to = new List<string>();
        if (settings.Telemetry.ApplicationInsights is not null)
        {
            to.Add("Application Insights");
        }

        if (settings.Telemetry.ToOtlp)
        {
            to.Add("OTLP");
        }

        return to.Count > 0
            ? new Finding(Verdict.Ok, $"exported to {string.Join(", ", to)}")
            : new Finding(Verdict.Warning, "exported nowhere, in this environment", "set APPLICATIONINSIGHTS_CONNECTION_STRING or OTEL_EXPORTER_OTLP_ENDPOINT where the endpoint runs");
    }

    // ---- Storage ----

    private async Task<IReadOnlyList<Finding>> StorageAsync(StorageSettings settings, AccountTables tables, CancellationToken cancellation)
    {
        var times = new List<TimeSpan>();
        for (var i = 0; i < SampledReads; i++)
        {
            var begun = time.GetTimestamp();
            try
            {
                _ = await LookAsync(tables, cancellation);
            }
            catch (MissingTablesException)
            {
                // Storage has answered; the next check tells of the tables.
            }

            times.Add(time.GetElapsedTime(begun));
        }

        var median = times.Order().ElementAt(SampledReads / 2);
        var identity = settings switch
        {
            { ConnectionString: not null } => "a connection string",
            { UsesAzureCli: true } => "whoever ran az login",
            { ManagedIdentityClientId: { } clientId } => $"the managed identity {clientId}",
            _ => "the system-assigned identity",
        };
        var seen = string.Create(
            CultureInfo.InvariantCulture, $"{tables.Realms.AccountName} answers {identity}, a read in {median.TotalMilliseconds:F1} ms");
        return
        [
            median < SlowRead ? new Finding(Verdict.Ok, seen)
                : new Finding(Verdict.Warning, seen, "have the storage account in the region of whatever reads it"),
        ];
    }

    private static Task<RowReading> LookAsync(AccountTables tables, CancellationToken cancellation) =>
        tables.Realms.ReadRowAsync(Realm.Partition, Realm.RowKey(""), [], cancellation);

    private static async Task<IReadOnlyList<Finding>> TablesAsync(AccountTables tables, CancellationToken cancellation)
    {
        try
        {
            await tables.CheckNowAsync(cancellation);
            return [new Finding(Verdict.Ok, "all there")];
        }
        catch (MissingTablesException missing)
        {
            return [new Finding(Verdict.Failed, missing.Message, "run tables create; look at TablePrefix") { IsConfiguration = true }];
        }
    }

    private async Task<IReadOnlyList<Finding>> ClockAsync(AccountTables tables, CancellationToken cancellation)
    {
        var answer = await LookAsync(tables, cancellation);
        if (answer.StoreTime is not { } theirs)
        {
            return [new Finding(Verdict.Warning, "storage does not tell the time")];
        }

        var skew = (time.GetUtcNow() - theirs).Duration();
        var seen = string.Create(CultureInfo.InvariantCulture, $"{skew.TotalSeconds:F0} s from storage's");
        return [skew <= ClockSkew ? new Finding(Verdict.Ok, seen) : new Finding(Verdict.Failed, seen, "set this machine's clock, by NTP")];
    }
}
