// The rows of a file that `tables backup` has written.

using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Azure.Data.Tables;
using FetchApiKey.Accounts;
using FetchApiKey.Cli.Transfer;

namespace FetchApiKey.Cli;

/// <summary>Read from its beginning as often as is wanted, one row at a time.</summary>
/// <param name="tables">The names that a row may have its table by.</param>
/// <param name="takesUnverified">Whether a file of the former format, which has no digest, is taken too.</param>
internal sealed class BackupReader(
    Stream stream, string path, IReadOnlyCollection<string> tables, ApiKeySettings keys, bool takesUnverified)
{
    /// <summary>The rows, and behind the last of them whether the file is whole and as it was written.</summary>
    /// <exception cref="OperatorException">It is not.</exception>
    public async IAsyncEnumerable<(string Table, TableEntity Row)> ReadAsync([EnumeratorCancellation] CancellationToken cancellation)
    {
        stream.Position = 0;
        var begin = new byte[1];
        if (await stream.ReadAsync(begin, cancellation) == 0 || begin[0] != '{')
        {
            // A byte order mark, say, which no backup is written with and which readers pass over.
            throw new OperatorException($"{path} is not a backup that this version reads.");
        }

        stream.Position = 0;
        var lines = new BoundedLines(stream, BackupFile.MaxLineBytes);
        var first = await lines.ReadAsync(cancellation);
        using var digest = DigestOf(first);
        digest?.AppendData([.. first.Bytes.Span, (byte)'\n']);
        var seen = new HashSet<UInt128>();
        for (var number = 2; await lines.ReadAsync(cancellation) is { IsEnd: false } line; number++)
        {
            var json = line.IsTooLong ? null : JsonMembers.Read(line.Bytes.Span, BackupFile.MaxDepth, out _);
            if (json?.Has("rows") == true)
            {
                RequireEnd(line, json, number - 2, digest);
                if ((await lines.ReadAsync(cancellation)).IsEnd)
                {
                    yield break;
                }

                throw Broken(number + 1);
            }

            if (json is null || json.Text("table") is not { } table || !tables.Contains(table) || BackupFile.RowOf(json, out _) is not { } row
                || !seen.Add(BackupFile.FingerprintOf($"{table}\0{row.PartitionKey}\0{row.RowKey}")))
            {
                throw Broken(number);
            }

            digest?.AppendData([.. line.Bytes.Span, (byte)'\n']);
            yield return (table, row);
        }

        throw new OperatorException($"{path} is not whole: its last line is missing. Nothing was restored.");
    }

    /// <summary>Of the key that the first line names; null for a file without a digest.</summary>
    private IncrementalHash? DigestOf(BoundedLine first)
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

    private void RequireEnd(BoundedLine line, JsonMembers json, int rows, IncrementalHash? digest)
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
