// The operator's command line as the tests run it: in this process, on tables of its own.

using FetchApiKeyFunction.Accounts;
using FetchApiKeyFunction.Operator;
using Microsoft.Extensions.Configuration;

namespace FetchApiKeyFunction.Tests;

internal sealed record CommandResult(int Code, string Output, string Error);

internal sealed class OperatorDesk
{
    private OperatorDesk(StorageSettings storage) =>
        (Settings, Tables, TablePrefix) = (Environment(storage.ConnectionString!, storage.TablePrefix), AccountTables.Open(storage), storage.TablePrefix);

    public IConfigurationRoot Settings { get; }

    public AccountTables Tables { get; }

    public string TablePrefix { get; }

    /// <summary>With tables and a root realm.</summary>
    public static async Task<OperatorDesk> OpenAsync()
    {
        var desk = new OperatorDesk(await SharedAzurite.NewStorageAsync());
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

    public static async Task<CommandResult> RunAsync(string command, string? input, IConfiguration environment, TimeProvider? time = null)
    {
        using var output = new StringWriter { NewLine = "\n" };
        using var error = new StringWriter { NewLine = "\n" };
        var line = new CommandLine(environment, new StringReader(input ?? ""), time ?? TimeProvider.System);
        var code = await line.RunAsync(command.Split(' '), output, error);
        return new CommandResult(code, output.ToString(), error.ToString());
    }

    public Task<CommandResult> RunAsync(string command, string? input = null) => RunAsync(command, input, Settings);

    /// <summary>These settings and others besides.</summary>
    public IConfigurationRoot With(params (string Key, string? Value)[] more) => new ConfigurationBuilder()
        .AddConfiguration(Settings)
        .AddInMemoryCollection(more.Select(each => new KeyValuePair<string, string?>(each.Key, each.Value)))
        .Build();

    /// <summary>What a process of its own needs in its environment to do the same.</summary>
    public Dictionary<string, string> Variables => Settings.AsEnumerable()
        .Where(each => each.Value is not null)
        .ToDictionary(each => each.Key.Replace(":", "__", StringComparison.Ordinal), each => each.Value!, StringComparer.Ordinal);
}
