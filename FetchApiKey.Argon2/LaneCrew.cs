// Threads that share the lanes of one hash.

namespace FetchApiKey.Argon2;

/// <summary>
/// The threads that help one hash at a time: the caller and a fixed number of dedicated helpers, each with its share of
/// the lanes. A slice is finished when all are done with it.
/// </summary>
internal sealed class LaneCrew : IDisposable
{
    private readonly Thread[] _helpers;
    private readonly Barrier _slice;
    private Argon2Engine.Filling _filling;
    private int _passNumber;
    private int _sliceNumber;
    private volatile bool _isDisposed;

    /// <param name="threads">The caller among them; 2 and more.</param>
    public LaneCrew(int threads)
    {
        _slice = new Barrier(threads);
        _helpers = new Thread[threads - 1];
        for (var i = 0; i < _helpers.Length; i++)
        {
            var share = i + 1;
            _helpers[i] = new Thread(() =>
            {
                ThreadPriorities.LowerThis();
                Help(share);
            })
            {
                IsBackground = true,
                Name = "argon2-lanes",
            };
            _helpers[i].Start();
        }
    }

    public int Threads => _helpers.Length + 1;

    /// <summary>Fills a slice of every lane and returns when all of it is filled.</summary>
    public void Fill(in Argon2Engine.Filling filling, int pass, int slice)
    {
        (_filling, _passNumber, _sliceNumber) = (filling, pass, slice);
        _slice.SignalAndWait();
        FillShare(0);
        _slice.SignalAndWait();
    }

    public void Dispose()
    {
        _isDisposed = true;
        _slice.SignalAndWait();
        foreach (var helper in _helpers)
        {
            helper.Join();
        }

        _slice.Dispose();
    }

    private void Help(int share)
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
