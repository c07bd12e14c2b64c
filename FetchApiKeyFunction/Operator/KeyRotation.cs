// keys rotate: API keys sealed anew while logins go on.

using FetchApiKeyFunction.Accounts;

namespace FetchApiKeyFunction.Operator;

/// <summary>
/// Every account whose API key is sealed with another key than the writing one is sealed anew, under the ETag of the row
/// that was read; a row that changed meanwhile is read again. Logins read either seal as long as both keys are configured.
/// </summary>
public sealed class KeyRotation(RealmStore realms, AccountStore accounts, ApiKeyCipher cipher, OperatorActs acts)
{
    private const int ConcurrentWrites = 32;
    private const int BarWidth = 40;

    public async Task<int> RunAsync(Report report, TextWriter error, CancellationToken cancellation)
    {
        var outdated = new List<Account>();
        var current = 0;
        foreach (var realm in await realms.ListAsync(cancellation))
        {
            await foreach (var account in accounts.ListAsync(realm.Subdomain, cancellation))
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

        var (done, failed) = (0, 0);
        await Parallel.ForEachAsync(
            outdated,
            new ParallelOptions { MaxDegreeOfParallelism = ConcurrentWrites, CancellationToken = cancellation },
            async (account, token) =>
            {
                var isSealed = await SealAsync(account, token);
                lock (outdated)
                {
                    done++;
                    failed += isSealed ? 0 : 1;
                    if (!isSealed)
                    {
                        error.WriteLine($"{account}: its API key cannot be opened and was left alone");
                    }

                    Draw(error, done, outdated.Count);
                }
            });
        await report.WriteAsync(("rotated", done - failed), ("unchanged", current), ("failed", failed));
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

    /// <summary>A bar that grows in place, at a terminal only.</summary>
    private static void Draw(TextWriter error, int done, int all)
    {
        if (!ReferenceEquals(error, Console.Error) || Console.IsErrorRedirected)
        {
            return;
        }

        var filled = (int)((long)BarWidth * done / all);
        error.Write($"\r[{new string('#', filled)}{new string(' ', BarWidth - filled)}] {done}/{all}{(done == all ? Environment.NewLine : "")}");
    }
}
