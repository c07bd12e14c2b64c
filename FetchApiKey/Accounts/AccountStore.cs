// Reads and changes accounts. A login's change is conditional on the row that was read; an operator's is not.

using Azure;
using Azure.Data.Tables;

namespace FetchApiKey.Accounts;

/// <summary>What stands at an address.</summary>
/// <param name="Account">Null when there is no row, or one that cannot be used.</param>
/// <param name="Malformed">What is wrong with the row that stands there: a fault for the operator, and nobody's account.</param>
public readonly record struct AccountReading(Account? Account, RowFault? Malformed);

/// <param name="claimLifetime">How long a user id waits for its account; null for much longer than writing one can take.</param>
public sealed partial class AccountStore(AccountTables tables, TimeSpan? claimLifetime = null)
{
    /// <summary>One point read.</summary>
    public Task<AccountReading> FindAsync(string subdomain, EmailAddress email, CancellationToken cancellation) =>
        FindAsync(subdomain, Account.PartitionOf(subdomain, email), cancellation);

    /// <summary>One point read.</summary>
    /// <param name="partition">As <see cref="Account.PartitionOf"/> gives it for an address of this realm.</param>
    public async Task<AccountReading> FindAsync(string subdomain, string partition, CancellationToken cancellation) =>
        await FindRowAsync(partition, cancellation) is { } row ? new AccountReading(Account.From(subdomain, row), row.Fault) : default;

    /// <summary>The first accounts of the table.</summary>
    /// <param name="meets">Told of each row that cannot be read.</param>
    public async Task<IReadOnlyList<Account>> SomeAsync(int count, Action<RowFault> meets, CancellationToken cancellation)
    {
        var found = new List<Account>();
        var left = count;
        await foreach (var row in tables.Accounts.ReadRowsAsync(
            TableClient.CreateQueryFilter($"RowKey ne {PasswordInvitation.Row}"), count, Account.Columns, cancellation))
        {
            if (Take(row.Partition.Split('.')[0], row, meets) is { } account)
            {
                found.Add(account);
            }

            if (--left == 0)
            {
                break;
            }
        }

        return found;
    }

    /// <summary>The accounts of a realm, in no order that means anything.</summary>
    /// <param name="meets">Told of each row that cannot be read.</param>
    public async IAsyncEnumerable<Account> ListAsync(
        string subdomain, Action<RowFault> meets, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellation)
    {
        // '/' follows '.' in the order of keys: the range of one realm and of no other.
        var filter = TableClient.CreateQueryFilter(
            $"PartitionKey ge {subdomain + "."} and PartitionKey lt {subdomain + "/"} and RowKey ne {PasswordInvitation.Row}");
        await foreach (var row in tables.Accounts.ReadRowsAsync(filter, perPage: null, Account.Columns, cancellation))
        {
            if (Take(subdomain, row, meets) is { } account)
            {
                yield return account;
            }
        }
    }

    // ---- Changes that a login makes: of one column, and only of the row that was read ----

    /// <summary>False when the row has changed since it was read.</summary>
    public Task<bool> SetPasswordHashAsync(Account account, string hash, CancellationToken cancellation) =>
        MergeAsync(PartitionOf(account), PasswordColumn, hash, account.ETag, cancellation);

    /// <summary>False when the row has changed since it was read.</summary>
    public Task<bool> SetSealedApiKeyAsync(Account account, string sealedApiKey, CancellationToken cancellation) =>
        MergeAsync(PartitionOf(account), KeyColumn, sealedApiKey, account.ETag, cancellation);

    // ---- Changes that an operator orders: they hold whatever else happens to the row, and make none for a deleted account ----

    /// <summary>False when there is no account.</summary>
    public Task<bool> OverridePasswordHashAsync(string subdomain, EmailAddress email, string hash, CancellationToken cancellation) =>
        OverrideAsync(subdomain, email, PasswordColumn, hash, cancellation);

    /// <summary>False when there is no account.</summary>
    public Task<bool> OverrideActiveAsync(string subdomain, EmailAddress email, bool isActive, CancellationToken cancellation) =>
        OverrideAsync(subdomain, email, "IsActive", isActive, cancellation);

    /// <summary>False when there is no account.</summary>
    public Task<bool> OverrideSealedApiKeyAsync(string subdomain, EmailAddress email, string sealedApiKey, CancellationToken cancellation) =>
        OverrideAsync(subdomain, email, KeyColumn, sealedApiKey, cancellation);

    private const string PasswordColumn = "PasswordHash";
    private const string KeyColumn = "ApiKey";

    private Task<bool> OverrideAsync(string subdomain, EmailAddress email, string column, object value, CancellationToken cancellation) =>
        MergeAsync(Account.PartitionOf(subdomain, email), column, value, ETag.All, cancellation);

    private async Task<bool> MergeAsync(string partition, string column, object value, ETag condition, CancellationToken cancellation)
    {
        var change = new TableEntity(partition, partition) { [column] = value };
        try
        {
            using var answer = await tables.Accounts.UpdateEntityAsync(change, condition, TableUpdateMode.Merge, cancellation);
            return true;
        }
        catch (Exception fault) when (AccountTables.IsUnavailability(fault))
        {
            if (await tables.Accounts.WasCarriedOutAsync(partition, partition, row => row.Has(column, value)))
            {
                return true;
            }

            if (fault is RequestFailedException refusal && refusal.IsOvertaken())
            {
                return false;
            }

            throw;
        }
    }

    private async Task<StoredRow?> FindRowAsync(string partition, CancellationToken cancellation) =>
        (await tables.Accounts.ReadRowAsync(partition, partition, Account.Columns, cancellation)).Row;

    private static Account? Take(string subdomain, StoredRow row, Action<RowFault> meets)
    {
        var account = Account.From(subdomain, row);
        if (row.Fault is { } fault)
        {
            meets(fault);
        }

        return account;
    }

    private static string PartitionOf(Account account) => EmailAddress.TryParse(account.Email) is { } email
        ? Account.PartitionOf(account.Subdomain, email)
        : throw new ArgumentException("An account without an e-mail address has no row to change.", nameof(account));
}
