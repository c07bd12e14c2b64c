// audit tail and audit search: the audit trail as an operator reads it.

using System.Net;
using FetchApiKey.Accounts;
using FetchApiKey.Attempts;
using FetchApiKey.Audit;

namespace FetchApiKey.Cli;

/// <summary>What `audit search` is asked for; null for anything.</summary>
/// <param name="Address">Of a client, an IP address.</param>
public sealed record AuditWishes(
    DateTimeOffset? From, DateTimeOffset? To, string? Kind, string? Outcome, string? Realm, int? UserId, string? Email, IPAddress? Address);

public sealed class AuditCommands(AuditTable table, CorrelationDigest digest, Report report, TextWriter error, TimeProvider time)
{
    private static readonly TimeSpan FollowInterval = TimeSpan.FromSeconds(2);

    /// <summary>Clocks of instances differ, and events are written a little after they happen.</summary>
    private static readonly TimeSpan Overlap = TimeSpan.FromMinutes(1);

    private static readonly TimeSpan DefaultPeriod = TimeSpan.FromDays(1);

    /// <summary>Prints the newest events, oldest first, and with <paramref name="follow"/> each new one as it comes.</summary>
    public async Task<int> TailAsync(int count, int days, bool follow, CancellationToken cancellation)
    {
        var now = time.GetUtcNow();
        var newest = await table.TailAsync(count, now, now - TimeSpan.FromDays(days), cancellation);
        var code = Tell(newest);
        await report.WriteAsync([.. newest.Reverse().Select(Row)]);
        if (!follow)
        {
            return code;
        }

        var printed = new HashSet<SecurityEvent>(newest);
        while (true)
        {
            await Task.Delay(FollowInterval, time, cancellation).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (cancellation.IsCancellationRequested)
            {
                return ExitCode.Done;
            }

            var since = time.GetUtcNow() - Overlap;
            var fresh = await SearchAsync(new AuditQuery(since, time.GetUtcNow() + Overlap), cancellation);
            var unseen = fresh.Where(happened => happened.Time >= now - Overlap && printed.Add(happened)).ToList();
            Tell(unseen);
            await report.WriteAsync([.. unseen.Select(Row)]);
            printed.RemoveWhere(happened => happened.Time < since - Overlap);
        }
    }

    /// <summary>Prints what matches, oldest first; the last day without a time given.</summary>
    public async Task<int> SearchAsync(AuditWishes wishes, CancellationToken cancellation)
    {
        var to = Storable(wishes.To ?? time.GetUtcNow());
        var from = Storable(wishes.From ?? to - DefaultPeriod);
        if (from > to)
        {
            throw new OperatorException("--from is later than --to.");
        }

        var found = await SearchAsync(
            new AuditQuery(from, to)
            {
                Kind = wishes.Kind,
                Outcome = wishes.Outcome,
                Realm = wishes.Realm,
                UserId = wishes.UserId,
                Accounts = wishes.Email is { } email ? digest.AllOfAccount(wishes.Realm ?? "", UserCommands.Parse(email)) : null,
                Clients = wishes.Address is { } address ? digest.AllOfClient(ClientAddress.Of(address).Bucket) : null,
            },
            cancellation);
        await report.WriteAsync([.. found.Select(Row)]);
        return Tell(found);
    }

    /// <summary>Nothing is earlier than what a table can hold, nor asked for.</summary>
    private static DateTimeOffset Storable(DateTimeOffset moment) =>
        moment < AccountTables.EarliestTime ? AccountTables.EarliestTime : moment;

    /// <summary>Which of the events come from rows that cannot be read as a whole.</summary>
    /// <returns>The exit code.</returns>
    private int Tell(IEnumerable<SecurityEvent> events)
    {
        var faulty = new FaultyRows(error);
        foreach (var malformed in events.Select(happened => happened.Malformed).OfType<RowFault>())
        {
            faulty.Meet(malformed);
        }

        return faulty.ExitCode;
    }

    private async Task<List<SecurityEvent>> SearchAsync(AuditQuery query, CancellationToken cancellation)
    {
        var found = new List<SecurityEvent>();
        await foreach (var happened in table.SearchAsync(query, cancellation))
        {
            found.Add(happened);
        }

        found.Sort((one, other) => one.Time.CompareTo(other.Time));
        return found;
    }

    private static (string, object)[] Row(SecurityEvent happened) =>
    [
        ("time", happened.Time),
        ("kind", happened.Kind),
        ("outcome", happened.Outcome),
        ("realm", happened.Realm),
        ("user_id", happened.UserId is { } userId ? userId : ""),
        ("account", happened.Account),
        ("client", happened.Client),
        ("actor", happened.Actor),
        ("invocation", happened.Invocation),
        ("detail", happened.Detail),
    ];
}
