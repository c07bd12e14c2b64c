// Which of the standard streams the process was started with.

using System.Globalization;

namespace FetchApiKey.Cli;

/// <summary>
/// The number of a stream that was closed is soon that of a file or a pipe of the runtime's own. What is written there is lost at best, and
/// what is read there never comes. The runtime's have a flag that closes them when another program takes the process over, so that
/// nothing inherited has it.
/// </summary>
internal static class InheritedDescriptor
{
    public const int Input = 0;
    public const int Output = 1;
    public const int Error = 2;

    private const string Folder = "/proc/self/fdinfo";
    private const string FlagsOf = "flags:";
    private const int CloseOnExec = 0x80000;

    /// <summary>True where the system does not tell.</summary>
    public static bool IsOpen(int descriptor)
    {
        if (!Directory.Exists(Folder))
        {
            return true;
        }

        try
        {
            var flags = File.ReadLines(string.Create(CultureInfo.InvariantCulture, $"{Folder}/{descriptor}"))
                .First(line => line.StartsWith(FlagsOf, StringComparison.Ordinal));
            return (Convert.ToInt32(flags[FlagsOf.Length..].Trim(), 8) & CloseOnExec) == 0;
        }
        catch (IOException)
        {
            return false;
        }
    }
}
