// What nobody expected: a fault of the program itself.

using System.Diagnostics;

namespace FetchApiKey.Cli;

internal static class ProgramFault
{
    /// <summary>Type and place alone: a message may quote what is stored.</summary>
    public static string Describe(Exception fault)
    {
        var place = new StackTrace(fault).GetFrame(0) is { } frame ? DiagnosticMethodInfo.Create(frame) : null;
        return $"{fault.GetType().Name} at {place?.DeclaringTypeName}.{place?.Name}";
    }
}
