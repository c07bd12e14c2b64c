// The login on Django and gunicorn over SQLite, in djangosite/, with the system's own packages.

using System.ComponentModel;
using System.Diagnostics;
using System.Text.Json;
using FetchApiKey.Cli;

namespace FetchApiKey.Benchmarks;

internal static class DjangoServer
{
    public const string Name = "Django, argon2-cffi, gunicorn, SQLite";

    /// <summary>Debian's first, since another Python before it in the path need not have Debian's packages.</summary>
    private static readonly string[] Pythons = ["/usr/bin/python3", "python3"];

    /// <exception cref="StackMissingException">Python or a package is not there.</exception>
    public static async Task<LoginStack> StartAsync(LoadedStore store)
    {
        var python = await FindPythonAsync();
        var folder = Directory.CreateTempSubdirectory("login-on-django-").FullName;
        ProcessStartInfo Start(params string[] arguments) => new(python, arguments)
        {
            RedirectStandardOutput = true,
            Environment =
            {
                ["PYTHONPATH"] = Path.Combine(AppContext.BaseDirectory, "Stacks"), ["PYTHONDONTWRITEBYTECODE"] = "1", ["DJANGO_SETTINGS_MODULE"] = "djangosite.settings",
                ["DATABASE"] = Path.Combine(folder, "accounts.sqlite3"), ["COST"] = $"{store.Cost.MemoryKib},{store.Cost.Passes},{store.Cost.Lanes}",
            },
        };
        async Task<IReadOnlyList<string>> AccountsAsync(ProcessStartInfo start, IReadOnlyList<LoadedAccount> accounts)
        {
            start.RedirectStandardInput = true;
            using var process = Process.Start(start)!;
            foreach (var account in accounts)
            {
                await process.StandardInput.WriteLineAsync(
                    JsonSerializer.Serialize(new { id = account.UserId, email = account.Email, password = account.Hash, api_key = account.ApiKey }));
            }

            process.StandardInput.Close();
            var printed = await process.StandardOutput.ReadToEndAsync();
            await process.WaitForExitAsync();
            return process.ExitCode == 0 ? printed.Split('\n', StringSplitOptions.RemoveEmptyEntries) : throw new InvalidOperationException("Django's accounts cannot be made or read.");
        }

        await AccountsAsync(Start("-m", "djangosite.accounts", "create"), store.Accounts);
        var port = Azurite.FreePort();
        var workers = 2 * Environment.ProcessorCount;
        return await LoginStack.StartAsync(
            Name,
            Start("-m", "gunicorn", "--workers", $"{workers}", "--worker-class", "sync", "--bind", $"127.0.0.1:{port}", "--log-level", "warning", "djangosite.views:application"),
            port,
            () => AccountsAsync(Start("-m", "djangosite.accounts"), []),
            folder);
    }

    private static async Task<string> FindPythonAsync()
    {
        foreach (var python in Pythons)
        {
            try
            {
                using var process = Process.Start(new ProcessStartInfo(python, ["-c", "import argon2, django, gunicorn"]) { RedirectStandardError = true })!;
                await process.StandardError.ReadToEndAsync();
                await process.WaitForExitAsync();
                if (process.ExitCode == 0)
                {
                    return python;
                }
            }
            catch (Win32Exception)
            {
                // No such program.
            }
        }

        throw new StackMissingException("Django is left out: no Python with django, argon2 and gunicorn; Debian's packages are python3-django, python3-argon2 and gunicorn.");
    }
}
