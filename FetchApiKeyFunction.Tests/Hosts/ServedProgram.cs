// The program's own server, under a service manager that restarts it.

using System.Net.Sockets;
using FetchApiKey.Cli;

namespace FetchApiKeyFunction.Tests.Hosts;

internal sealed class ServedProgram : IEndpointHost
{
    private static readonly TimeSpan StartTimeout = TimeSpan.FromSeconds(30);

    private readonly int _port = Azurite.FreePort();

    public ServedProgram(TestedProgram program, IReadOnlyDictionary<string, string> environment) =>
        Process = new SupervisedProcess(() => program.Start(["serve", "--port", $"{_port}"], environment));

    public Uri Origin => new($"http://127.0.0.1:{_port}");

    public SupervisedProcess Process { get; }

    public IReadOnlyCollection<string> Log => [];

    public IReadOnlyCollection<string> Invocations => [];

    public Task StartAsync()
    {
        Process.Start();
        return Task.CompletedTask;
    }

    /// <summary>The moment its port accepts.</summary>
    public async Task WaitUntilReadyAsync()
    {
        using var limit = new CancellationTokenSource(StartTimeout);
        while (true)
        {
            try
            {
                using var connection = new TcpClient();
                await connection.ConnectAsync(Origin.Host, _port, limit.Token);
                return;
            }
            catch (SocketException)
            {
                if (Process.Current.HasExited)
                {
                    throw new IOException($"The program ended before it listened: {Process.Current.Output}");
                }

                await Task.Delay(1, limit.Token);
            }
        }
    }

    public Task<int> StopProcessAsync()
    {
        Process.ExpectEnd();
        Process.Current.Terminate();
        return Process.Current.ExitCodeAsync();
    }

    public ValueTask DisposeAsync() => Process.DisposeAsync();
}
