// Storage that fails at one step of a request and not before: what each call of the store meets.

using System.Text.RegularExpressions;
using FetchApiKey;
using FetchApiKey.Accounts;
using Microsoft.AspNetCore.Http;

namespace FetchApiKeyFunction.Tests;

/// <param name="Table">accounts, attempts, audit, realms or userids; of a transaction, whose rows are in its body, "batch".</param>
/// <param name="Batches">Transactions so far, this one too. A password reset makes one, after its event.</param>
/// <param name="Changes">Changes of accounts so far, this one too.</param>
internal sealed record StorageCall(string Table, bool IsChange, int Batches, int Changes);

internal sealed partial class StorageScript : IAsyncDisposable
{
    private readonly Organisation _organisation;
    private readonly FaultProxy _proxy;

    private StorageScript(Organisation organisation, FaultProxy proxy, StorageSettings storage, TestServer server) =>
        (_organisation, _proxy, Storage, Server) = (organisation, proxy, storage, server);

    public StorageSettings Storage { get; }

    public TestServer Server { get; }

    /// <summary>A server whose every call of the store passes the proxy.</summary>
    public static async Task<StorageScript> StartAsync(Organisation organisation, Settings? settings = null)
    {
        var (proxy, connection) = await FaultProxy.StartAsync();
        var storage = new StorageSettings { ConnectionString = connection, TablePrefix = organisation.TablePrefix };
        return new StorageScript(organisation, proxy, storage, await TestServer.StartAsync(AccountTables.Open(storage), settings));
    }

    public void Play(Func<StorageCall, StorageFault> faults)
    {
        var (batches, changes) = (0, 0);
        var turn = new Lock();
        _proxy.Meets = request =>
        {
            lock (turn)
            {
                var path = request.Path.Value!;
                var isBatch = path.EndsWith("$batch", StringComparison.Ordinal);
                var table = isBatch ? "batch" : TableName().Match(path[(path.IndexOf(_organisation.TablePrefix, StringComparison.Ordinal) + 1)..]).Value;
                var isChange = !HttpMethods.IsGet(request.Method);
                batches += isBatch ? 1 : 0;
                changes += isChange && table == "accounts" ? 1 : 0;
                _proxy.Fault = faults(new StorageCall(table, isChange, batches, changes));
                return true;
            }
        };
    }

    public void Stop() => Play(_ => StorageFault.None);

    public async ValueTask DisposeAsync()
    {
        Stop();
        await Server.DisposeAsync();
        await _proxy.DisposeAsync();
    }

    [GeneratedRegex("accounts|attempts|audit|realms|userids")]
    private static partial Regex TableName();
}
