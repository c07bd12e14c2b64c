// The endpoint as a .NET isolated worker: the same routes behind one HTTP trigger.

using FetchApiKeyFunction.Accounts;
using FetchApiKeyFunction.Attempts;
using FetchApiKeyFunction.Telemetry;
using Microsoft.AspNetCore.Http;
using Microsoft.Azure.Functions.Worker;
using Microsoft.Azure.Functions.Worker.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace FetchApiKeyFunction.Hosting;

/// <summary>The function the Functions host calls for every path below the prefix "api" of host.json.</summary>
public sealed class IsolatedWorker(Routes routes)
{
    /// <summary>
    /// Takes every method, so that a wrong one gets the contract's 405 and not the host's 404. The worker answers with
    /// whatever <see cref="IResult"/> comes back.
    /// </summary>
    [Function("FetchApiKey")]
    public async Task<IResult> AnswerAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, Route = "v1/{*path}")] HttpRequest request) =>
        await routes.AnswerAsync(request.HttpContext);

    /// <summary>The worker has read X-Forwarded-For already: the address of the connection is what it left.</summary>
    public static void Run(string[] args, Settings settings, AccountTables tables)
    {
        new Listener(Address: null, Port: 0, BehindFunctionsHost: true).RefuseDevelopmentLogin(settings);
        var builder = FunctionsApplication.CreateBuilder(args);
        builder.ConfigureFunctionsWebApplication();
        builder.Services.AddTelemetry(settings.Telemetry);
        builder.Services.AddSingleton(services => new Routes(
            settings, tables, behindFunctionsHost: true, ClientAddressSettings.Direct, TimeProvider.System, services.GetRequiredService<ILoggerFactory>()));
        builder.Build().Run();
    }
}
