// Which account belongs to which entry of a directory, by the entry's own id.

using System.Security.Cryptography;
using Azure;
using Azure.Data.Tables;

namespace FetchApiKey.Accounts;

/// <summary>
/// Two rows of the user ids' table in one partition (the subdomain and ".directory"): one under a digest of the entry's id, with the
/// account's key in the column Account; one under the account's key, with the digest in the column Id. They are written together, so that
/// an account has one entry, and an entry one account.
/// </summary>
public sealed class DirectoryIds(AccountTables tables)
{
    /// <summary>After the subdomain.</summary>
    internal const string PartitionEnd = ".directory";

    private const string AccountColumn = "Account";
    private const string IdColumn = "Id";

    /// <summary>What stands for an entry's id: it need not be text, and is nobody else's business.</summary>
    public static string DigestOf(byte[] id) => Convert.ToHexStringLower(SHA256.HashData(id));

    /// <summary>The key of the account that an entry has; null for none.</summary>
    public Task<string?> AccountOfAsync(string subdomain, string digest, CancellationToken cancellation) =>
        ReadAsync(subdomain, digest, AccountColumn, cancellation);

    /// <summary>The digest of the entry that an account belongs to; null for none.</summary>
    public Task<string?> EntryOfAsync(string subdomain, string account, CancellationToken cancellation) =>
        ReadAsync(subdomain, account, IdColumn, cancellation);

    /// <summary>From now on the account is the entry's.</summary>
    /// <returns>False where another entry has the account.</returns>
    public async Task<bool> JoinAsync(string subdomain, string account, string digest, CancellationToken cancellation)
    {
        try
        {
            await tables.UserIds.SubmitAsync(
                [
                    // An account that the entry had before was deleted: the login looked.
                    new TableTransactionAction(TableTransactionActionType.UpsertReplace, Row(subdomain, digest, AccountColumn, account)),
                    new TableTransactionAction(TableTransactionActionType.Add, Row(subdomain, account, IdColumn, digest)),
                ],
                cancellation);
            return true;
        }
        catch (RequestFailedException fault) when (fault.IsTaken())
        {
            return await EntryOfAsync(subdomain, account, cancellation) == digest;
        }
    }

    /// <summary>Of an account that is deleted.</summary>
    public async Task ForgetAsync(string subdomain, string account, CancellationToken cancellation)
    {
        if (await EntryOfAsync(subdomain, account, cancellation) is { } digest)
        {
            using var ofEntry = await tables.UserIds.DeleteEntityAsync(Partition(subdomain), digest, cancellationToken: cancellation);
            using var ofAccount = await tables.UserIds.DeleteEntityAsync(Partition(subdomain), account, cancellationToken: cancellation);
        }
    }

    private async Task<string?> ReadAsync(string subdomain, string row, string column, CancellationToken cancellation)
    {
        // A row that cannot be read is nobody's: neither this entry's nor free.
        var (found, _) = await tables.UserIds.ReadRowAsync(Partition(subdomain), row, [column], cancellation);
        return found?.TextIfAny(column);
    }

    private static TableEntity Row(string subdomain, string row, string column, string value) =>
        new(Partition(subdomain), row) { [column] = value };

    private static string Partition(string subdomain) => subdomain + PartitionEnd;
}
