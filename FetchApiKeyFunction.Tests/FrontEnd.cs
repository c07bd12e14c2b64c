// A front end before the endpoint, as the Functions host is one, which can be told to spoil what passes through it.

using System.Net;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace FetchApiKeyFunction.Tests;

/// <summary>An answer on its way to the client.</summary>
internal sealed class PassingAnswer
{
    public required string Request { get; init; }

    public int Status { get; set; }

    public required string Body { get; set; }

    public required Dictionary<string, string> Headers { get; init; }

    /// <summary>Takes the length away, as a front end does that sends in chunks.</summary>
    public void Chunk() => Headers.Remove("Content-Length");
}

internal sealed class FrontEnd : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly HttpClient _client;
    private readonly Func<HttpContext, PassingAnswer, Task> _alter;
    private readonly bool _believesClients;

    private FrontEnd(WebApplication app, Uri endpoint, Func<HttpContext, PassingAnswer, Task> alter, bool believesClients)
    {
        _app = app;
        _client = new HttpClient(new SocketsHttpHandler { UseProxy = false, UseCookies = false, AllowAutoRedirect = false }) { BaseAddress = endpoint };
        _alter = alter;
        _believesClients = believesClients;
    }

    public Uri Origin => new(_app.Urls.Single());

    /// <param name="believesClients">Passes on the X-Forwarded-Host of a client, which the Functions host never does.</param>
    public static async Task<FrontEnd> StartAsync(
        Uri endpoint, Action<PassingAnswer>? alter = null, Func<HttpContext, Task>? before = null, bool believesClients = false, X509Certificate2? certificate = null)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        if (certificate is null)
        {
            builder.WebHost.UseKestrelCore();
        }
        else
        {
            builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration();
        }

        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Listen(IPAddress.Loopback, 0, listener =>
            {
                if (certificate is not null)
                {
                    listener.UseHttps(certificate);
                }
            });
        });
        var app = builder.Build();
        var front = new FrontEnd(app, endpoint, async (context, answer) =>
        {
            await (before?.Invoke(context) ?? Task.CompletedTask);
            alter?.Invoke(answer);
        }, believesClients);
        app.Run(front.PassAsync);
        await app.StartAsync();
        return front;
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        _client.Dispose();
    }

    private async Task PassAsync(HttpContext context)
    {
        using var request = new HttpRequestMessage(new HttpMethod(context.Request.Method), context.Request.Path + context.Request.QueryString);
        if (context.Request.ContentLength is not null)
        {
            request.Content = new StreamContent(context.Request.Body);
            request.Content.Headers.TryAddWithoutValidation("Content-Type", context.Request.ContentType);
        }

        var claimed = context.Request.Headers["X-Forwarded-Host"].ToString();
        request.Headers.Add("X-Forwarded-Host", _believesClients && claimed.Length > 0 ? claimed : context.Request.Host.Value);
        request.Headers.Add("X-Forwarded-Proto", context.Request.Scheme);
        using var received = await _client.SendAsync(request, context.RequestAborted);
        var answer = new PassingAnswer
        {
            Request = $"{context.Request.Method} {context.Request.Path}",
            Status = (int)received.StatusCode,
            Body = await received.Content.ReadAsStringAsync(context.RequestAborted),
            Headers = received.Headers.Concat(received.Content.Headers)
                .Where(header => header.Key is not ("Transfer-Encoding" or "Connection"))
                .ToDictionary(header => header.Key, header => string.Join(", ", header.Value)),
        };
        await _alter(context, answer);
        context.Response.StatusCode = answer.Status;
        var body = System.Text.Encoding.UTF8.GetBytes(answer.Body);
        foreach (var (name, value) in answer.Headers)
        {
            context.Response.Headers[name] = name == "Content-Length" && body.Length > 0 ? $"{body.Length}" : value;
        }

        await context.Response.Body.WriteAsync(body, context.RequestAborted);
    }
}
