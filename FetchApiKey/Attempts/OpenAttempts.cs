// How many attempts may be open in this process: in all, from each address, on each name.

namespace FetchApiKey.Attempts;

/// <summary>Too many attempts are open, or this one waited too long; it was not judged and is not counted.</summary>
public sealed class AttemptsContendedException() : Exception("Too many attempts at once.");

/// <summary>
/// An attempt is open from its form to its committed verdict. What is over a cap is refused at once and costs nothing. When the total or
/// a name's cap is reached, the network with the most open attempts there is refused: the newcomer if it is of that network, else the
/// last attempt of that network that still waits.
/// </summary>
public sealed class OpenAttempts
{
    /// <summary>At 64 KiB of body each at the most, 32 MiB.</summary>
    public const int InAll = 512;

    /// <summary>Of one address.</summary>
    public const int OfAddress = 64;

    /// <summary>Of an address that all clients share: about as many as can be hashed before their time is over.</summary>
    public const int OfSharedAddress = 256;

    /// <summary>On one name: more than any one person's programs start at once.</summary>
    public const int OnName = 32;

    private readonly Lock _lock = new();
    private readonly OpenByNetwork _all = new();
    private readonly Dictionary<string, OpenByNetwork> _names = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _addresses = new(StringComparer.Ordinal);

    public int Count => _all.Count;

    /// <summary>Networks, addresses and names that something is kept of.</summary>
    internal int Keys => _all.Networks + _addresses.Count + _names.Count;

    /// <param name="name">The key of the name's bucket; null where no name is limited.</param>
    /// <param name="ofAddress">How many the client's address may have.</param>
    /// <exception cref="AttemptsContendedException">A cap is reached.</exception>
    public OpenAttempt Open(ClientAddress client, string? name, int ofAddress)
    {
        OpenAttempt? displaced = null;
        var attempt = new OpenAttempt(this, client, name);
        lock (_lock)
        {
            if (_addresses.GetValueOrDefault(client.Bucket) >= ofAddress)
            {
                throw new AttemptsContendedException();
            }

            if (FullFor(name) is { } full)
            {
                displaced = full.GivingWayTo(client.Network) ?? throw new AttemptsContendedException();
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
            if (attempt.IsOpen)
            {
                Remove(attempt);
            }
        }
    }

    /// <summary>What has no place for another attempt on a name; one that gives way on the name gives way in all.</summary>
    private OpenByNetwork? FullFor(string? name) =>
        name is not null && _names.TryGetValue(name, out var onName) && onName.Count >= OnName ? onName
        : _all.Count >= InAll ? _all
        : null;

    private void Add(OpenAttempt attempt)
    {
        attempt.IsOpen = true;
        _all.Add(attempt);
        _addresses[attempt.Client.Bucket] = _addresses.GetValueOrDefault(attempt.Client.Bucket) + 1;
        if (attempt.Name is { } name)
        {
            if (!_names.TryGetValue(name, out var onName))
            {
                _names.Add(name, onName = new OpenByNetwork());
            }

            onName.Add(attempt);
        }
    }

    private void Remove(OpenAttempt attempt)
    {
        attempt.IsOpen = false;
        _all.Remove(attempt);
        if (--_addresses[attempt.Client.Bucket] == 0)
        {
            _addresses.Remove(attempt.Client.Bucket);
        }

        if (attempt.Name is { } name && _names[name] is var onName)
        {
            onName.Remove(attempt);
            if (onName.Count == 0)
            {
                _names.Remove(name);
            }
        }
    }
}

/// <summary>Open attempts: all, or those on one name.</summary>
internal sealed class OpenByNetwork
{
    private readonly Dictionary<string, List<OpenAttempt>> _networks = new(StringComparer.Ordinal);

    public int Count { get; private set; }

    public int Networks => _networks.Count;

    public void Add(OpenAttempt attempt)
    {
        if (!_networks.TryGetValue(attempt.Client.Network, out var network))
        {
            _networks.Add(attempt.Client.Network, network = []);
        }

        network.Add(attempt);
        Count++;
    }

    public void Remove(OpenAttempt attempt)
    {
        var network = _networks[attempt.Client.Network];
        network.Remove(attempt);
        Count--;
        if (network.Count == 0)
        {
            _networks.Remove(attempt.Client.Network);
        }
    }

    /// <summary>
    /// The last of the network with the most that still waits; null where none does, or where the newcomer's would have as many then.
    /// </summary>
    public OpenAttempt? GivingWayTo(string newcomer)
    {
        var most = _networks.Values.MaxBy(attempts => attempts.Count)!;
        var own = _networks.TryGetValue(newcomer, out var others) ? others.Count : 0;
        return own + 1 < most.Count ? most.FindLast(attempt => !attempt.HasBegun) : null;
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

    /// <summary>It has its place still; <see cref="OpenAttempts"/> locks.</summary>
    internal bool IsOpen { get; set; }

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
