// Adds and deletes accounts, each with the claim of its user id.

using Azure;
using Azure.Data.Tables;

namespace FetchApiKey.Accounts;

/// <summary>What became of an account that was to be added.</summary>
public enum Addition
{
    Failed = 0,
    Added,
    EmailTaken,
    UserIdTaken,
}

public sealed partial class AccountStore
{
    /// <summary>What Table Storage takes in one transaction.</summary>
    public const int MaxBatch = 100;

    /// <summary>
    /// Much longer than the writing of an account can take, three tries of <see cref="AccountTables.BulkPatience"/> included.
    /// </summary>
    private static readonly TimeSpan ClaimLifetime = TimeSpan.FromMinutes(5);

    private readonly UserIdClaims _ids = new(tables, claimLifetime ?? ClaimLifetime);

    /// <summary>
    /// One more than the highest user id that the realm has given out; where that was the last, one that is free below it.
    /// </summary>
    public Task<int> NextUserIdAsync(string subdomain, CancellationToken cancellation) => _ids.NextAsync(subdomain, cancellation);

    /// <summary>User ids whose accounts were deleted; see <see cref="DeleteAsync"/>.</summary>
    public IAsyncEnumerable<int> RetiredUserIdsAsync(string subdomain, CancellationToken cancellation) =>
        _ids.RetiredAsync(subdomain, cancellation);

    /// <summary>What is wrong with the first claims of user ids.</summary>
    public Task<IReadOnlyList<RowFault>> FaultyClaimsAsync(int count, CancellationToken cancellation) =>
        _ids.FaultsAsync(count, cancellation);

    /// <summary>
    /// Adds an account and the row that makes its user id unique: first the id, then the account. Where a process died
    /// between the two, the id row points at an account that does not have that id, and five minutes later another account can take
    /// the id over.
    /// </summary>
    public async Task<Addition> AddAsync(Account account, EmailAddress email, CancellationToken cancellation)
    {
        var row = account.ToRow(email);
        return await _ids.ClaimAsync(account, row.PartitionKey, cancellation) is { } claim
            ? await AddClaimedAsync(account, row, claim, cancellation)
            : Addition.UserIdTaken;
    }

    /// <summary>
    /// Adds up to <see cref="MaxBatch"/> accounts of one realm: their claims in one transaction, all or none, then every account at
    /// once, so that a claim waits no longer for its account than a claim of <see cref="AddAsync"/> does. Where one of the ids is
    /// claimed already, by an earlier run that was interrupted or by somebody else, each account is added by itself.
    /// </summary>
    /// <returns>What became of each, in their order.</returns>
    public async Task<IReadOnlyList<Addition>> AddAllAsync(IReadOnlyList<Account> accounts, CancellationToken cancellation)
    {
        var wanted = accounts.Select(account => (Account: account, Email: EmailAddress.TryParse(account.Email)!)).ToList();
        var claims = await _ids.ClaimAllAsync(
            wanted.Select(each => (each.Account, Account.PartitionOf(each.Account.Subdomain, each.Email))), cancellation);
        return await Task.WhenAll(wanted.Select((each, i) => claims is null
            ? AddAsync(each.Account, each.Email, cancellation)
            : AddClaimedAsync(each.Account, each.Account.ToRow(each.Email), claims[i], cancellation)));
    }

    /// <summary>
    /// Deletes an account, and a link to choose its password, whatever happens to the row meanwhile. Its user id is never given again:
    /// the claim loses the address's digest and stays, so that what is recorded under the id stays one person's. That comes first, so
    /// that a process which dies in between leaves an account that can be deleted again, and no id that somebody else could take.
    /// </summary>
    /// <param name="userId">Null where the row does not tell it: then the claims that point at the account are looked for.</param>
    public async Task DeleteAsync(string subdomain, EmailAddress email, int? userId, CancellationToken cancellation)
    {
        var partition = Account.PartitionOf(subdomain, email);
        if (userId is { } id)
        {
            await _ids.RetireAsync(subdomain, id, cancellation);
        }
        else
        {
            await foreach (var claimed in _ids.PointingAtAsync(subdomain, partition, cancellation))
            {
                await _ids.RetireAsync(subdomain, claimed, cancellation);
            }
        }

        await new DirectoryIds(tables).ForgetAsync(subdomain, partition, cancellation);
        using var link = await tables.Accounts.DeleteEntityAsync(partition, PasswordInvitation.Row, cancellationToken: cancellation);
        using var account = await tables.Accounts.DeleteEntityAsync(partition, partition, cancellationToken: cancellation);
        // Once more, for a link that was made meanwhile.
        using var late = await tables.Accounts.DeleteEntityAsync(partition, PasswordInvitation.Row, cancellationToken: cancellation);
    }

    private async Task<Addition> AddClaimedAsync(Account account, TableEntity row, UserIdClaim claim, CancellationToken cancellation)
    {
        DateTimeOffset? written;
        try
        {
            using var answer = await tables.Accounts.AddEntityAsync(row, cancellation);
            written = answer.Headers.Date;
        }
        catch (RequestFailedException fault) when (fault.IsTaken())
        {
            var there = await tables.Accounts.ReadRowAsync(row.PartitionKey, row.RowKey, Account.Columns, cancellation);
            var userId = there.Row?.Number("UserId", 1, Account.MaxUserId);
            // An insert whose acknowledgement was lost, and which the client therefore sent again, has the very seal.
            if (userId != account.UserId || there.Row!.Text("ApiKey") != account.SealedApiKey)
            {
                // An id that cannot be read may be this one.
                if (userId != account.UserId && there.Row?.Fault is null)
                {
                    await _ids.ReleaseAsync(account, claim, cancellation);
                }

                return Addition.EmailTaken;
            }

            written = there.StoreTime;
        }
        catch (Exception fault) when (AccountTables.IsUnavailability(fault))
        {
            if (!await tables.Accounts.WasCarriedOutAsync(row.PartitionKey, row.RowKey, there => there.Has("ApiKey", account.SealedApiKey)))
            {
                throw;
            }

            written = null;
        }

        if (await _ids.IsHeldAsync(account, row.PartitionKey, claim, written, cancellation))
        {
            return Addition.Added;
        }

        using var withdrawn = await tables.Accounts.DeleteEntityAsync(row.PartitionKey, row.RowKey, cancellationToken: cancellation);
        return Addition.UserIdTaken;
    }
}
