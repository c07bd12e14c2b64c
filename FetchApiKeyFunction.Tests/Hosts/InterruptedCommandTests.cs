// Commands that a signal ends at work: they say how far they came, and running them again goes on.

using Microsoft.AspNetCore.Http;

namespace FetchApiKeyFunction.Tests.Hosts;

public sealed class InterruptedCommandTests : IAsyncLifetime
{
    private const int Count = 250;

    private readonly string _folder = Directory.CreateTempSubdirectory().FullName;
    private OperatorDesk _desk = null!;

    private string File1 => Path.Combine(_folder, "1");

    public async Task InitializeAsync()
    {
        _desk = await OperatorDesk.OpenAsync();
        var (key, hash) = (new string('k', 32), Organisation.OldHash);
        await File.WriteAllLinesAsync(File1, Enumerable.Range(1, Count).Select(i =>
            $$"""{"realm":"","email":"u{{i}}@b.com","user_id":{{i}},"api_key":"{{key}}","password":"{{hash}}"}"""));
    }

    public Task DisposeAsync()
    {
        Directory.Delete(_folder, recursive: true);
        return Task.CompletedTask;
    }

    [Fact]
    public Task An_import() =>
        ExpectAsync($"users import {File1}", "INT", ExitCode.Interrupted, 110, $"of {Count} accounts", _desk.Variables);

    [Fact]
    public async Task A_restore()
    {
        var backup = Path.Combine(_folder, "backup");
        await _desk.RunAsync($"users import {File1}");
        Assert.Equal(ExitCode.Done, (await _desk.RunAsync($"tables backup {backup}")).Code);
        var elsewhere = await SharedAzurite.NewStorageAsync();
        var empty = OperatorDesk.Environment(elsewhere.ConnectionString!, elsewhere.TablePrefix);
        await OperatorDesk.RunAsync("tables create", null, empty);

        await ExpectAsync(
            $"tables restore {backup}", "TERM", ExitCode.Terminated, 40, $"of {1 + (2 * Count)} rows", OperatorDesk.VariablesOf(empty));
    }

    [Fact]
    public async Task A_rotation()
    {
        await _desk.RunAsync($"users import {File1}");
        var more = _desk.With(("ApiKeys:keys:next", Convert.ToBase64String(new byte[32])), ("ApiKeys:writeWith", "next"));

        await ExpectAsync("keys rotate", "TERM", ExitCode.Terminated, 40, $"of {Count} accounts", OperatorDesk.VariablesOf(more));
    }

    [Theory]
    [InlineData("users import")]
    [InlineData("realms import")]
    [InlineData("tables restore")]
    public async Task One_that_waits_for_a_pipe_nobody_writes_into(string command)
    {
        var pipe = Path.Combine(_folder, "pipe");
        using (var make = ProcessRun.Start("mkfifo", [pipe]))
        {
            Assert.Equal(0, await make.ExitCodeAsync());
        }

        using var run = ProcessRun.Start("dotnet", [TestedProgram.Assembly, .. command.Split(' '), pipe], _desk.Variables);
        // Until it stands at the pipe, of which it prints nothing.
        await Task.Delay(TimeSpan.FromSeconds(3));
        Assert.False(run.HasExited);
        run.Terminate();

        Assert.Equal(ExitCode.Terminated, await run.ExitCodeAsync(TimeSpan.FromSeconds(30)));
        Assert.StartsWith("Interrupted.", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_backup_is_restored_from_a_pipe()
    {
        var backup = Path.Combine(_folder, "backup");
        await _desk.RunAsync($"tables backup {backup}");

        using var run = ProcessRun.Start(
            "bash", ["-c", $"cat {backup} | dotnet {TestedProgram.Assembly} tables restore /dev/stdin --json"], _desk.Variables);

        Assert.Equal((ExitCode.Done, ""), (await run.ExitCodeAsync(), run.Error));
        Assert.Contains("\"unchanged\":1", run.StandardOutput, StringComparison.Ordinal);
    }

    /// <param name="changes">After how many of them storage answers no more.</param>
    private static async Task ExpectAsync(
        string command, string signal, int code, int changes, string all, Dictionary<string, string> variables)
    {
        var (proxy, connection) = await FaultProxy.StartAsync();
        await using var _ = proxy;
        var isHanging = false;
        proxy.Meets = request => proxy.Changes >= changes && !HttpMethods.IsGet(request.Method) && (isHanging = true);
        proxy.Fault = StorageFault.Delay;
        using (var run = ProcessRun.Start(
            "env", ["--default-signal", "dotnet", TestedProgram.Assembly, .. command.Split(' ')],
            new Dictionary<string, string>(variables) { ["AccountStorage"] = connection }))
        {
            while (!isHanging)
            {
                Assert.False(run.HasExited, run.Output);
                await Task.Delay(20);
            }

            using var kill = ProcessRun.Start("kill", [$"-{signal}", $"{run.ProcessId}"]);
            Assert.True(await run.ExitCodeAsync(TimeSpan.FromSeconds(30)) == code, run.Output);
            Assert.Matches(
                $"\\AInterrupted after [1-9][0-9]* {all}\\. Run the same command again: it goes on with the others\\.\\n\\z", run.Error);
            Assert.Equal("", run.StandardOutput);
        }

        using var again = ProcessRun.Start("dotnet", [TestedProgram.Assembly, .. command.Split(' ')], variables);
        Assert.Equal((ExitCode.Done, ""), (await again.ExitCodeAsync(), again.Error));
    }
}
