// A request to the endpoint that answers it; the only catch-all.

using System.Collections.Frozen;
using System.Diagnostics;
using Azure;
using FetchApiKey.Accounts;
using FetchApiKey.Attempts;
using FetchApiKey.Composition;
using FetchApiKey.Pages;
using FetchApiKey.Passwords;
using FetchApiKey.Telemetry;
using Microsoft.AspNetCore.Cors.Infrastructure;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace FetchApiKey;

/// <summary>What every host calls: one request in, one reply out, and never an exception.</summary>
public sealed class Dispatcher(IEnumerable<Endpoint> endpoints, Settings settings, HostTraits host, TimeProvider time, ILoggerFactory logs)
{
    private static readonly FrozenSet<string> KnownMethods =
        FrozenSet.Create("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT");

    private const string ApiPrefix = "/api/v1/";

    private readonly FrozenDictionary<string, Endpoint> _endpoints = endpoints.ToFrozenDictionary(endpoint => endpoint.Path, StringComparer.Ordinal);
    private readonly ClientAddressSettings _clientAddress = settings.ClientAddress ?? host.ClientAddress;
    private readonly CorsPolicy? _corsPolicy = CorsPolicyOf(settings);
    private readonly CorsService _cors = new(Options.Create(new CorsOptions()), logs);
    private readonly ILogger _log = logs.CreateLogger<Dispatcher>();

    /// <param name="invocation">The id that the Functions host gave the request; empty without that host.</param>
    public async Task<Reply> AnswerAsync(HttpContext context, string invocation)
    {
        var endpoint = _endpoints.GetValueOrDefault(PathOf(context.Request));
        using var span = StartSpan(context.Request, endpoint, invocation);
        using var lifetime = new RequestLifetime(time, context.RequestAborted);
        using var cancellation = CancellationTokenSource.CreateLinkedTokenSource(lifetime.Deadline, context.RequestAborted);
        Reply reply;
        try
        {
            reply = AnswerPreflight(context)
                ?? await DispatchAsync(context.Request, endpoint, invocation, lifetime, cancellation.Token);
        }
        catch (Exception fault)
        {
            reply = Report(fault, context.Request, invocation);
            if (endpoint is { IsPage: true })
            {
                reply = reply.Status == 503 ? HtmlPage.Unavailable : HtmlPage.InternalError;
            }
        }

        span?.SetTag("http.response.status_code", reply.Status);
        if (reply.Status >= 500)
        {
            span?.SetStatus(ActivityStatusCode.Error);
        }

        return reply;
    }

    private async Task<Reply> DispatchAsync(
        HttpRequest request, Endpoint? endpoint, string invocation, RequestLifetime lifetime, CancellationToken cancellation)
    {
        if (endpoint is null)
        {
            return Reply.NotFound;
        }

        if (!endpoint.Methods.Contains(request.Method, StringComparer.OrdinalIgnoreCase))
        {
            return Reply.MethodNotAllowed([.. endpoint.Methods]);
        }

        var origin = RequestOrigin.Of(request, host.IsFunctionsHost);
        return await endpoint.Handler(
            new EndpointRequest(request, origin, ClientAddress.Of(request.HttpContext, _clientAddress), invocation, lifetime), cancellation);
    }

    /// <summary>
    /// Clients whose realm URL ends in a slash send two before the path, which a Zulip server's front end merges. Behind the Functions
    /// host they do not get here. Nothing that is answered is made from the path.
    /// </summary>
    private string PathOf(HttpRequest request)
    {
        var path = request.Path.Value ?? "";
        var merged = "/" + path.TrimStart('/');
        return !host.IsFunctionsHost && merged.StartsWith(ApiPrefix, StringComparison.Ordinal) ? merged : path;
    }

    // ---- What is traced and measured of every request ----

    /// <summary>
    /// A span for the request, in the trace that the Functions host began. Without that host the header is a client's word, and
    /// the trace begins here. The trace state is a client's word everywhere, and would be exported with every span.
    /// </summary>
    private Activity? StartSpan(HttpRequest request, Endpoint? endpoint, string invocation)
    {
        // Neither a made-up path nor a made-up method gets into a metric.
        var route = endpoint?.Path ?? "unknown";
        var method = KnownMethods.Contains(request.Method) ? request.Method : "_OTHER";
        var isMeasured = endpoint?.IsMeasured ?? true;
        if (request.HttpContext.Features.Get<IHttpMetricsTagsFeature>() is { } measured)
        {
            measured.MetricsDisabled = !isMeasured;
            measured.Tags.Add(new("http.route", route));
        }

        if (!isMeasured)
        {
            return null;
        }

        var parent = default(ActivityContext);
        if (host.IsFunctionsHost)
        {
            ActivityContext.TryParse(request.Headers.TraceParent, traceState: null, isRemote: true, out parent);
        }

        var span = Instruments.Spans.StartActivity($"{method} {route}", ActivityKind.Server, parent);
        span?.SetTag("http.request.method", method).SetTag("http.route", route);
        return invocation.Length > 0 ? span?.SetTag("faas.invocation_id", invocation) : span;
    }

    /// <summary>The type and place of a fault, never its message: messages may quote what was sent or stored.</summary>
    private Reply Report(Exception fault, HttpRequest request, string invocation)
    {
        if (fault is AttemptsContendedException)
        {
            _log.AttemptsContended(invocation);
            return Reply.Unavailable;
        }

        if (fault is AttemptRecordUnreadableException)
        {
            // Logged where it was read, with its key.
            return Reply.Unavailable;
        }

        if (fault is RealmMalformedException realm)
        {
            _log.RowMalformed(realm.Fault);
            return Reply.Unavailable;
        }

        if (fault is MissingTablesException missing)
        {
            _log.TablesMissing(missing.Message, invocation);
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

        var place = new StackTrace(fault).GetFrame(0) is { } frame ? DiagnosticMethodInfo.Create(frame) : null;
        _log.RequestFailed(fault.GetType().Name, $"{place?.DeclaringTypeName}.{place?.Name}", invocation);
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
