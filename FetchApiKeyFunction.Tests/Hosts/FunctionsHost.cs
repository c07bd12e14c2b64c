// A Functions host for the tests: starts the published worker as the real one does and forwards HTTP to it.

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

namespace FetchApiKeyFunction.Tests.Hosts;

/// <summary>
/// One function app with one HTTP function, and its worker. Requests are invoked over gRPC and forwarded to the address that the worker
/// advertises, with the id of the invocation.
/// </summary>
internal sealed class FunctionsHost : IEndpointHost
{
    private static readonly TimeSpan LoadTimeout = TimeSpan.FromSeconds(60);

    /// <summary>The real host gives a worker five seconds before it kills it.</summary>
    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(10);

    private readonly WebApplication _rpc;
    private readonly HostFront _front;
    private readonly string _folder;
    private readonly Dictionary<string, string> _environment;
    private readonly ConcurrentQueue<string> _log = new();
    private readonly int _rpcPort = Azurite.FreePort();
    private volatile WorkerChannel _channel;

    /// <param name="folder">A published function app.</param>
    /// <param name="port">Where clients reach it; null for a free port.</param>
    public FunctionsHost(string folder, IReadOnlyDictionary<string, string> environment, int? port = null)
    {
        _folder = folder;
        _environment = new Dictionary<string, string>(environment)
        {
            ["FUNCTIONS_APPLICATION_DIRECTORY"] = folder,
            ["FUNCTIONS_WORKER_DIRECTORY"] = folder,
            ["FUNCTIONS_WORKER_RUNTIME"] = "dotnet-isolated",
        };
        _channel = new WorkerChannel(folder, _log);
        Process = new SupervisedProcess(StartWorker, () => _channel.Forget(Process!.Current.Output));
        _front = new HostFront("x-ms-invocation-id", InvokeAsync, port);
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
            kestrel.Listen(IPAddress.Loopback, _rpcPort, listen => listen.Protocols = HttpProtocols.Http2));
        builder.Services.AddRouting();
        builder.Services.AddSingleton(this);
        builder.Services.AddGrpc(grpc => (grpc.MaxReceiveMessageSize, grpc.MaxSendMessageSize) = (null, null));
        _rpc = builder.Build();
        _rpc.UseRouting();
        _rpc.MapGrpcService<Rpc>();
    }

    public Uri Origin => _front.Origin;

    public SupervisedProcess Process { get; }

    /// <summary>Every message that a worker logged over gRPC, with its exceptions and properties.</summary>
    public IReadOnlyCollection<string> Log => _log;

    public IReadOnlyCollection<string> Invocations => _front.Invocations;

    /// <summary>A host whose worker takes requests.</summary>
    public static async Task<FunctionsHost> StartAsync(string folder, IReadOnlyDictionary<string, string> environment)
    {
        var host = new FunctionsHost(folder, environment);
        await host.StartAsync();
        await host.WaitUntilReadyAsync();
        return host;
    }

    public async Task StartAsync()
    {
        await _rpc.StartAsync();
        await _front.StartAsync();
        Process.Start();
    }

    public Task WaitUntilReadyAsync() => _channel.Ready.WaitAsync(LoadTimeout);

    public Task<int> StopProcessAsync()
    {
        Process.ExpectEnd();
        _channel.Terminate();
        return Process.Current.ExitCodeAsync(StopTimeout);
    }

    public async ValueTask DisposeAsync()
    {
        await Process.DisposeAsync();
        await _front.DisposeAsync();
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(1));
        await _rpc.StopAsync(patience.Token);
        await _rpc.DisposeAsync();
    }

    /// <summary>With the arguments of the real host, which gives each under two names.</summary>
    private ProcessRun StartWorker()
    {
        using var config = JsonDocument.Parse(File.ReadAllText(Path.Combine(_folder, "worker.config.json")));
        var description = config.RootElement.GetProperty("description");
        var worker = Path.Combine(_folder, description.GetProperty("defaultWorkerPath").GetString()!);
        var uri = string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{_rpcPort}/");
        var id = Guid.NewGuid().ToString();
        _channel = new WorkerChannel(_folder, _log);
        return ProcessRun.Start(
            description.GetProperty("defaultExecutablePath").GetString()!,
            [
                worker, "--host", "127.0.0.1", "--port", _rpcPort.ToString(CultureInfo.InvariantCulture),
                "--workerId", id, "--requestId", id, "--grpcMaxMessageLength", "2147483647",
                "--functions-uri", uri, "--functions-worker-id", id, "--functions-request-id", id,
                "--functions-grpc-max-message-length", "2147483647",
            ],
            _environment, _folder);
    }

    private async Task InvokeAsync(HttpContext context, string invocation)
    {
        var channel = _channel;
        Task ended;
        Uri worker;
        try
        {
            worker = await channel.Ready.WaitAsync(LoadTimeout, context.RequestAborted);
            ended = channel.InvokeAsync(invocation, context.Request.Headers.TraceParent.ToString());
        }
        catch (Exception fault) when (fault is InvalidOperationException or TimeoutException or IOException)
        {
            context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
            return;
        }

        await _front.ForwardAsync(context, worker, invocation);
        await ended.WaitAsync(StopTimeout).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private sealed class Rpc(FunctionsHost host) : FunctionRpc.FunctionRpcBase
    {
        public override Task EventStream(
            IAsyncStreamReader<StreamingMessage> requestStream, IServerStreamWriter<StreamingMessage> responseStream,
            ServerCallContext context) =>
            host._channel.ServeAsync(requestStream, responseStream, context.CancellationToken);
    }
}
