// Reads and changes accounts. Every change is conditional on the row that was read, so that none overwrites another.

using System.Globalization;
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

/// <summary>An account row, or the fact that there is one which cannot be used.</summary>
/// <param name="Account">Null when there is no row, or none that is whole.</param>
/// <param name="IsMalformed">A row stands there, but lacks a column or belongs to another address: a fault for the operator.</param>
public readonly record struct AccountReading(Account? Account, bool IsMalformed);

public sealed class AccountStore(AccountTables tables)
{
    /// <summary>Much longer than the writing of an account can take, three tries of <see cref="AccountTables.BulkPatience"/> included.</summary>
    private static readonly TimeSpan ClaimLifetime = TimeSpan.FromMinutes(5);

    /// <summary>What Table Storage takes in one transaction.</summary>
    public const int MaxBatch = 100;

    /// <summary>What a claim points at whose account was deleted: no account.</summary>
    private const string Retired = "";

    /// <summary>One point read.</summary>
    public Task<AccountReading> FindAsync(string subdomain, EmailAddress email, CancellationToken cancellation) =>
        FindAsync(subdomain, Account.PartitionOf(subdomain, email), cancellation);

    /// <summary>One point read.</summary>
    /// <param name="partition">As <see cref="Account.PartitionOf"/> gives it for an address of this realm.</param>
    public async Task<AccountReading> FindAsync(string subdomain, string partition, CancellationToken cancellation)
    {
        var row = await tables.Accounts.GetEntityIfExistsAsync<TableEntity>(partition, partition, cancellationToken: cancellation);
        if (!row.HasValue)
        {
            return default;
        }

        var account = Account.From(subdomain, row.Value!);
        // A row that was moved to another address's key must not open that address's door.
        return account is not null && EmailAddress.TryParse(account.Email) is { } email && Account.PartitionOf(subdomain, email) == partition
            ? new AccountReading(account, IsMalformed: false)
            : new AccountReading(null, IsMalformed: true);
    }

    /// <summary>The first accounts of the table, whole or not counted.</summary>
    public async Task<IReadOnlyList<Account>> SomeAsync(int count, CancellationToken cancellation)
    {
        await foreach (var page in tables.Accounts.QueryAsync<TableEntity>(maxPerPage: count, cancellationToken: cancellation).AsPages())
        {
            return [.. page.Values.Select(row => Account.From(row.PartitionKey.Split('.')[0], row)).OfType<Account>()];
        }

        return [];
    }

    /// <summary>The accounts of a realm, in no order that means anything; malformed rows are left out.</summary>
    public async IAsyncEnumerable<Account> ListAsync(
        string subdomain, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellation)
    {
        // '/' follows '.' in the order of keys: the range of one realm and of no other.
        var filter = TableClient.CreateQueryFilter(
            $"PartitionKey ge {subdomain + "."} and PartitionKey lt {subdomain + "/"} and RowKey ne {PasswordInvitation.Row}");
        await foreach (var row in tables.Accounts.QueryAsync<TableEntity>(filter, cancellationToken: cancellation))
        {
            if (Account.From(subdomain, row) is { } account)
            {
                yield return account;
            }
        }
    }

    /// <summary>One more than the highest user id that the realm has given out.</summary>
    public async Task<int> NextUserIdAsync(string subdomain, CancellationToken cancellation)
    {
        var filter = TableClient.CreateQueryFilter($"PartitionKey eq {UserIdPartition(subdomain)}");
        await foreach (var row in tables.UserIds.QueryAsync<TableEntity>(filter, maxPerPage: 1, cancellationToken: cancellation))
        {
            return checked(UserIdOf(row) + 1);
        }

        return 1;
    }

    /// <summary>User ids whose accounts were deleted; see <see cref="DeleteAsync"/>.</summary>
    public async IAsyncEnumerable<int> RetiredUserIdsAsync(
        string subdomain, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellation)
    {
        var filter = TableClient.CreateQueryFilter($"PartitionKey eq {UserIdPartition(subdomain)} and Account eq {Retired}");
        await foreach (var row in tables.UserIds.QueryAsync<TableEntity>(filter, cancellationToken: cancellation))
        {
            yield return UserIdOf(row);
        }
    }

