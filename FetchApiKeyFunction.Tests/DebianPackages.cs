// Programs from Debian that tests need and neither NuGet nor npm has. What and why is printed by the test command before the tests run:
// see SayWhatIsInstalled in the project file.

using System.Security.Cryptography;
using System.Text;
using FetchApiKeyFunction.Tests.Hosts;

namespace FetchApiKeyFunction.Tests;

internal static class DebianPackages
{
    /// <summary>One at a time: apt-get locks what it works on.</summary>
    private static readonly SemaphoreSlim Turn = new(1);

    /// <summary>With the value never, nothing of Debian's is installed or downloaded, and the tests that need it are skipped.</summary>
    private const string InstallVariable = "TESTS_INSTALL";

    private static bool IsForbidden => Environment.GetEnvironmentVariable(InstallVariable) == "never";

    /// <summary>Null where the program is there or can be installed, else why it is not and cannot.</summary>
    public static string? WhyNot(string program) =>
        File.Exists(program) ? null
        : IsForbidden ? $"{program} was not found, and {InstallVariable}=never forbids to install it."
        : !File.Exists("/usr/bin/apt-get") ? $"{program} was not found, and neither was apt-get to install it with."
        : !Environment.IsPrivilegedProcess ? $"{program} was not found, and only root may install it."
        : null;

    /// <summary>Installs packages, once, if the program that they bring was not found.</summary>
    public static async Task InstallAsync(string program, params string[] packages)
    {
        await Turn.WaitAsync();
        try
        {
            if (File.Exists(program))
            {
                return;
            }

            await RunAsync("update");
            await RunAsync(["install", "--yes", "--no-install-recommends", .. packages]);
            Assert.True(File.Exists(program), $"Debian's {string.Join(", ", packages)} bring no {program}.");
        }
        finally
        {
            Turn.Release();
        }
    }

    /// <summary>Null where packages are unpacked already or can be, else why not.</summary>
    public static string? WhyNotUnpack(string name, params string[] packages) =>
        Directory.Exists(FolderOf(name, packages)) ? null
        : IsForbidden ? $"Debian's {name} is not unpacked yet, and {InstallVariable}=never forbids to download it."
        : !File.Exists("/usr/bin/apt-get") || !File.Exists("/usr/bin/dpkg-deb") ? "apt-get and dpkg-deb are not there to get Debian's packages with."
        : !Environment.IsPrivilegedProcess ? "Only root may bring apt-get's lists up to date."
        : null;

    /// <summary>Unpacks packages into a folder of the user's, once for each list of them. Nothing is installed and no service starts.</summary>
    /// <returns>The folder, as the root that the packages' files lie under.</returns>
    public static async Task<string> UnpackAsync(string name, params string[] packages)
    {
        var folder = FolderOf(name, packages);
        await Turn.WaitAsync();
        try
        {
            if (Directory.Exists(folder))
            {
                return folder;
            }

            var unfinished = $"{folder}.{Environment.ProcessId}";
            var downloads = Directory.CreateDirectory(Path.Combine(unfinished, "downloads")).FullName;
            await RunAsync("update");
            using (var download = ProcessRun.Start("/usr/bin/apt-get", ["-o", "APT::Sandbox::User=root", "download", .. packages], folder: downloads))
            {
                Assert.True(await download.ExitCodeAsync() == 0, download.Output);
            }

            foreach (var package in Directory.GetFiles(downloads, "*.deb"))
            {
                using var unpack = ProcessRun.Start("/usr/bin/dpkg-deb", ["--extract", package, unfinished]);
                Assert.True(await unpack.ExitCodeAsync() == 0, unpack.Output);
            }

            Directory.Delete(downloads, recursive: true);
            Directory.Move(unfinished, folder);
            return folder;
        }
        finally
        {
            Turn.Release();
        }
    }

    private static string FolderOf(string name, string[] packages)
    {
        var home = Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify);
        var digest = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join(' ', packages))))[..12];
        return Path.Combine(home.Length > 0 ? home : Path.GetTempPath(), "fetch-api-key", $"debian-{name}-{digest}");
    }

    private static async Task RunAsync(params string[] arguments)
    {
        using var run = ProcessRun.Start(
            "/usr/bin/apt-get", ["-o", "DPkg::Lock::Timeout=120", .. arguments], new Dictionary<string, string> { ["DEBIAN_FRONTEND"] = "noninteractive" });
        Assert.True(await run.ExitCodeAsync() == 0, run.Output);
    }
}
