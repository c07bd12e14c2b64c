// How the worker's process begins and ends, as the Functions host expects it.

using System.Reflection;
using System.Runtime.InteropServices;
using FetchApiKey;
using FetchApiKey.Accounts;
using FetchApiKey.Composition;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace FetchApiKeyFunction;

internal static class WorkerProcess
{
    /// <summary>128 and the number of the signal, as shells have it.</summary>
    private const int EndedBySigterm = 143;

    private const string Usage =
        "This program is started by the Azure Functions host: run 'func start' in the folder FetchApiKeyFunction. "
        + "Without that host, 'fetch-api-key serve' answers the same requests.";

    /// <summary>
    /// Whether a person started the program. The host names itself by --functions-uri or, before it, --host; in placeholder mode the
    /// process starts without arguments, inside a native host that says so.
    /// </summary>
    public static bool IsNotForTheHost(string[] args, TextWriter output, TextWriter error, out int exitCode)
    {
        exitCode = ExitCode.Done;
        switch (args)
        {
            case ["--version"]:
                output.WriteLine(Assembly.GetExecutingAssembly().GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion);
                return true;
            case ["--help" or "-h"]:
                output.WriteLine(Usage);
                return true;
            case var _ when args.Any(IsHostArgument) || AppContext.GetData("AZURE_FUNCTIONS_NATIVE_HOST") is not null:
                return false;
            default:
                error.WriteLine($"error: {Usage}");
                exitCode = ExitCode.Usage;
                return true;
        }
    }

    /// <summary>
    /// Runs until the host, or Ctrl-C under Core Tools, stops it. The host restarts a worker that ends with another code than 0, so
    /// only a stop that was asked for gives 0.
    /// </summary>
    public static async Task<int> RunAsync(IHost host, TextWriter error)
    {
        var wasTerminated = false;
        using var sigterm = PosixSignalRegistration.Create(PosixSignal.SIGTERM, _ => wasTerminated = true);
        var startUp = host.Services.GetRequiredService<StartUp>();
        await host.RunAsync();
        if (startUp.Fault is { } fault)
        {
            return Refuse(fault, error);
        }

        return wasTerminated ? EndedBySigterm : ExitCode.Done;
    }

    /// <summary>Everything on one line that begins with "error: ", since Core Tools show no other.</summary>
    public static int Refuse(Exception fault, TextWriter error)
    {
        var (text, exitCode) = fault switch
        {
            InvalidSettingsException invalid => ($"Invalid settings: {string.Join("; ", invalid.Faults)}", ExitCode.BadSettings),
            MissingTablesException missing => (missing.Message, ExitCode.BadSettings),
            _ => ($"The start failed: {fault.GetType().Name}", ExitCode.Refused),
        };
        error.WriteLine($"error: {text}");
        return exitCode;
    }

    private static bool IsHostArgument(string argument) =>
        argument.StartsWith("--functions-", StringComparison.Ordinal) || argument == "--host" || argument.StartsWith("--host=", StringComparison.Ordinal);
}
