// The backend that compares a password with the hash in the account's row.

using FetchApiKey.Accounts;
using FetchApiKey.Passwords;
using Microsoft.Extensions.Logging;

namespace FetchApiKey.Backends;

/// <summary>Every check costs the same hash, whether there is an account or not.</summary>
public sealed class EmailBackend(AccountStore accounts, PasswordHasher hasher, TimeProvider time, ILogger<EmailBackend> log) : IPasswordBackend
{
    public async Task<BackendVerdict> CheckAsync(PasswordCheck check, CancellationToken cancellation)
    {
        var (account, malformed) = await check.Reading;
        if (malformed is not null)
        {
            log.RowMalformed(malformed);
        }

        var (verdict, refused) = await hasher.VerifyAsync(
            check.Client, account?.PasswordHash, check.Password, check.Attempt.Begin, check.Attempt.Waiting);
        if (refused is not null)
        {
            log.StoredHashRefused(account!.UserId, check.Realm.Subdomain, refused);
        }

        if (account is null || verdict == PasswordVerdict.Wrong)
        {
            return new BackendVerdict(CauseOf(account, malformed is not null, refused), account);
        }

        var right = new BackendVerdict(Login.RefuseDeactivated(check.Realm, account)?.Outcome ?? LoginOutcome.LoggedIn, account);
        if (right.Outcome != LoginOutcome.LoggedIn || verdict != PasswordVerdict.RightButOutdated)
        {
            return right;
        }

        // A password below the strength rule must not be hashed anew.
        return !PasswordStrength.IsEnough(check.Password, time)
            ? new BackendVerdict(LoginOutcome.PasswordResetRequired, account)
            : right with { Consequence = cancelled => RenewHashAsync(right, check, cancelled) };
    }

    /// <summary>Why a password was not right, which the wire does not tell.</summary>
    private static LoginOutcome CauseOf(Account? account, bool isMalformed, string? refused) =>
        isMalformed ? LoginOutcome.AccountMalformed
        : account is null ? LoginOutcome.UnknownUser
        : refused is not null ? LoginOutcome.StoredHashRefused
        : account.HasUsablePassword ? LoginOutcome.WrongPassword
        : LoginOutcome.PasswordUnusable;

    /// <summary>
    /// Replaces an outdated hash, if the row is still the one that was verified: a password changed meanwhile stands. Storage that fails
    /// here, or a full gate, costs the renewal, which the next login makes up for, and not the login.
    /// </summary>
    private async Task<BackendVerdict> RenewHashAsync(BackendVerdict right, PasswordCheck check, CancellationToken cancellation)
    {
        var account = right.Account!;
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

        return right;
    }
}
