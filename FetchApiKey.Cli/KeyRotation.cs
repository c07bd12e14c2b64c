// keys rotate: API keys sealed anew while logins go on.

using FetchApiKey.Accounts;

namespace FetchApiKey.Cli;

/// <summary>
/// Every account whose API key is sealed with another key than the writing one is sealed anew, under the ETag of the row
/// that was read; a row that changed meanwhile is read again. Logins read either seal as long as both keys are configured.
/// </summary>
public sealed class KeyRotation(RealmStore realms, AccountStore accounts, ApiKeyCipher cipher, OperatorActs acts)
{
    private const int ConcurrentWrites = 32;

    public async Task<int> RunAsync(Report report, TextWriter error, CancellationToken cancellation)
    {
        var outdated = new List<Account>();
        var current = 0;
        var faulty = new FaultyRows(error);
        foreach (var subdomain in await realms.SubdomainsAsync(faulty.Meet, cancellation))
        {
            await foreach (var account in accounts.ListAsync(subdomain, faulty.Meet, cancellation))
            {
                if (cipher.IsCurrent(account))
                {
                    current++;
                }
                else
                {
                    outdated.Add(account);
                }
            }
        }

        foreach (var subdomain in outdated.Select(account => account.Subdomain).Distinct(StringComparer.Ordinal))
        {
            await acts.RecordAsync(subdomain, email: null, userId: null, cancellation);
        }

        var failed = faulty.Count;
        var bar = new ProgressBar(error, "sealing", outdated.Count);
        await Parallel.ForEachAsync(
            outdated,
            new ParallelOptions { MaxDegreeOfParallelism = ConcurrentWrites, CancellationToken = cancellation },
            async (account, token) =>
            {
                if (!await SealAsync(account, token))
                {
                    Interlocked.Increment(ref failed);
                    bar.Tell($"{account}: its API key cannot be opened and was left alone");
                }

                bar.Advance();
            });
        bar.End();
        await report.WriteAsync(("rotated", outdated.Count - failed + faulty.Count), ("unchanged", current), ("failed", failed));
        return failed == 0 ? ExitCode.Done : ExitCode.Refused;
    }

    private async Task<bool> SealAsync(Account account, CancellationToken cancellation)
    {
        while (cipher.Open(account, out var apiKey) == Opening.Opened)
        {
            if (cipher.IsCurrent(account)
                || await accounts.SetSealedApiKeyAsync(account, cipher.Seal(account.Subdomain, account.UserId, apiKey), cancellation))
            {
                return true;
            }

            if ((await accounts.FindAsync(account.Subdomain, EmailAddress.TryParse(account.Email)!, cancellation)).Account is not { } changed)
            {
                return false;
            }

            account = changed;
        }

        return false;
    }
}
