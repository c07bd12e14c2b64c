// Files with keys and hashes: whole or gone, and nobody else's to read.

using FetchApiKey.Cli;
using FetchApiKeyFunction.Tests.Hosts;

namespace FetchApiKeyFunction.Tests;

public sealed class SecretFileTests(ManyAccounts many) : IClassFixture<ManyAccounts>, IDisposable
{
    private const UnixFileMode OwnersAlone = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly string _folder = Directory.CreateTempSubdirectory().FullName;
    private readonly OperatorDesk _desk = many.Desk;

    private string File1 => Path.Combine(_folder, "secrets");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    // ---- Whole or gone ----

    [Theory]
    [InlineData("users export", "INT", ExitCode.Interrupted)]
    [InlineData("users export", "TERM", ExitCode.Terminated)]
    [InlineData("users export", "HUP", 129)]
    [InlineData("users export", "QUIT", 131)]
    [InlineData("users export", "KILL", 137)]
    [InlineData("users export", "USR1", 138)]
    [InlineData("users export", "ALRM", 142)]
    [InlineData("users export", "XCPU", 152)]
    [InlineData("users export", "VTALRM", 154)]
    [InlineData("tables backup", "INT", ExitCode.Interrupted)]
    [InlineData("tables backup", "KILL", 137)]
    public async Task A_signal_leaves_no_file(string command, string signal, int code)
    {
        var (proxy, connection) = await FaultProxy.StartAsync();
        await using var _ = proxy;
        var isAsked = false;
        // The last of what is asked for does not come: the accounts of the second realm, the rows of the last table.
        proxy.Meets = request =>
        {
            var isLast = command == "users export"
                ? request.Path.Value!.Contains("accounts()", StringComparison.Ordinal)
                    && request.QueryString.Value!.Contains("zzz", StringComparison.Ordinal)
                : request.Path.Value!.Contains("userids()", StringComparison.Ordinal);
            isAsked |= isLast;
            return isLast;
        };
        proxy.Fault = StorageFault.Delay;
        using var run = ProcessRun.Start(
            "env", ["--default-signal", "dotnet", TestedProgram.Assembly, .. command.Split(' '), File1], Variables(connection));
        await UntilAsync(() => isAsked, run);

        using var kill = ProcessRun.Start("kill", [$"-{signal}", $"{run.ProcessId}"]);

        Assert.Equal(code, await run.ExitCodeAsync());
        Assert.Empty(Directory.EnumerateFileSystemEntries(_folder));
        if (signal is "INT" or "TERM")
        {
            Assert.StartsWith($"{File1} was not written; nothing is left of it.\nInterrupted.", run.Error, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_file_that_is_given_up_is_gone_and_a_whole_one_is_its_owners_alone(bool mayBeUnnamed)
    {
        using var error = new StringWriter();
        await Assert.ThrowsAsync<OperationCanceledException>(() => PrivateFile.CreateAsync(
            File1,
            error,
            file =>
            {
                file.Write(new byte[100_000]);
                // On this machine the file system has files without names.
                Assert.Equal(mayBeUnnamed ? 0 : 1, Directory.EnumerateFileSystemEntries(_folder).Count());
                throw new OperationCanceledException();
            },
            mayBeUnnamed));
        Assert.Empty(Directory.EnumerateFileSystemEntries(_folder));

        await PrivateFile.CreateAsync(
            File1,
            error,
            file =>
            {
                file.Write("whole"u8);
                return Task.CompletedTask;
            },
            mayBeUnnamed);

        Assert.Equal([File1], Directory.EnumerateFileSystemEntries(_folder));
        Assert.Equal("whole", await File.ReadAllTextAsync(File1));
        Assert.Equal(OwnersAlone, File.GetUnixFileMode(File1));
        var taken = await Assert.ThrowsAsync<OperatorException>(() => PrivateFile.CreateAsync(
            File1 + "2",
            error,
            async file =>
            {
                file.Write("late"u8);
                await File.WriteAllTextAsync(File1 + "2", "first");
            },
            mayBeUnnamed));
        Assert.Equal(ExitCode.CannotWrite, taken.Code);
        Assert.Equal("first", await File.ReadAllTextAsync(File1 + "2"));
    }

    [Theory]
    [InlineData("users export")]
    [InlineData("tables backup")]
    public async Task Storage_that_goes_away_leaves_no_file(string command)
    {
        var (proxy, connection) = await FaultProxy.StartAsync();
        await using var _ = proxy;
        proxy.Meets = request => request.QueryString.Value!.Contains("NextPartitionKey", StringComparison.Ordinal);
        proxy.Fault = StorageFault.Unavailable;

        var result = await OperatorDesk.RunAsync($"{command} {File1}", null, _desk.With(("AccountStorage", connection)));

        Assert.Equal(ExitCode.Unavailable, result.Code);
        Assert.StartsWith($"{File1} was not written; nothing is left of it.\n", result.Error, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_folder));
    }

    /// <summary>The limit on a file's size is heard of as a full disk is: the write fails.</summary>
    [Theory]
    [InlineData("users export")]
    [InlineData("tables backup")]
    public async Task A_full_disk_leaves_no_file(string command)
    {
        // The runtime keeps its code in a file of memory otherwise, which the limit would be on too.
        var environment = new Dictionary<string, string>(_desk.Variables) { ["DOTNET_EnableWriteXorExecute"] = "0" };
        using var run = ProcessRun.Start(
            "bash", ["-c", $"ulimit -f 100; exec dotnet {TestedProgram.Assembly} {command} {File1}"], environment);

        Assert.True(await run.ExitCodeAsync() == ExitCode.CannotWrite, run.Output);
        Assert.Contains(
            $"{File1} was not written; nothing is left of it.\n{File1} cannot be written: ", run.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("Account storage", run.Error, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_folder));
    }

    [Fact]
    public async Task A_folder_that_is_not_there_is_no_outage_of_storage()
    {
        foreach (var command in new[] { "tables backup", "users export" })
        {
            var file = Path.Combine(_folder, "none", "secrets");
            var result = await _desk.RunAsync($"{command} {file}");

            Assert.Equal(ExitCode.Missing, result.Code);
            Assert.StartsWith($"{file} cannot be written: ", result.Error, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task What_a_killed_process_left_is_not_written_into_and_what_is_being_written_is_not_taken_away()
    {
        await File.WriteAllTextAsync(File1 + ".unfinished", "left");
        File.SetUnixFileMode(File1 + ".unfinished", OwnersAlone | UnixFileMode.OtherRead);
        // Another name of the same file, to see what becomes of it.
        using (var link = ProcessRun.Start("ln", [File1 + ".unfinished", File1 + ".left"]))
        {
            Assert.Equal(0, await link.ExitCodeAsync());
        }

        Assert.Equal(ExitCode.Done, (await _desk.RunAsync($"tables backup {File1}")).Code);
        Assert.Equal("left", await File.ReadAllTextAsync(File1 + ".left"));

        Assert.Equal(OwnersAlone, File.GetUnixFileMode(File1));
        using var other = new FileStream(File1 + "2.unfinished", FileMode.CreateNew, FileAccess.Write, FileShare.None);
        Assert.Equal(ExitCode.CannotWrite, (await _desk.RunAsync($"tables backup {File1}2")).Code);
        Assert.True(File.Exists(File1 + "2.unfinished"));
    }

    // ---- Nobody else's ----

    [Theory]
    [InlineData("000", "users export FILE")]
    [InlineData("777", "users export FILE")]
    [InlineData("377", "tables backup FILE")]
    [InlineData("000", "users export > FILE")]
    [InlineData("022", "users export - > FILE")]
    [InlineData("022", "users export >> FILE")]
    public async Task Whatever_the_umask_the_file_is_its_owners_alone(string umask, string command)
    {
        using var run = ProcessRun.Start(
            "bash", ["-c", $"umask {umask}; dotnet {TestedProgram.Assembly} {command.Replace("FILE", File1, StringComparison.Ordinal)}"],
            new Dictionary<string, string>(_desk.Variables) { ["DOTNET_EnableDiagnostics"] = "0" });

        Assert.True(await run.ExitCodeAsync() == ExitCode.Done, run.Output);
        Assert.Equal(OwnersAlone, File.GetUnixFileMode(File1));
        Assert.True(new FileInfo(File1).Length > 100 * ManyAccounts.Count);
    }

    [Fact]
    public async Task A_device_or_a_pipe_keeps_its_mode()
    {
        var before = File.GetUnixFileMode("/dev/null");
        using var run = ProcessRun.Start(
            "bash",
            ["-c", $"dotnet {TestedProgram.Assembly} users export > /dev/null && dotnet {TestedProgram.Assembly} users export | head -c 5"],
            _desk.Variables);
        await run.ExitCodeAsync();

        Assert.Equal(before, File.GetUnixFileMode("/dev/null"));
        Assert.Contains("{\"rea", run.Output, StringComparison.Ordinal);
    }

    [TerminalFact]
    public async Task No_key_is_printed_to_a_terminal_unasked()
    {
        async Task<string> AtTerminalAsync(string command)
        {
            using var run = ProcessRun.Start(
                "script", ["--quiet", "--return", "--command", $"dotnet {TestedProgram.Assembly} {command}; echo exit code $?", "/dev/null"], _desk.Variables, input: "");
            await run.ExitCodeAsync();
            return run.Output;
        }

        var refused = await AtTerminalAsync("users export");
        var asked = await AtTerminalAsync("users export -");

        Assert.Contains($"exit code {ExitCode.Usage}", refused, StringComparison.Ordinal);
        Assert.Contains("Name a file, or - to print them here.", refused, StringComparison.Ordinal);
        Assert.DoesNotContain("kkkk", refused, StringComparison.Ordinal);
        Assert.Contains(new string('k', 32), asked, StringComparison.Ordinal);
        Assert.Contains("exit code 0", asked, StringComparison.Ordinal);
    }

    private Dictionary<string, string> Variables(string connection) => new(_desk.Variables) { ["AccountStorage"] = connection };

    private static async Task UntilAsync(Func<bool> condition, ProcessRun run)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        while (!condition())
        {
            Assert.False(run.HasExited, run.Output);
            await Task.Delay(20, limit.Token);
        }
    }
}

/// <summary>A realm of so many accounts that their keys are on the disk long before the end, and one that comes after it.</summary>
public sealed class ManyAccounts : IAsyncLifetime
{
    /// <summary>More than storage gives at once, and several times what is buffered.</summary>
    public const int Count = 1_100;

    internal OperatorDesk Desk { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        Desk = await OperatorDesk.OpenAsync();
        await Desk.RunAsync("realms add zzz");
        var lines = Enumerable.Range(1, Count).Select(i =>
            $$"""{"realm":"","email":"u{{i}}@b.com","user_id":{{i}},"api_key":"{{new string('k', 32)}}","password":"{{Organisation.OldHash}}"}""");
        Assert.Equal(ExitCode.Done, (await Desk.RunAsync("users import -", string.Join('\n', lines))).Code);
    }

    public Task DisposeAsync() => Task.CompletedTask;
}
