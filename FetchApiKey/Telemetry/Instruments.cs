// What is measured and traced, under which names. What is done with it is the exporters' business.

using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Globalization;

namespace FetchApiKey.Telemetry;

/// <summary>
/// The process's meter and its source of spans. Names follow OpenTelemetry's conventions: durations in seconds, tags of few
/// values. No tag holds a typed name, an address, a key or a query string.
/// </summary>
public static class Instruments
{
    /// <summary>Of the meter and of the source.</summary>
    public const string Name = "FetchApiKeyFunction";

    /// <summary>From a millisecond, which is storage, to ten seconds, by when everything is answered.</summary>
    private static readonly InstrumentAdvice<double> Seconds = new()
    {
        HistogramBucketBoundaries = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    };

    private static readonly InstrumentAdvice<int> Places = new() { HistogramBucketBoundaries = [0, 1, 2, 4, 8, 16, 32, 64, 128, 256] };

    private static readonly Meter Meter = new(Name);

    private static readonly Counter<long> Logins = Meter.CreateCounter<long>(
        "fetch_api_key.logins", "{login}", "Logins that met the attempt limit, by outcome.");

    private static readonly Counter<long> Blocked = Meter.CreateCounter<long>(
        "fetch_api_key.attempts.blocked", "{attempt}", "Attempts that the limit turned away, by the bucket that was full.");

    private static readonly Histogram<double> HashDuration = Meter.CreateHistogram(
        "fetch_api_key.hash.duration", "s", "Time a hashing slot was taken.", advice: Seconds);

    private static readonly Histogram<double> QueueWait = Meter.CreateHistogram(
        "fetch_api_key.hash.queue_wait", "s", "Time from the queue for a hashing slot to the slot.", advice: Seconds);

    private static readonly Histogram<int> QueueDepth = Meter.CreateHistogram(
        "fetch_api_key.hash.queue_depth", "{login}", "Logins that waited for a slot when another came.", advice: Places);

    private static readonly Histogram<double> StorageDuration = Meter.CreateHistogram(
        "fetch_api_key.storage.duration", "s", "Time of one storage call, its retries included.", advice: Seconds);

    private static readonly Counter<long> StorageRetries = Meter.CreateCounter<long>(
        "fetch_api_key.storage.retries", "{call}", "Storage calls that were sent once more, by what the one before had met.");

    private static readonly Counter<long> AuditLost = Meter.CreateCounter<long>(
        "fetch_api_key.audit.lost", "{event}", "Security events that the log has and the audit table has not.");

    public static ActivitySource Spans { get; } = new(Name);

    public static void LoginEnded(LoginOutcome outcome, string realm) =>
        Logins.Add(1, Tag("outcome", outcome.Name()), Tag("realm", realm));

    /// <param name="bucket">account or address.</param>
    public static void AttemptBlocked(string bucket) => Blocked.Add(1, Tag("bucket", bucket));

    public static void HashQueued(int waiting) => QueueDepth.Record(waiting);

    public static void HashBegun(TimeSpan waited) => QueueWait.Record(waited.TotalSeconds);

    public static void HashEnded(TimeSpan duration) => HashDuration.Record(duration.TotalSeconds);

    /// <param name="status">Of HTTP; 0 when there was no answer.</param>
    public static void StorageAnswered(string method, string table, int status, TimeSpan duration) =>
        StorageDuration.Record(duration.TotalSeconds, Tag("method", method), Tag("table", table), Tag("status", Text(status)));

    public static void StorageRetried(int status) => StorageRetries.Add(1, Tag("status", Text(status)));

    public static void AuditEventsLost(int count) => AuditLost.Add(count);

    private static KeyValuePair<string, object?> Tag(string name, string value) => new(name, value);

    private static string Text(int status) => status.ToString(CultureInfo.InvariantCulture);
}
