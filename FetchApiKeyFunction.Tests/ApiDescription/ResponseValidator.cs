// Every response that a test sees, held against the API description as it comes.

using System.Diagnostics;
using System.Text;
using System.Text.Json;
using FetchApiKey.Cli;

namespace FetchApiKeyFunction.Tests.ApiDescription;

/// <summary>
/// One Node.js process for the whole test run, which has read the document and compiled its schemas (JSON Schema 2020-12, with
/// Ajv). Started by the first response, ended with the process.
/// </summary>
internal sealed class ResponseValidator : IDisposable
{
    public static string Folder { get; } = Path.Combine(AppContext.BaseDirectory, "ApiDescription");

    private static readonly Lazy<Task<string>> Modules =
        new(() => NpmPackages.InstallAsync("api-description", Folder, Console.WriteLine, CancellationToken.None));

    private static readonly Lazy<Task<ResponseValidator>> Instance = new(StartAsync);

    private readonly Process _node;
    private readonly SemaphoreSlim _turn = new(1);

    private ResponseValidator(Process node) => _node = node;

    /// <summary>The document that the validator, the linter and the served copy share.</summary>
    public static string DescriptionFile => Path.Combine(Folder, "openapi.json");

    /// <summary>Installs the linter and Ajv, once for all who ask at the same time.</summary>
    public static Task<string> InstallAsync() => Modules.Value;

    /// <summary>Fails the test whose response the description does not describe.</summary>
    public static async Task AssertDescribedAsync(string method, string path, TestServer.Answer answer)
    {
        var faults = await FaultsAsync(method, path, answer);
        Assert.True(faults.Count == 0, $"{method} {path} {answer.Status} is not as openapi.json describes it:\n{string.Join('\n', faults)}");
    }

    /// <summary>Where a response departs from the description, and how.</summary>
    public static async Task<IReadOnlyList<string>> FaultsAsync(string method, string path, TestServer.Answer answer) =>
        await (await Instance.Value).ValidateAsync(JsonSerializer.Serialize(
            new { method, path, status = answer.Status, headers = answer.Headers, body = answer.Body }));

    private static async Task<ResponseValidator> StartAsync()
    {
        var modules = await InstallAsync();
        var node = NpmPackages.Run(new ProcessStartInfo("node", [Path.Combine(Folder, "response-validator.js"), modules, DescriptionFile])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            StandardInputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false),
            StandardOutputEncoding = Encoding.UTF8,
        });
        var validator = new ResponseValidator(node);
        AppDomain.CurrentDomain.ProcessExit += (_, _) => validator.Dispose();
        return validator;
    }

    /// <summary>Node.js ends when its input does, so that a test host that is killed leaves nothing behind either.</summary>
    public void Dispose()
    {
        _node.StandardInput.Close();
        _node.Dispose();
        _turn.Dispose();
    }

    private async Task<IReadOnlyList<string>> ValidateAsync(string response)
    {
        await _turn.WaitAsync();
        try
        {
            await _node.StandardInput.WriteLineAsync(response);
            await _node.StandardInput.FlushAsync();
            var line = await _node.StandardOutput.ReadLineAsync() ?? throw new InvalidOperationException("The response validator has ended; see its standard error above.");
            using var verdict = JsonDocument.Parse(line);
            return [.. verdict.RootElement.GetProperty("faults").EnumerateArray().Select(fault => fault.GetString()!)];
        }
        finally
        {
            _turn.Release();
        }
    }
}
