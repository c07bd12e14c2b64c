// keys rotate: API keys sealed anew while logins go on.

using FetchApiKey.Accounts;

namespace FetchApiKey.Cli;

/// <summary>
/// Every account whose API key is sealed with another key than the writing one, or in the form of an earlier release, is sealed anew,
/// under the ETag of the row that was read; a row that changed meanwhile is read again. Logins read either seal as long as both keys are
/// configured. When none is left that a key which comes back could still open, the tables are marked: from then on the earlier form opens
/// nothing.
/// </summary>
public sealed class KeyRotation(RealmStore realms, AccountStore accounts, ApiKeyCipher cipher, SealMarker marker, OperatorActs acts)
{
    private const int ConcurrentWrites = 32;

    public async Task<int> RunAsync(Report report, TextWriter error, CancellationToken cancellation)
    {
        var outdated = new List<Account>();
        var current = 0;
        var faulty = new FaultyRows(error);
        var doubledRows = 0;
        foreach (var subdomain in await realms.SubdomainsAsync(faulty.Meet, cancellation))
        {
            var (ofRealm, userIds, doubled) = (new List<Account>(), new HashSet<int>(), new HashSet<int>());
            await foreach (var account in accounts.ListAsync(subdomain, faulty.Meet, cancellation))
            {
                if (!userIds.Add(account.UserId))
                {
                    doubled.Add(account.UserId);
                }

                if (cipher.IsCurrent(account))
                {
                    current++;
                }
                else
                {
                    ofRealm.Add(account);
                }
            }

            // The earlier form opens in every row that has the id, so that one of them may have it from another.
            bool IsAmbiguous(Account account) => doubled.Contains(account.UserId) && !ApiKeyCipher.IsBoundToRow(account.SealedApiKey);
            foreach (var account in ofRealm.Where(IsAmbiguous))
            {
                doubledRows++;
                await error.WriteLineAsync($"{account}, {account.Email}: another account has this user id, so its API key was left alone");
            }

            outdated.AddRange(ofRealm.Where(account => !IsAmbiguous(account)));
        }

        foreach (var subdomain in outdated.Select(account => account.Subdomain).Distinct(StringComparer.Ordinal))
        {
            await acts.RecordAsync(subdomain, email: null, userId: null, cancellation);
        }

        var (rotated, failed) = (0, doubledRows + faulty.Count);
        var bar = new ProgressBar(error, "sealing", outdated.Count);
        await bar.AccompanyAsync("accounts", () => Parallel.ForEachAsync(
            outdated,
            new ParallelOptions { MaxDegreeOfParallelism = ConcurrentWrites, CancellationToken = cancellation },
            async (account, token) =>
            {
                if (await SealAsync(account, token))
                {
                    Interlocked.Increment(ref rotated);
                }
                else
                {
                    Interlocked.Increment(ref failed);
                    bar.Tell($"{account}: its API key cannot be opened and was left alone");
                }

                bar.Advance();
            }), cancellation);
        if (failed == 0)
        {
            await marker.WriteAsync(cancellation);
        }
        else if (!marker.RefusesVersion1)
        {
            await error.WriteLineAsync(
                "API keys sealed by an earlier release are taken as before. Mend these accounts, and run this again.");
        }

        await report.WriteAsync(("rotated", rotated), ("unchanged", current), ("failed", failed));
        return failed == 0 ? ExitCode.Done : ExitCode.Refused;
    }

    private async Task<bool> SealAsync(Account account, CancellationToken cancellation)
    {
        while (cipher.Open(account, out var apiKey) == Opening.Opened && EmailAddress.TryParse(account.Email) is { } email)
        {
            var seal = cipher.Seal(account.Subdomain, email, account.UserId, apiKey);
            if (cipher.IsCurrent(account) || await accounts.SetSealedApiKeyAsync(account, seal, cancellation))
            {
                return true;
            }

            if ((await accounts.FindAsync(account.Subdomain, email, cancellation)).Account is not { } changed)
            {
                return false;
            }

            account = changed;
        }

        return false;
    }
}
