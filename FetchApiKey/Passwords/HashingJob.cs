// A hash that waits or runs.

using FetchApiKey.Argon2;
using FetchApiKey.Attempts;

namespace FetchApiKey.Passwords;

internal sealed class HashingJob(Func<HashingWorkspace, bool> work, ClientAddress client, bool needsAllSlots, long queued) : IQueuedWork
{
    public Func<HashingWorkspace, bool> Work => work;

    public ClientAddress Client => client;

    /// <summary>It needs more memory than a slot has.</summary>
    public bool NeedsAllSlots => needsAllSlots;

    /// <summary>When it came, as a timestamp.</summary>
    public long Queued => queued;

    public TimeSpan Waited { get; set; }

    public TimeSpan Took { get; set; }

    public TaskCompletionSource<bool> Result { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
}
