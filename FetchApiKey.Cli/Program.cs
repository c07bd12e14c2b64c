// Where the process starts: what the Functions host started serves it, everything else is the operator's command line.

using FetchApiKey;
using FetchApiKey.Accounts;
using FetchApiKey.Cli;
using Microsoft.Extensions.Configuration;

var output = new PrintableWriter(StandardOutput.Writer);
var error = new PrintableWriter(Console.Error, isTerminal: !Console.IsErrorRedirected);
// The log and what the framework prints go the same way.
Console.SetOut(new PrintableWriter(Console.Out, keepsLines: true));
Console.SetError(new PrintableWriter(Console.Error, keepsLines: true));
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
