// Path and method to the step that answers; the only catch-all.

using System.Diagnostics;
using Azure;
using FetchApiKeyFunction.Accounts;
using FetchApiKeyFunction.Attempts;
using FetchApiKeyFunction.Audit;
using FetchApiKeyFunction.Backends;
using FetchApiKeyFunction.Backends.Ldap;
using FetchApiKeyFunction.Pages;
using FetchApiKeyFunction.Passwordless;
using FetchApiKeyFunction.Passwords;
using FetchApiKeyFunction.Telemetry;
using Microsoft.AspNetCore.Cors.Infrastructure;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace FetchApiKeyFunction;

/// <summary>What both hosts call: one request in, one reply out, and never an exception.</summary>
public sealed class Routes : IDisposable
{
    private const string LoginRoute = "/api/v1/fetch_api_key";
    private const string SettingsRoute = "/api/v1/server_settings";
    private const string TokenLoginRoute = "/api/v1/jwt/fetch_api_key";
    private const string RegenerationRoute = "/api/v1/users/me/api_key/regenerate";
    private const string DevelopmentLoginRoute = "/api/v1/dev_fetch_api_key";
    private const string DevelopmentUsersRoute = "/api/v1/dev_list_users";

    /// <summary>What the Functions host asks until it is answered. A client's own request for it ends at that host.</summary>
    private const string PingRoute = "/";
    private const string LiveRoute = "/api/v1/health";
    private const string ReadyRoute = "/api/v1/health/ready";
    private const string DescriptionRoute = "/api/v1/openapi.json";

    private static readonly string[] AlwaysThere =
    [
        LoginRoute, SettingsRoute, TokenLoginRoute, RegenerationRoute, PingRoute, LiveRoute, ReadyRoute, DescriptionRoute, ApiKeyPage.Path, PasswordResetPage.Path,
    ];

    /// <summary>Unknown paths like any other, unless the settings say otherwise.</summary>
    private static readonly string[] InDevelopment = [DevelopmentLoginRoute, DevelopmentUsersRoute];

    private static readonly string[] AllMethods = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT"];

    /// <summary>Whatever storage does, a verdict is reached or given up by then; writing it down may take two seconds more.</summary>
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(8);
    private static readonly TimeSpan SweepInterval = TimeSpan.FromMinutes(10);

