// How long a process takes from its start to its first answers, for several published builds in turn.

using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using FetchApiKey.Cli;
using FetchApiKey.Passwords;

namespace FetchApiKey.Benchmarks;

/// <summary>
/// Each build is started as the Functions host starts it. Somebody knocks every millisecond, where that host does so every 25, until
/// the port takes a connection, and on that connection asks for the ping and then logs in. Files are in the page cache, which on a
/// machine that has never seen them they are not.
/// </summary>
internal static class StartComparison
{
    private const string Executable = "fetch-api-key";
    private const string Prefix = "start";

    /// <summary>What nobody waits longer for: the Functions host's own limit.</summary>
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    /// <summary>How often to knock.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(1);

    /// <summary>What is published where nobody names a folder.</summary>
    private static readonly (string Name, string[] Arguments)[] Builds =
    [
        ("jit", ["-p:PublishSelfContained=false"]),
        ("r2r", ["--runtime", "linux-x64", "-p:PublishReadyToRun=true"]),
        ("aot", ["-p:PublishProfile=ahead-of-time"]),
    ];

    /// <param name="builds">NAME=FOLDER each; none for the three that are published here.</param>
    public static async Task<int> RunAsync(IReadOnlyList<string> builds, int rounds)
    {
        var scratch = Directory.CreateTempSubdirectory("fetch-api-key-start-").FullName;
        try
        {
            var folders = builds.Count > 0
                ? builds.Select(build => build.Split('=', 2)).Select(build => (Name: build[0], Folder: (string?)build[1])).ToList()
                : await PublishAsync(scratch);
            await using var azurite = await Azurite.StartAsync(Azurite.FreePort(), null, Console.Error.WriteLine, CancellationToken.None);
            Console.WriteLine($"{rounds} rounds in turn after one that does not count; median (least to most), ms since the start of the process.");
            Console.WriteLine("| m, t, p | build | first answer to GET / | first login answered | RSS MiB after it |");
            Console.WriteLine("|---|---|---|---|---|");
            foreach (var cost in new Argon2Cost[] { new(1024, 1, 1), Argon2Cost.Default })
            {
                await CompareAsync(azurite, folders, cost, rounds);
            }

            return 0;
        }
        finally
        {
            Directory.Delete(scratch, recursive: true);
        }
    }

    private static async Task CompareAsync(Azurite azurite, List<(string Name, string? Folder)> builds, Argon2Cost cost, int rounds)
    {
        var prefix = $"{Prefix}{cost.MemoryKib}";
        await EndpointLoad.PopulateAsync(azurite, prefix, cost);
        var starts = builds.ToDictionary(build => build.Name, _ => new List<FirstAnswers>());
        var faults = builds.Where(build => build.Folder is null).ToDictionary(build => build.Name, _ => "could not be published");
        for (var round = 0; round <= rounds; round++)
        {
            foreach (var (name, folder) in builds.Where(build => !faults.ContainsKey(build.Name)))
            {
                try
                {
                    var start = await StartAsync(folder!, azurite, prefix, cost);
                    if (round > 0)
                    {
                        starts[name].Add(start);
                    }
                }
                catch (InvalidOperationException fault)
                {
                    faults.Add(name, fault.Message);
                }
            }
        }

        foreach (var (name, _) in builds)
        {
            var cells = faults.TryGetValue(name, out var fault)
                ? $"{fault} | - | -"
                : $"{Spread(starts[name].Select(start => start.Ping))} | {Spread(starts[name].Select(start => start.Login))} | {Spread(starts[name].Select(start => start.ResidentMib))}";
            Console.WriteLine($"| {cost.MemoryKib}, {cost.Passes}, {cost.Lanes} | {name} | {cells} |");
        }
    }

    /// <exception cref="InvalidOperationException">The process ended, or an answer is not the right one.</exception>
    private static async Task<FirstAnswers> StartAsync(string folder, Azurite azurite, string prefix, Argon2Cost cost)
    {
        var port = Azurite.FreePort();
        var start = new ProcessStartInfo(Path.Combine(folder, Executable))
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment = { [Listener.PortVariable] = $"{port}" },
        };
        foreach (var (name, value) in LoadedServer.Environment(azurite, prefix, cost))
        {
            start.Environment[name] = value;
        }

