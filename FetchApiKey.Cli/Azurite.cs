// Azurite's table service, pinned by a lock file, installed with npm and run as one child process.

using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace FetchApiKey.Cli;

/// <summary>A running Azurite: one that was found, or one that was started and ends with this object.</summary>
public sealed class Azurite : IAsyncDisposable
{
    private const int DefaultPort = 10002;
    private const int SigTerm = 15;

    /// <summary>The emulator's published account, the same on every machine.</summary>
    private const string Account = "devstoreaccount1";
    private const string AccountKey = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(5);

    private readonly int _port;
    private readonly Process? _process;

    private Azurite(int port, Process? process)
    {
        _port = port;
        _process = process;
    }

    public bool IsOurs => _process is not null;

    /// <summary>Of the one that was started.</summary>
    internal int ProcessId => _process!.Id;

    public string ConnectionString => string.Create(CultureInfo.InvariantCulture,
        $"DefaultEndpointsProtocol=http;AccountName={Account};AccountKey={AccountKey};TableEndpoint=http://127.0.0.1:{_port}/{Account};");

    /// <summary>
    /// Takes the Azurite on its standard port if one runs there, else starts one. With a folder to keep the data in it
    /// always starts one, since another's data are not in that folder.
    /// </summary>
    public static async Task<Azurite> FindOrStartAsync(DirectoryInfo? data, Action<string> tell, CancellationToken cancellation)
    {
        if (data is null && await AnswersAsync(DefaultPort, cancellation))
        {
            tell($"Using the Azurite on port {DefaultPort}.");
            return new Azurite(DefaultPort, null);
        }

        return await StartAsync(IsFree(DefaultPort) ? DefaultPort : FreePort(), data, tell, cancellation);
    }

    /// <exception cref="OperatorException">Node.js or npm is missing, or Azurite does not start.</exception>
    public static async Task<Azurite> StartAsync(int port, DirectoryInfo? data, Action<string> tell, CancellationToken cancellation)
    {
        var source = Path.Combine(AppContext.BaseDirectory, "azurite");
        var folder = await NpmPackages.InstallAsync("azurite", source, tell, cancellation);
        var entry = Path.Combine(folder, "node_modules", "azurite", "dist", "src", "table", "main.js");
        var start = new ProcessStartInfo("node")
        {
            ArgumentList = { entry, "--tableHost", "127.0.0.1", "--tablePort", port.ToString(CultureInfo.InvariantCulture), "--silent", "--disableTelemetry" },
            RedirectStandardOutput = true,
            WorkingDirectory = Path.GetTempPath(),
        };
        if (data is null)
        {
            start.ArgumentList.Add("--inMemoryPersistence");
        }
        else
        {
            data.Create();
            start.ArgumentList.Add("--location");
            start.ArgumentList.Add(data.FullName);
        }

        var process = NpmPackages.Run(start);
        // Nobody reads what it prints, and a full pipe would stop it.
        process.BeginOutputReadLine();
        var azurite = new Azurite(port, process);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(StartLimit);
        try
        {
            while (!await AnswersAsync(port, limit.Token))
            {
                if (process.HasExited)
                {
                    throw new OperatorException($"Azurite ended with exit code {process.ExitCode} instead of starting on port {port}.");
                }

                await Task.Delay(50, limit.Token);
            }

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

    /// <summary>Asks Azurite to write what it holds and end, and ends it if it does not.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_process is null)
        {
            return;
        }

        using (_process)
        {
            if (OperatingSystem.IsWindows() || Signal(_process.Id, SigTerm) != 0)
            {
                _process.Kill(entireProcessTree: true);
            }

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
    }

    private static async Task<bool> AnswersAsync(int port, CancellationToken cancellation)
    {
        using var client = new HttpClient { Timeout = TimeSpan.FromSeconds(2) };
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

    [DllImport("libc", EntryPoint = "kill")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Signal(int process, int signal);
}
