// Where the process starts: what the Functions host started serves it, everything else is the operator's command line.

using FetchApiKey;
using FetchApiKey.Accounts;
using FetchApiKey.Cli;
using Microsoft.Extensions.Configuration;

var environment = new ConfigurationBuilder().AddEnvironmentVariables().Build();
try
{
    if (args is [] && Listener.OfFunctionsHost() is { } listener)
    {
        await EndpointServer.RunAsync(Settings.Read(environment, answersRequests: true), listener, Console.Out, CancellationToken.None);

        // The Functions host does not restart a handler that ends with 0.
        return ExitCode.Refused;
    }

    return await new CommandLine(environment, Console.In, TimeProvider.System).RunAsync(args, Console.Out, Console.Error);
}
catch (Exception fault) when (fault is InvalidSettingsException or MissingTablesException)
{
    await Console.Error.WriteLineAsync(fault.Message);
    return ExitCode.BadSettings;
}
