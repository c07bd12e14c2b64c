// Where the process starts: what the Functions host started serves it, everything else is the operator's command line.

using FetchApiKeyFunction;
using FetchApiKeyFunction.Accounts;
using FetchApiKeyFunction.Hosting;
using FetchApiKeyFunction.Operator;
using Microsoft.Extensions.Configuration;

var environment = new ConfigurationBuilder().AddEnvironmentVariables().Build();
try
{
#if ISOLATED_WORKER
    // The host's arguments are all options; a verb is an operator's.
    if (args is [] or [['-', ..], ..])
    {
        var worker = Settings.Read(environment, answersRequests: true);
        IsolatedWorker.Run(args, worker, AccountTables.Open(worker.Storage));
        return ExitCode.Done;
    }
#else
    if (args is [] && Listener.OfFunctionsHost() is { } listener)
    {
        await Serving.RunAsync(Settings.Read(environment, answersRequests: true), listener, Console.Out, CancellationToken.None);

        // The Functions host never restarts a handler that ended well, so an end is never called that.
        return ExitCode.Refused;
    }
#endif

    return await new CommandLine(environment, Console.In, TimeProvider.System).RunAsync(args, Console.Out, Console.Error);
}
catch (Exception fault) when (fault is InvalidSettingsException or MissingTablesException)
{
    await Console.Error.WriteLineAsync(fault.Message);
    return ExitCode.BadSettings;
}
