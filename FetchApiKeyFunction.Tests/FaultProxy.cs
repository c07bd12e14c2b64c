// A proxy before Azurite that makes storage fail as it does in life.

using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace FetchApiKeyFunction.Tests;

public enum StorageFault
{
    None,

    /// <summary>No answer for longer than anybody waits.</summary>
    Delay,

    /// <summary>The connection breaks before the request is passed on.</summary>
    Reset,
    Throttled,
    Unavailable,

    /// <summary>The request is carried out, and the answer breaks off.</summary>
    Truncated,

    /// <summary>Changes are carried out, and the connection breaks before the answer; reads go well.</summary>
    LostAcknowledgement,

    /// <summary>As Azure answers for some time after a table was deleted.</summary>
    TableBeingDeleted,
}

internal sealed class FaultProxy : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly HttpClient _client = new(
        new SocketsHttpHandler { UseProxy = false, AutomaticDecompression = DecompressionMethods.None });
    private readonly Uri _target;
    private int _changes;

    private FaultProxy(WebApplication app, Uri target)
    {
        _app = app;
        _target = target;
    }

    public StorageFault Fault { get; set; }

    /// <summary>The next transaction is carried out, and the connection breaks before the answer; then all goes well.</summary>
    public bool LoseNextBatch { get; set; }

    /// <summary>Which requests meet the fault: all, unless a test says otherwise.</summary>
    public Func<HttpRequest, bool> Meets { get; set; } = _ => true;

    /// <summary>Changes that the store has carried out.</summary>
    public int Changes => _changes;

    public static async Task<(FaultProxy Proxy, string ConnectionString)> StartAsync()
    {
        var connection = await SharedAzurite.ConnectionStringAsync();
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        var app = builder.Build();
        var target = new Uri(connection.Split("TableEndpoint=")[1].TrimEnd(';'));
        var proxy = new FaultProxy(app, target);
        app.Run(proxy.PassAsync);
        await app.StartAsync();
        return (proxy, connection.Replace(target.Authority, new Uri(app.Urls.Single()).Authority, StringComparison.Ordinal));
    }

    public async ValueTask DisposeAsync()
    {
        Fault = StorageFault.None;
        await _app.DisposeAsync();
        _client.Dispose();
    }

    private async Task PassAsync(HttpContext context)
    {
        var fault = Meets(context.Request) ? Fault : StorageFault.None;
        var isChange = !HttpMethods.IsGet(context.Request.Method);
        switch (fault)
        {
            case StorageFault.Delay:
                await Task.Delay(TimeSpan.FromSeconds(30), context.RequestAborted);
                return;
            case StorageFault.Reset:
                context.Abort();
                return;
            case StorageFault.Throttled or StorageFault.Unavailable:
                context.Response.StatusCode = fault == StorageFault.Throttled ? 429 : 503;
                return;
            case StorageFault.TableBeingDeleted:
                context.Response.StatusCode = 409;
                context.Response.ContentType = "application/json";
                await context.Response.WriteAsync("""{"odata.error":{"code":"TableBeingDeleted","message":{"lang":"en-US","value":"The specified table is being deleted."}}}""");
                return;
        }

        // The signature of a request is over its target as it was sent.
        var raw = context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget;
        var target = new Uri(
            $"http://{_target.Authority}{raw}", new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true });
        using var request = new HttpRequestMessage(new HttpMethod(context.Request.Method), target);
        request.Content = context.Request.ContentLength > 0 ? new StreamContent(context.Request.Body) : null;
        foreach (var (name, values) in context.Request.Headers)
        {
            if (name != "Host" && !request.Headers.TryAddWithoutValidation(name, values.ToArray()))
            {
                request.Content?.Headers.TryAddWithoutValidation(name, values.ToArray());
            }
        }

        using var answer = await _client.SendAsync(request, context.RequestAborted);
        var body = await answer.Content.ReadAsByteArrayAsync(context.RequestAborted);
        if (isChange && answer.IsSuccessStatusCode)
        {
            Interlocked.Increment(ref _changes);
        }

        var isLostBatch = LoseNextBatch && raw.EndsWith("$batch", StringComparison.Ordinal);
        LoseNextBatch &= !isLostBatch;
        if (isLostBatch || (fault == StorageFault.LostAcknowledgement && isChange))
        {
            context.Abort();
            return;
        }

        context.Response.StatusCode = (int)answer.StatusCode;
        foreach (var (name, values) in answer.Headers.Concat(answer.Content.Headers))
        {
            if (name is not ("Transfer-Encoding" or "Connection" or "Keep-Alive"))
            {
                context.Response.Headers[name] = values.ToArray();
            }
        }

        if (fault == StorageFault.Truncated)
        {
            context.Response.ContentLength = body.Length + 100;
            await context.Response.Body.WriteAsync(body.AsMemory(0, body.Length / 2), context.RequestAborted);
            await context.Response.Body.FlushAsync(context.RequestAborted);
            context.Abort();
            return;
        }

        // An answer without content may have none written, not even nothing: the connection would break.
        if (body.Length > 0)
        {
            await context.Response.Body.WriteAsync(body, context.RequestAborted);
        }
    }
}
