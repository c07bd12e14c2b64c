// The public side of a Functions host: what it changes of a request on its way to the process of the app.

using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using FetchApiKey.Cli;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Yarp.ReverseProxy.Forwarder;

namespace FetchApiKeyFunction.Tests.Hosts;

/// <summary>
/// Takes requests below the function's route, gives each an invocation id and forwards it; the client's own forwarding headers and
/// invocation id are replaced. What the real host answers itself is not imitated, but for the empty 404 of another path and the empty 500
/// of a request that the process left without an answer.
/// </summary>
internal sealed class HostFront : IAsyncDisposable
{
    /// <summary>The prefix of host.json and the beginning of the function's route.</summary>
    private const string Route = "/api/v1";

    /// <summary>What the real host overwrites or drops.</summary>
    private static readonly string[] Replaced = ["X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded"];

    private static readonly ForwarderRequestConfig Config = new() { ActivityTimeout = TimeSpan.FromSeconds(60) };

    private readonly WebApplication _app;

    private readonly HttpMessageInvoker _client =
        new(new SocketsHttpHandler { UseProxy = false, UseCookies = false, AllowAutoRedirect = false });

    private readonly ConcurrentQueue<string> _invocations = new();
    private readonly int _port;
    private readonly string _invocationHeader;
    private readonly Func<HttpContext, string, Task> _invoke;

    /// <param name="invocationHeader">The header that tells the process the invocation id.</param>
    /// <param name="invoke">Forwards a request under an invocation id, and returns when both are over.</param>
    /// <param name="port">Where it listens; null for a free port.</param>
    public HostFront(string invocationHeader, Func<HttpContext, string, Task> invoke, int? port = null)
    {
        (_invocationHeader, _invoke, _port) = (invocationHeader, invoke, port ?? Azurite.FreePort());
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Listen(IPAddress.Loopback, _port, listen => listen.Protocols = HttpProtocols.Http1);
        });
        builder.Services.AddHttpForwarder();
        _app = builder.Build();
        _app.Run(AnswerAsync);
    }

    public Uri Origin => new(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{_port}"));

    /// <summary>Every id that was given.</summary>
    public IReadOnlyCollection<string> Invocations => _invocations;

    public Task StartAsync() => _app.StartAsync();

    /// <param name="process">Where the process of the app listens.</param>
    public async Task ForwardAsync(HttpContext context, Uri process, string invocation)
    {
        var forwarder = context.RequestServices.GetRequiredService<IHttpForwarder>();
        var error = await forwarder.SendAsync(context, process.ToString(), _client, Config, new Headers(_invocationHeader, invocation));
        if (error != ForwarderError.None && !context.Response.HasStarted)
        {
            context.Response.Clear();
            context.Response.StatusCode = StatusCodes.Status500InternalServerError;
        }
    }

    public async ValueTask DisposeAsync()
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(1));
        await _app.StopAsync(patience.Token);
        await _app.DisposeAsync();
        _client.Dispose();
    }

    private async Task AnswerAsync(HttpContext context)
    {
        if (!context.Request.Path.StartsWithSegments(Route, StringComparison.OrdinalIgnoreCase))
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }

        var invocation = Guid.NewGuid().ToString();
        _invocations.Enqueue(invocation);
        await _invoke(context, invocation);
    }

    private sealed class Headers(string invocationHeader, string invocation) : HttpTransformer
    {
        public override async ValueTask TransformRequestAsync(
            HttpContext httpContext, HttpRequestMessage proxyRequest, string destinationPrefix, CancellationToken cancellationToken)
        {
            await base.TransformRequestAsync(httpContext, proxyRequest, destinationPrefix, cancellationToken);
            foreach (var name in Replaced.Append(invocationHeader))
            {
                proxyRequest.Headers.Remove(name);
            }

            proxyRequest.Headers.Host = null;
            proxyRequest.Headers.TryAddWithoutValidation("X-Forwarded-For", httpContext.Connection.RemoteIpAddress?.ToString());
            proxyRequest.Headers.TryAddWithoutValidation("X-Forwarded-Host", httpContext.Request.Host.Value);
            proxyRequest.Headers.TryAddWithoutValidation("X-Forwarded-Proto", httpContext.Request.Scheme);
            proxyRequest.Headers.TryAddWithoutValidation(invocationHeader, invocation);
        }
    }
}
