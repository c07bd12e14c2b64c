// How many attempts may be open at once, and who gives way.

using System.Security.Cryptography;
using FetchApiKey.Attempts;

namespace FetchApiKeyFunction.Tests.Attempts;

public sealed class OpenAttemptsTests
{
    private readonly OpenAttempts _all = new();
    private int _names;

    [Fact]
    public void One_address_has_its_cap_and_others_have_theirs()
    {
        var open = Open(OpenAttempts.OfAddress, _ => Client("a", "x"));

        Assert.Throws<AttemptsContendedException>(() => Open(Client("a", "x")));
        Open(Client("b", "x"));
        open[0].Dispose();
        Open(Client("a", "x"));
        Assert.Equal(OpenAttempts.OfAddress + 1, _all.Count);
    }

    [Fact]
    public void One_name_has_its_cap_wherever_its_attempts_come_from()
    {
        var open = Open(OpenAttempts.OnName, i => Client($"{i}", $"{i}"), _ => "name");

        Assert.Throws<AttemptsContendedException>(() => Open(Client("another", "another"), "name"));
        Open(Client("another", "another"), "another name");
        open[^1].Dispose();
        Open(Client("another", "another"), "name");
    }

    [Fact]
    public void A_cap_that_is_reached_changes_nothing()
    {
        Open(OpenAttempts.OnName, i => Client($"{i}", $"{i}"), _ => "name");
        var before = (_all.Count, _all.Keys);

        Assert.Throws<AttemptsContendedException>(() => Open(Client("new", "new"), "name"));

        Assert.Equal(before, (_all.Count, _all.Keys));
    }

    [Fact]
    public void On_a_name_the_last_of_the_busiest_network_that_waits_gives_way()
    {
        var others = Open(4, i => Client($"other{i}", $"other{i}"), _ => "name");
        var flood = Open(OpenAttempts.OnName - 4, i => Client($"flood{i}", "flood"), _ => "name");
        flood[^1].HasBegun = true;
        var elsewhere = Open(40, i => Client($"flood{i}", "flood"));

        Assert.Throws<AttemptsContendedException>(() => Open(Client("one more", "flood"), "name"));
        var newcomer = Open(Client("new", "new"), "name");

        Assert.Equal(
            [flood[^2]],
            others.Concat(flood).Concat(elsewhere).Append(newcomer).Where(attempt => attempt.Displaced.IsCancellationRequested));
        Assert.Equal(OpenAttempts.OnName + elsewhere.Count, _all.Count);
    }

    [Fact]
    public void An_address_that_all_clients_share_has_a_higher_cap_and_leaves_room_for_others()
    {
        var shared = new ClientAddress("10.0.0.1", IsShared: true, "0a0000/24");
        Open(OpenAttempts.OfSharedAddress, _ => shared);

        Assert.Throws<AttemptsContendedException>(() => Open(shared));
        Open(Client("another", "another"));
    }

    [Fact]
    public void When_all_places_are_taken_the_last_of_the_busiest_network_that_waits_gives_way()
    {
        var few = Open(100, i => Client($"few{i}", "few"));
        var many = Open(OpenAttempts.InAll - 100, i => Client($"many{i}", "many"));
        many[^1].HasBegun = true;

        var newcomer = Open(Client("new", "new"));

        Assert.Equal(OpenAttempts.InAll, _all.Count);
        Assert.Equal([many[^2]], few.Concat(many).Append(newcomer).Where(attempt => attempt.Displaced.IsCancellationRequested));
        // It ends like any other, and its place is not given back twice.
        many[^2].Dispose();
        Assert.Equal(OpenAttempts.InAll, _all.Count);
    }

    [Fact]
    public void When_all_places_are_taken_a_newcomer_of_the_busiest_network_is_refused()
    {
        var many = Open(OpenAttempts.InAll - 1, i => Client($"many{i}", "many"));
        var one = Open(Client("one", "one"));

        Assert.Throws<AttemptsContendedException>(() => Open(Client("yet another", "many")));

        Assert.DoesNotContain(many.Append(one), attempt => attempt.Displaced.IsCancellationRequested);
    }

    [Fact]
    public void Work_that_has_begun_keeps_its_place()
    {
        Open(OpenAttempts.InAll, i => Client($"many{i}", "many")).ForEach(attempt => attempt.HasBegun = true);

        Assert.Throws<AttemptsContendedException>(() => Open(Client("new", "new")));
    }

    [Fact]
    public void Where_no_network_is_busier_than_the_newcomers_would_be_nobody_gives_way()
    {
        var open = Open(OpenAttempts.InAll, i => Client($"{i}", $"{i}"));

        Assert.Throws<AttemptsContendedException>(() => Open(Client("new", "new")));

        Assert.DoesNotContain(open, attempt => attempt.Displaced.IsCancellationRequested);
    }

    [Fact]
    public void Nothing_is_left_of_attempts_that_have_ended_however_they_came_and_went()
    {
        var open = new List<OpenAttempt>();
        for (var step = 0; step < 20_000; step++)
        {
            if (open.Count > 0 && RandomNumberGenerator.GetInt32(5) < 2)
            {
                var leaving = RandomNumberGenerator.GetInt32(open.Count);
                open[leaving].Dispose();
                open.RemoveAt(leaving);
                continue;
            }

            var network = RandomNumberGenerator.GetInt32(1, 20);
            try
            {
                open.Add(Open(Client($"{network}.{RandomNumberGenerator.GetInt32(network * 3)}", $"{network}"), $"name{RandomNumberGenerator.GetInt32(40)}"));
                open[^1].HasBegun = RandomNumberGenerator.GetInt32(3) == 0;
            }
            catch (AttemptsContendedException)
            {
                // One of the caps.
            }

            Assert.InRange(_all.Count, 0, OpenAttempts.InAll);
        }

        Assert.Equal(open.Count(attempt => !attempt.Displaced.IsCancellationRequested), _all.Count);
        open.ForEach(attempt => attempt.Dispose());
        Assert.Equal((0, 0), (_all.Count, _all.Keys));
    }

    private static ClientAddress Client(string address, string network) => new(address, IsShared: false, network);

    private OpenAttempt Open(ClientAddress client, string? name = null) =>
        _all.Open(client, name ?? $"name{_names++}", client.IsShared ? OpenAttempts.OfSharedAddress : OpenAttempts.OfAddress);

    private List<OpenAttempt> Open(int count, Func<int, ClientAddress> client, Func<int, string>? name = null) =>
        [.. Enumerable.Range(0, count).Select(i => Open(client(i), name?.Invoke(i)))];
}
