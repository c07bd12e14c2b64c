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

    /// <summary>Made once for the whole run, by the first test that needs it.</summary>
    private static readonly Lazy<Task<string>> SharedCustom = new(async () =>
    {
        var folder = new TemporaryFolder();
        AppDomain.CurrentDomain.ProcessExit += (_, _) => folder.Dispose();
        if (!HasLinker)
        {
            await DebianPackages.InstallAsync(Linker, "gcc", "libc6-dev");
        }

        var (code, text) = await MakeAsync(ProcessRun.Repository, "custom", folder.Path);
        Assert.True(code == 0, text);
        return Path.Combine(folder.Path, "fetch-api-key-custom.zip");
    });

    private static readonly Lazy<Task<TemporaryFolder>> SharedUnpacked = new(async () =>
    {
        var folder = await UnpackAsync(await CustomAsync());
        AppDomain.CurrentDomain.ProcessExit += (_, _) => folder.Dispose();
        return folder;
    });

    /// <summary>The custom handler's zip; its bill of materials lies beside it.</summary>
    public static Task<string> CustomAsync() => SharedCustom.Value;

    /// <summary>The same, unpacked once for the whole run.</summary>
    public static async Task<string> FolderAsync() => (await SharedUnpacked.Value).Path;

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
}
