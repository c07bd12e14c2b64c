// What a folder must hold that the Functions host, or Core Tools, runs the worker from.

using System.Text.Json;

namespace FetchApiKeyFunction.Tests.Hosts;

internal static class FunctionAppFolder
{
    /// <summary>Without one of these the host finds no function, or cannot start the worker.</summary>
    private static readonly string[] Needed =
    [
        "host.json", "worker.config.json", "functions.metadata", "extensions.json",
        "FetchApiKeyFunction.dll", "FetchApiKeyFunction.deps.json", "FetchApiKeyFunction.runtimeconfig.json",
        ".azurefunctions/function.deps.json", ".azurefunctions/Microsoft.Azure.Functions.Worker.Extensions.dll",
    ];

    /// <summary>What only the operator's program, a developer's machine or a custom handler has.</summary>
    private static readonly string[] Foreign =
    [
        "fetch-api-key", "FetchApiKey.Cli", "System.CommandLine", "CsvHelper", "OpenTelemetry.Exporter.Console",
        "azurite", "package.json", "package-lock.json", "function.json",
    ];

    /// <summary>Where the developer's settings lie, if they are there; relative to the folder.</summary>
    public const string Settings = "local.settings.json";

    public static void AssertRunnable(string folder, bool hasSettings = false)
    {
        var names = Directory.GetFiles(folder, "*", SearchOption.AllDirectories)
            .Select(file => Path.GetRelativePath(folder, file)).ToList();
        Assert.Empty(Needed.Except(names));
        Assert.DoesNotContain(names, name => Foreign.Any(foreign => name.Contains(foreign, StringComparison.OrdinalIgnoreCase)));
        Assert.Equal(
            hasSettings ? [Settings] : [], names.Where(name => name.Contains("local.settings", StringComparison.OrdinalIgnoreCase)));

        var host = Read(folder, "host.json");
        Assert.Equal("2.0", host.GetProperty("version").GetString());
        Assert.Equal("api", host.GetProperty("extensions").GetProperty("http").GetProperty("routePrefix").GetString());
        Assert.False(host.TryGetProperty("customHandler", out _));
        var worker = Read(folder, "worker.config.json").GetProperty("description");
        Assert.Equal("dotnet-isolated", worker.GetProperty("language").GetString());
        Assert.Equal("FetchApiKeyFunction.dll", worker.GetProperty("defaultWorkerPath").GetString());
        var trigger = Assert.Single(Read(folder, "functions.metadata").EnumerateArray()).GetProperty("bindings")[0];
        Assert.Equal("httpTrigger", trigger.GetProperty("type").GetString());
        Assert.Equal("v1/{*path}", trigger.GetProperty("route").GetString());
        Assert.False(trigger.TryGetProperty("methods", out _));
    }

    private static JsonElement Read(string folder, string name) =>
        JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, name))).RootElement;
}
