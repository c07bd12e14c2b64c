// Whose attempt is next, and what is left of those that give up.

using FetchApiKey.Attempts;

namespace FetchApiKeyFunction.Tests.Attempts;

public sealed class WorkTurnsTests
{
    private const int AtOnce = 32;

    private readonly WorkTurns _turns = new(AtOnce);

    [Fact]
    public async Task As_many_as_may_work_at_once_do_not_wait_and_the_next_one_does()
    {
        var taken = await TakeAllAsync();
        var next = TakeAsync("a", "network");

        Assert.False(next.IsCompleted);
        taken[0].Begin();
        await next;
        Assert.Equal(0, _turns.Waiting);
    }

    [Fact]
    public async Task A_turn_is_given_back_once_however_it_ends()
    {
        var taken = await TakeAllAsync();
        taken[0].Begin();
        taken[0].Begin();
        taken[0].Dispose();
        taken[1].Dispose();
        taken[1].Begin();
        taken[1].Dispose();

        await TakeAsync("a", "x");
        await TakeAsync("b", "x");
        Assert.False(TakeAsync("c", "x").IsCompleted);
    }

    [Fact]
    public async Task A_network_with_many_that_wait_has_every_other_turn()
    {
        var taken = await TakeAllAsync();
        var order = new List<string>();
        var flood = Enumerable.Range(0, 50).Select(i => WaitAsync(order, $"flood{i}", "flood")).ToList();
        var other = WaitAsync(order, "other", "calm");

        taken[0].Begin();
        await flood[0];
        taken[1].Begin();
        await other;
        taken[2].Begin();
        await flood[1];

        Assert.Equal(["flood0", "other", "flood1"], order);
    }

    [Fact]
    public async Task One_that_gives_up_has_no_turn_and_takes_none()
    {
        var taken = await TakeAllAsync();
        var name = new AttemptTurns(() => 1);
        using var abandoned = new CancellationTokenSource();
        var gone = _turns.TakeAsync(Client("a", "x"), name, abandoned.Token);
        var next = _turns.TakeAsync(Client("b", "y"), name, CancellationToken.None);

        await abandoned.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => gone);
        Assert.Equal(1, _turns.Waiting);
        taken[0].Dispose();
        await next;
    }

    [Fact]
    public async Task One_that_had_gone_before_takes_no_turn()
    {
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => _turns.TakeAsync(Client("a", "x"), null, new CancellationToken(canceled: true)));

        await TakeAllAsync();
    }

    // ---- Turns of a name ----

    [Fact]
    public async Task A_name_has_as_many_turns_as_it_has_room_until_their_verdicts_are_committed()
    {
        var name = new AttemptTurns(() => 2);
        var (one, two) = (await TakeAsync("a", "x", name), await TakeAsync("b", "y", name));
        var third = TakeAsync("c", "z", name);

        one.Begin();
        two.Begin();
        Assert.False(third.IsCompleted);
        one.Dispose();
        await third;
    }

    [Fact]
    public async Task A_network_gets_another_turn_of_a_name_only_while_more_are_free_than_it_has_waiting()
    {
        var name = new AttemptTurns(() => 5);
        var flood = Enumerable.Range(0, 10).Select(i => TakeAsync($"{i}", "flood", name)).ToList();
        Assert.Equal(3, flood.Count(each => each.IsCompleted));

        await TakeAsync("a", "elsewhere", name);
        await TakeAsync("b", "another", name);
        var late = TakeAsync("c", "late", name);
        Assert.False(late.IsCompleted);

        var begun = await flood[0];
        begun.Begin();
        Assert.False(late.IsCompleted);
        begun.Dispose();
        await late;
        Assert.Equal(3, flood.Count(each => each.IsCompleted));
    }

    [Fact]
    public async Task Those_who_wait_for_a_name_take_no_turn_from_other_names_and_lose_none()
    {
        var name = new AttemptTurns(() => 1);
        var held = await TakeAsync("a", "x", name);
        var waiting = Enumerable.Range(0, 100).Select(i => TakeAsync($"{i}", $"{i % 50}", name)).ToList();

        for (var other = 0; other < AtOnce - 1; other++)
        {
            await TakeAsync($"{other}", "x", new AttemptTurns(() => 1));
        }

        Assert.All(waiting, each => Assert.False(each.IsCompleted));
        held.Dispose();
        await waiting[0];
        _ = Assert.Single(waiting, each => each.IsCompleted);
    }

    [Fact]
    public async Task What_is_learnt_of_a_name_gives_turns_to_those_who_wait()
    {
        var room = 1;
        var name = new AttemptTurns(() => Volatile.Read(ref room));
        await TakeAsync("a", "x", name);
        var next = TakeAsync("b", "y", name);
        Assert.False(next.IsCompleted);

        Volatile.Write(ref room, 5);
        _turns.LookAgain();

        await next;
    }

    // ---- All of it ----

    [Fact]
    public async Task However_they_come_and_go_no_name_has_more_turns_than_room_and_no_turn_is_lost()
    {
        const int room = 3;
        var names = Enumerable.Range(0, 20).Select(_ => new AttemptTurns(() => room)).ToList();
        var inFlight = new int[names.Count];
        await Task.WhenAll(Enumerable.Range(0, 2000).Select(i => Task.Run(async () =>
        {
            using var impatient = new CancellationTokenSource(TimeSpan.FromMilliseconds(i % 7));
            var name = i * i % 31 % names.Count;
            try
            {
                using var turn = await _turns.TakeAsync(
                    Client($"{i % 40}", $"{i % 5}"), i % 4 == 0 ? null : names[name],
                    i % 3 == 0 ? impatient.Token : CancellationToken.None);
                if (i % 4 != 0)
                {
                    Assert.InRange(Interlocked.Increment(ref inFlight[name]), 1, room);
                }

                await Task.Yield();
                if (i % 2 == 0)
                {
                    turn.Begin();
                    await Task.Yield();
                }

                if (i % 4 != 0)
                {
                    Interlocked.Decrement(ref inFlight[name]);
                }
            }
            catch (OperationCanceledException)
            {
                // It gave up.
            }
        })));

        Assert.Equal(0, _turns.Waiting);
        foreach (var name in names)
        {
            var taken = new List<WorkTurn>();
            for (var i = 0; i < room; i++)
            {
                taken.Add(await TakeAsync("a", $"{i}", name));
            }

            taken.ForEach(turn => turn.Dispose());
        }

        await TakeAllAsync();
        Assert.False(TakeAsync("a", "x").IsCompleted);
    }

    private static ClientAddress Client(string address, string network) => new(address, IsShared: false, network);

    private Task<WorkTurn> TakeAsync(string address, string network, AttemptTurns? name = null) =>
        _turns.TakeAsync(Client(address, network), name, CancellationToken.None);

    private async Task<List<WorkTurn>> TakeAllAsync()
    {
        var all = new List<WorkTurn>();
        for (var i = 0; i < AtOnce; i++)
        {
            var taken = TakeAsync("early", "early");
            Assert.True(taken.IsCompletedSuccessfully);
            all.Add(await taken);
        }

        return all;
    }

    private async Task WaitAsync(List<string> order, string address, string network)
    {
        await TakeAsync(address, network);
        order.Add(address);
    }
}
