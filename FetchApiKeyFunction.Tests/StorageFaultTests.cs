// What Azurite does not do on demand: refusals, throttling, time-outs and overtaken changes, made by mocks of the client.

using Azure;
using Azure.Data.Tables;
using FetchApiKey.Accounts;
using FetchApiKey.Cli;
using FetchApiKey.Passwords;
using Moq;

namespace FetchApiKeyFunction.Tests;

public sealed class StorageFaultTests
{
    private static readonly string Strong = "correct horse battery staple";

    public static TheoryData<string> Faults => ["403", "429", "500", "503", "time-out", "no connection", "retries used up"];

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task A_read_that_fails_gets_503_and_judges_no_password(string fault)
    {
        var accounts = new Mock<TableClient>();
        accounts.Setup(ReadAccount).ThrowsAsync(Fault(fault));

        await using var server = await TestServer.StartAsync(await TablesAsync(accounts));
        var answer = await server.LogInAsync("iago@zulip.com", Strong);

        Assert.Equal((503, TestServer.Golden("E18")), (answer.Status, answer.Body));
        Assert.Equal("5", answer.Headers["Retry-After"]);
        Assert.Contains(server.Log, line => line.Contains("Account storage is unavailable", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("412")]
    [InlineData("429")]
    [InlineData("503")]
    [InlineData("time-out")]
    public async Task A_hash_that_cannot_be_renewed_costs_nobody_the_login(string fault)
    {
        var accounts = new Mock<TableClient>();
        var apiKey = Account.NewApiKey();
        var account = new Account(
            "", 5, "iago@zulip.com", await OutdatedHashAsync(),
            TestServer.Cipher.Seal("", EmailAddress.TryParse("iago@zulip.com")!, 5, apiKey), true, Account.Member,
            DateTimeOffset.UnixEpoch);
        accounts.Setup(ReadAccount).ReturnsAsync(
            Response.FromValue(account.ToRow(EmailAddress.TryParse(account.Email)!), Mock.Of<Response>()));
        accounts.Setup(WriteAccount).ThrowsAsync(Fault(fault));

        await using var server = await TestServer.StartAsync(await TablesAsync(accounts));
        var answer = await server.LogInAsync("iago@zulip.com", Strong);

        Assert.Equal(200, answer.Status);
        Assert.Contains(apiKey, answer.Body, StringComparison.Ordinal);
        accounts.Verify(WriteAccount, Times.Once);
        Assert.Contains(server.Log, line => line.Contains("The outdated hash of user 5", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_fault_of_our_own_gets_500_and_its_message_stays_out_of_log_and_answer()
    {
        await using var server = await StartWithFaultOfOurOwnAsync("s3cr3t");
        var answer = await server.LogInAsync("iago@zulip.com", Strong);

        Assert.Equal((500, TestServer.Golden("E17")), (answer.Status, answer.Body));
        Assert.Contains(server.Log, line => line.Contains("A request failed: InvalidOperationException", StringComparison.Ordinal));
        Assert.DoesNotContain(server.Log, line => line.Contains("s3cr3t", StringComparison.Ordinal));
    }

    /// <summary>A server whose every login ends in an exception that nobody expects.</summary>
    internal static async Task<TestServer> StartWithFaultOfOurOwnAsync(string message)
    {
        var accounts = new Mock<TableClient>();
        accounts.Setup(ReadAccount).ThrowsAsync(new InvalidOperationException(message));
        return await TestServer.StartAsync(await TablesAsync(accounts));
    }

    private static readonly System.Linq.Expressions.Expression<Func<TableClient, Task<NullableResponse<TableEntity>>>> ReadAccount =
        table => table.GetEntityIfExistsAsync<TableEntity>(
            It.IsAny<string>(), It.IsAny<string>(), It.IsAny<IEnumerable<string>>(), It.IsAny<CancellationToken>());

    private static readonly System.Linq.Expressions.Expression<Func<TableClient, Task<Response>>> WriteAccount =
        table => table.UpdateEntityAsync(
            It.IsAny<TableEntity>(), It.IsAny<ETag>(), It.IsAny<TableUpdateMode>(), It.IsAny<CancellationToken>());

    private static Exception Fault(string name) => name switch
    {
        "time-out" => new TaskCanceledException("The operation was cancelled."),
        "no connection" => new RequestFailedException(0, "Connection refused"),
        "retries used up" => new AggregateException(new RequestFailedException(503, "busy"), new TaskCanceledException()),
        _ => new RequestFailedException(int.Parse(name, System.Globalization.CultureInfo.InvariantCulture), "refused"),
    };

    private static async Task<string> OutdatedHashAsync()
    {
        using var password = TypedPassword.FromText(Strong);
        return await NewHash.OfAsync(password, TestServer.Hashing with { Cost = new Argon2Cost(128, 1, 1) }, TimeProvider.System);
    }

    /// <summary>Tables that exist, with the root realm in them and the given accounts.</summary>
    private static async Task<AccountTables> TablesAsync(Mock<TableClient> accounts)
    {
        var realm = new Realm("", "Zulip", "", "", null, true, PasswordBackends.Email).ToRow();
        var realms = new Mock<TableClient>();
        realms.Setup(table => table.QueryAsync<TableEntity>(It.IsAny<string>(), It.IsAny<int?>(), It.IsAny<IEnumerable<string>>(), It.IsAny<CancellationToken>()))
            .Returns(Pages(realm));
        var service = new Mock<TableServiceClient>();
        service.Setup(client => client.QueryAsync(It.IsAny<string>(), It.IsAny<int?>(), It.IsAny<CancellationToken>()))
            .Returns(
                Pages(new Azure.Data.Tables.Models.TableItem("realms"), new("accounts"), new("userids"), new("attempts"), new("audit")));
        service.Setup(client => client.GetTableClient("realms")).Returns(realms.Object);
        var others = await SharedAzurite.NewTablesAsync();
        service.Setup(client => client.GetTableClient("attempts")).Returns(others.Attempts);
        service.Setup(client => client.GetTableClient("audit")).Returns(others.Audit);
        service.Setup(client => client.GetTableClient("accounts")).Returns(accounts.Object);
        return new AccountTables(service.Object, "");
    }

    private static AsyncPageable<T> Pages<T>(params T[] items)
        where T : notnull => AsyncPageable<T>.FromPages([Page<T>.FromValues(items, null, Mock.Of<Response>())]);
}
