// The gate: who waits, who is turned away, who leaves, and what an expensive hash gets.

using FetchApiKey.Passwords;
using FetchApiKey.Argon2;
using Microsoft.Extensions.Logging.Abstractions;

namespace FetchApiKeyFunction.Tests.Passwords;

public sealed class HashingGateTests
{
    [Fact]
    public async Task No_more_run_at_once_than_there_are_slots_and_all_of_them_do()
    {
        using var gate = NewGate(slots: 3);
        var (running, most) = (0, 0);
        using var all = new CountdownEvent(3);

        var jobs = Enumerable.Range(0, 12).Select(_ => gate.RunAsync(TestServer.ClientOf("c"), 64, _ =>
        {
            var now = Interlocked.Increment(ref running);
            InterlockedMax(ref most, now);
            if (!all.IsSet)
            {
                all.Signal();
                all.Wait(TimeSpan.FromSeconds(30));
            }

            Thread.Yield();
            Interlocked.Decrement(ref running);
            return true;
        }, CancellationToken.None));

        Assert.All(await Task.WhenAll(jobs), Assert.True);
        Assert.Equal(3, most);
    }

    [Fact]
    public async Task They_are_served_in_the_order_in_which_they_came()
    {
        using var gate = NewGate(slots: 1);
        using var blocker = new Blocker(gate);
        var served = new List<int>();

        var jobs = Enumerable.Range(0, 20).Select(i => gate.RunAsync(TestServer.ClientOf("c"), 64, _ =>
        {
            served.Add(i);
            return true;
        }, CancellationToken.None)).ToList();
        blocker.Release();
        await Task.WhenAll(jobs);

        Assert.Equal(Enumerable.Range(0, 20), served);
    }

    [Fact]
    public async Task Clients_take_turns_however_many_hashes_one_of_them_has()
    {
        using var gate = NewGate(slots: 1);
        using var blocker = new Blocker(gate);
        var served = new List<string>();
        Task<bool> Serve(string client) => gate.RunAsync(TestServer.ClientOf(client), 64, _ =>
        {
            served.Add(client);
            return true;
        }, CancellationToken.None);

        var flood = Enumerable.Range(0, 50).Select(_ => Serve("flood")).ToList();
        var others = new[] { Serve("one"), Serve("two"), Serve("one") };
        blocker.Release();
        await Task.WhenAll([.. flood, .. others]);

        Assert.Equal(["flood", "one", "two", "flood", "one"], served.Take(5));
    }

    [Fact]
    public async Task A_flood_that_fills_the_queue_makes_room_for_others()
    {
        using var gate = NewGate(slots: 1, queueLength: 10);
        using var blocker = new Blocker(gate);
        Task<bool> Quick(string client) => gate.RunAsync(TestServer.ClientOf(client), 64, _ => true, CancellationToken.None);
        var flood = Enumerable.Range(0, 10).Select(_ => Quick("flood")).ToList();

        await Assert.ThrowsAsync<HashingGateFullException>(() => Quick("flood"));
        var other = Quick("other");
        await Assert.ThrowsAsync<HashingGateFullException>(() => flood[9]);

        blocker.Release();
        Assert.True(await other);
        Assert.All(await Task.WhenAll(flood.Take(9)), Assert.True);
    }

    [Fact]
    public async Task A_full_queue_turns_the_next_away_at_once()
    {
        using var gate = NewGate(slots: 1, queueLength: 2);
        using var blocker = new Blocker(gate);
        var waiting = new[] { QuickAsync(gate), QuickAsync(gate) };

        await Assert.ThrowsAsync<HashingGateFullException>(() => QuickAsync(gate));

        blocker.Release();
        Assert.All(await Task.WhenAll(waiting), Assert.True);
    }

    [Fact]
    public async Task Who_waits_too_long_is_turned_away_and_its_place_is_free()
    {
        using var gate = NewGate(slots: 1, queueLength: 1, maxWait: TimeSpan.FromMilliseconds(500));
        using var blocker = new Blocker(gate);

        await Assert.ThrowsAsync<HashingGateFullException>(() => QuickAsync(gate));
        await Assert.ThrowsAsync<HashingGateFullException>(() => QuickAsync(gate));

        blocker.Release();
        Assert.True(await QuickAsync(gate));
    }

