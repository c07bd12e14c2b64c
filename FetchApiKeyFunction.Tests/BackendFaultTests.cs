// Two backends, of which the first refuses a password and the second fails: the attempt counts.

using Azure;
using Azure.Data.Tables;
using FetchApiKey;
using FetchApiKey.Accounts;
using FetchApiKeyFunction.Tests.Ldap;
using Microsoft.Extensions.Configuration;
using Moq;
using static FetchApiKeyFunction.Tests.TestServer;

namespace FetchApiKeyFunction.Tests;

public sealed class BackendFaultTests : IDisposable
{
    private const int Limit = 3;

    private readonly SlowDirectory _directory = new(TimeSpan.Zero);
    private string? _prefix;

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData("storage", 503)]
    [InlineData("a busy store", 503)]
    [InlineData("a time-out", 503)]
    [InlineData("a fault of our own", 500)]
    public async Task Where_the_directory_refused_and_the_accounts_cannot_be_read_each_guess_counts(string fault, int status)
    {
        var accounts = new Mock<TableClient>();
        var isAway = true;
        accounts.Setup(table => table.GetEntityIfExistsAsync<TableEntity>(It.IsAny<string>(), It.IsAny<string>(), It.IsAny<IEnumerable<string>>(), It.IsAny<CancellationToken>()))
            .Returns(() => isAway ? Task.FromException<NullableResponse<TableEntity>>(Fault(fault)) : Task.FromResult(NoRow));
        await using var server = await TestServer.StartAsync(await TablesAsync(accounts.Object), Settings());

        for (var guess = 0; guess < Limit; guess++)
        {
            Assert.Equal(status, (await server.LogInAsync("hamlet@example.com", "guess")).Status);
        }

        isAway = false;
        Assert.Equal(429, (await server.LogInAsync("hamlet@example.com", "guess")).Status);
        // Another name is judged, so it was the name's limit.
        Assert.Equal(401, (await server.LogInAsync("horatio@example.com", "guess")).Status);
        Assert.Equal(Limit + 1, _directory.Binds);
        Assert.Contains(
            server.Log, line => line.Contains("could not judge a password that another backend had refused", StringComparison.Ordinal));
        Assert.Equal(
            status == 500, server.Log.Any(line => line.Contains("A request failed: InvalidOperationException", StringComparison.Ordinal)));
    }

    private static NullableResponse<TableEntity> NoRow => Mock.Of<NullableResponse<TableEntity>>(
        row => row.GetRawResponse() == Mock.Of<Response>());

    private static Exception Fault(string name) => name switch
    {
        "storage" => new RequestFailedException(0, "Connection refused"),
        "a busy store" => new RequestFailedException(429, "busy"),
        "a time-out" => new TaskCanceledException(),
        _ => new InvalidOperationException("unexpected"),
    };

    /// <summary>Tables that exist, with the root realm in them and the given accounts.</summary>
    private async Task<AccountTables> TablesAsync(TableClient accounts)
    {
        var storage = await SharedAzurite.NewStorageAsync();
        _prefix = storage.TablePrefix;
        await AccountTables.Open(storage).CreateAsync(CancellationToken.None);
        var real = new TableServiceClient(storage.ConnectionString);
        await new RealmStore(AccountTables.Open(storage), TimeSpan.Zero, TimeProvider.System).AddAsync(
            new Realm("", "Zulip", "", "", null, true, PasswordBackends.Email), CancellationToken.None);
        var service = new Mock<TableServiceClient>();
        service.Setup(client => client.QueryAsync(It.IsAny<string>(), It.IsAny<int?>(), It.IsAny<CancellationToken>()))
            .Returns((string filter, int? size, CancellationToken cancellation) => real.QueryAsync(filter, size, cancellation));
        service.Setup(client => client.GetTableClient(It.IsAny<string>())).Returns(
            (string name) => name.EndsWith("accounts", StringComparison.Ordinal) ? accounts : real.GetTableClient(name));
        return new AccountTables(service.Object, _prefix);
    }

    private Settings Settings() => FetchApiKey.Settings.Read(
        new ConfigurationBuilder()
            .AddInMemoryCollection(
            [
                new("AccountStorage", "UseDevelopmentStorage=true"), new("ExternalHost", "zulip.example.com,127.0.0.1"), new("ApiKeys:keys:one", KeyVariable.Value),
                new("Argon2:memoryKib", "64"), new("Argon2:passes", "1"), new("Argon2:lanes", "1"), new("AttemptLimit:perAccount", $"{Limit}"),
                new("Ldap:people:order", "ldap,email"),
            ])
            .AddInMemoryCollection(_directory.Settings.Select(each => KeyValuePair.Create(each.Key.Replace("__", ":", StringComparison.Ordinal), (string?)each.Value)))
            .Build(),
        answersRequests: true);
}
