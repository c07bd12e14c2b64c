// Faults of the machine that a command runs on: what they are, and what to do.

namespace FetchApiKey.Cli;

/// <summary>
/// Storage that breaks off in the middle of an answer is an <see cref="IOException"/>, too: it has no error number of the system's, and
/// is not explained here.
/// </summary>
internal static class MachineFault
{
    private const int ComIo = unchecked((int)0x80131620);

    /// <summary>ENOSPC, EDQUOT of Linux and macOS, ERROR_DISK_FULL and ERROR_HANDLE_DISK_FULL of Windows.</summary>
    private static readonly int[] Full = [28, 122, 69, unchecked((int)0x80070070), unchecked((int)0x80070027)];

    /// <summary>EPERM, EACCES, EROFS, and ERROR_WRITE_PROTECT of Windows.</summary>
    private static readonly int[] Forbidden = [1, 13, 30, unchecked((int)0x80070013)];

    /// <summary>Null for what is no fault of files and folders.</summary>
    public static OperatorException? Explain(Exception fault) => fault switch
    {
        DirectoryNotFoundException or FileNotFoundException =>
            new OperatorException($"It is not there: {fault.Message} Create it, or name another.", ExitCode.Missing),
        UnauthorizedAccessException => CannotWrite(fault),
        IOException when Full.Contains(fault.HResult) =>
            new OperatorException($"The disk is full: {fault.Message}. Free some space and try again.", ExitCode.DiskFull),
        IOException when Forbidden.Contains(fault.HResult) => CannotWrite(fault),
        IOException { InnerException: null } and not EndOfStreamException when fault.HResult != ComIo =>
            new OperatorException($"A file or folder cannot be used: {fault.Message}.", ExitCode.CannotWrite),
        _ => null,
    };

    private static OperatorException CannotWrite(Exception fault) => new(
        $"Writing or reading is not allowed there: {fault.Message.TrimEnd('.')}. Name another place, or give this account the right to it.",
        ExitCode.CannotWrite);
}
