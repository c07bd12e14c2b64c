// Stored rows that cannot be read, met by requests: whom they belong to is refused, others are served, and the operator learns where.

using Azure.Data.Tables;
using FetchApiKey.Accounts;
using FetchApiKey.Attempts;
using Microsoft.Extensions.Logging.Abstractions;
using static FetchApiKeyFunction.Tests.TestServer;

namespace FetchApiKeyFunction.Tests;

public sealed class StoredRowTests(Organisation organisation) : IClassFixture<Organisation>
{
    private static int _userId = 100;

    private TestServer Server => organisation.Server;

    public static TheoryData<string> AccountColumns =>
        ["UserId", "Email", "PasswordHash", "ApiKey", "IsActive", "Role", "Created", "FullName"];

    public static TheoryData<string> RealmColumns => ["Name", "Description", "Icon", "PublicUrl", "IsActive", "EmailBackend"];

    [Theory]
    [MemberData(nameof(AccountColumns))]
    public async Task An_account_whose_row_has_a_fault_is_refused_like_a_wrong_password_and_counted(string column)
    {
        foreach (var value in FaultsOf(column))
        {
            var email = await NewAccountAsync();
            var partition = Account.PartitionOf("", EmailAddress.TryParse(email)!);
            await DamagedRow.PutAsync(organisation.Tables.Accounts, partition, partition, column, value);

            var right = await Server.LogInAsync(email, Organisation.RightPassword);
            var wrong = await Server.LogInAsync(email, "wrong");

            Assert.Equal((401, Golden("E5")), (right.Status, right.Body));
            Assert.Equal((401, Golden("E5")), (wrong.Status, wrong.Body));
            Assert.Equal(2, await FailuresOfAsync(email));
            var place = $"table {organisation.Tables.Accounts.Name}, partition '{partition}', row '{partition}', column {column} ";
            Assert.Equal(2, Server.Log.Count(line => line.Contains(place, StringComparison.Ordinal)));
            Assert.Equal(2, Server.Log.Count(line => line.StartsWith("Error", StringComparison.Ordinal) && line.Contains(partition, StringComparison.Ordinal)));
            await organisation.Tables.Accounts.DeleteEntityAsync(partition, partition);
        }

        Assert.Equal(200, (await Server.LogInAsync("iago@zulip.com", Organisation.RightPassword)).Status);
    }

    [Fact]
    public async Task A_column_that_is_not_ours_does_no_harm_whatever_is_in_it()
    {
        var email = await NewAccountAsync();
        var partition = Account.PartitionOf("", EmailAddress.TryParse(email)!);
        foreach (var value in new[] { "text", 7L, DamagedRow.Undecodable })
        {
            await DamagedRow.PutAsync(organisation.Tables.Accounts, partition, partition, "Note", value);

            Assert.Equal(200, (await Server.LogInAsync(email, Organisation.RightPassword)).Status);
        }
    }

    /// <summary>Which other parts of a row depend on: an unreadable record of attempts closes a name for a day and no longer.</summary>
    [Fact]
    public async Task When_a_row_was_written_is_known_whatever_is_in_it()
    {
        var email = await NewAccountAsync();
        var partition = Account.PartitionOf("", EmailAddress.TryParse(email)!);
        await DamagedRow.PutAsync(organisation.Tables.Accounts, partition, partition, "Note", DamagedRow.Undecodable);

        var (row, answer) = await organisation.Tables.Accounts.ReadRowAsync(partition, partition, ["Email"], CancellationToken.None);

        Assert.Equal(email, row!.Text("Email"));
        Assert.InRange(row.Timestamp!.Value, answer.Headers.Date!.Value.AddMinutes(-1), answer.Headers.Date.Value.AddSeconds(1));
    }

