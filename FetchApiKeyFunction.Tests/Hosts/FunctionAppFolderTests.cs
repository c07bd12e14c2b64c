// The folders that Core Tools and a deployment run the worker from, built in another checkout.

namespace FetchApiKeyFunction.Tests.Hosts;

public sealed class FunctionAppFolderTests
{
    /// <summary>
    /// `func start` runs what the first command builds; the second is a developer's, the third a deployment's. Analyzers and machine code
    /// take long and add no file.
    /// </summary>
    [Fact]
    public async Task Every_output_folder_is_one_that_the_Functions_host_can_run()
    {
        using var checkout = new TemporaryFolder();
        Package.CopySources(checkout.Path);
        var project = Path.Combine(checkout.Path, "FetchApiKeyFunction");
        await File.WriteAllTextAsync(Path.Combine(checkout.Path, FunctionAppFolder.Settings), "{}");
        await BuildAsync(project, "build", "--output", "bin/output");
        await BuildAsync(project, "build");
        await BuildAsync(project, "publish", "--configuration", "Release", "--output", "bin/published", "-p:PublishReadyToRun=false");

        FunctionAppFolder.AssertRunnable(Path.Combine(project, "bin", "output"), hasSettings: true);
        FunctionAppFolder.AssertRunnable(Path.Combine(project, "bin", "Debug", "net10.0"), hasSettings: true);
        FunctionAppFolder.AssertRunnable(Path.Combine(project, "bin", "published"));
    }

    private static async Task BuildAsync(string project, params string[] arguments)
    {
        using var build = ProcessRun.Start("dotnet", [.. arguments, "-p:RunAnalyzers=false"], folder: project);
        Assert.True(await build.ExitCodeAsync() == 0, build.Output);
    }
}
