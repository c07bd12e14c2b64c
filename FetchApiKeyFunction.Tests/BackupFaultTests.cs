// Backups of tables with rows that cannot be read or restored: those are left out and named, and what is in the file is restored.

using Azure.Data.Tables;

namespace FetchApiKeyFunction.Tests;

public sealed class BackupFaultTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory().FullName;

    private string File1 => Path.Combine(_folder, "backup");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    public static TheoryData<string, string> Unrestorable => new()
    {
        { "A", """ "A":"\ud83d" """ },
        { "A", """ "A":"abc","A@odata.type":"Edm.Int64" """ },
        { "A", """ "A":"Infinity","A@odata.type":"Edm.Double" """ },
        { "A", """ "A":"-Infinity","A@odata.type":"Edm.Double" """ },
        { "A", """ "A":"NaN","A@odata.type":"Edm.Double" """ },
        { "A", """ "A":"0001-01-01T00:00:00Z","A@odata.type":"Edm.DateTime" """ },
        { "", """ "":1 """ },
        { "a b", """ "a b":1 """ },
        { "a-b", """ "a-b":"x" """ },
    };

    [Theory]
    [MemberData(nameof(Unrestorable))]
    public async Task A_row_that_could_not_be_restored_is_left_out_and_named(string column, string json)
    {
        var (desk, elsewhere) = (await OperatorDesk.OpenAsync(), await OperatorDesk.OpenAsync());
        await desk.Tables.Accounts.AddEntityAsync(new TableEntity("a", "a") { ["A"] = 1 });
        await DamagedRow.InsertAsync(desk.Tables.Accounts, $$"""{"PartitionKey":"b","RowKey":"b","Sound":1,{{json}}}""");
        await desk.Tables.Accounts.AddEntityAsync(new TableEntity("c", "c") { ["A"] = 1 });

        var written = await desk.RunAsync($"tables backup {File1} --json");
        var restored = await elsewhere.RunAsync($"tables restore {File1} --json");

        Assert.Equal(ExitCode.Refused, written.Code);
        Assert.EndsWith("\"rows\":3}\n", written.Output, StringComparison.Ordinal);
        Assert.Contains(
            $"A stored row cannot be read: table {desk.Tables.Accounts.Name}, partition 'b', row 'b', column {column}: ", written.Error,
            StringComparison.Ordinal);
        Assert.Single(written.Error.TrimEnd('\n').Split('\n'));
        Assert.Equal((ExitCode.Done, """{"rows":3,"restored":2,"unchanged":1,"differ":0}""" + "\n"), (restored.Code, restored.Output));
    }

    [Fact]
    public async Task Behind_more_rows_than_a_page_has_the_rest_is_written_all_the_same()
    {
        var (desk, elsewhere) = (await OperatorDesk.OpenAsync(), await OperatorDesk.OpenAsync());
        foreach (var batch in Enumerable.Range(0, 1200).Chunk(100))
        {
            await desk.Tables.Accounts.SubmitTransactionAsync(
                batch.Select(i => new TableTransactionAction(TableTransactionActionType.Add, new TableEntity("bulk", $"{i:D4}"))));
        }

        await DamagedRow.InsertAsync(desk.Tables.Accounts, """{"PartitionKey":"zz.y","RowKey":"zz.y","X":"\ud83d"}""");
        await DamagedRow.InsertAsync(desk.Tables.Accounts, """{"PartitionKey":"zz.z","RowKey":"\ud83d"}""");
        await desk.Tables.Accounts.AddEntityAsync(new TableEntity("zzz", "last"));

        var written = await desk.RunAsync($"tables backup {File1} --json");
        var restored = await elsewhere.RunAsync($"tables restore {File1} --json");

        Assert.Equal(ExitCode.Refused, written.Code);
        Assert.EndsWith("\"rows\":1202}\n", written.Output, StringComparison.Ordinal);
        Assert.Contains("partition 'zz.y', row 'zz.y', column X: cannot be decoded", written.Error, StringComparison.Ordinal);
        Assert.Contains("""partition 'zz.z', row '\ud83d', column RowKey: cannot be decoded""", written.Error, StringComparison.Ordinal);
        Assert.Equal("""{"rows":1202,"restored":1201,"unchanged":1,"differ":0}""" + "\n", restored.Output);
    }

    [Fact]
    public async Task Columns_named_in_any_script_come_back()
    {
        var (desk, elsewhere) = (await OperatorDesk.OpenAsync(), await OperatorDesk.OpenAsync());
        string[] names = ["Größe", "Gro\u0308ße", "名前", "_1", "Имя٣", new string('ü', 255)];
        var row = new TableEntity("a", "a");
        foreach (var name in names)
        {
            row[name] = name;
        }

        await desk.Tables.Accounts.AddEntityAsync(row);

        Assert.Equal(ExitCode.Done, (await desk.RunAsync($"tables backup {File1}")).Code);
        Assert.Equal(ExitCode.Done, (await elsewhere.RunAsync($"tables restore {File1}")).Code);
        TableEntity there = await elsewhere.Tables.Accounts.GetEntityAsync<TableEntity>("a", "a");
        Assert.All(names, name => Assert.Equal(name, there[name]));
    }
}