    private readonly RealmStore _realms;
    private readonly PasswordHasher _hasher;
    private readonly List<LdapDirectory> _directories;
    private readonly AttemptLimiter _limiter;
    private readonly AuditTable _auditTable;
    private readonly AuditTrail _audit;
    private readonly TimeSpan _auditRetention;
    private readonly CancellationTokenSource _stopping = new();
    private readonly FetchApiKey _fetchApiKey;
    private readonly ServerSettings _serverSettings;
    private readonly ApiKeyPage _apiKeyPage;
    private readonly PasswordResetPage _passwordResetPage;
    private readonly JwtLogin _jwtLogin;
    private readonly KeyRegeneration _keyRegeneration;
    private readonly DevelopmentLogin _developmentLogin;
    private readonly string[] _routes;
    private readonly Health _health;
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
        var realms = _realms = new RealmStore(tables, settings.RealmMaxAge, time);
        _hasher = new PasswordHasher(settings.Hashing, time, logs.CreateLogger<PasswordHasher>());
        _limiter = new AttemptLimiter(tables, time);
        _auditTable = new AuditTable(tables);
        _audit = new AuditTrail(_auditTable, time, logs.CreateLogger<AuditTrail>());
        _auditRetention = settings.AuditRetention;
        var accounts = new AccountStore(tables);
        var cipher = new ApiKeyCipher(settings.ApiKeys);
        var attempts = new LoginAttempts(_limiter, settings.Attempts, settings.IsOnAzure, time, logs.CreateLogger<LoginAttempts>());
        var events = new LoginEvents(_audit, new CorrelationDigest(settings.ApiKeys), time);
        _directories = [.. settings.Ldap.Select(directory => new LdapDirectory(directory, time, logs.CreateLogger<LdapDirectory>()))];
        var backends = new PasswordBackendsInOrder(
            new EmailBackend(accounts, _hasher, logs.CreateLogger<EmailBackend>()),
            _directories
                .Select(directory => (directory.Settings, Backend: new LdapBackend(directory, accounts, cipher, time, logs.CreateLogger<LdapBackend>())))
                .SelectMany(ldap => ldap.Settings.Realms.Select(realm => (Realm: realm, ldap)))
                .ToDictionary(ldap => ldap.Realm, ldap => ldap.ldap, StringComparer.Ordinal));
        var login = new Login(attempts, accounts, backends, cipher, events, logs.CreateLogger<Login>());
        clientAddress = settings.ClientAddress ?? clientAddress;
        _fetchApiKey = new FetchApiKey(realms, login, settings, clientAddress);
        _jwtLogin = new JwtLogin(realms, login, settings, clientAddress, time);
        _keyRegeneration = new KeyRegeneration(realms, accounts, cipher, login, settings, clientAddress, logs.CreateLogger<KeyRegeneration>());
        _developmentLogin = new DevelopmentLogin(realms, accounts, login, events, settings, clientAddress);
        _routes = settings.DevelopmentLogin == DevelopmentLoginMode.Absent ? AlwaysThere : [.. AlwaysThere, .. InDevelopment];
        _serverSettings = new ServerSettings(realms, settings);
        _apiKeyPage = new ApiKeyPage(realms, login, settings, clientAddress);
        _passwordResetPage = new PasswordResetPage(
            realms, new PasswordReset(attempts, new PasswordInvitations(tables), _hasher, events, time, logs.CreateLogger<PasswordReset>()),
            settings, clientAddress);
        _health = new Health(tables, accounts, cipher, _directories, time, logs.CreateLogger<Health>());
        _behindFunctionsHost = behindFunctionsHost;
        _corsPolicy = CorsPolicyOf(settings);
        _cors = new CorsService(Options.Create(new CorsOptions()), logs);
        _time = time;
        _log = logs.CreateLogger<Routes>();
        _ = SweepAsync(_stopping.Token);
    }

    /// <summary>Does what the first login would otherwise wait for. One that comes meanwhile waits for the same.</summary>
    /// <exception cref="Exception">Hashes cannot be computed.</exception>
    public async Task WarmUpAsync(CancellationToken cancellation)
    {
        Task realms = _realms.FindAsync("", cancellation);
        await _hasher.WarmUpAsync();
        // Realms that cannot be read are for each login to tell.
        await realms.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public async Task<Reply> AnswerAsync(HttpContext context)
    {
        using var span = StartSpan(context.Request);
        using var deadline = new CancellationTokenSource(Deadline, _time);
        using var cancellation = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, context.RequestAborted);
        Reply reply;
        try
        {
            reply = AnswerPreflight(context) ?? await DispatchAsync(context.Request, cancellation.Token);
        }
        catch (Exception fault)
        {
            reply = ForPeople(Report(fault, context.Request), context.Request);
        }

        span?.SetTag("http.response.status_code", reply.Status);
        if (reply.Status >= 500)
        {
            span?.SetStatus(ActivityStatusCode.Error);
        }

        return reply;
    }

    public void Dispose()
    {
        _stopping.Cancel();
        _hasher.Dispose();
        _directories.ForEach(directory => directory.Dispose());
        _audit.Dispose();
        _stopping.Dispose();
    }

    /// <summary>The id that the Functions host gave a request, for the log alone: without that host a client may have made it up.</summary>
    public static string InvocationOf(HttpRequest request) =>
        Guid.TryParse(request.Headers["X-Azure-Functions-InvocationId"].ToString(), out var id) && id != Guid.Empty ? id.ToString() : "";

    /// <summary>Deletes what the attempt limit no longer needs and what the audit trail need not keep, now and then, as long as the process runs.</summary>
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
                    _log.AuditSwept(await _auditTable.SweepAsync(_time.GetUtcNow() - _auditRetention, stopping));
                }
                catch (Exception fault) when (!stopping.IsCancellationRequested && AccountTables.IsUnavailability(fault))
                {
                    _log.NotSwept(fault.GetType().Name);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The process ends.
        }
    }

    private Task<Reply> DispatchAsync(HttpRequest request, CancellationToken cancellation) => RouteOf(request) switch
    {
        LoginRoute => Post(request, () => _fetchApiKey.AnswerAsync(request, OriginOf(request), cancellation)),

        SettingsRoute => Get(request, () => _serverSettings.AnswerAsync(request, OriginOf(request), cancellation)),

        TokenLoginRoute => Post(request, () => _jwtLogin.AnswerAsync(request, OriginOf(request), cancellation)),

        RegenerationRoute => Post(request, () => _keyRegeneration.AnswerAsync(request, OriginOf(request), cancellation)),

        DevelopmentLoginRoute => Post(request, () => _developmentLogin.AnswerFetchAsync(request, OriginOf(request), cancellation)),

        DevelopmentUsersRoute => Get(request, () => _developmentLogin.AnswerListAsync(OriginOf(request), cancellation)),

        PingRoute or LiveRoute => Get(request, () => Task.FromResult(Reply.Healthy)),

        ReadyRoute => Get(request, () => _health.AnswerReadyAsync(cancellation)),

        DescriptionRoute => Get(request, () => Task.FromResult(ApiDescription.Answer)),

        ApiKeyPage.Path => GetOrPost(request, () => _apiKeyPage.AnswerAsync(request, OriginOf(request), cancellation)),

        PasswordResetPage.Path => GetOrPost(request, () => _passwordResetPage.AnswerAsync(request, OriginOf(request), cancellation)),

        _ => Task.FromResult(Reply.NotFound),
    };

    private static Task<Reply> Get(HttpRequest request, Func<Task<Reply>> answer) =>
        HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method) ? answer() : Task.FromResult(Reply.MethodNotAllowed("GET", "HEAD"));

    private static Task<Reply> GetOrPost(HttpRequest request, Func<Task<Reply>> answer) =>
        HttpMethods.IsPost(request.Method) || HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method)
            ? answer()
            : Task.FromResult(Reply.MethodNotAllowed("GET", "HEAD", "POST"));

    /// <summary>A fault at a page is told to a person.</summary>
    private Reply ForPeople(Reply fault, HttpRequest request) => RouteOf(request) is not (ApiKeyPage.Path or PasswordResetPage.Path) ? fault
        : fault.Status == 503 ? HtmlPage.Unavailable
        : HtmlPage.InternalError;

    private static Task<Reply> Post(HttpRequest request, Func<Task<Reply>> answer) =>
        HttpMethods.IsPost(request.Method) ? answer() : Task.FromResult(Reply.MethodNotAllowed("POST"));

    private RequestOrigin OriginOf(HttpRequest request) => RequestOrigin.Of(request, _behindFunctionsHost);

    /// <summary>Null for a path that is not ours.</summary>
    private string? RouteOf(HttpRequest request) => Array.Find(_routes, route => route == request.Path.Value);

    // ---- What is traced and measured of every request ----

    /// <summary>
    /// A span for the request, in the trace that the Functions host began. Without that host the header is a client's word, and
    /// the trace begins here. The host's pings are neither traced nor measured.
    /// </summary>
    private Activity? StartSpan(HttpRequest request)
    {
        // Neither a made-up path nor a made-up method gets into a metric.
        var route = RouteOf(request) ?? "unknown";
        var method = AllMethods.Contains(request.Method) ? request.Method : "_OTHER";
        if (request.HttpContext.Features.Get<IHttpMetricsTagsFeature>() is { } measured)
        {
            measured.MetricsDisabled = route == PingRoute;
            measured.Tags.Add(new("http.route", route));
        }

        if (route == PingRoute)
        {
            return null;
        }

        var parent = default(ActivityContext);
        if (_behindFunctionsHost)
        {
            ActivityContext.TryParse(request.Headers.TraceParent, request.Headers.TraceState, isRemote: true, out parent);
        }

        var span = Instruments.Spans.StartActivity($"{method} {route}", ActivityKind.Server, parent);
        span?.SetTag("http.request.method", method).SetTag("http.route", route);
        return InvocationOf(request) is { Length: > 0 } invocation ? span?.SetTag("faas.invocation_id", invocation) : span;
    }

    /// <summary>The type and place of a fault, never its message: messages may quote what was sent or stored.</summary>
    private Reply Report(Exception fault, HttpRequest request)
    {
        var invocation = InvocationOf(request);
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