    /// <summary>
    /// Adds an account and the row that makes its user id unique: first the id, then the account. Where a process died
    /// between the two, the id row points at an account that does not have that id, and five minutes later whoever wants the id takes it over.
    /// </summary>
    public async Task<Addition> AddAsync(Account account, EmailAddress email, CancellationToken cancellation)
    {
        var row = account.ToRow(email);
        if (!await ClaimUserIdAsync(account, row.PartitionKey, cancellation))
        {
            return Addition.UserIdTaken;
        }

        return await AddClaimedAsync(account, row, cancellation);
    }

    /// <summary>
    /// Adds up to <see cref="MaxBatch"/> accounts of one realm: their claims in one transaction, all or none, then every account at
    /// once, so that a claim waits no longer for its account than a claim of <see cref="AddAsync"/> does. Where one of the ids is claimed
    /// already, by an earlier run that was interrupted or by somebody else, each account is added by itself.
    /// </summary>
    /// <returns>What became of each, in their order.</returns>
    public async Task<IReadOnlyList<Addition>> AddAllAsync(IReadOnlyList<Account> accounts, CancellationToken cancellation)
    {
        var rows = accounts.Select(account => (Account: account, Email: EmailAddress.TryParse(account.Email)!)).ToList();
        try
        {
            await tables.UserIds.SubmitTransactionAsync(
                rows.Select(each => new TableTransactionAction(
                    TableTransactionActionType.Add, Claim(each.Account, Account.PartitionOf(each.Account.Subdomain, each.Email)))),
                cancellation);
        }
        catch (RequestFailedException fault) when (fault.Status == 409)
        {
            return await Task.WhenAll(rows.Select(each => AddAsync(each.Account, each.Email, cancellation)));
        }

        return await Task.WhenAll(rows.Select(each => AddClaimedAsync(each.Account, each.Account.ToRow(each.Email), cancellation)));
    }

    /// <summary>
    /// Deletes an account, and a link to choose its password. Its user id is never given again, so that what is recorded under it stays one person's: the claim loses
    /// the address's digest and stays. That comes first, so that a process which dies in between leaves an account that can be
    /// deleted again, and no id that somebody else could take.
    /// </summary>
    /// <returns>False when the row has changed since it was read.</returns>
    public async Task<bool> DeleteAsync(Account account, EmailAddress email, CancellationToken cancellation)
    {
        var claim = Claim(account, Retired);
        await tables.UserIds.UpsertEntityAsync(claim, TableUpdateMode.Replace, cancellation);
        var partition = Account.PartitionOf(account.Subdomain, email);
        using var link = await tables.Accounts.DeleteEntityAsync(partition, PasswordInvitation.Row, cancellationToken: cancellation);
        try
        {
            using var answer = await tables.Accounts.DeleteEntityAsync(partition, partition, account.ETag, cancellation);
            return true;
        }
        catch (RequestFailedException fault) when (fault.Status == 412)
        {
            return false;
        }
    }

    private async Task<Addition> AddClaimedAsync(Account account, TableEntity row, CancellationToken cancellation)
    {
        try
        {
            await tables.Accounts.AddEntityAsync(row, cancellation);
            return Addition.Added;
        }
        catch (RequestFailedException fault) when (fault.Status == 409)
        {
            var there = await tables.Accounts.GetEntityIfExistsAsync<TableEntity>(row.PartitionKey, row.RowKey, cancellationToken: cancellation);
            var holdsId = there.HasValue && there.Value!.GetInt32("UserId") == account.UserId;
            if (holdsId && there.Value!.GetString("ApiKey") == account.SealedApiKey)
            {
                // An insert whose acknowledgement was lost, and which the client therefore sent again.
                return Addition.Added;
            }

            if (!holdsId)
            {
                await tables.UserIds.DeleteEntityAsync(UserIdPartition(account.Subdomain), UserIdRow(account.UserId), cancellationToken: cancellation);
            }

            return Addition.EmailTaken;
        }
        catch (Exception fault) when (AccountTables.IsUnavailability(fault))
        {
            if (await tables.Accounts.WasCarriedOutAsync(row.PartitionKey, row.RowKey, there => there.Has("ApiKey", account.SealedApiKey)))
            {
                return Addition.Added;
            }

            throw;
        }
    }

