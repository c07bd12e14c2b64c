// Events that the audit table refuses, and conflicts that are no acknowledgement: made by mocks of the client.

using System.Collections.Concurrent;
using System.Text.Json;
using Azure;
using Azure.Data.Tables;
using FetchApiKey.Accounts;
using FetchApiKey.Audit;
using Microsoft.Extensions.Logging.Abstractions;
using Moq;

namespace FetchApiKeyFunction.Tests;

public sealed class AuditRefusalTests
{
    private readonly ConcurrentQueue<string> _taken = new();
    private int _calls;

    [Theory]
    [InlineData(400)]
    [InlineData(413)]
    [InlineData(422)]
    public async Task An_event_that_the_table_refuses_is_lost_once_and_takes_no_other_with_it(int status)
    {
        var table = TableThat(rows => rows.Contains("bad") ? new RequestFailedException(status, "refused") : null);
        using var lost = new Measurements("fetch_api_key.audit.lost");
        using (var trail = new AuditTrail(table, TimeProvider.System, NullLogger<AuditTrail>.Instance))
        {
            foreach (var realm in new[] { "one", "bad", "two", "three" })
            {
                trail.Record(Happened(realm));
            }

            await UntilAsync(() => _taken.Count == 3);
            trail.Record(Happened("four"));
            await UntilAsync(() => _taken.Count == 4);
            Assert.False(trail.IsAway);
        }

        Assert.Equal(["four", "one", "three", "two"], _taken.Order(StringComparer.Ordinal));
        Assert.Equal(1, lost.Taken.Sum(taken => (long)taken[""]!));
        // All at once, each alone, and the last.
        Assert.Equal(6, _calls);
    }

    [Theory]
    [InlineData(403, "AuthorizationPermissionMismatch")]
    [InlineData(404, "TableNotFound")]
    [InlineData(409, "TableBeingDeleted")]
    [InlineData(429, "")]
    [InlineData(500, "InternalError")]
    public async Task What_may_pass_is_waited_for(int status, string code)
    {
        var isAway = true;
        var table = TableThat(_ => isAway ? new RequestFailedException(status, "away", code, null) : null);
        using var trail = new AuditTrail(table, TimeProvider.System, NullLogger<AuditTrail>.Instance);

        trail.Record(Happened("one"));
        await UntilAsync(() => trail.IsAway);
        isAway = false;

        await UntilAsync(() => _taken.Count == 1);
        await UntilAsync(() => !trail.IsAway);
    }

    [Theory]
    [InlineData(409, "TableBeingDeleted", false)]
    [InlineData(404, "TableNotFound", false)]
    [InlineData(409, "EntityAlreadyExists", true)]
    public async Task Only_a_row_that_is_there_counts_as_stored(int status, string code, bool isStored)
    {
        var table = TableThat(_ => new RequestFailedException(status, "no", code, null));
        using var trail = new AuditTrail(table, TimeProvider.System, NullLogger<AuditTrail>.Instance);

        var fault = await Record.ExceptionAsync(() => trail.StoreAsync(Happened("one"), CancellationToken.None));

        Assert.Equal(isStored, fault is null);
    }

    private static SecurityEvent Happened(string realm) =>
        new(TimeProvider.System.GetUtcNow(), SecurityEventKind.Login, "logged_in", realm, 1, "a", "c", "", "");

    /// <summary>Realms stand for the events.</summary>
    private AuditTable TableThat(Func<IReadOnlyList<string>, RequestFailedException?> refuses)
    {
        var audit = new Mock<TableClient>();
        audit.Setup(table => table.AddEntityAsync(It.IsAny<TableEntity>(), It.IsAny<CancellationToken>()))
            .Returns((TableEntity row, CancellationToken _) =>
            {
                Interlocked.Increment(ref _calls);
                var realms = row.GetString("Events").Split('\n', StringSplitOptions.RemoveEmptyEntries)
                    .Select(line => JsonDocument.Parse(line).RootElement.GetProperty("realm").GetString()!).ToList();
                if (refuses(realms) is { } refusal)
                {
                    return Task.FromException<Response>(refusal);
                }

                realms.ForEach(_taken.Enqueue);
                return Task.FromResult(Mock.Of<Response>());
            });
        audit.Setup(table => table.GetEntityIfExistsAsync<TableEntity>(It.IsAny<string>(), It.IsAny<string>(), It.IsAny<IEnumerable<string>>(), It.IsAny<CancellationToken>()))
            .ThrowsAsync(new RequestFailedException(404, "away", "TableNotFound", null));
        var service = new Mock<TableServiceClient>();
        service.Setup(client => client.GetTableClient("audit")).Returns(audit.Object);
        return new AuditTable(new AccountTables(service.Object, ""));
    }

    private static async Task UntilAsync(Func<bool> isSo)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (!isSo())
        {
            await Task.Delay(10, limit.Token);
        }
    }
}
