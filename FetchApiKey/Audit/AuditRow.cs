// One row of the audit table: some events of a day, as text.

using System.Buffers;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Azure.Data.Tables;
using FetchApiKey.Accounts;

namespace FetchApiKey.Audit;

/// <summary>
/// PartitionKey: the day (yyyyMMdd), a full stop and a letter that a process keeps; RowKey: the ticks that were left until the end of
/// time at its newest event, and 16 random digits, so that the newest row comes first. Column Events: one a line, each a JSON object
/// with the members that `audit search --json` prints, empty ones left out. Many events in one row are one insertion for the store, and
/// a tenth of the work for the client library.
/// </summary>
public sealed class AuditRow
{
    /// <summary>Events of one row, at the most.</summary>
    public const int MaxEvents = 100;

    internal static readonly string[] Columns = [EventsColumn];

    private const string EventsColumn = "Events";

    /// <summary>Characters of all events together; a column may have 32,768.</summary>
    private const int MaxText = 32_000;
    private const int TickDigits = 19;

    private AuditRow(TableEntity entity, IReadOnlyList<SecurityEvent> events) => (Entity, Events) = (entity, events);

    /// <summary>To store the events again, store the same entity.</summary>
    public TableEntity Entity { get; }

    public IReadOnlyList<SecurityEvent> Events { get; }

    /// <summary>As few rows as take the events. One that is too long for any stands alone, and is the store's to refuse.</summary>
    public static IEnumerable<AuditRow> Pack(IEnumerable<SecurityEvent> events, char shard)
    {
        using var json = new Utf8JsonWriter(Stream.Null);
        foreach (var ofDay in events.GroupBy(happened => happened.Time.UtcDateTime.Date))
        {
            var (some, lines) = (new List<SecurityEvent>(), new ArrayBufferWriter<byte>());
            foreach (var happened in ofDay)
            {
                var before = lines.WrittenCount;
                WriteLine(json, lines, happened);
                if (some.Count == MaxEvents || (some.Count > 0 && lines.WrittenCount > MaxText))
                {
                    yield return New(some, lines.WrittenSpan[..before], shard);
                    (some, lines) = ([], new ArrayBufferWriter<byte>());
                    WriteLine(json, lines, happened);
                }

                some.Add(happened);
            }

            yield return New(some, lines.WrittenSpan, shard);
        }
    }

    internal static string Partition(DateTime day, char shard) => $"{Day(day)}.{shard}";

    internal static string Day(DateTime day) => day.ToString("yyyyMMdd", CultureInfo.InvariantCulture);

    /// <summary>What rows whose newest event is no older than that have keys before.</summary>
    internal static string KeysBefore(DateTime time) => Inverted(time) + "/";

    /// <summary>When a row's newest event was; the end of time for a key that does not say.</summary>
    internal static DateTimeOffset Newest(StoredRow row) =>
        row.Row.Length > TickDigits && long.TryParse(row.Row.AsSpan(0, TickDigits), NumberStyles.None, CultureInfo.InvariantCulture, out var left)
            && left <= DateTime.MaxValue.Ticks
            ? new DateTimeOffset(DateTime.MaxValue.Ticks - left, TimeSpan.Zero)
            : DateTimeOffset.MaxValue;

    /// <summary>The newest first. What cannot be read is an event that says so.</summary>
    internal static IEnumerable<SecurityEvent> Read(StoredRow row)
    {
        var lines = row.Text(EventsColumn).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        if (lines.Length == 0)
        {
            row.Refuse(EventsColumn, "has no events");
        }

        if (row.Fault is { } fault)
        {
            return [new SecurityEvent(Newest(row), "", "", "", null, "", "", "", "") { Malformed = fault }];
        }

        return lines.Select((line, place) => Read(row, line, place + 1)).OrderByDescending(happened => happened.Time);
    }

    private static AuditRow New(List<SecurityEvent> events, ReadOnlySpan<byte> lines, char shard)
    {
        var newest = events.Max(happened => happened.Time).UtcDateTime;
        var key = $"{Inverted(newest)}.{RandomNumberGenerator.GetHexString(16, lowercase: true)}";
        var entity = new TableEntity(Partition(newest, shard), key)
        {
            [EventsColumn] = Encoding.ASCII.GetString(lines),
        };
        return new AuditRow(entity, events);
    }

    private static string Inverted(DateTime time) =>
        (DateTime.MaxValue.Ticks - time.Ticks).ToString($"D{TickDigits}", CultureInfo.InvariantCulture);

    /// <summary>In ASCII: what is outside is escaped.</summary>
    private static void WriteLine(Utf8JsonWriter json, ArrayBufferWriter<byte> lines, SecurityEvent happened)
    {
        json.Reset(lines);
        json.WriteStartObject();
        json.WriteString("time", happened.Time.ToUniversalTime());
        json.WriteString("kind", happened.Kind);
        json.WriteString("outcome", happened.Outcome);
        WriteUnlessEmpty(json, "realm", happened.Realm);
        if (happened.UserId is { } userId)
        {
            json.WriteNumber("user_id", userId);
        }

        WriteUnlessEmpty(json, "account", happened.Account);
        WriteUnlessEmpty(json, "client", happened.Client);
        WriteUnlessEmpty(json, "actor", happened.Actor);
        WriteUnlessEmpty(json, "invocation", happened.Invocation);
        WriteUnlessEmpty(json, "detail", happened.Detail);
        json.WriteEndObject();
        json.Flush();
        lines.Write("\n"u8);
    }

    private static void WriteUnlessEmpty(Utf8JsonWriter json, string member, string value)
    {
        if (value.Length > 0)
        {
            json.WriteString(member, value);
        }
    }

    private static SecurityEvent Read(StoredRow row, string line, int place)
    {
        string? problem = null;
        var members = JsonMembers.Read(Encoding.UTF8.GetBytes(line), depth: 1, out var fault);
        if (members is null)
        {
            Refuse(fault);
        }

        var time = members?.Time("time");
        if (time is null)
        {
            Refuse("has no time");
        }

        var userId = members?.Number("user_id");
        if (members?.Has("user_id") == true && userId is not (>= 0 and <= Account.MaxUserId))
        {
            (userId, _) = (null, Refuse("has a user_id that is none"));
        }

        var happened = new SecurityEvent(
            time ?? Newest(row), Text("kind", isRequired: true), Text("outcome", isRequired: true), Text("realm"), userId, Text("account"), Text("client"),
            Text("actor"), Text("invocation"))
        {
            Detail = Text("detail"),
        };
        return problem is null ? happened : happened with { Malformed = row.FaultOf(EventsColumn, $"line {place} {problem}") };

        string Text(string member, bool isRequired = false)
        {
            if (members?.Text(member) is { } value)
            {
                return value;
            }

            return members?.Has(member) == true ? Refuse($"has a {member} that is no text") : isRequired ? Refuse($"has no {member}") : "";
        }

        string Refuse(string what)
        {
            problem ??= what;
            return "";
        }
    }
}
