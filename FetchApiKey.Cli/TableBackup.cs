// tables backup: realms and accounts as a file, just as they are stored.

using Azure.Data.Tables;
using FetchApiKey.Accounts;

namespace FetchApiKey.Cli;

/// <summary>The tables that a backup has, in the order of its rows. Attempts and the audit trail are not among them.</summary>
public static class BackedUpTables
{
    /// <summary>
    /// Accounts come before the claims of their user ids: an account that is added meanwhile leaves a claim too many, which does no
    /// harm, and never one too few, with which an id could be given twice.
    /// </summary>
    public static IReadOnlyList<(string Name, TableClient Table)> Of(AccountTables tables) =>
        [("realms", tables.Realms), ("accounts", tables.Accounts), ("userids", tables.UserIds)];

    /// <summary>
    /// A link that was used, or replaced, must not come back with the rows of its account; and what is known of the seals in these tables
    /// need not be so where the rows go.
    /// </summary>
    public static bool Has(StoredRow row) => row.Row != PasswordInvitation.Row && row.Partition != SealMarker.Partition;
}

/// <summary>Leaves out, and names, what a restore would refuse: it takes a file whole or not at all.</summary>
public sealed class TableBackup(AccountTables tables, ApiKeySettings keys, TimeProvider time)
{
    public async Task<int> WriteAsync(FileInfo file, Report report, TextWriter error, CancellationToken cancellation)
    {
        var rows = 0;
        var faulty = new FaultyRows(error);
        using var digest = BackupFile.DigestUnder(keys, keys.WriteWith);
        var path = await PrivateFile.CreateAsync(file.FullName, error, async written =>
        {
            void Write(byte[] line)
            {
                digest.AppendData(line);
                written.Write(line);
            }

            Write(BackupFile.FirstLine(time.GetUtcNow(), keys.WriteWith));
            foreach (var (name, table) in BackedUpTables.Of(tables))
            {
                await foreach (var row in table.ReadWholeRowsAsync(cancellation).Where(BackedUpTables.Has))
                {
                    if (LineOf(name, row) is { } line)
                    {
                        Write(line);
                        rows++;
                    }
                    else
                    {
                        faulty.Meet(row.Fault!);
                    }
                }
            }

            written.Write(BackupFile.LastLine(rows, digest));
        });
        await report.WriteAsync(("file", path), ("rows", rows));
        return faulty.ExitCode;
    }

    /// <summary>Null, and the row has a fault, for one that cannot be read or restored.</summary>
    private static byte[]? LineOf(string table, StoredRow row)
    {
        if (row.Whole() is not { } whole)
        {
            return null;
        }

        var line = BackupFile.RowLine(table, whole);
        if (BackupFile.FaultyColumn(line) is not { } column)
        {
            return line;
        }

        row.Refuse(column, "is nothing that could be restored");
        return null;
    }
}
