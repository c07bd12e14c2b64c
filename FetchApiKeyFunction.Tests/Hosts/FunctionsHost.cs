// A Functions host of the tests' own: starts the published worker as the real one does and forwards HTTP to it.

using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Text.Json;
using FetchApiKey.Cli;
using FetchApiKeyFunction.Tests.Hosts.Rpc;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Yarp.ReverseProxy.Forwarder;

namespace FetchApiKeyFunction.Tests.Hosts;

/// <summary>
/// One function app with one HTTP function, and its worker, which is started again when it dies with another code than 0, three times
/// at the most. Requests below the function's route are invoked over gRPC and forwarded to the address that the worker advertises,
/// with x-ms-invocation-id; forwarding headers of the client's are replaced. What the real host answers itself is not imitated, but
/// for the empty 404 of an unknown path and the empty 500 of a request that the worker left without an answer.
/// </summary>
internal sealed class FunctionsHost : IAsyncDisposable
{
    private const int MostStarts = 3;
    private static readonly TimeSpan LoadTimeout = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan WorkerListens = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(10);

    private readonly WebApplication _app;
    private readonly HttpMessageInvoker _client = new(new SocketsHttpHandler { UseProxy = false, UseCookies = false, AllowAutoRedirect = false });
    private readonly string _folder;
    private readonly IReadOnlyDictionary<string, string> _environment;
    private readonly ConcurrentQueue<string> _log = new();
    private readonly ConcurrentQueue<ProcessRun> _workers = new();
    private readonly int _port = Azurite.FreePort();
    private readonly int _rpcPort = Azurite.FreePort();
    private WorkerChannel _channel;
    private bool _isStopping;

