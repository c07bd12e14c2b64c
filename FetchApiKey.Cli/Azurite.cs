// Azurite's table service, pinned by a lock file, installed with npm and run as one child process.

using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace FetchApiKey.Cli;

/// <summary>A running Azurite: one that was found, or one that was started and ends with this object, or with this process.</summary>
public sealed class Azurite : IAsyncDisposable
{
    private const int DefaultPort = 10002;

    /// <summary>Is locked in the folder for data while an Azurite uses that.</summary>
    private const string FolderLock = ".in-use";

    /// <summary>The emulator's published account, the same on every machine.</summary>
    private const string Account = "devstoreaccount1";
    private const string AccountKey = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

    /// <summary>What Azurite prints when it listens. Another process may answer on its port.</summary>
    private const string Started = "successfully started";

    private const int PortTries = 3;

    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(60);

    /// <summary>It writes its whole table to the disk.</summary>
    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(30);

    private readonly int _port;
    private readonly Process? _process;
    private readonly List<AzuriteLock> _locks;

    private Azurite(int port, Process? process, List<AzuriteLock> locks) => (_port, _process, _locks) = (port, process, locks);

    public bool IsOurs => _process is not null;

    /// <summary>Of the one that was started.</summary>
    internal int ProcessId => _process!.Id;

    public string ConnectionString => string.Create(CultureInfo.InvariantCulture,
        $"DefaultEndpointsProtocol=http;AccountName={Account};AccountKey={AccountKey};TableEndpoint=http://127.0.0.1:{_port}/{Account};");

    /// <summary>Is locked while a command has an Azurite on the standard port.</summary>
    private static string PortLock => Path.Combine(NpmPackages.Home, $".port-{DefaultPort}");

    /// <summary>
    /// Takes the Azurite on its standard port if one runs there that no command of ours started, and would end; else starts one. With a
    /// folder to keep the data in it always starts one, since another's data are not in that folder.
    /// </summary>
    public static async Task<Azurite> FindOrStartAsync(DirectoryInfo? data, Action<string> tell, CancellationToken cancellation)
    {
        var standard = await TakeStandardPortAsync(cancellation);
        try
        {
            if (standard is not null && data is null && await AnswersAsync(DefaultPort, cancellation))
            {
                tell($"Using the Azurite on port {DefaultPort}.");
                return new Azurite(DefaultPort, process: null, locks: []);
            }

            for (var tries = 1; ; tries++)
            {
                var held = standard is not null && IsFree(DefaultPort) ? standard : null;
                var port = held is null ? FreePort() : DefaultPort;
                standard = held is null ? standard : null;
                try
                {
                    return await StartAsync(port, data, held is null ? [] : [held], tell, cancellation);
                }
                catch (OperatorException) when (tries < PortTries && !IsFree(port))
                {
                    // Another process was faster.
                }
            }
        }
        finally
        {
            standard?.Dispose();
        }
    }

    /// <summary>Null where another command has it, or where nothing can be written down.</summary>
    private static async Task<AzuriteLock?> TakeStandardPortAsync(CancellationToken cancellation)
    {
        try
        {
            Directory.CreateDirectory(NpmPackages.Home);
            return await AzuriteLock.TryTakeAsync(PortLock, cancellation);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <param name="data">Where it keeps its data; null to keep nothing.</param>
    /// <exception cref="OperatorException">Node.js or npm is missing, another has the folder, or Azurite does not start.</exception>
    public static Task<Azurite> StartAsync(int port, DirectoryInfo? data, Action<string> tell, CancellationToken cancellation) =>
        StartAsync(port, data, [], tell, cancellation);

    /// <param name="locks">That it has as long as it runs.</param>
    private static async Task<Azurite> StartAsync(
        int port, DirectoryInfo? data, List<AzuriteLock> locks, Action<string> tell, CancellationToken cancellation)
    {
        try
        {
            return await RunAsync(port, data, locks, tell, cancellation);
        }
        catch
        {
            locks.ForEach(each => each.Dispose());
            throw;
        }
    }

    private static async Task<Azurite> RunAsync(
        int port, DirectoryInfo? data, List<AzuriteLock> locks, Action<string> tell, CancellationToken cancellation)
    {
        var source = Path.Combine(AppContext.BaseDirectory, "azurite");
        var folder = await NpmPackages.InstallAsync("azurite", source, tell, cancellation);
        var entry = Path.Combine(folder, "node_modules", "azurite", "dist", "src", "table", "main.js");
        var start = new ProcessStartInfo("node")
        {
            ArgumentList =
            {
                Path.Combine(source, "run.js"), entry,
                "--tableHost", "127.0.0.1", "--tablePort", port.ToString(CultureInfo.InvariantCulture), "--silent", "--disableTelemetry",
            },
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            WorkingDirectory = folder,
        };
        start.ArgumentList.Add(data is null ? "--inMemoryPersistence" : $"--location={data.FullName}");
        if (data is not null)
        {
            data.Create();
            locks.Add(await AzuriteLock.TryTakeAsync(Path.Combine(data.FullName, FolderLock), cancellation)
                ?? throw new OperatorException(
                    $"Another 'local', or its Azurite, uses {data.FullName}. Stop it, or choose another folder with --data."));
        }

        var azurite = new Azurite(port, NpmPackages.Run(start), locks);
        try
        {
            locks.ForEach(each => each.Give(azurite._process!));
            await azurite.WaitUntilStartedAsync(cancellation);
            return azurite;
        }
        catch
        {
            await azurite.DisposeAsync();
            throw;
        }
    }

    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    /// <summary>Tells Azurite to write what it holds and end, and ends it if it does not.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_process is null)
        {
            return;
        }

        using (_process)
        {
            // See azurite/run.js.
            _process.StandardInput.Close();
            using var limit = new CancellationTokenSource(StopLimit);
            try
            {
                await _process.WaitForExitAsync(limit.Token);
            }
            catch (OperationCanceledException)
            {
                _process.Kill(entireProcessTree: true);
            }
        }

        _locks.ForEach(each => each.Dispose());
    }

    private async Task WaitUntilStartedAsync(CancellationToken cancellation)
    {
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _process!.OutputDataReceived += (_, line) =>
        {
            if (line.Data?.Contains(Started, StringComparison.Ordinal) == true)
            {
                started.TrySetResult();
            }
        };
        // It is read to the end: a full pipe would stop it.
        _process.BeginOutputReadLine();
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(StartLimit);
        var ended = _process.WaitForExitAsync(limit.Token);
        await Task.WhenAny(started.Task, ended);
        cancellation.ThrowIfCancellationRequested();
        if (!started.Task.IsCompleted)
        {
            throw new OperatorException(_process.HasExited
                ? $"Azurite ended with exit code {_process.ExitCode} instead of starting on port {_port}."
                : $"Azurite did not start on port {_port} within {StartLimit.TotalSeconds} seconds.");
        }
    }

    private static async Task<bool> AnswersAsync(int port, CancellationToken cancellation)
    {
        // A proxy in the environment is not asked for this machine.
        using var client = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { Timeout = TimeSpan.FromSeconds(2) };
        try
        {
            using var answer = await client.GetAsync(new Uri($"http://127.0.0.1:{port}/{Account}/Tables"), cancellation);
            return answer.Headers.Server.ToString().StartsWith("Azurite-Table", StringComparison.Ordinal);
        }
        catch (Exception fault) when (fault is HttpRequestException or TaskCanceledException && !cancellation.IsCancellationRequested)
        {
            return false;
        }
    }

    private static bool IsFree(int port)
    {
        try
        {
            using var listener = new TcpListener(IPAddress.Loopback, port);
            listener.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
