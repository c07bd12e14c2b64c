// Programs from the npm registry, pinned by a lock file.

using System.ComponentModel;
using System.Diagnostics;
using System.Security.Cryptography;

namespace FetchApiKey.Cli;

public static class NpmPackages
{
    /// <summary>
    /// Installs what a folder's package-lock.json names, once for each content of that file, in a folder of the user's.
    /// Install scripts do not run.
    /// </summary>
    /// <returns>The folder that holds node_modules.</returns>
    /// <exception cref="OperatorException">npm is missing or failed, or the project was published without the lock file.</exception>
    public static async Task<string> InstallAsync(string name, string source, Action<string> tell, CancellationToken cancellation)
    {
        var lockFile = Path.Combine(source, "package-lock.json");
        if (!File.Exists(lockFile))
        {
            throw new OperatorException($"{name} is started from a checkout of the project, not from a published folder.");
        }

        var digest = Convert.ToHexStringLower(SHA256.HashData(await File.ReadAllBytesAsync(lockFile, cancellation)))[..12];
        var home = Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify);
        var folder = Path.Combine(home.Length > 0 ? home : Path.GetTempPath(), "fetch-api-key", $"{name}-{digest}");
        if (Directory.Exists(folder))
        {
            return folder;
        }

        tell($"Installing {name} with npm, once; this takes a moment.");
        var unfinished = $"{folder}.{Environment.ProcessId}";
        Directory.CreateDirectory(unfinished);
        foreach (var file in new[] { "package.json", "package-lock.json" })
        {
            File.Copy(Path.Combine(source, file), Path.Combine(unfinished, file), overwrite: true);
        }

        using var npm = Run(new ProcessStartInfo(OperatingSystem.IsWindows() ? "npm.cmd" : "npm")
        {
            ArgumentList = { "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error" },
            WorkingDirectory = unfinished,
            RedirectStandardOutput = true,
        });
        await npm.StandardOutput.ReadToEndAsync(cancellation);
        await npm.WaitForExitAsync(cancellation);
        if (npm.ExitCode != 0)
        {
            throw new OperatorException($"npm could not install {name} (exit code {npm.ExitCode}).");
        }

        try
        {
            Directory.Move(unfinished, folder);
        }
        catch (IOException) when (Directory.Exists(folder))
        {
            // Another process was faster with the same lock file.
            Directory.Delete(unfinished, recursive: true);
        }

        return folder;
    }

    /// <exception cref="OperatorException">The program is not there.</exception>
    public static Process Run(ProcessStartInfo start)
    {
        try
        {
            return Process.Start(start)!;
        }
        catch (Win32Exception)
        {
            throw new OperatorException($"'{start.FileName}' is not there: Node.js 20 or later with npm is needed.");
        }
    }
}