    private FunctionsHost(string folder, IReadOnlyDictionary<string, string> environment)
    {
        (_folder, _environment) = (folder, environment);
        _channel = new WorkerChannel(folder, _log);
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Listen(IPAddress.Loopback, _port, listen => listen.Protocols = HttpProtocols.Http1);
            kestrel.Listen(IPAddress.Loopback, _rpcPort, listen => listen.Protocols = HttpProtocols.Http2);
        });
        builder.Logging.SetMinimumLevel(LogLevel.None);
        builder.Services.AddRouting();
        builder.Services.AddSingleton(this);
        builder.Services.AddGrpc(grpc => (grpc.MaxReceiveMessageSize, grpc.MaxSendMessageSize) = (null, null));
        builder.Services.AddHttpForwarder();
        _app = builder.Build();
        _app.UseRouting();
        _app.MapGrpcService<Rpc>();
        _app.MapFallback("{*path}", ForwardAsync);
    }

    public Uri Origin => new(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{_port}"));

    /// <summary>Every message that a worker logged over gRPC, with its exceptions and properties.</summary>
    public IReadOnlyCollection<string> Log => _log;

    /// <summary>The worker that runs now, or ran last.</summary>
    public ProcessRun Worker => _workers.Last();

    public int Starts => _workers.Count;

    /// <summary>What the workers printed.</summary>
    public string Printed => string.Concat(_workers.Select(worker => worker.Output));

    /// <summary>Returns when the function is loaded.</summary>
    /// <param name="folder">A published function app.</param>
    public static async Task<FunctionsHost> StartAsync(string folder, IReadOnlyDictionary<string, string> environment)
    {
        var host = await StartWithoutWaitingAsync(folder, environment);
        await host._channel.Loaded.WaitAsync(LoadTimeout);
        return host;
    }

    /// <summary>For a worker that is not expected to come up.</summary>
    public static async Task<FunctionsHost> StartWithoutWaitingAsync(string folder, IReadOnlyDictionary<string, string> environment)
    {
        var host = new FunctionsHost(folder, environment);
        await host._app.StartAsync();
        host.StartWorker();
        return host;
    }

    /// <summary>Asks the worker to end as the host does when it stops, and gives the code that it ended with.</summary>
    public async Task<int> StopWorkerAsync()
    {
        _isStopping = true;
        _channel.Terminate();
        return await Worker.ExitCodeAsync(StopTimeout);
    }

    public async ValueTask DisposeAsync()
    {
        _isStopping = true;
        foreach (var worker in _workers)
        {
            worker.Dispose();
        }

        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(1));
        await _app.StopAsync(patience.Token);
        await _app.DisposeAsync();
        _client.Dispose();
    }

    private void StartWorker()
    {
        using var config = JsonDocument.Parse(File.ReadAllText(Path.Combine(_folder, "worker.config.json")));
        var description = config.RootElement.GetProperty("description");
        var uri = string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{_rpcPort}/");
        var id = Guid.NewGuid().ToString();
        var run = ProcessRun.Start(
            description.GetProperty("defaultExecutablePath").GetString()!,
            [
                Path.Combine(_folder, description.GetProperty("defaultWorkerPath").GetString()!),
                "--host", "127.0.0.1", "--port", _rpcPort.ToString(CultureInfo.InvariantCulture), "--workerId", id, "--requestId", id,
                "--grpcMaxMessageLength", "2147483647", "--functions-uri", uri, "--functions-worker-id", id, "--functions-request-id", id,
                "--functions-grpc-max-message-length", "2147483647",
            ],
            new Dictionary<string, string>(_environment) { ["FUNCTIONS_APPLICATION_DIRECTORY"] = _folder }, _folder);
        _workers.Enqueue(run);
        _ = RestartAsync(run);
    }

    private async Task RestartAsync(ProcessRun run)
    {
        var code = await run.ExitCodeAsync(Timeout.InfiniteTimeSpan);
        _channel.Forget();
        if (!_isStopping && code != 0 && _workers.Count < MostStarts)
        {
            _channel = new WorkerChannel(_folder, _log);
            StartWorker();
        }
    }

    private async Task ForwardAsync(HttpContext context)
    {
        var channel = _channel;
        WorkerChannel.Worker worker;
        try
        {
            worker = await channel.Loaded.WaitAsync(LoadTimeout, context.RequestAborted);
        }
        catch (Exception fault) when (fault is InvalidOperationException or TimeoutException)
        {
            context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
            return;
        }

        if (!context.Request.Path.StartsWithSegments("/api/" + worker.Route.Split('/')[0], StringComparison.OrdinalIgnoreCase))
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }

        var invocation = Guid.NewGuid().ToString();
        var traceParent = context.Request.Headers.TraceParent.ToString();
        var ended = channel.InvokeAsync(invocation, worker.FunctionId, traceParent);
        await WaitForListenerAsync(worker.Http, context.RequestAborted);
        var error = await context.RequestServices.GetRequiredService<IHttpForwarder>().SendAsync(
            context, worker.Http.ToString(), _client, new ForwarderRequestConfig { ActivityTimeout = TimeSpan.FromSeconds(60) }, new Headers(invocation));
        if (error != ForwarderError.None && !context.Response.HasStarted)
        {
            context.Response.Clear();
            context.Response.StatusCode = StatusCodes.Status500InternalServerError;
        }

        await ended.ContinueWith(_ => { }, TaskScheduler.Default).WaitAsync(StopTimeout);
    }

    /// <summary>The worker says that it is loaded before it listens.</summary>
    private static async Task WaitForListenerAsync(Uri http, CancellationToken cancellation)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(WorkerListens);
        while (!Listening.ContainsKey(http))
        {
            try
            {
                using var connection = new System.Net.Sockets.TcpClient();
                await connection.ConnectAsync(http.Host, http.Port, limit.Token);
                Listening.TryAdd(http, true);
            }
            catch (System.Net.Sockets.SocketException)
            {
                await Task.Delay(5, limit.Token);
            }
        }
    }

    private static readonly ConcurrentDictionary<Uri, bool> Listening = new();

    /// <summary>As the real host sends them: the last word on who asked, for which origin, is its own.</summary>
    private sealed class Headers(string invocation) : HttpTransformer
    {
        public override async ValueTask TransformRequestAsync(
            HttpContext httpContext, HttpRequestMessage proxyRequest, string destinationPrefix, CancellationToken cancellationToken)
        {
            await base.TransformRequestAsync(httpContext, proxyRequest, destinationPrefix, cancellationToken);
            foreach (var name in new[] { "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "x-ms-invocation-id" })
            {
                proxyRequest.Headers.Remove(name);
            }

            proxyRequest.Headers.Host = null;
            proxyRequest.Headers.TryAddWithoutValidation("X-Forwarded-For", httpContext.Connection.RemoteIpAddress?.ToString());
            proxyRequest.Headers.TryAddWithoutValidation("X-Forwarded-Host", httpContext.Request.Host.Value);
            proxyRequest.Headers.TryAddWithoutValidation("X-Forwarded-Proto", httpContext.Request.Scheme);
            proxyRequest.Headers.TryAddWithoutValidation("x-ms-invocation-id", invocation);
        }
    }

    private sealed class Rpc(FunctionsHost host) : FunctionRpc.FunctionRpcBase
    {
        public override Task EventStream(
            IAsyncStreamReader<StreamingMessage> requestStream, IServerStreamWriter<StreamingMessage> responseStream, ServerCallContext context) =>
            host._channel.ServeAsync(requestStream, responseStream, context.CancellationToken);
    }
}
