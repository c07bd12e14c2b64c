// Programs from Debian that tests need and neither NuGet nor npm has.

using FetchApiKeyFunction.Tests.Hosts;

namespace FetchApiKeyFunction.Tests;

internal static class DebianPackages
{
    /// <summary>One at a time: apt-get locks what it works on.</summary>
    private static readonly SemaphoreSlim Turn = new(1);

    /// <summary>Null where the program is there or can be installed, else why it is not and cannot.</summary>
    public static string? WhyNot(string program) =>
        File.Exists(program) ? null
        : !File.Exists("/usr/bin/apt-get") ? $"{program} is not there, and neither is apt-get to install it with."
        : !Environment.IsPrivilegedProcess ? $"{program} is not there, and only root may install it."
        : null;

    /// <summary>Installs a package, once, if its program is not there.</summary>
    public static async Task InstallAsync(string package, string program)
    {
        await Turn.WaitAsync();
        try
        {
            if (File.Exists(program))
            {
                return;
            }

            Console.WriteLine($"Installing Debian's {package} with apt-get, once; this takes a moment.");
            await RunAsync("update");
            await RunAsync("install", "--yes", "--no-install-recommends", package);
            Assert.True(File.Exists(program), $"Debian's {package} brings no {program}.");
        }
        finally
        {
            Turn.Release();
        }
    }

    private static async Task RunAsync(params string[] arguments)
    {
        using var run = ProcessRun.Start(
            "/usr/bin/apt-get", ["-o", "DPkg::Lock::Timeout=120", .. arguments], new Dictionary<string, string> { ["DEBIAN_FRONTEND"] = "noninteractive" });
        Assert.True(await run.ExitCodeAsync() == 0, run.Output);
    }
}
