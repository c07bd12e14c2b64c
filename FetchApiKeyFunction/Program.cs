using FetchApiKey;
using FetchApiKey.Composition;
using FetchApiKeyFunction;
using Microsoft.Azure.Functions.Worker.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;

if (WorkerProcess.IsNotForTheHost(args, Console.Out, Console.Error, out var exitCode))
{
    return exitCode;
}

try
{
    var settings = Settings.Read(new ConfigurationBuilder().AddEnvironmentVariables().Build(), answersRequests: true);
    var builder = FunctionsApplication.CreateBuilder(args);
    builder.ConfigureFunctionsWebApplication();
    builder.AddFetchApiKey(settings, HostTraits.IsolatedWorker);
    return await WorkerProcess.RunAsync(builder.Build(), Console.Error);
}
catch (InvalidSettingsException invalid)
{
    return WorkerProcess.Refuse(invalid, Console.Error);
}
