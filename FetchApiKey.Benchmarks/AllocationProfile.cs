// Which types this process allocates, as the runtime samples them.

using System.Collections.Concurrent;
using System.Diagnostics.Tracing;

namespace FetchApiKey.Benchmarks;

/// <summary>Bytes by type: the runtime names the type of what it allocates every hundred kilobytes.</summary>
internal sealed class AllocationProfile : EventListener
{
    private const string Runtime = "Microsoft-Windows-DotNETRuntime";
    private const EventKeywords GarbageCollection = (EventKeywords)1;

    private readonly ConcurrentDictionary<string, long> _bytes = new(StringComparer.Ordinal);

    public Dictionary<string, long> Bytes => new(_bytes);

    protected override void OnEventSourceCreated(EventSource eventSource)
    {
        if (eventSource.Name == Runtime)
        {
            EnableEvents(eventSource, EventLevel.Verbose, GarbageCollection);
        }
    }

    protected override void OnEventWritten(EventWrittenEventArgs eventData)
    {
        if (eventData.EventName?.StartsWith("GCAllocationTick", StringComparison.Ordinal) == true
            && Value(eventData, "TypeName") is string type && Value(eventData, "AllocationAmount64") is ulong bytes)
        {
            _bytes.AddOrUpdate(type, (long)bytes, (_, before) => before + (long)bytes);
        }
    }

    private static object? Value(EventWrittenEventArgs eventData, string name) =>
        eventData.PayloadNames?.IndexOf(name) is >= 0 and var place ? eventData.Payload![place] : null;
}
