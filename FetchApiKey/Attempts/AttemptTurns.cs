// The turns of one name in this instance.

namespace FetchApiKey.Attempts;

/// <summary>
/// As many attempts have a turn as the name has room for failures, so that no more are hashed or sent to a directory than may count.
/// One whose work has begun keeps its turn, since it will count. One whose work has not begun may wait behind all that its network has
/// sent, so one network must not have all turns: it gets another only while more are free than it has waiting. Of five, it gets three,
/// and two other networks still find one each. Not safe for several threads: <see cref="WorkTurns"/> locks.
/// </summary>
/// <param name="room">How many may have a turn, as far as is known now.</param>
internal sealed class AttemptTurns(Func<int> room)
{
    /// <summary>The networks of the turns whose work has not begun, each as often as it has one.</summary>
    private readonly List<string> _waiting = [];
    private int _taken;

    public bool IsFreeFor(string network) => _waiting.Count(other => other == network) < room() - _taken;

    public void Take(string network)
    {
        _taken++;
        _waiting.Add(network);
    }

    /// <summary>The work of a turn has begun; the turn stays taken.</summary>
    public void Begin(string network) => _waiting.Remove(network);

    /// <summary>Of a turn that has begun.</summary>
    public void Return() => _taken--;
}
