// Login servers to compare, each a process with the same accounts: the endpoint, and what a user would pick instead.

using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;
using Azure.Data.Tables;
using FetchApiKey.Accounts;
using FetchApiKey.Cli;
using FetchApiKey.Passwords;
using FetchApiKeyFunction.Tests.Attempts;

namespace FetchApiKey.Benchmarks;

/// <summary>What a stack needs is not on this machine.</summary>
internal sealed class StackMissingException(string reason) : Exception(reason);

/// <summary>A store with accounts of one cost, and what is read from it.</summary>
internal sealed record LoadedStore(Azurite Azurite, string Prefix, Argon2Cost Cost, IReadOnlyList<LoadedAccount> Accounts)
{
    /// <summary>The table of those who do not seal keys: PartitionKey and RowKey are the address as it is typed.</summary>
    public string PlainTable => $"{Prefix}plain";

    public TableClient PlainAccounts => new(Azurite.ConnectionString, PlainTable);

    /// <summary>Accounts in the endpoint's own tables, and the same with the same hashes and keys in a plain one.</summary>
    public static async Task<LoadedStore> CreateAsync(Azurite azurite, string prefix, Argon2Cost cost, int accounts)
    {
        var tables = await EndpointLoad.PopulateAsync(azurite, prefix, cost, accounts);
        var store = new LoadedStore(azurite, prefix, cost, await ReadAsync(tables, accounts));
        await store.PlainAccounts.CreateAsync();
        foreach (var account in store.Accounts)
        {
            await store.PlainAccounts.AddEntityAsync(new TableEntity(account.Email, account.Email)
            {
                ["Email"] = account.Email, ["PasswordHash"] = account.Hash, ["ApiKey"] = account.ApiKey, ["UserId"] = account.UserId,
            });
        }

        return store;
    }

    public async Task<IReadOnlyList<string>> HashesAsync() =>
        [.. (await ReadAsync(AccountTables.Open(new StorageSettings { ConnectionString = Azurite.ConnectionString, TablePrefix = Prefix }), Accounts.Count)).Select(account => account.Hash)];

    public async Task<IReadOnlyList<string>> PlainHashesAsync()
    {
        var hashes = new List<string>();
        await foreach (var row in PlainAccounts.QueryAsync<TableEntity>())
        {
            hashes.Add(row.GetString("PasswordHash"));
        }

        return hashes;
    }

    private static async Task<IReadOnlyList<LoadedAccount>> ReadAsync(AccountTables tables, int count)
    {
        var cipher = new ApiKeyCipher(new ApiKeySettings(new Dictionary<string, byte[]> { ["bench"] = EndpointLoad.Key }, "bench"));
        var accounts = new List<LoadedAccount>();
        for (var i = 0; i < count; i++)
        {
            var account = (await new AccountStore(tables).FindAsync("", EmailAddress.TryParse($"user{i}@example.com")!, CancellationToken.None)).Account!;
            accounts.Add(cipher.Open(account, out var apiKey) == Opening.Opened
                ? new LoadedAccount(account.Email, account.PasswordHash, apiKey, account.UserId)
                : throw new InvalidOperationException("An account's key does not open."));
        }

        return accounts;
    }
}

/// <summary>A running server, which ends with this object together with all that it started.</summary>
/// <param name="storedHashes">What its own store holds now.</param>
/// <param name="folder">Of its own, deleted with it; null for none.</param>
internal sealed class LoginStack(string name, Process process, int port, Func<Task<IReadOnlyList<string>>> storedHashes, string? folder) : IDisposable
{
    private readonly Channel<string> _reports = Channel.CreateUnbounded<string>();

    /// <summary>How the names of all builds of the endpoint begin.</summary>
    private const string EndpointName = "endpoint";

    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(30);

    public string Name => name;

    public bool IsEndpoint => name.StartsWith(EndpointName, StringComparison.Ordinal);

    public int ProcessId => process.Id;

    public int Port => port;

    /// <summary>In the order of the table. One that cannot be had here is not started, and its reason is told.</summary>
    /// <param name="published">Builds of the endpoint, NAME=FOLDER each; none for the one beside this program.</param>
    public static async Task<List<LoginStack>> StartAllAsync(LoadedStore store, IReadOnlyList<string> published, Action<string> tell)
    {
        var stacks = new List<LoginStack>();
        foreach (var start in Endpoints(published).Concat([PlainServer.StartAsync, NodeServer.StartAsync, DjangoServer.StartAsync]))
        {
            try
            {
                stacks.Add(await start(store));
            }
            catch (StackMissingException missing)
            {
                tell(missing.Message);
            }
            catch
            {
                stacks.ForEach(stack => stack.Dispose());
                throw;
            }
        }

        return stacks;
    }

