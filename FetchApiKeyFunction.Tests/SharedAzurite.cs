// One Azurite for the whole test run.

using FetchApiKey.Accounts;
using FetchApiKey.Cli;

namespace FetchApiKeyFunction.Tests;

/// <summary>Started by the first test that needs it, ended with the process. Tests keep apart by their table prefix.</summary>
internal static class SharedAzurite
{
    private static readonly Lazy<Task<Azurite>> Instance = new(async () =>
    {
        var azurite = await Azurite.StartAsync(Azurite.FreePort(), data: null, Console.WriteLine, CancellationToken.None);
        AppDomain.CurrentDomain.ProcessExit += (_, _) => azurite.DisposeAsync().AsTask().GetAwaiter().GetResult();
        return azurite;
    });

    private static int _prefixes;

    public static async Task<string> ConnectionStringAsync() => (await Instance.Value).ConnectionString;

    public static async Task<StorageSettings> NewStorageAsync() => new()
    {
        ConnectionString = await ConnectionStringAsync(),
        TablePrefix = $"t{Interlocked.Increment(ref _prefixes)}x",
    };

    public static async Task<AccountTables> NewTablesAsync()
    {
        var tables = AccountTables.Open(await NewStorageAsync());
        await tables.CreateAsync(CancellationToken.None);
        return tables;
    }
}
