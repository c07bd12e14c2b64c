// User ids: who has which, which is next, and which nobody ever gets again.

using System.Globalization;
using System.Runtime.CompilerServices;
using Azure;
using Azure.Data.Tables;

namespace FetchApiKey.Accounts;

/// <summary>A user id that is held for an account which is about to be written.</summary>
/// <param name="Since">By the store's clock.</param>
public sealed record UserIdClaim(ETag ETag, DateTimeOffset Since);

/// <summary>
/// Rows of the table userids: one for each id that was ever given. PartitionKey: the subdomain and a full stop; RowKey: 2147483647
/// - user id, so that the highest comes first; column Account: the partition of the account, or empty where it was deleted.
/// </summary>
/// <param name="lifetime">How long a claim waits for its account before somebody else may take it over.</param>
internal sealed class UserIdClaims(AccountTables tables, TimeSpan lifetime)
{
    /// <summary>What a claim points at whose account was deleted: no account.</summary>
    private const string Retired = "";

    private const string Holder = "Account";
    private static readonly string[] Columns = [Holder];

    /// <summary>Most realms need one row; one that has given its last id needs those down to the first gap.</summary>
    private const int Page = 20;

    /// <summary>
    /// One more than the highest user id that was given. Where that was the last there is, one above the highest gap: an id
    /// that was given keeps its row for good, so a gap was never anybody's.
    /// </summary>
    /// <exception cref="InvalidOperationException">Every id there is was given.</exception>
    public async Task<int> NextAsync(string subdomain, CancellationToken cancellation)
    {
        var above = Account.MaxUserId + 1;
        var filter = TableClient.CreateQueryFilter($"PartitionKey eq {Partition(subdomain)}");
        await foreach (var row in tables.UserIds.ReadRowsAsync(filter, Page, Columns, cancellation))
        {
            if (IdOf(row) is not { } id)
            {
                continue;
            }

            if (id + 1 < above)
            {
                return id + 1;
            }

            above = id;
        }

        return above > 1 ? 1 : throw new InvalidOperationException("Every user id of the realm was given.");
    }

    /// <summary>Ids whose accounts were deleted.</summary>
    public IAsyncEnumerable<int> RetiredAsync(string subdomain, CancellationToken cancellation) =>
        PointingAtAsync(subdomain, Retired, cancellation);

    /// <summary>Ids that were claimed for an account: one, unless somebody has altered the table.</summary>
    /// <param name="holder">The account's partition.</param>
    public async IAsyncEnumerable<int> PointingAtAsync(
        string subdomain, string holder, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var filter = TableClient.CreateQueryFilter($"PartitionKey eq {Partition(subdomain)} and Account eq {holder}");
        await foreach (var row in tables.UserIds.ReadRowsAsync(filter, perPage: null, Columns, cancellation))
        {
            if (IdOf(row) is { } id)
            {
                yield return id;
            }
        }
    }

    /// <summary>What is wrong with the first rows of the table.</summary>
    public async Task<IReadOnlyList<RowFault>> FaultsAsync(int count, CancellationToken cancellation)
    {
        var faults = new List<RowFault>();
        await foreach (var row in tables.UserIds.ReadRowsAsync(filter: null, count, Columns, cancellation))
        {
            // Those that a directory's people have here are of another kind.
            if (!row.Partition.EndsWith(DirectoryIds.PartitionEnd, StringComparison.Ordinal))
            {
                _ = row.Text(Holder);
                if (IdOf(row) is null)
                {
                    row.Refuse("RowKey", "is that of no user id");
                }
            }

            faults.AddRange(row.Fault is { } fault ? [fault] : []);

            if (--count == 0)
            {
                break;
            }
        }

        return faults;
    }

    /// <summary>Null when somebody else has the id.</summary>
    /// <param name="holder">The partition of the account.</param>
    public async Task<UserIdClaim?> ClaimAsync(Account account, string holder, CancellationToken cancellation)
    {
        var claim = Row(account.Subdomain, account.UserId, holder);
        try
        {
            using var answer = await tables.UserIds.AddEntityAsync(claim, cancellation);
            return ClaimOf(answer);
        }
        catch (RequestFailedException fault) when (fault.IsTaken())
        {
            var standing = await tables.UserIds.ReadRowAsync(claim.PartitionKey, claim.RowKey, Columns, cancellation);
            return standing.Row is { } row ? await TakeOverAsync(row, standing.StoreTime, claim, account.UserId, cancellation) : null;
        }
    }

