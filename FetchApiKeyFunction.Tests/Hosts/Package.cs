// The packages that are deployed, made as a release makes them, and unpacked as Azure does.

using System.IO.Compression;

namespace FetchApiKeyFunction.Tests.Hosts;

/// <summary>A folder that is gone after the test.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("fetch-api-key-").FullName;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}

internal static class Package
{
    /// <summary>Made once for the whole run, by the first test that needs it.</summary>
    private static readonly Lazy<Task<string>> SharedCustom = new(async () =>
    {
        var folder = new TemporaryFolder();
        AppDomain.CurrentDomain.ProcessExit += (_, _) => folder.Dispose();
        var (code, text) = await MakeAsync(ProcessRun.Repository, "custom", folder.Path);
        Assert.True(code == 0, text);
        return Path.Combine(folder.Path, "fetch-api-key-custom.zip");
    });

    /// <summary>The custom handler's zip; its bill of materials lies beside it.</summary>
    public static Task<string> CustomAsync() => SharedCustom.Value;

    public static async Task<(int Code, string Output)> MakeAsync(string sources, string host, string folder)
    {
        using var run = ProcessRun.Start("dotnet", ["run", "package.cs", "--", host, "--output", folder], folder: sources);
        return (await run.ExitCodeAsync(), run.Output);
    }

    /// <summary>Unpacks a zip with the modes that it names.</summary>
    public static async Task<TemporaryFolder> UnpackAsync(string zip)
    {
        var folder = new TemporaryFolder();
        await ZipFile.ExtractToDirectoryAsync(zip, folder.Path);
        return folder;
    }
}
