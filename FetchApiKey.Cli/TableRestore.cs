// tables restore: what a backup has and the tables have not.

using Azure;
using Azure.Data.Tables;
using FetchApiKey.Accounts;
using FetchApiKey.Cli.Transfer;

namespace FetchApiKey.Cli;

/// <summary>
/// Reads a file twice: to judge it whole, digest included, and to add what is missing. A row that stands there and differs is told and left
/// alone.
/// </summary>
public sealed class TableRestore(AccountTables tables, ApiKeySettings keys, OperatorActs acts)
{
    private const int ConcurrentWrites = 32;
    private const string Accounts = "accounts";

    private readonly Dictionary<string, TableClient> _tables =
        BackedUpTables.Of(tables).ToDictionary(table => table.Name, table => table.Table, StringComparer.Ordinal);
    private readonly ApiKeyCipher _cipher = new(keys, tables.SealMarker);
    private readonly EarlierSeals _earlier = new();

    private enum Restored
    {
        Differs = 0,
        Added,
        Unchanged,
    }

    /// <param name="takesUnverified">Whether a file of the former format, which has no digest, is taken too.</param>
    public async Task<int> RunAsync(FileInfo file, bool takesUnverified, Report report, TextWriter error, CancellationToken cancellation)
    {
        await using var stream = new RereadStream(await RecordStream.OpenAsync(file.FullName, cancellation), file.FullName);
        var backup = new BackupReader(stream, file.FullName, [.. _tables.Keys], keys, takesUnverified);
        var number = 0;
        await foreach (var (name, row) in backup.ReadAsync(cancellation))
        {
            number++;
            if (name == Accounts)
            {
                _earlier.Meet(row);
            }
        }

        await tables.SealMarker.ReadAsync(cancellation);
        await _earlier.MeetStoredAsync(tables.Accounts, cancellation);
        await acts.RecordAsync(subdomain: "", email: null, userId: null, cancellation);
        var counts = new int[Enum.GetValues<Restored>().Length];
        var ambiguous = 0;
        var bar = new ProgressBar(error, "restoring", number);
        await bar.AccompanyAsync("rows", () => Parallel.ForEachAsync(
            backup.ReadAsync(cancellation),
            new ParallelOptions { MaxDegreeOfParallelism = ConcurrentWrites, CancellationToken = cancellation },
            async (read, token) =>
            {
                var restored = await AddAsync(read.Table, read.Row, token);
                Interlocked.Increment(ref counts[(int)restored]);
                lock (counts)
                {
                    if (restored == Restored.Differs)
                    {
                        bar.Tell($"{read.Table}: the row {read.Row.PartitionKey}, {read.Row.RowKey} differs and was left alone");
                    }
                    else if (read.Table == Accounts && _earlier.IsAmbiguous(read.Row))
                    {
                        ambiguous++;
                        bar.Tell(
                            $"{read.Table}: the row {read.Row.PartitionKey}, {read.Row.RowKey}: another account has this user id, "
                            + "so its API key was left as an earlier release sealed it");
                    }
                }

                bar.Advance();
            }), cancellation);
        var (differ, added, unchanged) = (counts[(int)Restored.Differs], counts[(int)Restored.Added], counts[(int)Restored.Unchanged]);
        await report.WriteAsync(("rows", number), ("restored", added), ("unchanged", unchanged), ("differ", differ));
        return differ + ambiguous == 0 ? ExitCode.Done : ExitCode.Refused;
    }

    // ---- Writing ----

    private async Task<Restored> AddAsync(string name, TableEntity row, CancellationToken cancellation)
    {
        var table = _tables[name];
        try
        {
            await table.AddEntityAsync(WithSealThatOpens(name, row), cancellation);
            return Restored.Added;
        }
        catch (RequestFailedException fault) when (fault.IsTaken())
        {
            try
            {
                var there = await table.GetEntityIfExistsAsync<TableEntity>(row.PartitionKey, row.RowKey, cancellationToken: cancellation);
                return there.HasValue && IsSame(name, there.Value!, row) ? Restored.Unchanged : Restored.Differs;
            }
            catch (Exception unreadable) when (!AccountTables.IsUnavailability(unreadable))
            {
                return Restored.Differs;
            }
        }
    }

    /// <summary>The file vouches for its rows, so that a seal of an earlier release, which these tables refuse, is made anew.</summary>
    private TableEntity WithSealThatOpens(string name, TableEntity row)
    {
        var renewed = !_earlier.IsAmbiguous(row) && SealIn(name, row) is { } account
            ? _cipher.Renew(account.Subdomain, account.Email, account.UserId, account.SealedApiKey)
            : null;
        return renewed is null ? row : new TableEntity(row) { ["ApiKey"] = renewed };
    }

    /// <summary>Two seals of one key differ, so that the keys themselves are compared where the rows are the same but for them.</summary>
    private bool IsSame(string name, TableEntity there, TableEntity row)
    {
        return AreEqual(there, row)
            || (KeyIn(there) is { } key && KeyIn(WithSealThatOpens(name, row)) == key
                && AreEqual(new TableEntity(there) { ["ApiKey"] = "" }, new TableEntity(row) { ["ApiKey"] = "" }));

        bool AreEqual(TableEntity left, TableEntity right) =>
            BackupFile.RowLine(name, left).AsSpan().SequenceEqual(BackupFile.RowLine(name, right));

        string? KeyIn(TableEntity each) =>
            SealIn(name, each) is { } account && _cipher.Open(account, out var apiKey) == Opening.Opened ? apiKey : null;
    }

    /// <summary>What a seal is bound to, and the seal; null for a row that has none.</summary>
    private static Account? SealIn(string table, TableEntity row) =>
        table == Accounts
        && row.TryGetValue("Email", out var address) && address is string email
        && row.TryGetValue("UserId", out var id) && id is int userId
        && row.TryGetValue("ApiKey", out var key) && key is string seal
            ? new Account(row.PartitionKey.Split('.')[0], userId, email, "", seal, IsActive: false, Account.Member, default)
            : null;
}
