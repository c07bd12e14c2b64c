// An endpoint over tables of its own that attacks are tried on.

using System.Collections.Concurrent;
using Azure.Data.Tables;
using FetchApiKey.Accounts;
using FetchApiKey.Attempts;
using FetchApiKey.Cli;
using FetchApiKey.Passwords;
using Microsoft.Extensions.Configuration;
using static FetchApiKeyFunction.Tests.TestServer;

namespace FetchApiKeyFunction.Tests.Attempts;

/// <summary>One realm with one account, a proxy before storage that counts, and a server in this process or another.</summary>
internal sealed class AttackedEndpoint : IAsyncDisposable
{
    public const string Bystander = "bystander@example.com";
    public const string BystanderAddress = "203.0.113.9";
    public const string Password = "abcd1234";

    private readonly FaultProxy _proxy;
    private readonly string _connection;
    private readonly ConcurrentQueue<string> _calls = new();
    private TestServer? _server;

    private AttackedEndpoint(FaultProxy proxy, string connection, StorageSettings storage, AccountTables tables)
    {
        (_proxy, _connection, TablePrefix, Tables) = (proxy, connection, storage.TablePrefix, tables);
        _proxy.Meets = request =>
        {
            if (request.Path.Value!.Contains($"{TablePrefix}accounts", StringComparison.Ordinal) || request.Path.Value.Contains($"{TablePrefix}attempts", StringComparison.Ordinal))
            {
                _calls.Enqueue($"{request.Method} {request.Path}");
            }

            return true;
        };
    }

    public string TablePrefix { get; }

    /// <summary>Past the proxy.</summary>
    public AccountTables Tables { get; }

    public TestServer Server => _server!;

    public int Port => Server.Origin.Port;

    /// <summary>Calls on accounts and attempts so far.</summary>
    public int StorageCalls => _calls.Count;

    /// <summary>Tables with a realm and the bystander's account; no server yet.</summary>
    public static async Task<AttackedEndpoint> CreateAsync()
    {
        var storage = await SharedAzurite.NewStorageAsync();
        var tables = AccountTables.Open(storage);
        await tables.CreateAsync(CancellationToken.None);
        await new RealmStore(tables, TimeSpan.Zero, TimeProvider.System).AddAsync(
            new Realm("", "Attacked", "", "", null, true, PasswordBackends.Email), CancellationToken.None);
        var (proxy, connection) = await FaultProxy.StartAsync();
        return new AttackedEndpoint(proxy, connection, storage, tables);
    }

    /// <summary>The same with a server in this process, which believes <see cref="AttackConnection.AddressHeader"/>.</summary>
    public static async Task<AttackedEndpoint> StartAsync(params (string Name, string Value)[] more)
    {
        var endpoint = await CreateAsync();
        var values = endpoint.Environment(more).Select(
            setting => KeyValuePair.Create(setting.Key.Replace("__", ":", StringComparison.Ordinal), (string?)setting.Value));
        var settings = Settings.Read(new ConfigurationBuilder().AddInMemoryCollection(values).Build(), answersRequests: true);
        await endpoint.AddBystanderAsync(settings);
        endpoint._server = await TestServer.StartAsync(
            AccountTables.Open(new StorageSettings { ConnectionString = endpoint._connection, TablePrefix = endpoint.TablePrefix }), settings);
        return endpoint;
    }

    /// <summary>The settings as a process reads them.</summary>
    public Dictionary<string, string> Environment(params (string Name, string Value)[] more)
    {
        var environment = new Dictionary<string, string>
        {
            ["AccountStorage"] = _connection, ["TablePrefix"] = TablePrefix, ["ExternalHost"] = "127.0.0.1", [KeyVariable.Name] = KeyVariable.Value,
            ["Argon2__memoryKib"] = "64", ["Argon2__passes"] = "1", ["Argon2__lanes"] = "1",
            ["ClientAddress__header"] = AttackConnection.AddressHeader, ["ClientAddress__trustedHops"] = "1",
        };
        foreach (var (name, value) in more)
        {
            environment[name] = value;
        }

        return environment;
    }

    public async Task AddBystanderAsync(Settings settings)
    {
        using var password = TypedPassword.FromText(Password);
        var hash = await NewHash.OfAsync(password, settings.Hashing, TimeProvider.System);
        var account = new Account(
            "", 1, Bystander, hash, Cipher.Seal("", EmailAddress.TryParse(Bystander)!, 1, Account.NewApiKey()), true, Account.Member,
            DateTimeOffset.UnixEpoch);
        Assert.Equal(
            Addition.Added, await new AccountStore(Tables).AddAsync(account, EmailAddress.TryParse(Bystander)!, CancellationToken.None));
    }

    /// <summary>A whole login on a connection of its own; null where the server ended that.</summary>
    public static async Task<int?> LogInAsync(int port, string name, string password, string address)
    {
        using var connection = await AttackConnection.OpenAsync(port);
        await connection.SendAsync(AttackConnection.Login(name, password, address));
        return await connection.ReceiveAsync();
    }

    public Task<int?> LogInAsync(string name, string password, string address) => LogInAsync(Port, name, password, address);

    /// <summary>Failures on record, by whether they are an address's.</summary>
    public async Task<(List<int> OfAddresses, List<int> OfNames)> FailuresAsync()
    {
        var (addresses, names) = (new List<int>(), new List<int>());
        await foreach (var row in Tables.Attempts.QueryAsync<TableEntity>(row => row.PartitionKey != "sweep"))
        {
            var isAddress = row.PartitionKey.StartsWith('@');
            (isAddress ? addresses : names).Add(AttemptRecord.TryRead(row.GetBinary("Failures"), isAddress ? sizeof(uint) : sizeof(ulong))!.Failures.Count);
        }

        return (addresses, names);
    }

    /// <summary>Waits until no attempt is open any more.</summary>
    public async Task SettleAsync()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(15));
        while (Server.Part<OpenAttempts>().Count > 0)
        {
            await Task.Delay(20, limit.Token);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }

        await _proxy.DisposeAsync();
    }
}
