// Path and method to the step that answers; the only catch-all.

using Azure;
using FetchApiKeyFunction.Accounts;
using FetchApiKeyFunction.Attempts;
using FetchApiKeyFunction.Passwords;
using Microsoft.AspNetCore.Cors.Infrastructure;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace FetchApiKeyFunction;

/// <summary>What both hosts call: one request in, one reply out, and never an exception.</summary>
public sealed class Routes : IDisposable
{
    /// <summary>Whatever storage does, a verdict is reached or given up by then; writing it down may take two seconds more.</summary>
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(8);
    private static readonly TimeSpan SweepInterval = TimeSpan.FromMinutes(10);

    private readonly PasswordHasher _hasher;
    private readonly AttemptLimiter _limiter;
    private readonly CancellationTokenSource _stopping = new();
    private readonly FetchApiKey _fetchApiKey;
    private readonly ServerSettings _serverSettings;
    private readonly bool _behindFunctionsHost;
    private readonly CorsPolicy? _corsPolicy;
    private readonly CorsService _cors;
    private readonly TimeProvider _time;
    private readonly ILogger _log;

    /// <param name="behindFunctionsHost">Whether every request comes through the Functions host; see <see cref="RequestOrigin"/>.</param>
    /// <param name="clientAddress">Where this host leaves the client's address, unless the operator says otherwise.</param>
    public Routes(
        Settings settings, AccountTables tables, bool behindFunctionsHost, ClientAddressSettings clientAddress, TimeProvider time, ILoggerFactory logs)
    {
        var realms = new RealmStore(tables, settings.RealmMaxAge, time);
        _hasher = new PasswordHasher(settings.Hashing, time, logs.CreateLogger<PasswordHasher>());
        _limiter = new AttemptLimiter(tables, time);
        var attempts = new LoginAttempts(_limiter, settings.Attempts, settings.IsOnAzure, time, logs.CreateLogger<LoginAttempts>());
        _fetchApiKey = new FetchApiKey(
            realms, attempts, new AccountStore(tables), _hasher, new ApiKeyCipher(settings.ApiKeys), settings, settings.ClientAddress ?? clientAddress, logs.CreateLogger<FetchApiKey>());
        _serverSettings = new ServerSettings(realms, settings);
        _behindFunctionsHost = behindFunctionsHost;
        _corsPolicy = CorsPolicyOf(settings);
        _cors = new CorsService(Options.Create(new CorsOptions()), logs);
        _time = time;
        _log = logs.CreateLogger<Routes>();
        _ = SweepAsync(_stopping.Token);
    }

    public async Task<Reply> AnswerAsync(HttpContext context)
    {
        using var deadline = new CancellationTokenSource(Deadline, _time);
        using var cancellation = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, context.RequestAborted);
        try
        {
            return AnswerPreflight(context) ?? await DispatchAsync(context.Request, cancellation.Token);
        }
        catch (Exception fault)
        {
            return Report(fault, context.Request);
        }
    }

    public void Dispose()
    {
        _stopping.Cancel();
        _hasher.Dispose();
        _stopping.Dispose();
    }

    /// <summary>The id that the Functions host gave a request, for the log alone: without that host a client may have made it up.</summary>
    private static Guid? InvocationOf(HttpRequest request) =>
        Guid.TryParse(request.Headers["X-Azure-Functions-InvocationId"].ToString(), out var id) && id != Guid.Empty ? id : null;

    /// <summary>Deletes what the attempt limit no longer needs, now and then, as long as the process runs.</summary>
    private async Task SweepAsync(CancellationToken stopping)
    {
        using var timer = new PeriodicTimer(SweepInterval, _time);
        try
        {
            while (await timer.WaitForNextTickAsync(stopping))
            {
                try
                {
                    _log.AttemptsSwept(await _limiter.SweepAsync(stopping));
                }
                catch (Exception fault) when (!stopping.IsCancellationRequested && AccountTables.IsUnavailability(fault))
                {
                    _log.AttemptsNotSwept(fault.GetType().Name);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The process ends.
        }
    }

    private Task<Reply> DispatchAsync(HttpRequest request, CancellationToken cancellation)
    {
        var method = request.Method;
        return request.Path.Value switch
        {
            "/api/v1/fetch_api_key" => HttpMethods.IsPost(method)
                ? _fetchApiKey.AnswerAsync(request, RequestOrigin.Of(request, _behindFunctionsHost), cancellation)
                : Task.FromResult(Reply.MethodNotAllowed("POST")),

            "/api/v1/server_settings" => HttpMethods.IsGet(method) || HttpMethods.IsHead(method)
                ? _serverSettings.AnswerAsync(request, RequestOrigin.Of(request, _behindFunctionsHost), cancellation)
                : Task.FromResult(Reply.MethodNotAllowed("GET", "HEAD")),

            _ => Task.FromResult(Reply.NotFound),
        };
    }

    /// <summary>The type and place of a fault, never its message: messages may quote what was sent or stored.</summary>
    private Reply Report(Exception fault, HttpRequest request)
    {
        var invocation = InvocationOf(request)?.ToString() ?? "none";
        if (fault is AttemptsContendedException)
        {
            _log.AttemptsContended(invocation);
            return Reply.Unavailable;
        }

        if (fault is HashingGateFullException)
        {
            _log.HashingGateFull(invocation);
            return Reply.Unavailable;
        }

        if (AccountTables.IsUnavailability(fault))
        {
            if (!request.HttpContext.RequestAborted.IsCancellationRequested)
            {
                var storage = fault as RequestFailedException;
                _log.StorageUnavailable(fault.GetType().Name, storage?.Status ?? 0, storage?.ErrorCode ?? "none", invocation);
            }

            return Reply.Unavailable;
        }

        var place = new System.Diagnostics.StackTrace(fault).GetFrame(0)?.GetMethod();
        _log.RequestFailed(fault.GetType().Name, $"{place?.DeclaringType?.Name}.{place?.Name}", invocation);
        return Reply.InternalError;
    }

    // ---- CORS, off unless the operator names origins ----

    private Reply? AnswerPreflight(HttpContext context)
    {
        if (_corsPolicy is null || !context.Request.Headers.ContainsKey(CorsConstants.Origin))
        {
            return null;
        }

        var result = _cors.EvaluatePolicy(context, _corsPolicy);
        _cors.ApplyResult(result, context.Response);
        return result.IsPreflightRequest ? Reply.PreflightAccepted : null;
    }

    private static CorsPolicy? CorsPolicyOf(Settings settings)
    {
        if (settings.CorsAllowedOrigins.Count == 0)
        {
            return null;
        }

        var policy = new CorsPolicyBuilder([.. settings.CorsAllowedOrigins]);
        return policy.WithMethods("GET", "HEAD", "POST").AllowAnyHeader().Build();
    }
}
