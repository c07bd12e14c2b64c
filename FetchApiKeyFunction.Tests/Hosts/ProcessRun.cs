// Whole processes: started with an environment of their own, listened to, ended by signals.

using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;

namespace FetchApiKeyFunction.Tests.Hosts;

internal sealed partial class ProcessRun : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(3);

    private readonly Process _process;
    private readonly StringBuilder _output = new();
    private readonly StringBuilder _error = new();
    private readonly StringBuilder _standardOutput = new();

    private ProcessRun(Process process) => _process = process;

    /// <summary>Everything printed so far, to either stream.</summary>
    public string Output => Printed(_output);

    /// <summary>What of it went to the standard error, and what did not.</summary>
    public string Error => Printed(_error);

    public string StandardOutput => Printed(_standardOutput);

    /// <summary>The folder that holds the solution.</summary>
    public static string Repository { get; } = FindRepository();

    public static ProcessRun Start(
        string program, IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? environment = null, string? folder = null,
        string? input = null)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = input is not null,
            WorkingDirectory = folder ?? Repository,
        };
        // Of the test host's, and in the way of a build started from it.
        foreach (var name in start.Environment.Keys.Where(name => name.StartsWith("MSBUILD", StringComparison.OrdinalIgnoreCase) || name == "DOTNET_HOST_PATH").ToList())
        {
            start.Environment.Remove(name);
        }

        foreach (var (name, value) in environment ?? new Dictionary<string, string>())
        {
            start.Environment[name] = value;
        }

        var run = new ProcessRun(new Process { StartInfo = start });
        run._process.OutputDataReceived += (_, line) => run.Keep(line.Data);
        run._process.ErrorDataReceived += (_, line) => run.Keep(line.Data, isError: true);
        run._process.Start();
        run._process.BeginOutputReadLine();
        run._process.BeginErrorReadLine();
        if (input is not null)
        {
            run._process.StandardInput.Write(input);
            run._process.StandardInput.Close();
        }

        return run;
    }

    public int ProcessId => _process.Id;

    public bool HasExited => _process.HasExited;

    public async Task WaitForAsync(string text)
    {
        using var limit = new CancellationTokenSource(Limit);
        while (!Output.Contains(text, StringComparison.Ordinal))
        {
            if (_process.HasExited)
            {
                throw new InvalidOperationException($"Ended before it printed '{text}': {Output}");
            }

            await Task.Delay(50, limit.Token);
        }
    }

    public async Task<int> ExitCodeAsync(TimeSpan? patience = null)
    {
        using var limit = new CancellationTokenSource(patience ?? Limit);
        await _process.WaitForExitAsync(limit.Token);
        return _process.ExitCode;
    }

    /// <summary>Tells it to end, as service managers do.</summary>
    public void Terminate() => _ = Signal(_process.Id, signal: 15);

    /// <summary>Ctrl-C. A process that a shell started in the background ignores it, and so do its children: see <see cref="Interruptible"/>.</summary>
    public void Interrupt() => _ = Signal(_process.Id, signal: 2);

    /// <summary>A command line that makes sure that Ctrl-C is heard.</summary>
    public static (string Program, string[] Arguments) Interruptible(string program, params string[] arguments) =>
        ("env", ["--default-signal=INT", program, .. arguments]);

    /// <summary>Ends it at once, as SIGKILL does.</summary>
    public void Kill()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
        }
    }

    /// <summary>Ends it at once and leaves what it started.</summary>
    public void KillAlone() => _ = Signal(_process.Id, signal: 9);

    public void Dispose()
    {
        Kill();
        _process.Dispose();
    }

    private string Printed(StringBuilder stream)
    {
        lock (_output)
        {
            return stream.ToString();
        }
    }

    /// <param name="line">Null at the end of the stream.</param>
    private void Keep(string? line, bool isError = false)
    {
        if (line is null)
        {
            return;
        }

        lock (_output)
        {
            _output.Append(line).Append('\n');
            (isError ? _error : _standardOutput).Append(line).Append('\n');
        }
    }

    private static string FindRepository()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "FetchApiKeyFunction.slnx")))
        {
            folder = folder.Parent!;
        }

        return folder.FullName;
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Signal(int process, int signal);
}
