// The operator's command line as the tests run it, on tables of its own: in this process, or as a program.

using System.Text;
using FetchApiKey.Accounts;
using FetchApiKey.Cli;
using FetchApiKeyFunction.Tests.Hosts;
using Microsoft.Extensions.Configuration;

namespace FetchApiKeyFunction.Tests;

internal sealed record CommandResult(int Code, string Output, string Error);

internal sealed class OperatorDesk
{
    private readonly TestedProgram? _program;

    private OperatorDesk(StorageSettings storage, TestedProgram? program) =>
        (Settings, Tables, TablePrefix, _program) = (Environment(storage.ConnectionString!, storage.TablePrefix), AccountTables.Open(storage), storage.TablePrefix, program);

    public IConfigurationRoot Settings { get; }

    public AccountTables Tables { get; }

    public string TablePrefix { get; }

    /// <summary>With tables and a root realm.</summary>
    /// <param name="program">Runs the commands; null for this process.</param>
    public static async Task<OperatorDesk> OpenAsync(TestedProgram? program = null)
    {
        var desk = new OperatorDesk(await SharedAzurite.NewStorageAsync(), program);
        Assert.Equal(ExitCode.Done, (await desk.RunAsync("tables create")).Code);
        Assert.Equal(ExitCode.Done, (await desk.RunAsync("realms add")).Code);
        return desk;
    }

    public static IConfigurationRoot Environment(string connectionString, string prefix) => new ConfigurationBuilder()
        .AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["AccountStorage"] = connectionString,
            ["TablePrefix"] = prefix,
            ["ExternalHost"] = "zulip.example.com",
            [TestServer.KeyVariable.Name.Replace("__", ":", StringComparison.Ordinal)] = TestServer.KeyVariable.Value,
            ["Argon2:memoryKib"] = "64",
            ["Argon2:passes"] = "1",
            ["Argon2:lanes"] = "1",
        })
        .Build();

    public static async Task<CommandResult> RunAsync(
        string command, string? input, IConfiguration environment, TimeProvider? time = null, TestedProgram? program = null)
    {
        if (program is not null || (TestedProgram.Other is not null && time is null))
        {
            using var run = (program ?? TestedProgram.Usual).Start(command.Split(' '), VariablesOf(environment), input ?? "");
            var ended = await run.ExitCodeAsync();
            return new CommandResult(ended, run.StandardOutput, run.Error);
        }

        using var output = new StringWriter { NewLine = "\n" };
        using var error = new StringWriter { NewLine = "\n" };
        var line = new CommandLine(
            environment, new StandardInput(new MemoryStream(Encoding.UTF8.GetBytes(input ?? "")), isTerminal: false),
            time ?? TimeProvider.System);
        var code = await line.RunAsync(command.Split(' '), output, error);
        return new CommandResult(code, output.ToString(), error.ToString());
    }

    public Task<CommandResult> RunAsync(string command, string? input = null) => RunAsync(command, input, Settings, program: _program);

    /// <summary>These settings and others besides.</summary>
    public IConfigurationRoot With(params (string Key, string? Value)[] more) => new ConfigurationBuilder()
        .AddConfiguration(Settings)
        .AddInMemoryCollection(more.Select(each => new KeyValuePair<string, string?>(each.Key, each.Value)))
        .Build();

    /// <summary>What a process of its own needs in its environment to do the same.</summary>
    public Dictionary<string, string> Variables => VariablesOf(Settings);

    internal static Dictionary<string, string> VariablesOf(IConfiguration settings) => settings.AsEnumerable()
        .Where(each => each.Value is not null)
        .ToDictionary(each => each.Key.Replace(":", "__", StringComparison.Ordinal), each => each.Value!, StringComparer.Ordinal);
}
