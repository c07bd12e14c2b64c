// tables restore: what a backup has and the tables have not.

using System.Runtime.CompilerServices;
using System.Security.Cryptography;
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

    private readonly Dictionary<string, TableClient> _tables =
        BackedUpTables.Of(tables).ToDictionary(table => table.Name, table => table.Table, StringComparer.Ordinal);
    private readonly ApiKeyCipher _cipher = new(keys, tables.SealMarker);

    private enum Restored
    {
        Differs = 0,
        Added,
        Unchanged,
    }

    /// <param name="takesUnverified">Whether a file of the former format, which has no digest, is taken too.</param>
    public async Task<int> RunAsync(FileInfo file, bool takesUnverified, Report report, TextWriter error, CancellationToken cancellation)
    {
        await using var stream = await RecordStream.OpenAsync(file.FullName, cancellation);
        var number = 0;
        await foreach (var _ in ReadAsync(stream, file.FullName, takesUnverified, cancellation))
        {
            number++;
        }

        await tables.SealMarker.ReadAsync(cancellation);
        await acts.RecordAsync(subdomain: "", email: null, userId: null, cancellation);
        var counts = new int[Enum.GetValues<Restored>().Length];
        var bar = new ProgressBar(error, "restoring", number);
        await bar.AccompanyAsync("rows", () => Parallel.ForEachAsync(
            ReadAsync(stream, file.FullName, takesUnverified, cancellation),
            new ParallelOptions { MaxDegreeOfParallelism = ConcurrentWrites, CancellationToken = cancellation },
            async (read, token) =>
            {
                var restored = await AddAsync(read.Table, read.Row, token);
                Interlocked.Increment(ref counts[(int)restored]);
                if (restored == Restored.Differs)
                {
                    bar.Tell($"{read.Table}: the row {read.Row.PartitionKey}, {read.Row.RowKey} differs and was left alone");
                }

                bar.Advance();
            }), cancellation);
        var (differ, added, unchanged) = (counts[(int)Restored.Differs], counts[(int)Restored.Added], counts[(int)Restored.Unchanged]);
        await report.WriteAsync(("rows", number), ("restored", added), ("unchanged", unchanged), ("differ", differ));
        return differ == 0 ? ExitCode.Done : ExitCode.Refused;
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
        var renewed = SealIn(name, row) is { } account
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
        table == "accounts"
        && row.TryGetValue("Email", out var address) && address is string email
        && row.TryGetValue("UserId", out var id) && id is int userId
        && row.TryGetValue("ApiKey", out var key) && key is string seal
            ? new Account(row.PartitionKey.Split('.')[0], userId, email, "", seal, IsActive: false, Account.Member, default)
            : null;

    // ---- Reading ----

    private async IAsyncEnumerable<(string Table, TableEntity Row)> ReadAsync(
        Stream stream, string path, bool takesUnverified, [EnumeratorCancellation] CancellationToken cancellation)
    {
        stream.Position = 0;
        if (stream.ReadByte() != '{')
        {
            // A byte order mark, say, which no backup is written with and which readers pass over.
            throw new OperatorException($"{path} is not a backup that this version reads.");
        }

        stream.Position = 0;
        var lines = new BoundedLines(stream, BackupFile.MaxLineBytes);
        var first = await lines.ReadAsync(cancellation);
        using var digest = DigestOf(first, path, takesUnverified);
        digest?.AppendData([.. first.Bytes.Span, (byte)'\n']);
        var seen = new HashSet<string>(StringComparer.Ordinal);
        for (var number = 2; await lines.ReadAsync(cancellation) is { IsEnd: false } line; number++)
        {
            var json = line.IsTooLong ? null : JsonMembers.Read(line.Bytes.Span, BackupFile.MaxDepth, out _);
            if (json?.Has("rows") == true)
            {
                RequireEnd(line, json, number - 2, digest, path);
                if ((await lines.ReadAsync(cancellation)).IsEnd)
                {
                    yield break;
                }

                throw Broken(number + 1);
            }

            if (json is null || json.Text("table") is not { } table || !_tables.ContainsKey(table) || BackupFile.RowOf(json, out _) is not { } row
                || !seen.Add($"{table}\0{row.PartitionKey}\0{row.RowKey}"))
            {
                throw Broken(number);
            }

            digest?.AppendData([.. line.Bytes.Span, (byte)'\n']);
            yield return (table, row);
        }

        throw new OperatorException($"{path} is not whole: its last line is missing. Nothing was restored.");
    }

    /// <summary>Of the key that the first line names; null for a file without a digest.</summary>
    private IncrementalHash? DigestOf(BoundedLine first, string path, bool takesUnverified)
    {
        var json = JsonMembers.Read(first.Bytes.Span, BackupFile.MaxDepth, out _);
        switch (json?.Text("format"))
        {
            case BackupFile.Format when json.Text("key") is { } id:
                return keys.Keys.ContainsKey(id)
                    ? BackupFile.DigestUnder(keys, id)
                    : throw new OperatorException(
                        $"{path} was written with the sealing key '{id}', which is not configured. "
                        + $"Put it back into ApiKeys__keys__{id}, beside the present one, to restore it.");

            case BackupFile.FormatWithoutDigest:
                return takesUnverified
                    ? null
                    : throw new OperatorException(
                        $"{path} is of an earlier release and has no digest, so nothing shows whether it was changed. "
                        + "--unverified restores it all the same.");

            default:
                throw new OperatorException($"{path} is not a backup that this version reads.");
        }
    }

    private static void RequireEnd(BoundedLine line, JsonMembers json, int rows, IncrementalHash? digest, string path)
    {
        if (json.Number("rows") != rows)
        {
            throw new OperatorException(
                $"{path} is not whole: it has {rows} rows, and its last line tells of others. Nothing was restored.");
        }

        if (digest is not null
            && !(line.HasEnd && CryptographicOperations.FixedTimeEquals([.. line.Bytes.Span, (byte)'\n'], BackupFile.LastLine(rows, digest))))
        {
            throw new OperatorException($"{path} is not as it was written: its digest is of something else. Nothing was restored.");
        }
    }

    private static OperatorException Broken(int number) => new($"Line {number} of the backup is broken. Nothing was restored.");
}
