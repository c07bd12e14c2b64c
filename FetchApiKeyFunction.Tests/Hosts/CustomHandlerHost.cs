// A Functions host for the tests that starts the program as a custom handler and forwards HTTP to it.

using System.Net;
using FetchApiKey.Cli;
using Microsoft.AspNetCore.Http;

namespace FetchApiKeyFunction.Tests.Hosts;

/// <summary>Starts the handler with the variables of the real host, and asks it for `/` every 25 ms until anything answers.</summary>
internal sealed class CustomHandlerHost : IEndpointHost
{
    private static readonly TimeSpan StartTimeout = TimeSpan.FromSeconds(30);

    private readonly HostFront _front;
    private readonly Uri _handler;
    private readonly HttpClient _ping = new(new SocketsHttpHandler { UseProxy = false });
    private volatile Task _ready = Task.CompletedTask;

    public CustomHandlerHost(TestedProgram program, IReadOnlyDictionary<string, string> environment)
    {
        var port = Azurite.FreePort();
        _handler = new Uri($"http://127.0.0.1:{port}/");
        var variables = new Dictionary<string, string>(environment)
        {
            [Listener.PortVariable] = $"{port}",
            ["FUNCTIONS_WORKER_RUNTIME"] = "custom",
            // The host's own, which its child inherits.
            ["ASPNETCORE_URLS"] = "http://127.0.0.1:1",
        };
        Process = new SupervisedProcess(() =>
        {
            var run = program.Start([], variables);
            _ready = PingAsync(run);
            return run;
        });
        _front = new HostFront("X-Azure-Functions-InvocationId", InvokeAsync);
    }

    public Uri Origin => _front.Origin;

    public SupervisedProcess Process { get; }

    public IReadOnlyCollection<string> Log => [];

    public IReadOnlyCollection<string> Invocations => _front.Invocations;

    public async Task StartAsync()
    {
        await _front.StartAsync();
        Process.Start();
    }

    public Task WaitUntilReadyAsync() => _ready;

    /// <summary>The real host kills it at once.</summary>
    public Task<int> StopProcessAsync()
    {
        Process.ExpectEnd();
        Process.Current.Kill();
        return Process.Current.ExitCodeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await Process.DisposeAsync();
        await _front.DisposeAsync();
        _ping.Dispose();
    }

    private async Task InvokeAsync(HttpContext context, string invocation)
    {
        try
        {
            await _ready.WaitAsync(context.RequestAborted);
        }
        catch (IOException)
        {
            context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
            return;
        }

        await _front.ForwardAsync(context, _handler, invocation);
    }

    private async Task PingAsync(ProcessRun run)
    {
        using var limit = new CancellationTokenSource(StartTimeout);
        while (true)
        {
            try
            {
                using var answer = await _ping.GetAsync(_handler, limit.Token);
                return;
            }
            catch (HttpRequestException)
            {
                if (run.HasExited)
                {
                    throw new IOException($"The handler ended before it listened: {run.Output}");
                }

                await Task.Delay(25, limit.Token);
            }
        }
    }
}
