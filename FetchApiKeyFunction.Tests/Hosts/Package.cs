// The packages that are deployed, made as a release makes them, and unpacked as Azure does.

using System.IO.Compression;
using System.Runtime.InteropServices;

namespace FetchApiKeyFunction.Tests.Hosts;

/// <summary>A folder that is gone after the test.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("fetch-api-key-").FullName;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}

/// <summary>Of the package of the custom handler, which takes a linker to make.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class PackageFactAttribute : FactAttribute
{
    public PackageFactAttribute() => Skip = Package.Skip;
}

[AttributeUsage(AttributeTargets.Method)]
internal sealed class PackageTheoryAttribute : TheoryAttribute
{
    public PackageTheoryAttribute() => Skip = Package.Skip;
}

internal static class Package
{
    private const string Linker = "/usr/bin/gcc";

    private static readonly TimeSpan PatienceWithTheCompiler = TimeSpan.FromMinutes(15);

    /// <summary>One at a time: the compiler takes every processor there is.</summary>
    private static readonly SemaphoreSlim Turn = new(1);

    /// <summary>Null where the custom handler can be packaged, else why it cannot.</summary>
    public static string? Skip { get; } =
        !OperatingSystem.IsLinux() || RuntimeInformation.OSArchitecture != Architecture.X64 ? "The custom handler is packaged on Linux on x64 alone."
        : HasLinker ? null
        : DebianPackages.WhyNot(Linker);

    private static bool HasLinker => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
        .Any(folder => File.Exists(Path.Combine(folder, "gcc")) || File.Exists(Path.Combine(folder, "clang")));

    // Each is made once for the whole run, by the first test that needs it.
    private static readonly Lazy<Task<string>> SharedCustom = new(async () =>
    {
        if (!HasLinker)
        {
            await DebianPackages.InstallAsync(Linker, "gcc", "libc6-dev");
        }

        return await MakeSharedAsync("custom");
    });

    private static readonly Lazy<Task<string>> SharedWorker = new(() => MakeSharedAsync("isolated"));
    private static readonly Lazy<Task<string>> SharedFolder = new(async () => await UnpackSharedAsync(await CustomAsync()));
    private static readonly Lazy<Task<string>> SharedWorkerFolder = new(async () => await UnpackSharedAsync(await WorkerAsync()));

    /// <summary>The custom handler's zip; its bill of materials lies beside it.</summary>
    public static Task<string> CustomAsync() => SharedCustom.Value;

    /// <summary>The worker's zip; its bill of materials lies beside it.</summary>
    public static Task<string> WorkerAsync() => SharedWorker.Value;

    /// <summary>The custom handler, unpacked.</summary>
    public static Task<string> FolderAsync() => SharedFolder.Value;

    /// <summary>The worker, unpacked.</summary>
    public static Task<string> WorkerFolderAsync() => SharedWorkerFolder.Value;

    public static async Task<(int Code, string Output)> MakeAsync(string sources, string host, string folder)
    {
        await Turn.WaitAsync();
        try
        {
            using var run = ProcessRun.Start("dotnet", ["run", "package.cs", "--", host, "--output", folder], folder: sources);
            return (await run.ExitCodeAsync(PatienceWithTheCompiler), run.Output);
        }
        finally
        {
            Turn.Release();
        }
    }

    /// <summary>Unpacks a zip with the modes that it names.</summary>
    public static async Task<TemporaryFolder> UnpackAsync(string zip)
    {
        var folder = new TemporaryFolder();
        await ZipFile.ExtractToDirectoryAsync(zip, folder.Path);
        return folder;
    }

    /// <summary>What a checkout has of the packages' sources, and nothing that a build has made.</summary>
    public static void CopySources(string target)
    {
        foreach (var file in Directory.GetFiles(ProcessRun.Repository)
            .Concat(new[] { "FetchApiKeyFunction", "FetchApiKey", "FetchApiKey.Argon2", "FetchApiKey.Argon2.Avx512", "FetchApiKey.Cli" }
                .SelectMany(project => Directory.GetFiles(Path.Combine(ProcessRun.Repository, project), "*", SearchOption.AllDirectories))))
        {
            var name = Path.GetRelativePath(ProcessRun.Repository, file);
            if (!name.Split(Path.DirectorySeparatorChar).Any(part => part is "bin" or "obj"))
            {
                var copied = Path.Combine(target, name);
                Directory.CreateDirectory(Path.GetDirectoryName(copied)!);
                File.Copy(file, copied);
            }
        }
    }

    private static async Task<string> MakeSharedAsync(string host)
    {
        var folder = KeptFolder(new TemporaryFolder());
        var (code, text) = await MakeAsync(ProcessRun.Repository, host, folder);
        Assert.True(code == 0, text);
        return Path.Combine(folder, $"fetch-api-key-{host}.zip");
    }

    private static async Task<string> UnpackSharedAsync(string zip) => KeptFolder(await UnpackAsync(zip));

    /// <summary>Kept until the end of the run.</summary>
    private static string KeptFolder(TemporaryFolder folder)
    {
        AppDomain.CurrentDomain.ProcessExit += (_, _) => folder.Dispose();
        return folder.Path;
    }
}
