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

    /// <summary>Installs packages, once, if the program that they bring is not there.</summary>
    public static async Task InstallAsync(string program, params string[] packages)
    {
        await Turn.WaitAsync();
        try
        {
            if (File.Exists(program))
            {
                return;
            }

            Console.WriteLine($"Installing Debian's {string.Join(", ", packages)} with apt-get, once; this takes a moment.");
            await RunAsync("update");
            await RunAsync(["install", "--yes", "--no-install-recommends", .. packages]);
            Assert.True(File.Exists(program), $"Debian's {string.Join(", ", packages)} bring no {program}.");
        }
        finally
        {
            Turn.Release();
        }
    }

    /// <summary>Null where packages can be downloaded and unpacked, else why not.</summary>
    public static string? WhyNotUnpack() =>
        !File.Exists("/usr/bin/apt-get") || !File.Exists("/usr/bin/dpkg-deb") ? "apt-get and dpkg-deb are not there to get Debian's packages with."
        : !Environment.IsPrivilegedProcess ? "Only root may bring apt-get's lists up to date."
        : null;

    /// <summary>Unpacks packages into a folder of the user's, once for each list of them. Nothing is installed and no service starts.</summary>
    /// <returns>The folder, as the root that the packages' files lie under.</returns>
    public static async Task<string> UnpackAsync(string name, params string[] packages)
    {
        var home = Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify);
        var digest = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(string.Join(' ', packages))))[..12];
        var folder = Path.Combine(home.Length > 0 ? home : Path.GetTempPath(), "fetch-api-key", $"debian-{name}-{digest}");
        await Turn.WaitAsync();
        try
        {
            if (Directory.Exists(folder))
            {
                return folder;
            }

            Console.WriteLine($"Unpacking Debian's {name}, once; this takes a moment.");
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

    private static async Task RunAsync(params string[] arguments)
    {
        using var run = ProcessRun.Start(
            "/usr/bin/apt-get", ["-o", "DPkg::Lock::Timeout=120", .. arguments], new Dictionary<string, string> { ["DEBIAN_FRONTEND"] = "noninteractive" });
        Assert.True(await run.ExitCodeAsync() == 0, run.Output);
    }
}
