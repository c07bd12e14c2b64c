// The Bicep CLI, as NuGet restored it: compiles and checks the templates of infra/, and expands them to resources, all offline.

using System.Collections.Concurrent;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text.Json;
using FetchApiKeyFunction.Tests.Hosts;

namespace FetchApiKeyFunction.Tests.Infra;

internal static class Bicep
{
    private static readonly string Cli = typeof(Bicep).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(entry => entry.Key == "BicepCli").Value!;

    private static readonly ConcurrentDictionary<string, Lazy<Task<JsonElement>>> Built = new();

    /// <summary>What stands before the parameters in the file that is made for a case.</summary>
    public const int LinesBeforeParameters = 2;

    public static string Infra { get; } = Path.Combine(ProcessRun.Repository, "infra");

    /// <summary>Null where the CLI runs, else why it does not.</summary>
    public static string? Skip { get; } = OperatingSystem.IsLinux() && RuntimeInformation.ProcessArchitecture == Architecture.X64
        ? null
        : "The project restores the Bicep CLI for Linux on x64 only.";

    /// <summary>What the CLI printed, to either stream, and its exit code.</summary>
    public static async Task<(int Code, string Output)> RunAsync(params string[] arguments)
    {
        using var run = ProcessRun.Start(Cli, arguments, folder: Infra, environment: new Dictionary<string, string>
        {
            ["DOTNET_BUNDLE_EXTRACT_BASE_DIR"] = Path.Combine(AppContext.BaseDirectory, "bicep"),
            // What parameter files read, so that nothing of the developer's own gets into a snapshot.
            ["OPERATOR_ID"] = "",
            ["SEALING_KEY"] = "",
        });
        return (await run.ExitCodeAsync(), run.Output.Trim());
    }

    /// <summary>A template as Azure gets it, built once. Warnings make this fail, since they are not JSON.</summary>
    public static Task<JsonElement> BuildAsync(string template) => Built.GetOrAdd(template, name => new(() => CompileAsync(name))).Value;

    /// <summary>The same names in a snapshot wherever and by whomever it is taken; CONTRIBUTING.md has the command.</summary>
    public static string[] SnapshotArguments(string parameters, string mode) =>
    [
        "snapshot", parameters, "--mode", mode, "--resource-group", "login", "--location", "westeurope",
        "--subscription-id", Guid.Empty.ToString(), "--tenant-id", Guid.Empty.ToString(),
    ];

    /// <summary>What a deployment with these parameters, beside those without a default, would make.</summary>
    public static async Task<JsonElement> SnapshotAsync(string parameters)
    {
        var folder = Directory.CreateTempSubdirectory("fetch-api-key-");
        try
        {
            var file = await WriteParametersAsync(folder, parameters);
            var (code, output) = await RunAsync(SnapshotArguments(file, "overwrite"));
            Assert.True(code == 0, output);
            return JsonDocument.Parse(await File.ReadAllTextAsync(Path.ChangeExtension(file, "snapshot.json"))).RootElement;
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>What Bicep says of these parameters, beside those without a default, before anything is deployed.</summary>
    public static async Task<(int Code, string Output)> CheckAsync(string parameters)
    {
        var folder = Directory.CreateTempSubdirectory("fetch-api-key-");
        try
        {
            return await RunAsync("build-params", await WriteParametersAsync(folder, parameters), "--stdout");
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static async Task<JsonElement> CompileAsync(string template)
    {
        var (code, output) = await RunAsync("build", template, "--stdout");
        Assert.True(code == 0 && output.StartsWith('{'), output);
        return JsonDocument.Parse(output).RootElement;
    }

    private static async Task<string> WriteParametersAsync(DirectoryInfo folder, string parameters)
    {
        var file = Path.Combine(folder.FullName, "case.bicepparam");
        var main = Path.GetRelativePath(folder.FullName, Path.Combine(Infra, "main.bicep"));
        var name = parameters.Contains("param name ", StringComparison.Ordinal) ? "// A name of its own:" : "param name = 'login'";
        await File.WriteAllTextAsync(file, $"using '{main}'\n{name}\n{parameters}\n");
        return file;
    }
}

internal sealed class BicepFactAttribute : FactAttribute
{
    public BicepFactAttribute() => Skip = Bicep.Skip;
}

internal sealed class BicepTheoryAttribute : TheoryAttribute
{
    public BicepTheoryAttribute() => Skip = Bicep.Skip;
}
