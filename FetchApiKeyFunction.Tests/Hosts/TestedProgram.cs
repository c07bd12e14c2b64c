// The endpoint as a program that tests start: as it was built beside them, or as the package has it.

namespace FetchApiKeyFunction.Tests.Hosts;

internal sealed class TestedProgram
{
    private readonly string _file;
    private readonly string[] _first;

    private TestedProgram(string file, params string[] first) => (_file, _first) = (file, first);

    /// <summary>What `dotnet` runs.</summary>
    public static string Assembly { get; } = Path.Combine(AppContext.BaseDirectory, "fetch-api-key.dll");

    /// <summary>Compiled as it runs.</summary>
    public static TestedProgram JustInTime { get; } = new("dotnet", Assembly);

    /// <summary>That, unless <c>TESTED_PROGRAM</c> names an executable: then tests of the operator's commands and of processes start this one.</summary>
    public static TestedProgram Usual { get; } = Other is { } path ? new(path) : JustInTime;

    /// <summary>The published function app that <c>TESTED_WORKER</c> names: tests start it instead of one that they make.</summary>
    public static string? OtherWorker => Environment.GetEnvironmentVariable("TESTED_WORKER") is { Length: > 0 } path ? path : null;

    /// <summary>What <c>TESTED_PROGRAM</c> names.</summary>
    public static string? Other => Environment.GetEnvironmentVariable("TESTED_PROGRAM") is { Length: > 0 } path ? path : null;

    /// <summary>Compiled ahead of time.</summary>
    public static async Task<TestedProgram> PackagedAsync() => new(Path.Combine(await Package.FolderAsync(), "fetch-api-key"));

    /// <param name="input">Null for none; else what it reads, to its end.</param>
    public ProcessRun Start(IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? environment = null, string? input = null) =>
        ProcessRun.Start(_file, [.. _first, .. arguments], environment, input: input);

    /// <summary>With a standard output that is a pipe which nobody reads.</summary>
    public ProcessRun StartUnread(IEnumerable<string> arguments, IReadOnlyDictionary<string, string> environment) =>
        ProcessRun.Start("sh", ["-c", "\"$0\" \"$@\" | sleep 600", _file, .. _first, .. arguments], environment);
}
