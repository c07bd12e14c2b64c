// The buckets that this instance knows something of.

using System.Collections.Concurrent;

namespace FetchApiKey.Attempts;

/// <summary>A bucket is kept while a request holds it, and some time after, as far as there is room.</summary>
internal sealed class AttemptBuckets(AttemptTable table, TimeProvider time)
{
    /// <summary>Buckets that nobody holds, at the most.</summary>
    private const int MaxIdle = 10_000;

    private static readonly TimeSpan IdleLifetime = TimeSpan.FromMinutes(1);

    private readonly ConcurrentDictionary<string, AttemptBucket> _buckets = new(StringComparer.Ordinal);
    private readonly ConcurrentQueue<(string Key, long Since)> _idle = new();

    public AttemptBucket Enter(string key, AttemptPolicy policy)
    {
        Prune();
        while (true)
        {
            var bucket = _buckets.GetOrAdd(key, static (key, made) => new AttemptBucket(key, made.policy, made.table, made.time), (policy, table, time));
            lock (bucket)
            {
                if (!bucket.IsGone)
                {
                    bucket.Users++;
                    return bucket;
                }
            }
        }
    }

    public void Exit(AttemptBucket bucket)
    {
        lock (bucket)
        {
            bucket.LastUsed = time.GetTimestamp();
            if (--bucket.Users == 0)
            {
                _idle.Enqueue((bucket.Key, bucket.LastUsed));
            }
        }
    }

    /// <summary>What is known of a bucket is out of date.</summary>
    public void Forget(string key)
    {
        if (_buckets.TryGetValue(key, out var bucket))
        {
            bucket.Forget();
        }
    }

    private void Prune()
    {
        while (_idle.TryPeek(out var oldest) && (_idle.Count > MaxIdle || time.GetElapsedTime(oldest.Since) >= IdleLifetime))
        {
            if (!_idle.TryDequeue(out var idle) || !_buckets.TryGetValue(idle.Key, out var bucket))
            {
                continue;
            }

            lock (bucket)
            {
                // Used again since: then it stands further back in the queue, or is held.
                if (bucket.Users == 0 && bucket.LastUsed == idle.Since)
                {
                    bucket.IsGone = true;
                    _buckets.TryRemove(idle.Key, out _);
                    bucket.Dispose();
                }
            }
        }
    }
}
