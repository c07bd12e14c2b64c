// Standard output: UTF-8 wherever it goes but to a terminal, and a file that only its owner can read where keys go there.

using System.Text;
using Microsoft.Win32.SafeHandles;

namespace FetchApiKey.Cli;

public static class StandardOutput
{
    private const int Descriptor = 1;
    private const UnixFileMode Others =
        UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute
        | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;

    /// <summary>Of this process. A terminal gets its own encoding.</summary>
    public static TextWriter Writer { get; } = Console.IsOutputRedirected
        ? TextWriter.Synchronized(new StreamWriter(Console.OpenStandardOutput()) { AutoFlush = true })
        : Console.Out;

    public static bool IsTerminal(TextWriter output) => IsOurs(output) && !Console.IsOutputRedirected;

    /// <summary>
    /// A shell makes the file of its &gt; for everybody to read, as far as the umask lets it. What is not a file of the disk is left as it
    /// is.
    /// </summary>
    /// <exception cref="OperatorException">Others can read the file, and that cannot be changed.</exception>
    public static void MakePrivate(TextWriter output)
    {
        if (!IsOurs(output) || !OperatingSystem.IsLinux()
            || !IsFile(new FileInfo($"/proc/self/fd/{Descriptor}").LinkTarget))
        {
            return;
        }

        using var file = new SafeFileHandle(Descriptor, ownsHandle: false);
        try
        {
            var mode = File.GetUnixFileMode(file);
            if ((mode & Others) != 0)
            {
                File.SetUnixFileMode(file, mode & ~Others);
            }
        }
        catch (UnauthorizedAccessException)
        {
            throw new OperatorException("Standard output is a file that others can read, and that is not yours. Name a file instead.");
        }
    }

    private static bool IsOurs(TextWriter output) =>
        ReferenceEquals(output is PrintableWriter printable ? printable.Inner : output, Writer);

    /// <summary>Pipes and sockets have no path; devices have one below /dev, where /dev/shm alone has files.</summary>
    private static bool IsFile(string? path) =>
        path is ['/', ..]
        && (!path.StartsWith("/dev/", StringComparison.Ordinal) || path.StartsWith("/dev/shm/", StringComparison.Ordinal));
}
