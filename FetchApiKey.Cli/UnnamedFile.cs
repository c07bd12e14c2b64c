// A file that has no name until it is whole: whatever ends the process, nothing is left of it.

using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace FetchApiKey.Cli;

/// <summary>open(2) with O_TMPFILE and linkat(2), of Linux. The framework has neither.</summary>
internal static class UnnamedFile
{
    private const string Descriptors = "/proc/self/fd";
    private const int WriteOnly = 0x1;
    private const int CloseOnExec = 0x80000;
    private const int Unnamed = 0x400000;
    private const int OwnersAlone = 0x180;

    private const int WorkingFolder = -100;
    private const int FollowLink = 0x400;

    /// <summary>
    /// Null where there are no such files, as on some network file systems, and where none can be made at all: a file with a name then
    /// meets the same fault, and tells it.
    /// </summary>
    public static FileStream? TryCreate(string folder)
    {
        // O_DIRECTORY, which is part of O_TMPFILE.
        int? directory = RuntimeInformation.ProcessArchitecture switch
        {
            Architecture.X64 => 0x10000,
            Architecture.Arm64 => 0x4000,
            _ => null,
        };
        if (!OperatingSystem.IsLinux() || directory is not { } isDirectory || !Directory.Exists(Descriptors))
        {
            return null;
        }

        var descriptor = Open(Text(folder), Unnamed | isDirectory | WriteOnly | CloseOnExec, OwnersAlone);
        return descriptor < 0 ? null : new FileStream(new SafeFileHandle(descriptor, ownsHandle: true), FileAccess.Write, bufferSize: 0);
    }

    /// <exception cref="IOException">There is such a file by now, or the folder is gone.</exception>
    public static void GiveName(FileStream file, string path)
    {
        var link = $"{Descriptors}/{file.SafeFileHandle.DangerousGetHandle()}";
        if (LinkAt(WorkingFolder, Text(link), WorkingFolder, Text(path), FollowLink) != 0)
        {
            var error = Marshal.GetLastPInvokeError();
            throw new IOException(Marshal.GetPInvokeErrorMessage(error), error);
        }
    }

    private static byte[] Text(string path) => Encoding.UTF8.GetBytes(path + '\0');

    [DllImport("libc", EntryPoint = "open", SetLastError = true)]
    private static extern int Open(byte[] path, int flags, int mode);

    [DllImport("libc", EntryPoint = "linkat", SetLastError = true)]
    private static extern int LinkAt(int fromFolder, byte[] from, int toFolder, byte[] to, int flags);
}
