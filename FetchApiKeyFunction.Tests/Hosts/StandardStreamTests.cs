// Standard input, output and error that are closed or full: an exit code that tells it, one line where there is a place for it, no stack.

namespace FetchApiKeyFunction.Tests.Hosts;

public sealed class StandardStreamTests(StandardStreamTests.Desk desk) : IClassFixture<StandardStreamTests.Desk>
{
    private const string OutputIsClosed = "Standard output is closed. Send it to a file, or to /dev/null.\n";
    private const string NoInput = "There is no standard input: it is closed. Give the command a file, or a pipe.\n";
    private const string OutputIsFull = "The disk is full: No space left on device. Free some space and try again.\n";

    [Theory]
    [InlineData("users list >&-", ExitCode.CannotWrite, OutputIsClosed)]
    [InlineData("users add a@b.com >&-", ExitCode.CannotWrite, OutputIsClosed)]
    [InlineData("--help >&-", ExitCode.CannotWrite, OutputIsClosed)]
    [InlineData("users list <&- >&- 2>&-", ExitCode.CannotWrite, "")]
    [InlineData("realms list >/dev/full", ExitCode.DiskFull, OutputIsFull)]
    [InlineData("--help >/dev/full", ExitCode.DiskFull, OutputIsFull)]
    [InlineData("--help >/dev/full 2>/dev/full", ExitCode.DiskFull, "")]
    [InlineData("users show nobody@b.com 2>/dev/full", ExitCode.Refused, "")]
    [InlineData("users show nobody@b.com 2>&-", ExitCode.Refused, "")]
    [InlineData("users show nobody@b.com <&- 2>&-", ExitCode.Refused, "")]
    [InlineData("nonsense >/dev/null 2>&-", ExitCode.Usage, "")]
    [InlineData("nonsense >/dev/null 2>/dev/full", ExitCode.Usage, "")]
    [InlineData("realms list >/dev/null <&- 2>&-", ExitCode.Done, "")]
    [InlineData("users import - <&-", ExitCode.Missing, NoInput)]
    [InlineData("users add a@b.com <&-", ExitCode.Missing, NoInput)]
    [InlineData("probe http://localhost:1 --username a@b.com <&-", ExitCode.Missing, NoInput)]
    public async Task A_stream_that_cannot_be_used_has_an_exit_code_and_a_line(string command, int code, string error)
    {
        using var run = ProcessRun.Start("sh", ["-c", $"exec dotnet {TestedProgram.Assembly} {command}"], desk.Variables);

        Assert.Equal((code, error), (await run.ExitCodeAsync(TimeSpan.FromMinutes(1)), run.Error));
    }

    public sealed class Desk : IAsyncLifetime
    {
        public Dictionary<string, string> Variables { get; private set; } = [];

        public async Task InitializeAsync() => Variables = (await OperatorDesk.OpenAsync()).Variables;

        public Task DisposeAsync() => Task.CompletedTask;
    }
}
