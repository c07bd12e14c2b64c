// Hashing threads give way to the threads that answer requests.

using System.Runtime.InteropServices;

namespace FetchApiKey.Argon2;

/// <summary>The priority of threads that hash.</summary>
public static partial class HashingThreadPriority
{
    private const int ThisThread = 0;
    private const int Nicer = 5;

    /// <summary>
    /// Lowers the priority of the calling thread, for as long as it lives. .NET's thread priorities have no effect on Linux;
    /// there the thread's nice value is raised to 5.
    /// </summary>
    public static void Lower()
    {
        if (OperatingSystem.IsLinux())
        {
            _ = SetPriority(ThisThread, ThisThread, Nicer);
        }
        else
        {
            Thread.CurrentThread.Priority = ThreadPriority.BelowNormal;
        }
    }

    [LibraryImport("libc", EntryPoint = "setpriority")]
    private static partial int SetPriority(int which, int who, int value);
}