    /// <summary>Changes the password column and nothing else. False when the row has changed since it was read.</summary>
    public Task<bool> SetPasswordHashAsync(Account account, string hash, CancellationToken cancellation) =>
        ChangeAsync(account, "PasswordHash", hash, cancellation);

    /// <summary>False when the row has changed since it was read.</summary>
    public Task<bool> SetActiveAsync(Account account, bool isActive, CancellationToken cancellation) =>
        ChangeAsync(account, "IsActive", isActive, cancellation);

    /// <summary>False when the row has changed since it was read.</summary>
    public Task<bool> SetSealedApiKeyAsync(Account account, string sealedApiKey, CancellationToken cancellation) =>
        ChangeAsync(account, "ApiKey", sealedApiKey, cancellation);

    private async Task<bool> ChangeAsync(Account account, string column, object value, CancellationToken cancellation)
    {
        if (EmailAddress.TryParse(account.Email) is not { } email)
        {
            throw new ArgumentException("An account without an e-mail address has no row to change.", nameof(account));
        }

        var partition = Account.PartitionOf(account.Subdomain, email);
        var change = new TableEntity(partition, partition) { [column] = value };
        try
        {
            await tables.Accounts.UpdateEntityAsync(change, account.ETag, TableUpdateMode.Merge, cancellation);
            return true;
        }
        catch (Exception fault) when (AccountTables.IsUnavailability(fault))
        {
            if (await tables.Accounts.WasCarriedOutAsync(partition, partition, row => row.Has(column, value)))
            {
                return true;
            }

            if (fault is RequestFailedException { Status: 412 or 404 })
            {
                return false;
            }

            throw;
        }
    }

    private async Task<bool> ClaimUserIdAsync(Account account, string accountPartition, CancellationToken cancellation)
    {
        var claim = Claim(account, accountPartition);
        try
        {
            await tables.UserIds.AddEntityAsync(claim, cancellation);
            return true;
        }
        catch (RequestFailedException fault) when (fault.Status == 409)
        {
            var standing = await tables.UserIds.GetEntityIfExistsAsync<TableEntity>(claim.PartitionKey, claim.RowKey, cancellationToken: cancellation);
            var now = standing.GetRawResponse().Headers.Date;
            return standing.HasValue && await TakeOverAsync(standing.Value!, now, claim, account.UserId, cancellation);
        }
    }

    /// <param name="now">By the store's clock, which stamped the standing claim too.</param>
    private async Task<bool> TakeOverAsync(TableEntity standing, DateTimeOffset? now, TableEntity claim, int userId, CancellationToken cancellation)
    {
        if (standing.GetString("Account") == claim.GetString("Account"))
        {
            return true;
        }

        if (standing.GetString("Account") == Retired)
        {
            return false;
        }

        if (now - standing.Timestamp is not { } age || age < ClaimLifetime)
        {
            return false;
        }

        var holder = standing.GetString("Account");
        var owner = await tables.Accounts.GetEntityIfExistsAsync<TableEntity>(holder, holder, cancellationToken: cancellation);
        if (owner.HasValue && owner.Value!.GetInt32("UserId") == userId)
        {
            return false;
        }

        try
        {
            await tables.UserIds.UpdateEntityAsync(claim, standing.ETag, TableUpdateMode.Replace, cancellation);
            return true;
        }
        catch (RequestFailedException fault) when (fault.Status == 412)
        {
            return false;
        }
    }

    private static TableEntity Claim(Account account, string holder) =>
        new(UserIdPartition(account.Subdomain), UserIdRow(account.UserId)) { ["Account"] = holder };

    private static int UserIdOf(TableEntity row) => int.MaxValue - int.Parse(row.RowKey, CultureInfo.InvariantCulture);

    private static string UserIdPartition(string subdomain) => subdomain + ".";

    private static string UserIdRow(int userId) => (int.MaxValue - userId).ToString("D10", CultureInfo.InvariantCulture);
}
