// Whose turn is next: networks take turns, and within a network its addresses.

namespace FetchApiKey.Attempts;

/// <summary>What waits for a turn.</summary>
internal interface IQueuedWork
{
    /// <summary>Whose work it is.</summary>
    ClientAddress Client { get; }
}

/// <summary>
/// Turns go by network first (<see cref="ClientAddress.Network"/>), so that a flood from many addresses of one network has one turn, and
/// then by address; of one address the first come is first served. Not safe for several threads: its owner locks.
/// </summary>
internal sealed class ClientQueue<TWork>
    where TWork : class, IQueuedWork
{
    private readonly Turns<Turns<LinkedList<TWork>>> _networks = new();

    /// <summary>Work that waits.</summary>
    public int Count { get; private set; }

    /// <summary>The work whose turn it is; null where none waits.</summary>
    public TWork? Next => _networks.First?.First?.First?.Value;

    public void Add(TWork work)
    {
        _networks.For(work.Client.Network).For(work.Client.Bucket).AddLast(work);
        Count++;
    }

    /// <summary>Takes the next out; its network and its address go to the end of their queues.</summary>
    public TWork TakeNext() => Take(Next!);

    /// <summary>Takes the first out that is ready; null where none is. Those before it keep their places.</summary>
    public TWork? TakeFirst(Func<TWork, bool> isReady) =>
        _networks.SelectMany(network => network).SelectMany(own => own).FirstOrDefault(isReady) is { } work ? Take(work) : null;

    /// <returns>False where it does not wait any more.</returns>
    public bool Remove(TWork work)
    {
        if (_networks.Find(work.Client.Network) is not { } network || network.Find(work.Client.Bucket) is not { } own || !own.Remove(work))
        {
            return false;
        }

        Count--;
        if (own.Count == 0)
        {
            network.Drop(work.Client.Bucket);
        }

        if (network.Count == 0)
        {
            _networks.Drop(work.Client.Network);
        }

        return true;
    }

    /// <summary>
    /// Makes room for a client of a network with less work here than the network with most: takes out the last of the busiest address
    /// there. Null where the newcomer's network is that one, or would be.
    /// </summary>
    public TWork? Displace(ClientAddress newcomer)
    {
        var busiest = _networks.MaxBy(WorkOf)!;
        var own = _networks.Find(newcomer.Network) is { } network ? WorkOf(network) : 0;
        if (own + 1 >= WorkOf(busiest))
        {
            return null;
        }

        var last = busiest.MaxBy(work => work.Count)!.Last!.Value;
        Remove(last);
        return last;
    }

    private TWork Take(TWork work)
    {
        Remove(work);
        _networks.Rotate(work.Client.Network);
        _networks.Find(work.Client.Network)?.Rotate(work.Client.Bucket);
        return work;
    }

    private static int WorkOf(Turns<LinkedList<TWork>> network) => network.Sum(work => work.Count);

    /// <summary>Queues by name, in the order of their turns.</summary>
    private sealed class Turns<TQueue> : System.Collections.IEnumerable, IEnumerable<TQueue>
        where TQueue : class, new()
    {
        private readonly LinkedList<(string Name, TQueue Queue)> _order = new();
        private readonly Dictionary<string, LinkedListNode<(string Name, TQueue Queue)>> _byName = new(StringComparer.Ordinal);

        public int Count => _order.Count;

        public TQueue? First => _order.First?.Value.Queue;

        public TQueue? Find(string name) => _byName.GetValueOrDefault(name)?.Value.Queue;

        public TQueue For(string name)
        {
            if (!_byName.TryGetValue(name, out var node))
            {
                _byName.Add(name, node = _order.AddLast((name, new TQueue())));
            }

            return node.Value.Queue;
        }

        public void Drop(string name)
        {
            if (_byName.Remove(name, out var node))
            {
                _order.Remove(node);
            }
        }

        public void Rotate(string name)
        {
            if (_byName.TryGetValue(name, out var node))
            {
                _order.Remove(node);
                _order.AddLast(node);
            }
        }

        public IEnumerator<TQueue> GetEnumerator() => _order.Select(turn => turn.Queue).GetEnumerator();

        System.Collections.IEnumerator System.Collections.IEnumerable.GetEnumerator() => GetEnumerator();
    }
}
