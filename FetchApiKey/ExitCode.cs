// What a process tells its caller.

namespace FetchApiKey;

public static class ExitCode
{
    public const int Done = 0;

    /// <summary>
    /// What was asked cannot be done: no such account, a name that is taken, a file or a stored row with faults; or serving ended
    /// unasked.
    /// </summary>
    public const int Refused = 1;

    /// <summary>The command line itself is wrong.</summary>
    public const int Usage = 2;

    /// <summary>Storage was not to be had; the same command may work later.</summary>
    public const int Unavailable = 3;

    /// <summary>A file or folder is missing, or there is no input; sysexits' EX_NOINPUT.</summary>
    public const int Missing = 66;

    /// <summary>The port or address cannot be listened on; sysexits' EX_UNAVAILABLE.</summary>
    public const int CannotListen = 69;

    /// <summary>A fault of the program; sysexits' EX_SOFTWARE.</summary>
    public const int ProgramFault = 70;

    /// <summary>A file or folder may not be read or written; sysexits' EX_CANTCREAT.</summary>
    public const int CannotWrite = 73;

    /// <summary>sysexits' EX_IOERR.</summary>
    public const int DiskFull = 74;

    /// <summary>Settings or tables are missing or wrong; sysexits' EX_CONFIG.</summary>
    public const int BadSettings = 78;

    /// <summary>SIGINT cut a command short, as shells tell it.</summary>
    public const int Interrupted = 130;

    /// <summary>SIGTERM did.</summary>
    public const int Terminated = 143;
}
