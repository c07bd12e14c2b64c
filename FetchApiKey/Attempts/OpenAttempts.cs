// How many attempts may be open in this process: in all, from each address, on each name.

namespace FetchApiKey.Attempts;

/// <summary>Too many attempts are open, or this one waited too long; it was not judged and is not counted.</summary>
public sealed class AttemptsContendedException() : Exception("Too many attempts at once.");

/// <summary>
/// An attempt is open from its form to its committed verdict. What is over a cap is refused at once and costs nothing. When the total is
/// reached, the network with the most open attempts is refused: the newcomer if it is of that network, else the last attempt of that
/// network that still waits.
/// </summary>
public sealed class OpenAttempts
{
    /// <summary>At 64 KiB of body each at the most, 32 MiB.</summary>
    public const int InAll = 512;

    /// <summary>Of one address, unless all clients share it.</summary>
    public const int OfAddress = 64;

    /// <summary>On one name: more than any one person's programs start at once.</summary>
    public const int OnName = 32;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, LinkedList<OpenAttempt>> _networks = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _counts = new(StringComparer.Ordinal);
    private int _open;

    public int Count => _open;

    /// <summary>Networks, addresses and names that something is kept of.</summary>
    internal int Keys => _networks.Count + _counts.Count;

    /// <param name="name">The key of the name's bucket; null where no name is limited.</param>
    /// <exception cref="AttemptsContendedException">A cap is reached.</exception>
    public OpenAttempt Open(ClientAddress client, string? name)
    {
        OpenAttempt? displaced = null;
        var attempt = new OpenAttempt(this, client, name);
        lock (_lock)
        {
            if ((!client.IsShared && CountOf(client.Bucket) >= OfAddress) || (name is not null && CountOf(name) >= OnName))
            {
                throw new AttemptsContendedException();
            }

            if (_open >= InAll)
            {
                displaced = Displace(client.Network);
                Remove(displaced);
            }

            Add(attempt);
        }

        displaced?.Displace();
        return attempt;
    }

    internal void Close(OpenAttempt attempt)
    {
        lock (_lock)
        {
            Remove(attempt);
        }
    }

    private OpenAttempt Displace(string newcomer)
    {
        var most = _networks.Values.MaxBy(attempts => attempts.Count)!;
        var own = _networks.TryGetValue(newcomer, out var others) ? others.Count : 0;
        for (var last = most.Last; own + 1 < most.Count && last is not null; last = last.Previous)
        {
            if (!last.Value.HasBegun)
            {
                return last.Value;
            }
        }

        throw new AttemptsContendedException();
    }

    private void Add(OpenAttempt attempt)
    {
        _open++;
        if (!_networks.TryGetValue(attempt.Client.Network, out var network))
        {
            _networks.Add(attempt.Client.Network, network = new LinkedList<OpenAttempt>());
        }

        attempt.Place = network.AddLast(attempt);
        _counts[attempt.Client.Bucket] = CountOf(attempt.Client.Bucket) + 1;
        if (attempt.Name is { } name)
        {
            _counts[name] = CountOf(name) + 1;
        }
    }

    private void Remove(OpenAttempt attempt)
    {
        if (attempt.Place is not { } place)
        {
            return;
        }

        attempt.Place = null;
        _open--;
        var network = place.List!;
        network.Remove(place);
        if (network.Count == 0)
        {
            _networks.Remove(attempt.Client.Network);
        }

        Lower(attempt.Client.Bucket);
        if (attempt.Name is { } name)
        {
            Lower(name);
        }
    }

    private int CountOf(string key) => _counts.GetValueOrDefault(key);

    private void Lower(string key)
    {
        if (--_counts[key] is var left && left == 0)
        {
            _counts.Remove(key);
        }
    }
}

/// <summary>One attempt's place among the open ones.</summary>
public sealed class OpenAttempt : IDisposable
{
    private readonly OpenAttempts _all;
    private readonly CancellationTokenSource _displaced = new();

    internal OpenAttempt(OpenAttempts all, ClientAddress client, string? name) => (_all, Client, Name) = (all, client, name);

    public ClientAddress Client { get; }

    /// <summary>Cancelled when a less busy network needed the place. Without effect on what has begun.</summary>
    public CancellationToken Displaced => _displaced.Token;

    /// <summary>Its password is being hashed, or was sent to a directory: it is seen through, whatever becomes of the client.</summary>
    public bool HasBegun { get; set; }

    internal string? Name { get; }

    internal LinkedListNode<OpenAttempt>? Place { get; set; }

    public void Dispose()
    {
        _all.Close(this);
        _displaced.Dispose();
    }

    internal void Displace()
    {
        try
        {
            _displaced.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // It ended by itself meanwhile.
        }
    }
}