    /// <summary>Claims of one realm in one transaction, in their order. Null, and none, when one of the ids is claimed already.</summary>
    public async Task<IReadOnlyList<UserIdClaim>?> ClaimAllAsync(
        IEnumerable<(Account Account, string Holder)> wanted, CancellationToken cancellation)
    {
        try
        {
            var answer = await tables.UserIds.SubmitAsync(
                wanted.Select(each => new TableTransactionAction(
                    TableTransactionActionType.Add, Row(each.Account.Subdomain, each.Account.UserId, each.Holder))),
                cancellation);
            var since = answer.GetRawResponse().Headers.Date ?? DateTimeOffset.MinValue;
            return [.. answer.Value.Select(each => new UserIdClaim(each.Headers.ETag ?? default, since))];
        }
        catch (RequestFailedException fault) when (fault.IsTaken())
        {
            return null;
        }
    }

    /// <summary>
    /// Whether the id is still held, now that its account is written. A process that was suspended between the two may come too
    /// late: then the claim is made anew if nobody has taken it over, which also refuses who is about to.
    /// </summary>
    /// <param name="now">When the account was written, by the store's clock.</param>
    public async Task<bool> IsHeldAsync(
        Account account, string holder, UserIdClaim claim, DateTimeOffset? now, CancellationToken cancellation)
    {
        // Half of the lifetime leaves room for the clocks of the store's machines.
        if (now - claim.Since < lifetime / 2)
        {
            return true;
        }

        try
        {
            using var answer = await tables.UserIds.UpdateEntityAsync(
                Row(account.Subdomain, account.UserId, holder), claim.ETag, TableUpdateMode.Replace, cancellation);
            return true;
        }
        catch (RequestFailedException fault) when (fault.IsOvertaken())
        {
            return false;
        }
    }

    /// <summary>Gives an id back whose account was not written; nothing where somebody else has taken it over.</summary>
    public async Task ReleaseAsync(Account account, UserIdClaim claim, CancellationToken cancellation)
    {
        try
        {
            using var answer = await tables.UserIds.DeleteEntityAsync(
                Partition(account.Subdomain), RowOf(account.UserId), claim.ETag, cancellation);
        }
        catch (RequestFailedException fault) when (fault.IsOvertaken())
        {
            // It is another's.
        }
    }

    /// <summary>Takes the address's digest out of a claim, and leaves the claim: the id is never given again.</summary>
    public async Task RetireAsync(string subdomain, int userId, CancellationToken cancellation)
    {
        using var answer = await tables.UserIds.UpsertEntityAsync(Row(subdomain, userId, Retired), TableUpdateMode.Replace, cancellation);
    }

    /// <param name="now">By the store's clock, which stamped the standing claim too.</param>
    private async Task<UserIdClaim?> TakeOverAsync(
        StoredRow standing, DateTimeOffset? now, TableEntity claim, int userId, CancellationToken cancellation)
    {
        var holder = standing.Text(Holder);
        if (standing.Fault is not null || standing.Timestamp is not { } since)
        {
            // Whose it is cannot be told, so it is somebody's.
            return null;
        }

        if (holder == claim.GetString(Holder))
        {
            return new UserIdClaim(standing.ETag, since);
        }

        if (holder == Retired || now - since is not { } age || age < lifetime || await HasAccountAsync(holder, userId, cancellation))
        {
            return null;
        }

        try
        {
            using var answer = await tables.UserIds.UpdateEntityAsync(claim, standing.ETag, TableUpdateMode.Replace, cancellation);
            return ClaimOf(answer);
        }
        catch (RequestFailedException fault) when (fault.IsOvertaken())
        {
            return null;
        }
    }

    /// <summary>Of an account whose id cannot be read it is taken for granted.</summary>
    private async Task<bool> HasAccountAsync(string holder, int userId, CancellationToken cancellation)
    {
        var (row, _) = await tables.Accounts.ReadRowAsync(holder, holder, Account.Columns, cancellation);
        return row is not null && (row.Number("UserId", 1, Account.MaxUserId) == userId || row.Fault is not null);
    }

    private static UserIdClaim ClaimOf(Response answer) =>
        new(answer.Headers.ETag ?? default, answer.Headers.Date ?? DateTimeOffset.MinValue);

    /// <summary>Null for a row that claims no id.</summary>
    private static int? IdOf(StoredRow row) =>
        row.Row.Length == 10 && int.TryParse(row.Row, NumberStyles.None, CultureInfo.InvariantCulture, out var inverted)
        && int.MaxValue - inverted is >= 1 and <= Account.MaxUserId and var id
            ? id
            : null;

    private static TableEntity Row(string subdomain, int userId, string holder) =>
        new(Partition(subdomain), RowOf(userId)) { [Holder] = holder };

    private static string Partition(string subdomain) => subdomain + ".";

    private static string RowOf(int userId) => (int.MaxValue - userId).ToString("D10", CultureInfo.InvariantCulture);
}
