// Rows whose key is half of a surrogate pair, which the store takes: they are named, and nothing else stops.

using System.Globalization;
using Azure.Data.Tables;
using FetchApiKey.Accounts;
using FetchApiKey.Audit;

namespace FetchApiKeyFunction.Tests;

public sealed class StoredKeyTests
{
    private const string Strong = "correct horse battery staple";

    [Fact]
    public async Task Every_realm_is_served_and_the_endpoint_is_ready()
    {
        var organisation = new Organisation();
        await organisation.InitializeAsync();
        foreach (var key in new[] { """\ud83d.""", """\uDEAD.""", """acme.\ud83d""" })
        {
            await DamagedRow.InsertAsync(organisation.Tables.Realms, $$"""{"PartitionKey":"realm","RowKey":"{{key}}"}""");
        }

        await DamagedRow.InsertAsync(organisation.Tables.Accounts, """{"PartitionKey":"!\ud83d","RowKey":"!\ud83d"}""");
        await using var server = await TestServer.StartAsync(organisation.Tables);

        Assert.Equal(200, (await server.LogInAsync("iago@zulip.com", Organisation.RightPassword)).Status);
        Assert.Equal(200, (await server.LogInAsync("only@acme.com", Organisation.RightPassword, "acme.zulip.example.com")).Status);
        Assert.Equal(200, (await server.SendAsync(HttpMethod.Get, "/api/v1/health/ready")).Status);
        Assert.Contains(
            server.Log, line => line.Contains("""row '!\ud83d', column PartitionKey cannot be decoded""", StringComparison.Ordinal));
        await organisation.DisposeAsync();
    }

