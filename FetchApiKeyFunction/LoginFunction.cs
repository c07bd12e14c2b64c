// The function: every request below the prefix "api" of host.json.

using FetchApiKey;
using Microsoft.AspNetCore.Http;
using Microsoft.Azure.Functions.Worker;

namespace FetchApiKeyFunction;

public sealed class LoginFunction(Dispatcher dispatcher)
{
    /// <summary>
    /// Takes every method, so that a wrong one gets the contract's 405 and not the host's 404. The worker writes the
    /// <see cref="IResult"/> that comes back.
    /// </summary>
    [Function("FetchApiKey")]
    public async Task<IResult> RunAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, Route = "v1/{*path}")] HttpRequest request, FunctionContext context) =>
        await dispatcher.AnswerAsync(request.HttpContext, context.InvocationId);
}
