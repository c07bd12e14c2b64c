// Whose hash is next, and whose gives way.

using FetchApiKey.Attempts;
using FetchApiKey.Passwords;

namespace FetchApiKeyFunction.Tests.Attempts;

public sealed class ClientQueueTests
{
    private readonly ClientQueue<HashingJob> _queue = new();
    private readonly Dictionary<HashingJob, string> _names = [];

    [Fact]
    public void Networks_take_turns_however_many_addresses_one_of_them_has()
    {
        for (var i = 0; i < 300; i++)
        {
            Add($"flood{i}", "flood");
        }

        Add("one", "other");
        Add("two", "other");
        Add("three", "another");

        Assert.Equal(["flood0", "one", "three", "flood1", "two", "flood2", "flood3"], Take(7));
    }

    [Fact]
    public void Within_a_network_its_addresses_take_turns()
    {
        foreach (var address in new[] { "a", "a", "a", "b", "b", "c" })
        {
            Add(address, "network");
        }

        Assert.Equal(["a", "b", "c", "a", "b", "a"], Take(6));
        Assert.Null(_queue.Next);
        Assert.Equal(0, _queue.Count);
    }

    [Fact]
    public void Of_one_address_the_first_to_come_is_the_first_to_be_served()
    {
        var jobs = Enumerable.Range(0, 5).Select(_ => Add("a", "network")).ToList();

        foreach (var job in jobs)
        {
            Assert.Same(job, _queue.Next);
            Assert.Same(job, _queue.TakeNext());
            Assert.False(_queue.Remove(job));
        }
    }

    [Fact]
    public void One_that_is_withdrawn_costs_nobody_a_turn()
    {
        var gone = Add("a", "x");
        Add("b", "x");
        var alone = Add("c", "y");
        Add("d", "z");

        _queue.Remove(gone);
        _queue.Remove(alone);

        Assert.False(_queue.Remove(gone));
        Assert.Equal(["b", "d"], Take(2));
    }

    [Fact]
    public void One_that_is_not_ready_is_passed_over_and_keeps_its_place()
    {
        var notReady = Add("a", "x");
        Add("b", "x");
        Add("c", "y");

        Assert.Equal("b", _names[_queue.TakeFirst(job => job != notReady)!]);
        Assert.Equal("c", _names[_queue.TakeFirst(job => job != notReady)!]);
        Assert.Null(_queue.TakeFirst(job => job != notReady));
        Assert.Same(notReady, _queue.TakeFirst(_ => true));
    }

    [Fact]
    public void A_newcomer_displaces_the_last_of_the_busiest_address_of_the_busiest_network()
    {
        Add("quiet", "busy");
        var early = Add("loud", "busy");
        var last = Add("loud", "busy");
        Add("quiet too", "busy");
        Add("elsewhere", "calm");

        var displaced = _queue.Displace(Client("newcomer", "new"));

        Assert.Same(last, displaced);
        Assert.Equal(4, _queue.Count);
        Assert.False(_queue.Remove(last));
        Assert.Contains(early, All());
    }

    [Fact]
    public void A_network_is_as_busy_as_all_its_addresses_together()
    {
        Add("1", "many");
        Add("2", "many");
        Add("3", "many");
        Add("4", "one address");
        Add("4", "one address");

        Assert.Contains(_queue.Displace(Client("newcomer", "new")), _names.Keys.Where(job => job.Client.Network == "many"));
        Assert.Equal(4, _queue.Count);
        // Of the newcomer's own network, too.
        Assert.Null(_queue.Displace(Client("5", "one address")));
    }

    [Theory]
    [InlineData("busy")]
    [InlineData("nearly")]
    public void A_network_that_is_the_busiest_or_would_be_displaces_nobody(string network)
    {
        foreach (var address in new[] { "1", "2", "3" })
        {
            Add(address, "busy");
        }

        Add("4", "nearly");
        Add("5", "nearly");

        Assert.Null(_queue.Displace(Client("newcomer", network)));
        Assert.Equal(5, _queue.Count);
    }

    private static ClientAddress Client(string address, string network) => new(address, IsShared: false, network);

    private HashingJob Add(string address, string network)
    {
        var job = new HashingJob(_ => true, Client(address, network), needsAllSlots: false, queued: 0);
        _names.Add(job, address);
        _queue.Add(job);
        return job;
    }

    private List<string> Take(int count)
    {
        var taken = new List<string>();
        for (var i = 0; i < count; i++)
        {
            taken.Add(_names[_queue.TakeNext()]);
        }

        return taken;
    }

    private List<HashingJob> All()
    {
        var all = new List<HashingJob>();
        while (_queue.Next is not null)
        {
            all.Add(_queue.TakeNext());
        }

        return all;
    }
}
