// The backend that compares a password with the hash in the account's row.

using FetchApiKey.Accounts;
using FetchApiKey.Passwords;
using Microsoft.Extensions.Logging;

namespace FetchApiKey.Backends;

/// <summary>Every check costs the same hash, whether there is an account or not.</summary>
public sealed class EmailBackend(AccountStore accounts, PasswordHasher hasher, ILogger<EmailBackend> log) : IPasswordBackend
{
    public async Task<BackendVerdict> CheckAsync(PasswordCheck check, CancellationToken cancellation)
    {
        var (account, isMalformed) = await check.Reading;
        if (isMalformed)
        {
            log.AccountRowMalformed(Account.PartitionOf(check.Realm.Subdomain, check.Name.Email!));
        }

        var (verdict, refused) = await hasher.VerifyAsync(check.Client, account?.PasswordHash, check.Password, cancellation);
        if (refused is not null)
        {
            log.StoredHashRefused(account!.UserId, check.Realm.Subdomain, refused);
        }

        if (account is null || verdict == PasswordVerdict.Wrong)
        {
            return new BackendVerdict(CauseOf(account, isMalformed, refused), account);
        }

        var right = new BackendVerdict(Login.RefuseDeactivated(check.Realm, account)?.Outcome ?? LoginOutcome.LoggedIn, account);
        return right.Outcome == LoginOutcome.LoggedIn && verdict == PasswordVerdict.RightButOutdated && !await RenewHashAsync(account, check, cancellation)
            ? new BackendVerdict(LoginOutcome.PasswordResetRequired, account)
            : right;
    }

    /// <summary>Why a password was not right, which the wire does not tell.</summary>
    private static LoginOutcome CauseOf(Account? account, bool isMalformed, string? refused) =>
        isMalformed ? LoginOutcome.AccountMalformed
        : account is null ? LoginOutcome.UnknownUser
        : refused is not null ? LoginOutcome.StoredHashRefused
        : account.HasUsablePassword ? LoginOutcome.WrongPassword
        : LoginOutcome.PasswordUnusable;

    /// <summary>
    /// Replaces an outdated hash, if the row is still the one that was verified: a password changed meanwhile stands.
    /// False when the password is below the strength rule and so must not be hashed anew. Storage that fails here, or a
    /// full gate, costs the renewal, which the next login makes up for, and not the login.
    /// </summary>
    private async Task<bool> RenewHashAsync(Account account, PasswordCheck check, CancellationToken cancellation)
    {
        if (!PasswordStrength.IsEnough(check.Password))
        {
            return false;
        }

        try
        {
            var hash = await hasher.HashAsync(check.Client, check.Password, cancellation);
            if (!await accounts.SetPasswordHashAsync(account, hash, cancellation))
            {
                log.HashRenewalOvertaken(account.UserId, account.Subdomain);
            }
        }
        catch (Exception fault) when (fault is HashingGateFullException || AccountTables.IsUnavailability(fault))
        {
            log.HashRenewalFailed(account.UserId, account.Subdomain, fault.GetType().Name);
        }

        return true;
    }
}
