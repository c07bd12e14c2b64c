// Threads that share the lanes of a hash.

namespace FetchApiKey.Argon2;

/// <summary>
/// A fixed number of threads that share the lanes of a hash: the calling thread and dedicated ones of lowered priority. A
/// slice is finished when all of them are. Hashes that use them at once take turns, a slice each.
/// </summary>
public sealed class LaneWorkers : IDisposable
{
    private readonly Lock _turn = new();
    private readonly Thread[] _threads;
    private readonly Barrier _slice;
    private Argon2Derivation.Filling _filling;
    private int _passNumber;
    private int _sliceNumber;
    private volatile bool _isDisposed;

    /// <summary>Starts the threads.</summary>
    /// <param name="threads">With the calling thread; 2 and more. More than a hash has lanes are of no use to it.</param>
    public LaneWorkers(int threads)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 2);
        _slice = new Barrier(threads);
        _threads = new Thread[threads - 1];
        for (var i = 0; i < _threads.Length; i++)
        {
            var share = i + 1;
            _threads[i] = new Thread(() =>
            {
                HashingThreadPriority.Lower();
                Work(share);
            })
            {
                IsBackground = true,
                Name = "argon2-lanes",
            };
            _threads[i].Start();
        }
    }

    /// <summary>With the calling thread.</summary>
    public int Threads => _threads.Length + 1;

    /// <summary>Ends the threads. No hash may use them meanwhile.</summary>
    public void Dispose()
    {
        lock (_turn)
        {
            if (_isDisposed)
            {
                return;
            }

            _isDisposed = true;
            _slice.SignalAndWait();
        }

        foreach (var thread in _threads)
        {
            thread.Join();
        }

        _slice.Dispose();
    }

    /// <summary>Fills a slice of every lane and returns when all of it is filled.</summary>
    /// <exception cref="ObjectDisposedException">The threads were ended.</exception>
    internal void Fill(in Argon2Derivation.Filling filling, int pass, int slice)
    {
        lock (_turn)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            (_filling, _passNumber, _sliceNumber) = (filling, pass, slice);
            _slice.SignalAndWait();
            FillShare(0);
            _slice.SignalAndWait();
        }
    }

    private void Work(int share)
    {
        while (true)
        {
            _slice.SignalAndWait();
            if (_isDisposed)
            {
                return;
            }

            FillShare(share);
            _slice.SignalAndWait();
        }
    }

    private void FillShare(int share)
    {
        var lanes = _filling.Lanes;
        _filling.FillLanes(_passNumber, _sliceNumber, lanes * share / Threads, lanes * (share + 1) / Threads);
    }
}
