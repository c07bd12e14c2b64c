// The login, start to finish: whether somebody may try, whether the password is right, whether the account may be used.

using FetchApiKeyFunction.Accounts;
using FetchApiKeyFunction.Attempts;
using FetchApiKeyFunction.Audit;
using FetchApiKeyFunction.Passwords;
using Microsoft.Extensions.Logging;

namespace FetchApiKeyFunction;

/// <summary>What a login came to.</summary>
/// <param name="Account">Null where there is none, or where nobody looked.</param>
public sealed class LoginResult(LoginOutcome outcome, Account? account)
{
    public LoginOutcome Outcome { get; } = outcome;

    public Account? Account { get; } = account;

    /// <summary>Of an account that was logged in to; empty otherwise. A secret.</summary>
    public string ApiKey { get; init; } = "";

    public RateLimit RateLimit { get; set; }

    /// <summary>When the attempt limit turned the login away: after which another is allowed.</summary>
    public TimeSpan RetryAfter { get; init; }
}

/// <summary>
/// Steps 6 and 7 of contract section 1.2, for every way in that takes a password. It knows nothing of HTTP.
/// </summary>
public sealed class Login(
    LoginAttempts attempts, AccountStore accounts, PasswordHasher hasher, ApiKeyCipher cipher, LoginEvents events, ILogger<Login> log)
{
    /// <exception cref="Exception">Whatever kept the login from being judged; no attempt is counted then.</exception>
    public async Task<LoginResult> TryAsync(
        Realm realm, EmailAddress email, TypedPassword password, ClientAddress client, string invocation, CancellationToken cancellation)
    {
        try
        {
            // Read beside the reservation to save a round trip; nothing is made of it before the attempt is counted.
            var reading = accounts.FindAsync(realm.Subdomain, email, cancellation);
            var (attempt, retryAfter) = await attempts.BeginAsync(realm.Subdomain, email, client, cancellation);
            if (attempt is null)
            {
                await ((Task)reading).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                LoginEvents.Ended(LoginOutcome.RateLimited, realm.Subdomain);
                return new LoginResult(LoginOutcome.RateLimited, null) { RetryAfter = retryAfter, RateLimit = attempts.Exhausted(retryAfter) };
            }

            var result = await JudgeAsync(attempt, () => LogInAsync(realm, email, client.Bucket, reading, password, cancellation));
            result.RateLimit = attempt.RateLimit;
            events.Judged(realm.Subdomain, email, client, attempt, result, invocation);
            return result;
        }
        catch
        {
            LoginEvents.Ended(LoginOutcome.Unavailable, realm.Subdomain);
            throw;
        }
    }

    /// <summary>
    /// Lets no verdict out before it is written down. What throws has judged nothing that anybody will learn of, so the
    /// attempt is taken back.
    /// </summary>
    private async Task<LoginResult> JudgeAsync(LoginAttempt attempt, Func<Task<LoginResult>> logIn)
    {
        LoginResult result;
        try
        {
            result = await logIn();
        }
        catch
        {
            await attempts.WithdrawAsync(attempt);
            throw;
        }

        if (result.Outcome == LoginOutcome.Unavailable)
        {
            await attempts.WithdrawAsync(attempt);
            return result;
        }

        await attempts.SettleAsync(attempt, isSuccess: result.Outcome == LoginOutcome.LoggedIn);
        return result;
    }

    /// <summary>Checks the password, and only then looks at whether the account may be used.</summary>
    private async Task<LoginResult> LogInAsync(
        Realm realm, EmailAddress email, string client, Task<AccountReading> reading, TypedPassword password, CancellationToken cancellation)
    {
        var (account, isMalformed) = await reading;
        if (!realm.Backends.HasFlag(PasswordBackends.Email))
        {
            return new LoginResult(LoginOutcome.PasswordAuthDisabled, account);
        }

        if (isMalformed)
        {
            log.AccountRowMalformed(Account.PartitionOf(realm.Subdomain, email));
        }

        var (verdict, refused) = await hasher.VerifyAsync(client, account?.PasswordHash, password, cancellation);
        if (refused is not null)
        {
            log.StoredHashRefused(account!.UserId, realm.Subdomain, refused);
        }

        if (account is null || verdict == PasswordVerdict.Wrong)
        {
            return new LoginResult(CauseOf(account, isMalformed, refused), account);
        }

        if (!realm.IsActive)
        {
            return new LoginResult(LoginOutcome.RealmDeactivated, account);
        }

        if (!account.IsActive)
        {
            return new LoginResult(LoginOutcome.UserDeactivated, account);
        }

        if (verdict == PasswordVerdict.RightButOutdated && !await RenewHashAsync(account, client, password, cancellation))
        {
            return new LoginResult(LoginOutcome.PasswordResetRequired, account);
        }

        return GiveKey(account);
    }

    /// <summary>Why a password was not right, which the wire does not tell.</summary>
    private static LoginOutcome CauseOf(Account? account, bool isMalformed, string? refused) =>
        isMalformed ? LoginOutcome.AccountMalformed
        : account is null ? LoginOutcome.UnknownUser
        : refused is not null ? LoginOutcome.StoredHashRefused
        : account.HasUsablePassword ? LoginOutcome.WrongPassword
        : LoginOutcome.PasswordUnusable;

    /// <summary>A key whose seal is broken, or another account's, is nobody's: the login ends as if the password were wrong.</summary>
    private LoginResult GiveKey(Account account)
    {
        switch (cipher.Open(account, out var apiKey))
        {
            case Opening.Opened:
                return new LoginResult(LoginOutcome.LoggedIn, account) { ApiKey = apiKey };

            case Opening.KeyUnknown:
                log.ApiKeyUnreadable(account.UserId, account.Subdomain);
                return new LoginResult(LoginOutcome.Unavailable, account);

            default:
                log.ApiKeyRefused(account.UserId, account.Subdomain);
                return new LoginResult(LoginOutcome.ApiKeyRefused, account);
        }
    }

    /// <summary>
    /// Replaces an outdated hash, if the row is still the one that was verified: a password changed meanwhile stands.
    /// False when the password is below the strength rule and so must not be hashed anew. Storage that fails here, or a
    /// full gate, costs the renewal, which the next login makes up for, and not the login.
    /// </summary>
    private async Task<bool> RenewHashAsync(Account account, string client, TypedPassword password, CancellationToken cancellation)
    {
        if (!PasswordStrength.IsEnough(password))
        {
            return false;
        }

        try
        {
            var hash = await hasher.HashAsync(client, password, cancellation);
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
