// The endpoint under load.

using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using FetchApiKey.Cli;
using FetchApiKey.Passwords;

namespace FetchApiKey.Benchmarks;

/// <summary>The endpoint as a process of its own, and requests to it.</summary>
internal sealed class LoadedServer : IDisposable
{
    private readonly Process _process;
    private readonly HttpClient _client;

    private readonly bool _isOurs;

    private LoadedServer(Process process, Uri origin, bool isOurs)
    {
        (_process, _isOurs) = (process, isOurs);
        _client = new HttpClient(new SocketsHttpHandler { MaxConnectionsPerServer = 512 }) { BaseAddress = origin };
    }

    /// <summary>One that somebody else started, and ends.</summary>
    /// <param name="process">Whose processor time and memory are asked for.</param>
    public static LoadedServer At(int process, Uri origin) => new(Process.GetProcessById(process), origin, isOurs: false);

    public static async Task<LoadedServer> StartAsync(Azurite azurite, string prefix, Argon2Cost cost, IReadOnlyDictionary<string, string>? more = null)
    {
        var port = Azurite.FreePort();
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "fetch-api-key.dll"), "serve", "--port", $"{port}"])
        {
            RedirectStandardOutput = true,
        };
        foreach (var (name, value) in Environment(azurite, prefix, cost).Concat(more ?? new Dictionary<string, string>()))
        {
            start.Environment[name] = value;
        }

        var process = Process.Start(start)!;
        var listening = new TaskCompletionSource();
        process.OutputDataReceived += (_, line) =>
        {
            if (line.Data?.StartsWith("Listening", StringComparison.Ordinal) == true)
            {
                listening.TrySetResult();
            }
        };
        process.BeginOutputReadLine();
        await listening.Task.WaitAsync(TimeSpan.FromSeconds(30));
        return new LoadedServer(process, new Uri($"http://127.0.0.1:{port}"), isOurs: true);
    }

    /// <summary>What an endpoint needs to know of the tables that <see cref="EndpointLoad.PopulateAsync"/> filled.</summary>
    public static Dictionary<string, string> Environment(Azurite azurite, string prefix, Argon2Cost cost) => new()
    {
        ["AccountStorage"] = azurite.ConnectionString, ["TablePrefix"] = prefix, ["ExternalHost"] = "127.0.0.1",
        ["ApiKeys__keys__bench"] = Convert.ToBase64String(EndpointLoad.Key),
        ["Argon2__memoryKib"] = $"{cost.MemoryKib}", ["Argon2__passes"] = $"{cost.Passes}", ["Argon2__lanes"] = $"{cost.Lanes}",
    };

    /// <summary>Of all its threads, in the kernel and outside.</summary>
    public TimeSpan ProcessorTime
    {
        get
        {
            _process.Refresh();
            return _process.TotalProcessorTime;
        }
    }

    public Task<int> LogInAsync(int user) => LogInAsync($"user{user}@example.com", EndpointLoad.Password, "198.51.100.1");

    /// <param name="address">Where the client says it comes from; believed only where the server trusts a hop.</param>
    public async Task<int> LogInAsync(string username, string password, string address)
    {
        using var request = LoginOf(username, password, address);
        using var answer = await _client.SendAsync(request);
        return (int)answer.StatusCode;
    }

    public static HttpRequestMessage LoginOf(string username, string password, string address) => new(HttpMethod.Post, "/api/v1/fetch_api_key")
    {
        Content = new FormUrlEncodedContent([new("username", username), new("password", password)]),
        Headers = { { "X-Forwarded-For", address } },
    };

    /// <summary>Clients that have an account each, at one address.</summary>
    public Task<(double Rate, double P50)> LoadAsync(TimeSpan time) => LoadAsync([this], EndpointLoad.Clients, time, client => client, _ => 1);

    /// <summary>Clients that are spread over servers; each waits for its answer before it logs in again.</summary>
    /// <param name="userOf">Whom a client's next login is for.</param>
    /// <param name="hostOf">The last number of the address that a client comes from.</param>
    public static async Task<(double Rate, double P50)> LoadAsync(
        IReadOnlyList<LoadedServer> servers, int clients, TimeSpan time, Func<int, int> userOf, Func<int, int> hostOf)
    {
        var started = Stopwatch.GetTimestamp();
        var latencies = await Task.WhenAll(Enumerable.Range(0, clients).Select(async client =>
        {
            var own = new List<double>();
            while (Stopwatch.GetElapsedTime(started) < time)
            {
                var sent = Stopwatch.GetTimestamp();
                var status = await servers[client % servers.Count].LogInAsync(
                    $"user{userOf(client)}@example.com", EndpointLoad.Password, $"198.51.100.{hostOf(client)}");
                own.Add(status == 200 ? Stopwatch.GetElapsedTime(sent).TotalMilliseconds : throw new InvalidOperationException($"A login got {status}."));
            }

            return own;
        }));
        var all = new Latencies(latencies.SelectMany(own => own));
        return (all.Count / Stopwatch.GetElapsedTime(started).TotalSeconds, all.At(50));
    }

    /// <summary>Milliseconds that a request took which hashes nothing, one after the other until told to stop.</summary>
    public async Task<List<double>> PingAsync(CancellationToken cancellation)
    {
        var waits = new List<double>();
        while (!cancellation.IsCancellationRequested)
        {
            var sent = Stopwatch.GetTimestamp();
            using var answer = await _client.GetAsync(new Uri("/api/v1/server_settings", UriKind.Relative), CancellationToken.None);
            waits.Add(Stopwatch.GetElapsedTime(sent).TotalMilliseconds);
            await Task.Delay(10, CancellationToken.None);
        }

        return waits;
    }

    /// <summary>Begins a header or a body and goes on with a byte a second until the server ends the connection.</summary>
    public async Task DribbleAsync(bool inHeader)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, _client.BaseAddress!.Port);
        var beginning = "POST /api/v1/fetch_api_key HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            + (inHeader ? "X-Slow: " : "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 5000\r\n\r\n");
        try
        {
            await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(beginning));
            while (true)
            {
                await client.GetStream().WriteAsync("x"u8.ToArray());
                await Task.Delay(1000);
            }
        }
        catch (IOException)
        {
            // Cut off, which is what is waited for.
        }
    }

    /// <summary>MiB of a line of the process's status.</summary>
    public int Status(string name) => StatusMib(_process.Id, name);

    public static int StatusMib(int process, string name)
    {
        var line = File.ReadLines($"/proc/{process}/status").First(line => line.StartsWith(name, StringComparison.Ordinal));
        return int.Parse(line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) / 1024;
    }

    public void Dispose()
    {
        if (_isOurs)
        {
            _process.Kill();
            _process.WaitForExit();
        }

        _process.Dispose();
        _client.Dispose();
    }
}
