// Handles and resident memory of a process, as they are now and at their highest.

namespace FetchApiKey.Benchmarks.Attacks;

internal readonly record struct ProcessSample(int Handles, int ResidentMib)
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);

    public static ProcessSample Of(int process) =>
        new(Directory.GetFileSystemEntries($"/proc/{process}/fd").Length, LoadedServer.StatusMib(process, "VmRSS:"));

    /// <summary>The highest of each until it is stopped: looks ten times a second, from a thread that does nothing else.</summary>
    public static Task<ProcessSample> PeakAsync(int process, CancellationToken stop) => Task.Factory.StartNew(
        () =>
        {
            var peak = Of(process);
            while (!stop.WaitHandle.WaitOne(Interval))
            {
                var now = Of(process);
                peak = new ProcessSample(Math.Max(peak.Handles, now.Handles), Math.Max(peak.ResidentMib, now.ResidentMib));
            }

            return peak;
        },
        CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
}
