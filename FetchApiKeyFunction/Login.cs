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

    public bool IsGranted => Outcome is LoginOutcome.LoggedIn or LoginOutcome.ApiKeyChanged;

    /// <summary>Whether somebody who can be believed named the account, so that a refusal is no guess that went wrong.</summary>
    public bool IsVouchedFor { get; init; }

    /// <summary>Whether it counts as a failed attempt.</summary>
    public bool IsFailure => !IsGranted && !IsVouchedFor && Outcome != LoginOutcome.Unavailable;

    /// <summary>Of an account that was logged in to; empty otherwise. A secret.</summary>
    public string ApiKey { get; init; } = "";

    public RateLimit RateLimit { get; set; }

    /// <summary>When the attempt limit turned the login away: after which another is allowed.</summary>
    public TimeSpan RetryAfter { get; init; }
}

/// <summary>
/// Steps 6 and 7 of contract section 1.2, for every way in that takes a password; and what the ways in without one
/// (Passwordless/) have in common with it. It knows nothing of HTTP.
/// </summary>
public sealed class Login(
    LoginAttempts attempts, AccountStore accounts, PasswordHasher hasher, ApiKeyCipher cipher, LoginEvents events, ILogger<Login> log)
{
    /// <exception cref="Exception">Whatever kept the login from being judged; no attempt is counted then.</exception>
    public async Task<LoginResult> TryAsync(
        Realm realm, EmailAddress email, TypedPassword password, ClientAddress client, string invocation, CancellationToken cancellation)
    {
        // Read beside the reservation to save a round trip; nothing is made of it before the attempt is counted.
        var reading = accounts.FindAsync(realm.Subdomain, email, cancellation);
        var result = await LimitAsync(
            SecurityEventKind.Login, realm, email, client, invocation,
            () => LogInAsync(realm, email, client.Bucket, reading, password, cancellation), cancellation);
        // Nothing looked at it where the attempt limit turned the login away.
        await ((Task)reading).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return result;
    }

    /// <summary>Counts an attempt, has it judged if the limit allows it, and settles and records what it came to.</summary>
    /// <param name="granted">The kind of event that it is where nothing was refused.</param>
    /// <param name="email">Null where no account is named: then the address alone is limited.</param>
    /// <exception cref="Exception">Whatever kept the login from being judged; no attempt is counted then.</exception>
    public async Task<LoginResult> LimitAsync(
        string granted, Realm realm, EmailAddress? email, ClientAddress client, string invocation, Func<Task<LoginResult>> judge, CancellationToken cancellation)
    {
        try
        {
            var (attempt, retryAfter) = await attempts.BeginAsync(realm.Subdomain, email, client, cancellation);
            if (attempt is null)
            {
                LoginEvents.Ended(LoginOutcome.RateLimited, realm.Subdomain);
                return new LoginResult(LoginOutcome.RateLimited, null)
                {
                    RetryAfter = retryAfter,
                    RateLimit = attempts.Exhausted(email, client, retryAfter),
                };
            }

            var result = await JudgeAsync(attempt, judge);
            result.RateLimit = attempt.RateLimit;
            events.Judged(granted, realm.Subdomain, email, client, attempt, result, invocation);
            return result;
        }
        catch
        {
            LoginEvents.Ended(LoginOutcome.Unavailable, realm.Subdomain);
            throw;
        }
    }

    /// <summary>For somebody whom another than this endpoint vouches for: whether the account may be used, and its key.</summary>
    /// <param name="email">Null for what is no address, and so nobody's.</param>
    public async Task<LoginResult> AdmitAsync(Realm realm, EmailAddress? email, CancellationToken cancellation)
    {
        var (account, isMalformed) = email is null ? default : await accounts.FindAsync(realm.Subdomain, email, cancellation);
        if (isMalformed)
        {
            log.AccountRowMalformed(Account.PartitionOf(realm.Subdomain, email!));
        }

        var result = account is not null ? RefuseDeactivated(realm, account) ?? GiveKey(account)
            : new LoginResult(isMalformed ? LoginOutcome.AccountMalformed : LoginOutcome.UnknownUser, null);
        return new LoginResult(result.Outcome, account) { ApiKey = result.ApiKey, IsVouchedFor = true };
    }

    /// <summary>Null when both are active.</summary>
    public static LoginResult? RefuseDeactivated(Realm realm, Account account) =>
        !realm.IsActive ? new LoginResult(LoginOutcome.RealmDeactivated, account)
        : !account.IsActive ? new LoginResult(LoginOutcome.UserDeactivated, account)
        : null;

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

        await attempts.SettleAsync(attempt, isSuccess: !result.IsFailure);
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

        if (RefuseDeactivated(realm, account) is { } deactivated)
        {
            return deactivated;
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
    public LoginResult GiveKey(Account account)
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
