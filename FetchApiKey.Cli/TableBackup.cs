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
    public static bool Has(TableEntity row) => row.RowKey != PasswordInvitation.Row && row.PartitionKey != SealMarker.Partition;
}

public sealed class TableBackup(AccountTables tables, ApiKeySettings keys, TimeProvider time)
{
    public async Task<int> WriteAsync(FileInfo file, Report report, TextWriter error, CancellationToken cancellation)
    {
        var rows = 0;
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
                try
                {
                    await foreach (var row in table.QueryAsync<TableEntity>(cancellationToken: cancellation))
                    {
                        if (BackedUpTables.Has(row))
                        {
                            Write(BackupFile.RowLine(name, row));
                            rows++;
                        }
                    }
                }
                catch (Exception fault) when (fault is InvalidOperationException or FormatException && !AccountTables.IsUnavailability(fault))
                {
                    throw new OperatorException(
                        $"A row of the table {name} has a value that cannot be decoded ({fault.GetType().Name}). 'doctor' names it; mend or delete it.");
                }
            }

            written.Write(BackupFile.LastLine(rows, digest));
        });
        await report.WriteAsync(("file", path), ("rows", rows));
        return ExitCode.Done;
    }
}