        var started = Stopwatch.GetTimestamp();
        using var process = Process.Start(start)!;
        // Nobody reads what it prints, and a full pipe would stop it.
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        try
        {
            using var connection = await ConnectAsync(process, port, started);
            using var client = new HttpClient(new SocketsHttpHandler { ConnectCallback = (_, _) => ValueTask.FromResult<Stream>(new NetworkStream(connection)) })
            {
                BaseAddress = new Uri($"http://127.0.0.1:{port}"),
                Timeout = Limit,
            };
            using var ping = await client.GetAsync(new Uri("/", UriKind.Relative));
            var pinged = Stopwatch.GetElapsedTime(started);
            using var request = LoadedServer.LoginOf("user0@example.com", EndpointLoad.Password, "198.51.100.1");
            using var login = await client.SendAsync(request);
            var loggedIn = Stopwatch.GetElapsedTime(started);
            return ping.IsSuccessStatusCode && login.IsSuccessStatusCode
                ? new FirstAnswers(pinged.TotalMilliseconds, loggedIn.TotalMilliseconds, LoadedServer.StatusMib(process.Id, "VmRSS:"))
                : throw new InvalidOperationException($"the ping got {(int)ping.StatusCode}, the login {(int)login.StatusCode}");
        }
        finally
        {
            process.Kill();
            await process.WaitForExitAsync();
        }
    }

    private static async Task<Socket> ConnectAsync(Process process, int port, long started)
    {
        while (true)
        {
            // Not TcpClient: an exception for each knock would take time from the process that is starting.
            var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            if (await KnockAsync(socket, port) == SocketError.Success)
            {
                return socket;
            }

            socket.Dispose();
            if (process.HasExited)
            {
                throw new InvalidOperationException($"ended with exit code {process.ExitCode} instead of answering");
            }

            if (Stopwatch.GetElapsedTime(started) > Limit)
            {
                throw new InvalidOperationException($"did not listen within {Limit.TotalSeconds} s");
            }

            await Task.Delay(Pause);
        }
    }

    private static async Task<SocketError> KnockAsync(Socket socket, int port)
    {
        using var attempt = new SocketAsyncEventArgs { RemoteEndPoint = new System.Net.IPEndPoint(System.Net.IPAddress.Loopback, port) };
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        attempt.Completed += (_, _) => done.SetResult();
        if (socket.ConnectAsync(attempt))
        {
            await done.Task;
        }

        return attempt.SocketError;
    }

    /// <summary>Null for a folder that could not be published; the compiler's words go to the standard error.</summary>
    private static async Task<List<(string Name, string? Folder)>> PublishAsync(string scratch)
    {
        var folders = new List<(string, string?)>();
        foreach (var (name, arguments) in Builds)
        {
            Console.Error.WriteLine($"Publishing {name}.");
            var folder = Path.Combine(scratch, name);
            var start = new ProcessStartInfo("dotnet",
            [
                "publish", Path.Combine(Checkout(), "FetchApiKey.Cli"), "--configuration", "Release", "--artifacts-path", Path.Combine(scratch, "build", name),
                "--output", folder, .. arguments,
            ])
            {
                RedirectStandardOutput = true,
            };
            using var publish = Process.Start(start)!;
            var said = await publish.StandardOutput.ReadToEndAsync();
            await publish.WaitForExitAsync();
            if (publish.ExitCode != 0)
            {
                Console.Error.WriteLine(said);
            }

            folders.Add((name, publish.ExitCode == 0 ? folder : null));
        }

        return folders;
    }

    private static string Checkout()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "FetchApiKeyFunction.slnx")))
        {
            folder = folder.Parent ?? throw new InvalidOperationException("This is no checkout of the project: name the folders, NAME=FOLDER.");
        }

        return folder.FullName;
    }

    private static string Spread(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return string.Create(CultureInfo.InvariantCulture, $"{EndpointLoad.Median(sorted):F0} ({sorted[0]:F0} to {sorted[^1]:F0})");
    }

    private sealed record FirstAnswers(double Ping, double Login, double ResidentMib);
}
