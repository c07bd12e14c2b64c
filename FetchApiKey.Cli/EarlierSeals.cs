// API keys that an earlier release has sealed, in a file that is restored.

using Azure.Data.Tables;
using FetchApiKey.Accounts;

namespace FetchApiKey.Cli;

/// <summary>
/// Such a seal opens in every row of its realm that has the user id. Where two accounts have one id, one of them may have taken the seal
/// from the other: whose key it is cannot be said, so it is sealed anew for neither.
/// </summary>
internal sealed class EarlierSeals
{
    /// <summary>By realm and user id, the account that was seen first with them.</summary>
    private readonly Dictionary<UInt128, UInt128> _holders = [];

    private readonly HashSet<UInt128> _doubled = [];
    private bool _isAny;

    /// <summary>Takes notice of an account of the file.</summary>
    public void Meet(TableEntity row)
    {
        _isAny |= IsSealedEarlier(row);
        if (IdOf(row) is { } id)
        {
            MeetId(row.PartitionKey, id);
        }
    }

    /// <summary>The same of the accounts that are in the tables already.</summary>
    public async Task MeetStoredAsync(TableClient accounts, CancellationToken cancellation)
    {
        if (_isAny)
        {
            await foreach (var row in accounts.ReadRowsAsync(filter: null, perPage: null, ["UserId"], cancellation))
            {
                if (row.NumberIfAny("UserId", 0, Account.MaxUserId) is { } userId)
                {
                    MeetId(row.Partition, IdOf(row.Partition, userId));
                }
            }
        }
    }

    public bool IsAmbiguous(TableEntity row) => IsSealedEarlier(row) && IdOf(row) is { } id && _doubled.Contains(id);

    private void MeetId(string partition, UInt128 id)
    {
        var account = BackupFile.FingerprintOf(partition);
        if (!_holders.TryAdd(id, account) && _holders[id] != account)
        {
            _doubled.Add(id);
        }
    }

    private static bool IsSealedEarlier(TableEntity row) =>
        row.TryGetValue("ApiKey", out var key) && key is string seal && !ApiKeyCipher.IsBoundToRow(seal);

    private static UInt128? IdOf(TableEntity row) =>
        row.TryGetValue("UserId", out var id) && id is int userId ? IdOf(row.PartitionKey, userId) : null;

    private static UInt128 IdOf(string partition, int userId) =>
        BackupFile.FingerprintOf(FormattableString.Invariant($"{partition.Split('.')[0]}.{userId}"));
}