    [Fact]
    public async Task A_request_that_is_given_up_leaves_the_queue_and_its_work_is_not_done()
    {
        using var gate = NewGate(slots: 1, queueLength: 1);
        using var blocker = new Blocker(gate);
        using var cancellation = new CancellationTokenSource();
        var wasDone = false;
        var job = gate.RunAsync(TestServer.ClientOf("c"), 64, _ => wasDone = true, cancellation.Token);

        await cancellation.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => job);
        var next = QuickAsync(gate);
        blocker.Release();

        Assert.True(await next);
        Assert.False(wasDone);
    }

    [Fact]
    public async Task Work_that_has_begun_is_seen_through()
    {
        using var gate = NewGate(slots: 1);
        using var begun = new ManualResetEventSlim();
        using var mayEnd = new ManualResetEventSlim();
        using var cancellation = new CancellationTokenSource();
        var job = gate.RunAsync(TestServer.ClientOf("c"), 64, _ =>
        {
            begun.Set();
            return mayEnd.Wait(TimeSpan.FromSeconds(30));
        }, cancellation.Token);

        begun.Wait();
        await cancellation.CancelAsync();
        Assert.False(job.IsCompleted);
        mayEnd.Set();

        Assert.True(await job);
    }

    [Fact]
    public async Task A_hash_that_needs_more_than_a_slot_has_the_memory_to_itself_and_none_overtakes_it()
    {
        using var gate = NewGate(slots: 2);
        using var blocker = new Blocker(gate);
        var (running, together) = (0, 0);
        var order = new List<string>();

        var dear = gate.RunAsync(TestServer.ClientOf("c"), 160, workspace =>
        {
            InterlockedMax(ref together, Interlocked.Increment(ref running));
            Touch(workspace, 160 * 1024);
            lock (order)
            {
                order.Add("dear");
            }

            Interlocked.Decrement(ref running);
            return true;
        }, CancellationToken.None);
        var after = Enumerable.Range(0, 6).Select(_ => gate.RunAsync(TestServer.ClientOf("c"), 64, workspace =>
        {
            Touch(workspace, 64 * 1024);
            lock (order)
            {
                order.Add("cheap");
            }

            return true;
        }, CancellationToken.None)).ToList();
        blocker.Release();
        await Task.WhenAll([dear, .. after]);

        Assert.Equal(1, together);
        Assert.Equal("dear", order[0]);
        Assert.True(gate.Fits(160));
        Assert.False(gate.Fits(161));
    }

    [Fact]
    public async Task A_fault_of_the_work_goes_to_who_asked_for_it_and_the_gate_lives_on()
    {
        using var gate = NewGate(slots: 1);

        await Assert.ThrowsAsync<InvalidOperationException>(() => gate.RunAsync(TestServer.ClientOf("c"), 0, _ => throw new InvalidOperationException(), CancellationToken.None));

        Assert.True(await QuickAsync(gate));
    }

    [Theory]
    [InlineData(1000, 0, 0, 0)]
    [InlineData(1000, 3500, 8, 3)]
    [InlineData(1000, 35_000, 8, 8)]
    [InlineData(1000, 999, 8, 0)]
    public void Slots_are_as_many_as_memory_and_setting_allow(long slotBytes, long memoryBytes, int slots, int expected)
    {
        var limits = new GateLimits { MemoryBytes = memoryBytes, Slots = slots };

        Assert.Equal(memoryBytes == 0 ? Environment.ProcessorCount : expected, HashingGate.SlotsFor(slotBytes, limits));
    }

    [Fact]
    public async Task Konscious_hashes_in_place_of_the_engine_when_the_setting_says_so()
    {
        using var konscious = new PasswordHasher(TestServer.Hashing with { UseKonscious = true }, TimeProvider.System, NullLogger<PasswordHasher>.Instance);
        using var engine = new PasswordHasher(TestServer.Hashing, TimeProvider.System, NullLogger<PasswordHasher>.Instance);
        using var password = TypedPassword.FromText("abcd1234");

        var hash = await konscious.HashAsync(TestServer.ClientOf("c"), password, CancellationToken.None);

        Assert.Equal((PasswordVerdict.Right, null), await engine.VerifyAsync(TestServer.ClientOf("c"), hash, password, () => { }, CancellationToken.None));
        Assert.Equal((PasswordVerdict.Right, null), await konscious.VerifyAsync(TestServer.ClientOf("c"), await engine.HashAsync(TestServer.ClientOf("c"), password, CancellationToken.None), password, () => { }, CancellationToken.None));
        var (verdict, refused) = await konscious.VerifyAsync(TestServer.ClientOf("c"), "$argon2id$v=16$m=64,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA", password, () => { }, CancellationToken.None);
        Assert.Equal((PasswordVerdict.Wrong, "Konscious does not compute this version of Argon2"), (verdict, refused));
    }

    [Fact]
    public async Task Costs_that_are_also_in_use_are_verified_and_paid_for_by_every_login()
    {
        var settings = TestServer.Hashing with { AlsoInUse = [new Argon2Cost(128, 2, 2), new Pbkdf2Cost(1000)] };
        using var hasher = new PasswordHasher(settings, TimeProvider.System, NullLogger<PasswordHasher>.Instance);
        using var other = new PasswordHasher(TestServer.Hashing with { Cost = new Argon2Cost(128, 2, 2) }, TimeProvider.System, NullLogger<PasswordHasher>.Instance);
        using var password = TypedPassword.FromText("pässwörd");
        using var wrong = TypedPassword.FromText("wrong");
        string[] stored =
        [
            await hasher.HashAsync(TestServer.ClientOf("c"), password, CancellationToken.None), await other.HashAsync(TestServer.ClientOf("c"), password, CancellationToken.None),
            "pbkdf2_sha256$1000$seasalt$CzFI+UslA/kG6Ee3mx9EuXdtUGTgSIJvT+8nrZvi+4s=",
        ];

        foreach (var hash in stored)
        {
            Assert.NotEqual(PasswordVerdict.Wrong, (await hasher.VerifyAsync(TestServer.ClientOf("c"), hash, password, () => { }, CancellationToken.None)).Verdict);
            Assert.Equal(PasswordVerdict.Wrong, (await hasher.VerifyAsync(TestServer.ClientOf("c"), hash, wrong, () => { }, CancellationToken.None)).Verdict);
        }

        Assert.Equal(PasswordVerdict.Wrong, (await hasher.VerifyAsync(TestServer.ClientOf("c"), null, password, () => { }, CancellationToken.None)).Verdict);
    }

    [Fact]
    public async Task A_stored_hash_that_needs_more_than_all_the_memory_is_refused_like_a_wrong_password()
    {
        var settings = TestServer.Hashing with { Gate = new GateLimits { MemoryBytes = 128 * 1024, Slots = 2 } };
        using var hasher = new PasswordHasher(settings, TimeProvider.System, NullLogger<PasswordHasher>.Instance);
        using var password = TypedPassword.FromText("abcd1234");

        Assert.Equal(
            (PasswordVerdict.Wrong, "needs more memory than there is for hashing"),
            await hasher.VerifyAsync(TestServer.ClientOf("c"), Organisation.OldHash, password, () => { }, CancellationToken.None));
    }

    private static HashingGate NewGate(int slots, int queueLength = 100, TimeSpan? maxWait = null) => new(
        new BuiltInArgon2(Argon2Engine.BestPath), slotKib: 64, largestKib: 160,
        new GateLimits { MemoryBytes = 1 << 20, Slots = slots, QueueLength = queueLength, MaxWait = maxWait ?? TimeSpan.FromSeconds(60) },
        TimeProvider.System, NullLogger<PasswordHasher>.Instance);

    private static Task<bool> QuickAsync(HashingGate gate) => gate.RunAsync(TestServer.ClientOf("c"), 64, _ => true, CancellationToken.None);

    private static unsafe void Touch(HashingWorkspace workspace, int bytes) => new Span<byte>(workspace.Take(bytes), bytes).Fill(1);

    private static void InterlockedMax(ref int target, int value)
    {
        int seen;
        while ((seen = Volatile.Read(ref target)) < value && Interlocked.CompareExchange(ref target, value, seen) != seen)
        {
        }
    }

    /// <summary>Holds every slot until it is told to let go.</summary>
    private sealed class Blocker : IDisposable
    {
        private readonly ManualResetEventSlim _mayEnd = new();
        private readonly Task[] _jobs;

        public Blocker(HashingGate gate)
        {
            using var begun = new CountdownEvent(gate.Slots);
            _jobs = [.. Enumerable.Range(0, gate.Slots).Select(_ => gate.RunAsync(TestServer.ClientOf("c"), 0, _ =>
            {
                begun.Signal();
                return _mayEnd.Wait(TimeSpan.FromSeconds(60));
            }, CancellationToken.None))];
            Assert.True(begun.Wait(TimeSpan.FromSeconds(30)));
        }

        public void Release() => _mayEnd.Set();

        public void Dispose()
        {
            _mayEnd.Set();
            Task.WaitAll(_jobs);
            _mayEnd.Dispose();
        }
    }
}
