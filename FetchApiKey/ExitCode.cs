// What a process tells its caller.

namespace FetchApiKey;

public static class ExitCode
{
    public const int Done = 0;

    /// <summary>What was asked cannot be done: no such account, a name that is taken, a file with faults; or serving ended unasked.</summary>
    public const int Refused = 1;

    /// <summary>The command line itself is wrong.</summary>
    public const int Usage = 2;

    /// <summary>Storage was not to be had; the same command may work later.</summary>
    public const int Unavailable = 3;

    /// <summary>Settings or tables are missing or wrong; sysexits' EX_CONFIG.</summary>
    public const int BadSettings = 78;
}
