// The hosts that the endpoint is deployed under, each over the same tables, for the tests that must hold on all of them.

using FetchApiKey.Accounts;

namespace FetchApiKeyFunction.Tests.Hosts;

public enum HostKind
{
    /// <summary>The published isolated worker under the Functions host.</summary>
    Worker,

    /// <summary>The program as a custom handler under the Functions host.</summary>
    CustomHandler,

    /// <summary>The program alone.</summary>
    Serve,
}

/// <summary>An organisation, and one running endpoint of each kind that logs its people in.</summary>
public sealed class EveryHost : IAsyncLifetime
{
    public const string WebOrigin = "https://web.example.com";

    private readonly Dictionary<HostKind, Lazy<Task<IEndpointHost>>> _running;

    public EveryHost() =>
        _running = Enum.GetValues<HostKind>().ToDictionary(kind => kind, kind => new Lazy<Task<IEndpointHost>>(() => StartAsync(kind)));

    public static TheoryData<HostKind> Kinds => [.. Enum.GetValues<HostKind>()];

    public Organisation Organisation { get; } = new();

    public Task InitializeAsync() => Organisation.InitializeAsync();

    public async Task DisposeAsync()
    {
        foreach (var host in _running.Values.Where(host => host.IsValueCreated))
        {
            await (await host.Value).DisposeAsync();
        }

        await Organisation.DisposeAsync();
    }

    /// <summary>One endpoint of the kind, the same for all tests, which must not end it.</summary>
    internal Task<IEndpointHost> RunningAsync(HostKind kind) => _running[kind].Value;

    /// <summary>An endpoint that takes requests.</summary>
    internal async Task<IEndpointHost> StartAsync(HostKind kind, params (string Name, string Value)[] more)
    {
        var host = await CreateAsync(kind, Settings(await SharedAzurite.ConnectionStringAsync(), Organisation.TablePrefix, more));
        await host.StartAsync();
        await host.WaitUntilReadyAsync();
        return host;
    }

    /// <summary>An endpoint that is not started yet.</summary>
    internal static async Task<IEndpointHost> CreateAsync(HostKind kind, IReadOnlyDictionary<string, string> environment) => kind switch
    {
        HostKind.Worker => new FunctionsHost(await WorkerFolderAsync(), environment),
        HostKind.CustomHandler => new CustomHandlerHost(TestedProgram.Usual, environment),
        _ => new ServedProgram(TestedProgram.Usual, environment),
    };

    /// <summary>A published function app.</summary>
    internal static async Task<string> WorkerFolderAsync() => TestedProgram.OtherWorker ?? await Package.WorkerFolderAsync();

    /// <summary>An operator's settings as a process gets them, the later ones before the earlier.</summary>
    internal static Dictionary<string, string> Settings(string connection, string tablePrefix, params (string Name, string Value)[] more)
    {
        var settings = OperatorDesk.VariablesOf(OperatorDesk.Environment(connection, tablePrefix));
        settings["ExternalHost"] = "zulip.example.com,127.0.0.1";
        settings["CorsAllowedOrigins"] = WebOrigin;
        settings["Jwt__portal__realms"] = "@";
        settings["Jwt__portal__key"] = WireCases.TokenSecret;
        settings["Jwt__portal__algorithms"] = "HS256";
        foreach (var limit in new[] { "perAccount", "perAddress" })
        {
            settings[$"AttemptLimit__{limit}"] = "1000";
        }

        foreach (var (name, value) in more)
        {
            settings[name] = value;
        }

        return settings;
    }
}

/// <summary>Test classes that share the endpoints, one class after the other.</summary>
[CollectionDefinition(Name)]
public sealed class EveryHostDefinition : ICollectionFixture<EveryHost>
{
    public const string Name = "every host";
}