    /// <summary>
    /// Builds of the endpoint, NAME=FOLDER each, or where there are none the one beside this program; as what starts them.
    /// </summary>
    public static IEnumerable<Func<LoadedStore, Task<LoginStack>>> Endpoints(IReadOnlyList<string> published) => published
        .Select(build => build.Split('=', 2))
        .Select(
            build => (Func<LoadedStore, Task<LoginStack>>)(store => StartPublishedAsync(store, $"{EndpointName}, {build[0]}", build[1])))
        .DefaultIfEmpty(StartEndpointAsync);

    /// <summary>As an operator starts it, believing a proxy where clients come from; everything else is the default.</summary>
    public static Task<LoginStack> StartEndpointAsync(LoadedStore store) => StartEndpointAsync(
        store, EndpointName, port => new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "fetch-api-key.dll"), "serve", "--port", $"{port}"]));

    /// <summary>
    /// A build of the endpoint that is published already: the worker behind a Functions host in a process of its own, or the program.
    /// </summary>
    private static Task<LoginStack> StartPublishedAsync(LoadedStore store, string name, string folder) => StartEndpointAsync(
        store, name, port => File.Exists(Path.Combine(folder, "worker.config.json"))
            ? Verb(store, WorkerServer.Verb, folder, $"{port}")
            : new ProcessStartInfo(Path.Combine(folder, "fetch-api-key"), ["serve", "--address", "127.0.0.1", "--port", $"{port}"]) { WorkingDirectory = folder });

    /// <param name="start">Starts the endpoint on that port; its settings are added.</param>
    public static Task<LoginStack> StartEndpointAsync(LoadedStore store, string name, Func<int, ProcessStartInfo> start)
    {
        var port = Azurite.FreePort();
        var process = start(port);
        foreach (var (variable, value) in LoadedServer.Environment(store.Azurite, store.Prefix, store.Cost))
        {
            process.Environment[variable] = value;
        }

        process.Environment["ClientAddress__header"] = AttackConnection.AddressHeader;
        process.Environment["ClientAddress__trustedHops"] = "1";
        return StartAsync(name, process, port, store.HashesAsync);
    }

    /// <summary>A verb of this program as a process of its own.</summary>
    public static ProcessStartInfo Verb(LoadedStore store, params string[] arguments) =>
        new("dotnet", [Path.Combine(AppContext.BaseDirectory, "FetchApiKey.Benchmarks.dll"), .. arguments])
        {
            Environment = { ["AccountStorage"] = store.Azurite.ConnectionString, ["TablePrefix"] = store.Prefix },
        };

    /// <summary>Returns once the port is open. What the server prints is read, so that it never waits, and all but reports is thrown away.</summary>
    public static async Task<LoginStack> StartAsync(
        string name, ProcessStartInfo start, int port, Func<Task<IReadOnlyList<string>>> storedHashes, string? folder = null)
    {
        start.RedirectStandardOutput = true;
        var process = NpmPackages.Run(start);
        var stack = new LoginStack(name, process, port, storedHashes, folder);
        process.OutputDataReceived += (_, printed) => stack.Printed(printed.Data);
        process.BeginOutputReadLine();
        var began = Stopwatch.GetTimestamp();
        while (!await IsOpenAsync(port))
        {
            if (process.HasExited || Stopwatch.GetElapsedTime(began) > StartLimit)
            {
                stack.Dispose();
                throw new InvalidOperationException($"{name} does not listen.");
            }

            await Task.Delay(50);
        }

        return stack;
    }

    /// <summary>Sends a line to a server that listens to them, and gives the line of JSON that it answers with.</summary>
    public async Task<string> AskAsync()
    {
        await process.StandardInput.WriteLineAsync();
        return await _reports.Reader.WaitToReadAsync() ? await _reports.Reader.ReadAsync() : throw new InvalidOperationException($"{name} ended.");
    }

    /// <summary>Its cost is what is compared, so it must be the one that was meant.</summary>
    /// <exception cref="InvalidOperationException">A hash that it has stored has another cost, or is none of Argon2.</exception>
    public async Task CheckStoredAsync(Argon2Cost cost)
    {
        var hashes = await storedHashes();
        if (hashes.Count == 0 || hashes.Any(hash => StoredHash.Parse(hash) is not Argon2Hash { Variant: FetchApiKey.Argon2.Argon2Variant.Argon2id } argon2 || argon2.Cost != cost))
        {
            throw new InvalidOperationException(string.Create(CultureInfo.InvariantCulture, $"{name} does not store hashes of {cost}."));
        }
    }

    /// <param name="line">Null at the end.</param>
    private void Printed(string? line)
    {
        if (line is null)
        {
            _reports.Writer.TryComplete();
        }
        else if (line.StartsWith('{'))
        {
            _reports.Writer.TryWrite(line);
        }
    }

    public void Dispose()
    {
        process.Kill(entireProcessTree: true);
        process.WaitForExit();
        process.Dispose();
        if (folder is not null)
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task<bool> IsOpenAsync(int port)
    {
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync(IPAddress.Loopback, port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
