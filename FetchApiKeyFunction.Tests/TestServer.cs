// The real app on Kestrel, at a free port of 127.0.0.1.

using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using FetchApiKey.Accounts;
using FetchApiKey.Attempts;
using FetchApiKey.Cli;
using FetchApiKey.Composition;
using FetchApiKey.Passwords;
using FetchApiKeyFunction.Tests.ApiDescription;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace FetchApiKeyFunction.Tests;

internal sealed class TestServer : IAsyncDisposable
{
    public const string RootHost = "zulip.example.com:9991";

    /// <summary>Cheap, for the tests that are not about the cost.</summary>
    public static readonly Argon2Cost Cost = new(64, 1, 1);

    public static readonly HashingSettings Hashing = new(Cost, new GateLimits { MemoryBytes = 300L << 20, Slots = 2 }, UseKonscious: false);

    public static readonly ApiKeySettings Keys = new(
        new Dictionary<string, byte[]> { ["one"] = [.. Enumerable.Repeat((byte)1, 32)] }, "one");

    public static readonly ApiKeyCipher Cipher = new(Keys);

    /// <summary>The same keys for a process's environment.</summary>
    public static readonly (string Name, string Value) KeyVariable = ("ApiKeys__keys__one", Convert.ToBase64String(Keys.Keys["one"]));

    private readonly WebApplication? _app;
    private readonly CapturedLog _log;

    private TestServer(WebApplication? app, CapturedLog log, Uri origin)
    {
        _app = app;
        _log = log;
        Origin = origin;
        Client = new HttpClient { BaseAddress = Origin };
    }

    public Uri Origin { get; }

    public HttpClient Client { get; }

    /// <summary>Every line logged so far, exceptions included.</summary>
    public IReadOnlyCollection<string> Log => _log.Lines;

    /// <summary>So many attempts that no test meets the limit which is not about it.</summary>
    public static readonly AttemptSettings ManyAttempts = new() { PerAccount = 1000, PerAccountDaily = 1000, PerAddress = 1000 };

    public static Settings NewSettings(params string[] corsOrigins) => NewSettings(ManyAttempts, corsOrigins);

    public static Settings NewSettings(AttemptSettings attempts, params string[] corsOrigins) => new()
    {
        // The tests hand their own tables over.
        Storage = new StorageSettings(),
        ExternalHosts = ["zulip.example.com", "127.0.0.1"],
        RealmMaxAge = TimeSpan.Zero,
        Hashing = Hashing,
        ApiKeys = Keys,
        Attempts = attempts,
        CorsAllowedOrigins = corsOrigins,
    };

    public static async Task<TestServer> StartAsync(AccountTables tables, Settings? settings = null, bool behindFunctionsHost = false, TimeProvider? time = null)
    {
        var log = new CapturedLog();
        var listener = new Listener(IPAddress.Loopback, 0, behindFunctionsHost);
        var app = EndpointServer.Build(settings ?? NewSettings(), listener, tables, time, moreLogging: logging => logging.AddProvider(log));
        await app.StartAsync();
        await app.Services.GetRequiredService<StartUp>().Ready;
        return new TestServer(app, log, new Uri(app.Urls.Single()));
    }

    /// <summary>One that runs already, in a process that keeps its own log.</summary>
    public static TestServer At(Uri origin) => new(null, new CapturedLog(), origin);

    /// <summary>One of the running app's parts.</summary>
    public T Part<T>()
        where T : notnull => _app!.Services.GetRequiredService<T>();

    /// <summary>A client of a network of its own.</summary>
    public static ClientAddress ClientOf(string name) => new(name, IsShared: false, name);

    /// <summary>A login as most clients send it.</summary>
    public Task<Answer> LogInAsync(string username, string password, string host = RootHost) =>
        SendAsync(HttpMethod.Post, "/api/v1/fetch_api_key", Form(("username", username), ("password", password)), host);

    /// <summary>Whatever comes back must be as the API description says.</summary>
    public async Task<Answer> SendAsync(
        HttpMethod method, string path, HttpContent? content = null, string host = RootHost, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(method, path) { Content = content };
        request.Headers.Host = host;
        foreach (var (name, value) in headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }

        using var response = await Client.SendAsync(request);
        var all = response.Headers.Concat(response.Content.Headers)
            .ToDictionary(header => header.Key, header => string.Join(", ", header.Value), StringComparer.OrdinalIgnoreCase);
        var answer = new Answer((int)response.StatusCode, await response.Content.ReadAsStringAsync(), all);
        await ResponseValidator.AssertDescribedAsync(method.Method, response.RequestMessage!.RequestUri!.AbsolutePath, answer);
        return answer;
    }

    /// <summary>Bytes as they are, over a connection of their own. Gives what came back until the server closed it.</summary>
    public async Task<string> SendRawAsync(string request)
    {
        using var client = await ConnectAndSendAsync(request);
        using var reader = new StreamReader(client.GetStream(), Encoding.UTF8);
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        var response = await reader.ReadToEndAsync(limit.Token);
        if (ParseFirst(response) is { } answer)
        {
            var target = request.Split(' ', 3);
            await ResponseValidator.AssertDescribedAsync(target[0], target[1].Split('?')[0], answer);
        }

        return response;
    }

    /// <summary>Null for what Kestrel says by itself to requests that are not HTTP: a status and nothing of the API's.</summary>
    internal static Answer? ParseFirst(string response)
    {
        var end = response.IndexOf("\r\n\r\n", StringComparison.Ordinal);
        var lines = response[..end].Split("\r\n");
        var headers = lines.Skip(1).Select(line => line.Split(": ", 2)).ToDictionary(header => header[0], header => header[1], StringComparer.OrdinalIgnoreCase);
        var length = int.Parse(headers["Content-Length"], System.Globalization.CultureInfo.InvariantCulture);
        var status = int.Parse(lines[0].Split(' ')[1], System.Globalization.CultureInfo.InvariantCulture);
        return length == 0 && status == 400 ? null : new Answer(status, response.Substring(end + 4, length), headers);
    }

    /// <summary>Bytes as they are, and then the end of the connection.</summary>
    public async Task SendAndLeaveAsync(string request)
    {
        using var client = await ConnectAndSendAsync(request);
        client.Client.Shutdown(SocketShutdown.Both);
    }

    private async Task<TcpClient> ConnectAndSendAsync(string request)
    {
        var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, Origin.Port);
        await client.GetStream().WriteAsync(Encoding.Latin1.GetBytes(request));
        return client;
    }

    public static FormUrlEncodedContent Form(params (string Name, string Value)[] fields) =>
        new(fields.Select(field => KeyValuePair.Create(field.Name, field.Value)));

    public static string Golden(string name) => File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Wire", name + ".json"));

    /// <summary>As a process ends that is told to: what waits to be written is, and what hashing took is given back.</summary>
    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        if (_app is not null)
        {
            // Connections that a test has left open are cut off then.
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(1));
            await _app.StopAsync(patience.Token);
            await _app.DisposeAsync();
        }
    }

    internal sealed record Answer(int Status, string Body, IReadOnlyDictionary<string, string> Headers);

    private sealed class CapturedLog : ILoggerProvider, ILogger
    {
        public ConcurrentQueue<string> Lines { get; } = new();

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Lines.Enqueue($"{logLevel} {formatter(state, exception)} {exception}");

        public void Dispose()
        {
        }
    }
}
