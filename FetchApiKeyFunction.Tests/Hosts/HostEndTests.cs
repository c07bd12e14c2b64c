// How the endpoint's process ends under every host: killed, and told to.

using System.Text.RegularExpressions;

namespace FetchApiKeyFunction.Tests.Hosts;

[Collection(EveryHostDefinition.Name)]
public sealed partial class HostEndTests(EveryHost hosts)
{
    private static readonly TimeSpan Restart = TimeSpan.FromSeconds(30);

    /// <summary>What is in flight has no answer; what was judged before still counts, and nothing counts twice.</summary>
    [Theory]
    [MemberData(nameof(EveryHost.Kinds), MemberType = typeof(EveryHost))]
    public async Task A_killed_process_is_restarted_and_no_wrong_guess_is_lost_or_doubled(HostKind kind)
    {
        const int limit = 5;
        const int inFlight = 3;
        var (name, cutOff) = ($"killed-{kind}@zulip.com", $"in-flight-{kind}@zulip.com");
        var (proxy, connection) = await FaultProxy.StartAsync();
        await using var _ = proxy;
        var settings = EveryHost.Settings(connection, hosts.Organisation.TablePrefix, ("AttemptLimit__perAccount", $"{limit}"));
        await using var host = await EveryHost.CreateAsync(kind, settings);
        await host.StartAsync();
        await host.WaitUntilReadyAsync();
        Assert.Equal([401, 401, 401], await StatusesAsync(host, name, 3));

        var unanswered = await HangAsync(proxy, host, cutOff, inFlight);
        host.Process.Current.Kill();
        Assert.All(await Task.WhenAll(unanswered), answer => Assert.True(answer is null or { Status: 500, Body: "" }, answer?.ToString()));
        proxy.Fault = StorageFault.None;
        await host.UntilLoggedInAsync(Restart);

        Assert.Equal(2, host.Process.Starts);
        Assert.Equal([401, 401, 429], await StatusesAsync(host, name, 3));
        var blocked = await host.LogInAsync(name);
        Assert.Equal((429, TestServer.Golden("E16")), (blocked.Status, Seconds().Replace(blocked.Body, "RETRY_AFTER")));
        Assert.Contains("Retry-After: *\n", blocked.Headers, StringComparison.Ordinal);
        Assert.EndsWith(
            $"\nX-RateLimit-Limit: {limit}\nX-RateLimit-Remaining: 0\nX-RateLimit-Reset: *", blocked.Headers, StringComparison.Ordinal);
        Assert.All(await StatusesAsync(host, cutOff, limit - inFlight), status => Assert.Equal(401, status));
    }

    /// <summary>The Functions host restarts what ends with another code than 0, so a signal that it did not send gives one.</summary>
    [Theory]
    [InlineData(HostKind.Worker, 143)]
    [InlineData(HostKind.CustomHandler, ExitCode.Refused)]
    [InlineData(HostKind.Serve, ExitCode.Done)]
    public async Task Its_exit_code_after_SIGTERM_suits_its_host(HostKind kind, int code)
    {
        await using var host = await hosts.StartAsync(kind);
        host.Process.ExpectEnd();

        host.Process.Current.Terminate();

        Assert.Equal(code, await host.Process.Current.ExitCodeAsync());
        // The low cost of the tests gives a warning.
        var errors = host.Process.Current.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.DoesNotContain(errors, line => !line.StartsWith("warn: ", StringComparison.Ordinal));
    }

    /// <summary>Sends wrong guesses that wait for the row of an account, until all of them do.</summary>
    private static async Task<List<Task<HostAnswer?>>> HangAsync(FaultProxy proxy, IEndpointHost host, string name, int count)
    {
        var hanging = 0;
        proxy.Meets = request =>
            request.Path.Value!.Contains("accounts", StringComparison.Ordinal) && Interlocked.Increment(ref hanging) > 0;
        proxy.Fault = StorageFault.Delay;
        var unanswered = Enumerable.Range(0, count).Select(_ => host.TryLogInAsync(name, "wrong")).ToList();
        using var patience = new CancellationTokenSource(Restart);
        while (Volatile.Read(ref hanging) < count)
        {
            await Task.Delay(5, patience.Token);
        }

        return unanswered;
    }

    private static async Task<List<int>> StatusesAsync(IEndpointHost host, string name, int count)
    {
        var statuses = new List<int>();
        for (var guess = 0; guess < count; guess++)
        {
            statuses.Add((await host.LogInAsync(name, "wrong")).Status);
        }

        return statuses;
    }

    [GeneratedRegex("""(?<="retry-after":)\d+(\.\d+)?(?=})""")]
    private static partial Regex Seconds();
}