    [Theory]
    [InlineData("UserId", 7L)]
    [InlineData("Email", null)]
    [InlineData("FullName", 1.5)]
    public async Task The_other_ways_in_refuse_such_an_account_too(string column, object? value)
    {
        var email = await NewAccountAsync();
        Assert.Equal(Opening.Opened, Cipher.Open(await organisation.FindAsync(email), out var key));
        var partition = Account.PartitionOf("", EmailAddress.TryParse(email)!);
        await DamagedRow.PutAsync(organisation.Tables.Accounts, partition, partition, column, value);

        var regenerated = await Server.SendAsync(
            HttpMethod.Post, "/api/v1/users/me/api_key/regenerate", headers: ("Authorization", Hosts.WireCases.Basic(email, key)));

        Assert.Equal((401, Golden("key-invalid")), (regenerated.Status, regenerated.Body));
        Assert.Contains(Server.Log, line => line.Contains($"row '{partition}', column {column} ", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_readiness_that_meets_such_rows_goes_on_and_names_each_once()
    {
        var own = new Organisation();
        await own.InitializeAsync();
        var damaged = new List<string>();
        await foreach (var row in own.Tables.Accounts.QueryAsync<TableEntity>(select: ["PartitionKey", "RowKey"]))
        {
            damaged.Add(row.PartitionKey);
            object value = damaged.Count % 2 == 0 ? "yes" : DamagedRow.Undecodable;
            await DamagedRow.PutAsync(own.Tables.Accounts, row.PartitionKey, row.RowKey, "IsActive", value);
        }

        for (var look = 0; look < 2; look++)
        {
            await using var server = await StartAsync(own.Tables);
            Assert.Equal(200, (await server.SendAsync(HttpMethod.Get, "/api/v1/health/ready")).Status);
            Assert.Equal(200, (await server.SendAsync(HttpMethod.Get, "/api/v1/health/ready")).Status);
            Assert.Single(server.Log, line => line.Contains($"row '{damaged[0]}', column IsActive ", StringComparison.Ordinal));
        }

        await own.DisposeAsync();
    }

    [Theory]
    [MemberData(nameof(RealmColumns))]
    public async Task A_realm_whose_row_has_a_fault_is_503_and_the_others_are_served(string column)
    {
        var own = new Organisation();
        await own.InitializeAsync();
        var type = column is "IsActive" or "EmailBackend" ? typeof(bool) : typeof(string);
        object?[] others = column switch
        {
            "PublicUrl" => [null, "ftp://x", "https://example.com/path", "https://user@example.com", DamagedRow.Undecodable],
            "Icon" => [null, "javascript:alert(1)", "//evil.example.net/x", "icon.png", DamagedRow.Undecodable],
            _ => [null, DamagedRow.Undecodable],
        };
        foreach (var value in DamagedRow.Foreign(type).Concat(others))
        {
            await DamagedRow.PutAsync(own.Tables.Realms, Realm.Partition, Realm.RowKey("acme"), column, value);

            var login = await own.Server.LogInAsync("only@acme.com", Organisation.RightPassword, "acme.zulip.example.com");
            var settings = await own.Server.SendAsync(HttpMethod.Get, "/api/v1/server_settings", host: "acme.zulip.example.com");
            var other = await own.Server.LogInAsync("iago@zulip.com", Organisation.RightPassword);

            Assert.Equal((503, Golden("E18")), (login.Status, login.Body));
            Assert.Equal(503, settings.Status);
            Assert.Equal(200, other.Status);
        }

        Assert.Contains(own.Server.Log, line => line.Contains(
            $"table {own.Tables.Realms.Name}, partition 'realm', row 'acme.', column {column} ", StringComparison.Ordinal));
        await own.DisposeAsync();
    }

    [Theory]
    [InlineData("")]
    [InlineData("acme")]
    [InlineData("ACME.")]
    [InlineData("a.b.")]
    public async Task A_row_that_is_no_realms_is_nobodys(string rowKey)
    {
        var own = new Organisation();
        await own.InitializeAsync();
        await own.Tables.Realms.AddEntityAsync(new TableEntity(Realm.Partition, rowKey) { ["Name"] = "x" });

        Assert.Equal(200, (await own.Server.LogInAsync("iago@zulip.com", Organisation.RightPassword)).Status);
        Assert.Equal(200, (await own.Server.LogInAsync("only@acme.com", Organisation.RightPassword, "acme.zulip.example.com")).Status);
        await own.DisposeAsync();
    }

    [Fact]
    public async Task Attempts_that_are_still_to_come_close_the_name_and_not_for_years()
    {
        var email = await NewAccountAsync();
        var key = LoginAttempts.KeyOf("", EmailAddress.TryParse(email)!);
        // Seconds since 2020, little-endian, and an id: in the year 2083.
        byte[] future = [0xFF, 0xFF, 0xFF, 0x76, 1, 2, 3, 4, 5, 6, 7, 8];
        await organisation.Tables.Attempts.AddEntityAsync(new TableEntity(key, key + "~2") { ["Failures"] = future });

        Assert.Equal(503, (await Server.LogInAsync(email, Organisation.RightPassword)).Status);
        Assert.Contains(Server.Log, line => line.Contains($"partition '{key}', column Failures is no record", StringComparison.Ordinal));
        Assert.Equal(200, (await Server.LogInAsync("iago@zulip.com", Organisation.RightPassword)).Status);
    }

    [Theory]
    [InlineData("SecretDigest", 5)]
    [InlineData("PasswordDigest", null)]
    [InlineData("Expires", "tomorrow")]
    public async Task A_link_whose_row_has_a_fault_is_no_link(string column, object? value)
    {
        var email = await NewAccountAsync();
        var account = await organisation.FindAsync(email);
        var token = await new PasswordInvitations(organisation.Tables).IssueAsync(
            account, EmailAddress.TryParse(email)!, TimeProvider.System.GetUtcNow().AddHours(1), CancellationToken.None);
        var partition = Account.PartitionOf("", EmailAddress.TryParse(email)!);
        foreach (var damage in new[] { value, DamagedRow.Undecodable })
        {
            await DamagedRow.PutAsync(organisation.Tables.Accounts, partition, PasswordInvitation.Row, column, damage);

            Assert.Equal(404, (await Server.SendAsync(HttpMethod.Get, $"/api/v1/password_reset?token={token!.Reveal()}")).Status);
        }

        Assert.Contains(
            Server.Log, line => line.Contains($"partition '{partition}', row 'reset', column {column} ", StringComparison.Ordinal));
        Assert.Equal(200, (await Server.LogInAsync(email, Organisation.RightPassword)).Status);
    }

    /// <summary>Every type that is not the column's own, no value, values that mean nothing there, and one that cannot be decoded.</summary>
    private static IEnumerable<object?> FaultsOf(string column)
    {
        var (own, meaningless, isNeeded) = column switch
        {
            "UserId" => (typeof(int), new object[] { 0, -1, int.MinValue, int.MaxValue }, true),
            "Email" => (typeof(string), ["not an address", "iago@zulip.com", ""], true),
            "Role" => (typeof(int), [0, 401, int.MaxValue], true),
            "IsActive" => (typeof(bool), [], true),
            "Created" => (typeof(DateTimeOffset), [], true),
            "FullName" => (typeof(string), [], false),
            _ => (typeof(string), Array.Empty<object>(), true),
        };
        return [.. DamagedRow.Foreign(own), .. meaningless, DamagedRow.Undecodable, .. isNeeded ? new object?[] { null } : []];
    }

    private async Task<string> NewAccountAsync()
    {
        var id = Interlocked.Increment(ref _userId);
        await organisation.AddAsync("", id, $"row{id}@zulip.com", await Organisation.HashAsync(Organisation.RightPassword));
        return $"row{id}@zulip.com";
    }

    private async Task<int> FailuresOfAsync(string email)
    {
        var table = new AttemptTable(organisation.Tables, TimeProvider.System, NullLogger<AttemptTable>.Instance);
        var (stored, _) = await table.ReadAsync(
            LoginAttempts.KeyOf("", EmailAddress.TryParse(email)!), LoginAttempts.NamePolicyOf(ManyAttempts), CancellationToken.None);
        return stored.Record.Failures.Count;
    }
}
