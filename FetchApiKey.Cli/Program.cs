// Where the process starts: what the Functions host started serves it, everything else is the operator's command line.

using FetchApiKey;
using FetchApiKey.Accounts;
using FetchApiKey.Cli;
using Microsoft.Extensions.Configuration;

var error = new PrintableWriter(StandardError.Writer, isTerminal: !Console.IsErrorRedirected);
if (!InheritedDescriptor.IsOpen(InheritedDescriptor.Output))
{
    // Before anything is done whose result nobody would see.
    await error.WriteLineAsync("Standard output is closed. Send it to a file, or to /dev/null.");
    return ExitCode.CannotWrite;
}

var output = new PrintableWriter(StandardOutput.Writer);
// The log and what the framework prints go the same way.
Console.SetOut(new PrintableWriter(Console.Out, keepsLines: true));
Console.SetError(new PrintableWriter(StandardError.Writer, keepsLines: true));
var environment = new ConfigurationBuilder().AddEnvironmentVariables().Build();
try
{
    if (args is [] && Listener.OfFunctionsHost() is { } listener)
    {
        await EndpointServer.RunAsync(Settings.Read(environment, answersRequests: true), listener, output, CancellationToken.None);

        // The Functions host does not restart a handler that ends with 0.
        return ExitCode.Refused;
    }

    return await new CommandLine(environment, StandardInput.Open(), TimeProvider.System).RunAsync(args, output, error);
}
catch (Exception fault) when (fault is InvalidSettingsException or MissingTablesException)
{
    await error.WriteAsync(fault.Message + error.NewLine);
    return ExitCode.BadSettings;
}
catch (OperatorException refusal)
{
    await error.WriteLineAsync(refusal.Message);
    return refusal.Code;
}
catch (Exception fault)
{
    await error.WriteLineAsync($"A fault of the program: {ProgramFault.Describe(fault)}. Please report it.");
    return ExitCode.ProgramFault;
}
