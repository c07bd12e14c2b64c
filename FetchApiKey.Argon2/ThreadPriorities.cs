// Hashing threads give way to the threads that answer requests.

using System.Runtime.InteropServices;

namespace FetchApiKey.Argon2;

internal static partial class ThreadPriorities
{
    private const int ThisThread = 0;
    private const int Nicer = 5;

    /// <summary>.NET's thread priorities have no effect on Linux; there the nice value of the calling thread is raised.</summary>
    public static void LowerThis()
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
