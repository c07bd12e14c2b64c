// A proxy before a directory that can fall silent: what it takes it keeps, and what it is asked it does not answer.

using System.Net;
using System.Net.Sockets;

namespace FetchApiKeyFunction.Tests.Ldap;

internal sealed class DirectoryProxy : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stopping = new();
    private readonly int _target;
    private int _accepted;

    public DirectoryProxy(int target)
    {
        _target = target;
        _listener.Start();
        _ = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    public bool IsSilent { get; set; }

    /// <summary>Connections so far.</summary>
    public int Accepted => _accepted;

    public void Dispose()
    {
        _stopping.Cancel();
        _listener.Dispose();
        _stopping.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var client = await _listener.AcceptTcpClientAsync(_stopping.Token);
                Interlocked.Increment(ref _accepted);
                _ = PassAsync(client);
            }
        }
        catch (Exception fault) when (fault is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private async Task PassAsync(TcpClient client)
    {
        using (client)
        using (var target = new TcpClient())
        {
            try
            {
                await target.ConnectAsync(IPAddress.Loopback, _target, _stopping.Token);
                await Task.WhenAny(CopyAsync(client.GetStream(), target.GetStream()), CopyAsync(target.GetStream(), client.GetStream()));
            }
            catch (Exception fault) when (fault is OperationCanceledException or SocketException or IOException)
            {
                // Either side has gone.
            }
        }
    }

    private async Task CopyAsync(NetworkStream from, NetworkStream to)
    {
        var buffer = new byte[4096];
        while (await from.ReadAsync(buffer, _stopping.Token) is > 0 and var count)
        {
            if (!IsSilent)
            {
                await to.WriteAsync(buffer.AsMemory(0, count), _stopping.Token);
            }
        }
    }
}