    [Fact]
    public async Task Commands_name_such_a_row_and_go_on_with_the_others()
    {
        var desk = await OperatorDesk.OpenAsync();
        await desk.RunAsync("users add sound@b.com", Strong);
        var today = TimeProvider.System.GetUtcNow().ToString("yyyyMMdd", CultureInfo.InvariantCulture);
        await DamagedRow.InsertAsync(desk.Tables.Realms, """{"PartitionKey":"realm","RowKey":"\ud83d.","Name":"x"}""");
        await DamagedRow.InsertAsync(desk.Tables.Accounts, """{"PartitionKey":".\ud83d","RowKey":".\ud83d"}""");
        await DamagedRow.InsertAsync(desk.Tables.UserIds, """{"PartitionKey":".","RowKey":"\ud83d"}""");
        await DamagedRow.InsertAsync(desk.Tables.Attempts, """{"PartitionKey":"x","RowKey":"\ud83d"}""");
        await DamagedRow.InsertAsync(desk.Tables.Audit, $$"""{"PartitionKey":"{{today}}.a","RowKey":"\ud83d"}""");

        var realms = await desk.RunAsync("realms list");
        var listed = await desk.RunAsync("users list");
        var exported = await desk.RunAsync("users export");
        var rotated = await desk.RunAsync("keys rotate --json");
        var tail = await desk.RunAsync("audit tail");
        var doctor = await desk.RunAsync("doctor");
        var added = await desk.RunAsync("users add new@b.com --json", Strong);

        Assert.Contains("Zulip", realms.Output, StringComparison.Ordinal);
        Assert.All([listed, exported], result => Assert.Contains("sound@b.com", result.Output, StringComparison.Ordinal));
        Assert.StartsWith("""{"rotated":0,"unchanged":1,"failed":""", rotated.Output, StringComparison.Ordinal);
        Assert.Contains("operator_act", tail.Output, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Done, added.Code);
        Assert.Contains("\"user_id\":2,", added.Output, StringComparison.Ordinal);
        const string realm = """partition 'realm', row '\ud83d.', column RowKey: cannot be decoded""";
        const string account = """partition '.\ud83d', row '.\ud83d', column PartitionKey: cannot be decoded""";
        foreach (var (code, told, row) in new[]
        {
            (realms.Code, realms.Error, realm), (listed.Code, listed.Error, account), (exported.Code, exported.Error, account),
            (exported.Code, exported.Error, realm), (rotated.Code, rotated.Error, account), (doctor.Code, doctor.Output, realm),
            (tail.Code, tail.Error, """row '\ud83d', column RowKey: cannot be decoded"""), (doctor.Code, doctor.Output, account),
            (doctor.Code, doctor.Output, """partition '.', row '\ud83d', column RowKey: cannot be decoded"""),
            (doctor.Code, doctor.Output, """partition 'x', row '\ud83d', column RowKey: cannot be decoded"""),
        })
        {
            Assert.Equal(ExitCode.Refused, code);
            Assert.Contains(row, told, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_sweep_deletes_the_rows_around_such_a_row()
    {
        var tables = await SharedAzurite.NewTablesAsync();
        foreach (var (partition, row) in new[] { ("20200101.a", "1"), ("20200101.a", "~"), ("20200102.a", "1") })
        {
            await tables.Audit.AddEntityAsync(new TableEntity(partition, row));
        }

        await DamagedRow.InsertAsync(tables.Audit, """{"PartitionKey":"20200101.a","RowKey":"5\ud83d"}""");
        await DamagedRow.InsertAsync(tables.Audit, """{"PartitionKey":"20200101.\ud83d","RowKey":"1"}""");

        Assert.Equal(3, await new AuditTable(tables).SweepAsync(TimeProvider.System.GetUtcNow(), CancellationToken.None));
        Assert.Equal(2, await tables.Audit.ReadRowsAsync(null, null, [], CancellationToken.None).CountAsync());
        Assert.Empty(await tables.Audit.ReadKeysAsync("PartitionKey gt ''", CancellationToken.None).ToListAsync());
    }

    [Fact]
    public async Task Pairs_that_are_whole_and_what_stands_for_a_half_are_keys_like_others()
    {
        var tables = await SharedAzurite.NewTablesAsync();
        await tables.Audit.AddEntityAsync(new TableEntity("p", "\ufffd"));
        await tables.Audit.AddEntityAsync(new TableEntity("p", "\ud83d\ude00"));
        await DamagedRow.InsertAsync(tables.Audit, """{"PartitionKey":"p","RowKey":"a\ud83d"}""");
        await DamagedRow.InsertAsync(tables.Audit, """{"PartitionKey":"p","RowKey":"b\uDE00\uD83D"}""");

        // Not a page that ends at such a key, which a continuation token cannot hold.
        foreach (var perPage in new int?[] { null, 3 })
        {
            var rows = await tables.Audit.ReadRowsAsync(null, perPage, [], CancellationToken.None).ToListAsync();

            Assert.Equal(["\ud83d\ude00", "\ufffd"], rows.Where(row => row.Fault is null).Select(row => row.Row));
            Assert.Equal(2, rows.Count(row => row.Fault is { Column: "RowKey", Problem: "cannot be decoded" }));
        }
    }

    [Fact]
    public async Task Beside_a_row_that_cannot_be_decoded_every_type_is_what_the_client_library_makes_of_it()
    {
        var tables = await SharedAzurite.NewTablesAsync();
        var sound = new TableEntity("p", "sound")
        {
            ["Text"] = "a\"\\\u0001\ud83d\ude00ü", ["Empty"] = "", ["Whole"] = -7, ["Large"] = 1L << 40, ["Small"] = 7L,
            ["Real"] = 1.5, ["Round"] = 2.0, ["Tiny"] = double.Epsilon, ["Flag"] = true, ["Id"] = Guid.NewGuid(),
            ["Bytes"] = new byte[] { 0, 255 }, ["None"] = Array.Empty<byte>(),
            ["Time"] = new DateTimeOffset(2026, 1, 2, 3, 4, 5, 678, TimeSpan.Zero),
        };
        await tables.Accounts.AddEntityAsync(sound);
        TableEntity decoded = await tables.Accounts.GetEntityAsync<TableEntity>("p", "sound");
        await DamagedRow.InsertAsync(
            tables.Accounts, """{"PartitionKey":"p","RowKey":"x","A":"\ud83d","B":"abc","B@odata.type":"Edm.Int64","C":"sound"}""");

        var rows = await tables.Accounts.ReadWholeRowsAsync(CancellationToken.None).ToListAsync();

        Assert.Equal(2, rows.Count);
        var whole = rows[0].Whole()!;
        Assert.All(sound.Keys, column => Assert.Equal(decoded[column], whole[column]));
        Assert.Equal((decoded.ETag, decoded.Timestamp), (rows[0].ETag, rows[0].Timestamp));
        Assert.Equal("sound", rows[1].Text("C"));
        Assert.Null(rows[1].Whole());
        Assert.Equal(("A", "cannot be decoded"), (rows[1].Fault!.Column, rows[1].Fault!.Problem));
    }
}
