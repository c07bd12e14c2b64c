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
        await TakeAllAsync();
        var next = _turns.TakeAsync(Client("a", "network"), CancellationToken.None);

        Assert.False(next.IsCompleted);
        _turns.Return();
        await next;
        Assert.Equal(0, _turns.Waiting);
    }

    [Fact]
    public async Task A_network_with_many_that_wait_has_every_other_turn()
    {
        await TakeAllAsync();
        var order = new List<string>();
        var flood = Enumerable.Range(0, 50).Select(i => WaitAsync(order, $"flood{i}", "flood")).ToList();
        var other = WaitAsync(order, "other", "calm");

        _turns.Return();
        await flood[0];
        _turns.Return();
        await other;
        _turns.Return();
        await flood[1];

        Assert.Equal(["flood0", "other", "flood1"], order);
    }

    [Fact]
    public async Task One_that_gives_up_has_no_turn_and_takes_none()
    {
        await TakeAllAsync();
        using var abandoned = new CancellationTokenSource();
        var gone = _turns.TakeAsync(Client("a", "x"), abandoned.Token);
        var next = _turns.TakeAsync(Client("b", "y"), CancellationToken.None);

        await abandoned.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => gone);
        Assert.Equal(1, _turns.Waiting);
        _turns.Return();
        await next;
    }

    [Fact]
    public async Task One_that_had_gone_before_takes_no_turn()
    {
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => _turns.TakeAsync(Client("a", "x"), new CancellationToken(canceled: true)));

        await TakeAllAsync();
    }

    [Fact]
    public async Task However_they_come_and_go_no_turn_is_lost()
    {
        await Task.WhenAll(Enumerable.Range(0, 400).Select(i => Task.Run(async () =>
        {
            using var impatient = new CancellationTokenSource(TimeSpan.FromMilliseconds(i % 7));
            try
            {
                await _turns.TakeAsync(Client($"{i % 40}", $"{i % 5}"), i % 3 == 0 ? impatient.Token : CancellationToken.None);
            }
            catch (OperationCanceledException)
            {
                return;
            }

            await Task.Yield();
            _turns.Return();
        })));

        Assert.Equal(0, _turns.Waiting);
        await TakeAllAsync();
        Assert.False(_turns.TakeAsync(Client("a", "x"), CancellationToken.None).IsCompleted);
    }

    private static ClientAddress Client(string address, string network) => new(address, IsShared: false, network);

    private async Task TakeAllAsync()
    {
        for (var i = 0; i < AtOnce; i++)
        {
            var taken = _turns.TakeAsync(Client("early", "early"), CancellationToken.None);
            Assert.True(taken.IsCompletedSuccessfully);
            await taken;
        }
    }

    private async Task WaitAsync(List<string> order, string address, string network)
    {
        await _turns.TakeAsync(Client(address, network), CancellationToken.None);
        order.Add(address);
    }
}
