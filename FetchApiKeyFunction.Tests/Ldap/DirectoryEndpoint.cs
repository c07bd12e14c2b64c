// An endpoint over a directory of the tests' own, with tables of its own.

using System.Globalization;
using System.Text.Json;
using Azure.Data.Tables;
using FetchApiKey.Accounts;
using FetchApiKey.Attempts;
using FetchApiKey.Audit;
using Microsoft.Extensions.Configuration;
using static FetchApiKeyFunction.Tests.TestServer;

namespace FetchApiKeyFunction.Tests.Ldap;

/// <summary>Scripted, or real.</summary>
internal interface ITestedDirectory
{
    /// <summary>For an endpoint; names of the settings are separated by two underscores.</summary>
    IReadOnlyDictionary<string, string> Settings { get; }
}

internal sealed class DirectoryEndpoint : IAsyncDisposable
{
    private DirectoryEndpoint(AccountTables tables, TestServer server) =>
        (Tables, Accounts, Server) = (tables, new AccountStore(tables), server);

    public AccountTables Tables { get; }

    public AccountStore Accounts { get; }

    public TestServer Server { get; }

    /// <param name="hasOwnPasswords">Whether the root realm takes the accounts' own passwords, too.</param>
    /// <param name="more">Of the directory; an empty value takes one away.</param>
    public static async Task<DirectoryEndpoint> StartAsync(
        ITestedDirectory directory, bool hasOwnPasswords, params (string Name, string Value)[] more)
    {
        var tables = await SharedAzurite.NewTablesAsync();
        await new RealmStore(tables, TimeSpan.Zero, TimeProvider.System).AddAsync(
            new Realm("", "Root", "", "", null, true, hasOwnPasswords ? PasswordBackends.Email : PasswordBackends.None), CancellationToken.None);
        return new DirectoryEndpoint(tables, await TestServer.StartAsync(tables, SettingsFor(directory, more)));
    }

    public static Settings SettingsFor(ITestedDirectory directory, params (string Name, string Value)[] more)
    {
        var values = directory.Settings.ToDictionary(
            each => each.Key.Replace("__", ":", StringComparison.Ordinal), each => (string?)each.Value, StringComparer.OrdinalIgnoreCase);
        values["AccountStorage"] = "UseDevelopmentStorage=true";
        values["ExternalHost"] = "zulip.example.com";
        (values["Argon2:memoryKib"], values["Argon2:passes"], values["Argon2:lanes"]) = ("64", "1", "1");
        values["ApiKeys:keys:one"] = KeyVariable.Value;
        (values["AttemptLimit:perAccount"], values["AttemptLimit:perAddress"]) = ("5", "1000");
        values.TryAdd("Ldap:people:operationTimeoutMs", "600");
        values["Ldap:people:autoCreate"] = "true";
        foreach (var (name, value) in more)
        {
            values[$"Ldap:people:{name}"] = value.Length > 0 ? value : null;
        }

        return Settings.Read(new ConfigurationBuilder().AddInMemoryCollection(values).Build(), answersRequests: true);
    }

    public async Task<int> LogInAsync(string username, string password) => (await Server.LogInAsync(username, password)).Status;

    /// <summary>The address of the account that was logged in to.</summary>
    public async Task<string?> AddressOfAsync(string username, string password)
    {
        var answer = await Server.LogInAsync(username, password);
        return answer.Status == 200 ? JsonDocument.Parse(answer.Body).RootElement.GetProperty("email").GetString() : answer.Status.ToString(CultureInfo.InvariantCulture);
    }

    /// <summary>Failures that stand against a name.</summary>
    public async Task<int> CountedAsync(string address)
    {
        var key = Account.PartitionOf("", Parse(address));
        await foreach (var row in Tables.Attempts.QueryAsync<TableEntity>(row => row.PartitionKey == key))
        {
            return AttemptRecord.TryRead(row.GetBinary("Failures"), sizeof(ulong))!.Failures.Count;
        }

        return 0;
    }

    public async Task AddAsync(int userId, string address, string hash, string? apiKey = null)
    {
        var seal = Cipher.Seal("", Parse(address), userId, apiKey ?? Account.NewApiKey());
        var account = new Account("", userId, address, hash, seal, true, Account.Member, DateTimeOffset.UnixEpoch);
        Assert.Equal(Addition.Added, await Accounts.AddAsync(account, Parse(address), CancellationToken.None));
    }

    public async Task<Account?> AccountAsync(string address) =>
        (await Accounts.FindAsync("", Parse(address), CancellationToken.None)).Account;

    /// <summary>The next user id that would be given.</summary>
    public Task<int> NextUserIdAsync() => Accounts.NextUserIdAsync("", CancellationToken.None);

    /// <summary>Waits for an event that has this outcome.</summary>
    public async Task<SecurityEvent> EventAsync(string outcome)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (true)
        {
            var now = TimeProvider.System.GetUtcNow();
            await foreach (var happened in new AuditTable(Tables).SearchAsync(new AuditQuery(now.AddMinutes(-10), now.AddMinutes(1)) { Outcome = outcome }, limit.Token))
            {
                return happened;
            }

            await Task.Delay(50, limit.Token);
        }
    }

    public ValueTask DisposeAsync() => Server.DisposeAsync();

    private static EmailAddress Parse(string text) => EmailAddress.TryParse(text)!;
}
