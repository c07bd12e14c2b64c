// Whose hash is next: networks take turns, and within a network its addresses.

using FetchApiKey.Argon2;
using FetchApiKey.Attempts;

namespace FetchApiKey.Passwords;

/// <summary>A hash that waits or runs.</summary>
internal sealed class HashingJob(Func<HashingWorkspace, bool> work, ClientAddress client, bool needsAllSlots, long queued)
{
    public Func<HashingWorkspace, bool> Work => work;

    public ClientAddress Client => client;

    /// <summary>It needs more memory than a slot has.</summary>
    public bool NeedsAllSlots => needsAllSlots;

    /// <summary>When it came, as a timestamp.</summary>
    public long Queued => queued;

    public TimeSpan Waited { get; set; }

    public TimeSpan Took { get; set; }

    public TaskCompletionSource<bool> Result { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public bool IsWaiting { get; set; }
}

/// <summary>
/// Turns go by network first (<see cref="ClientAddress.Network"/>), so that a flood from many addresses of one network has one turn, and then by
/// address; of one address the first come is first served. Not safe for several threads: its owner locks.
/// </summary>
internal sealed class HashingQueue
{
    private readonly Turns<Turns<LinkedList<HashingJob>>> _networks = new();

    /// <summary>Jobs that wait.</summary>
    public int Count { get; private set; }

    /// <summary>The job whose turn it is; null where none waits.</summary>
    public HashingJob? Next => _networks.First?.First?.First?.Value;

    public void Add(HashingJob job)
    {
        _networks.For(job.Client.Network).For(job.Client.Bucket).AddLast(job);
        job.IsWaiting = true;
        Count++;
    }

    /// <summary>Takes the next job out; its network and its address go to the end of their queues.</summary>
    public void TakeNext()
    {
        var job = Next!;
        Remove(job);
        _networks.Rotate(job.Client.Network);
        _networks.Find(job.Client.Network)?.Rotate(job.Client.Bucket);
    }

    public void Remove(HashingJob job)
    {
        var network = _networks.For(job.Client.Network);
        var own = network.For(job.Client.Bucket);
        own.Remove(job);
        job.IsWaiting = false;
        Count--;
        if (own.Count == 0)
        {
            network.Drop(job.Client.Bucket);
        }

        if (network.Count == 0)
        {
            _networks.Drop(job.Client.Network);
        }
    }

    /// <summary>
    /// Makes room for a client of a network with fewer jobs than the network with most: the last job of the busiest address there. Null where the
    /// newcomer's network is that one, or would be.
    /// </summary>
    public HashingJob? Displace(ClientAddress newcomer)
    {
        var busiest = _networks.MaxBy(JobsOf)!;
        var own = _networks.Find(newcomer.Network) is { } network ? JobsOf(network) : 0;
        if (own + 1 >= JobsOf(busiest))
        {
            return null;
        }

        var last = busiest.MaxBy(jobs => jobs.Count)!.Last!.Value;
        Remove(last);
        return last;
    }

    private static int JobsOf(Turns<LinkedList<HashingJob>> network) => network.Sum(jobs => jobs.Count);

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
