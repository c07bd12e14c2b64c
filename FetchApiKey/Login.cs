// The login, start to finish: whether somebody may try, whether the password is right, whether the account may be used.

using FetchApiKey.Accounts;
using FetchApiKey.Attempts;
using FetchApiKey.Audit;
using FetchApiKey.Backends;
using FetchApiKey.Passwords;
using Microsoft.Extensions.Logging;

namespace FetchApiKey;

/// <summary>What a login came to.</summary>
/// <param name="Account">Null where there is none, or where nobody looked.</param>
public sealed class LoginResult(LoginOutcome outcome, Account? account)
{
    public LoginOutcome Outcome { get; } = outcome;

    public Account? Account { get; } = account;

    public bool IsGranted => Outcome is LoginOutcome.LoggedIn or LoginOutcome.ApiKeyChanged;

    /// <summary>Whether somebody who can be believed named the account, so that a refusal is no guess that went wrong.</summary>
    public bool IsVouchedFor { get; init; }

    /// <summary>Whether a backend has refused the password, though the answer be that another was away.</summary>
    public bool WasJudged { get; init; }

    /// <summary>Whether nobody looked at what was given, so that no attempt is counted.</summary>
    public bool IsUnjudged => Outcome is LoginOutcome.Unavailable or LoginOutcome.DirectoryUnavailable && !WasJudged;

    /// <summary>Whether it counts as a failed attempt.</summary>
    public bool IsFailure => !IsGranted && !IsVouchedFor && !IsUnjudged;

    /// <summary>The account was made by this login.</summary>
    public bool IsNewAccount { get; init; }

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
    LoginAttempts attempts, AccountStore accounts, PasswordBackendsInOrder backends, ApiKeyCipher cipher, LoginEvents events, ILogger<Login> log)
{
    /// <summary>Null for what is no user name in a realm: step 5. Where a directory knows people, everything is one.</summary>
    public LoginName? NameOf(Realm realm, string username) => backends.NameOf(realm, username);

    /// <exception cref="Exception">Whatever kept the login from being judged; no attempt is counted then.</exception>
    public async Task<LoginResult> TryAsync(
        Realm realm, LoginName name, TypedPassword password, ClientAddress client, string invocation, CancellationToken cancellation)
    {
        // Read beside the reservation to save a round trip; nothing is made of it before the attempt is counted.
        var reading = name.Email is { } email ? accounts.FindAsync(realm.Subdomain, email, cancellation) : Task.FromResult(default(AccountReading));
        var result = await LimitAsync(
            SecurityEventKind.Login, realm, name, client, invocation,
            () => LogInAsync(new PasswordCheck(realm, name, password, client.Bucket, reading), cancellation), cancellation);
        // Nothing looked at it where the attempt limit turned the login away.
        await ((Task)reading).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return result;
    }

    /// <summary>Counts an attempt, has it judged if the limit allows it, and settles and records what it came to.</summary>
    /// <param name="granted">The kind of event that it is where nothing was refused.</param>
    /// <param name="name">Null where no account is named: then the address alone is limited.</param>
    /// <exception cref="Exception">Whatever kept the login from being judged; no attempt is counted then.</exception>
    public async Task<LoginResult> LimitAsync(
        string granted, Realm realm, LoginName? name, ClientAddress client, string invocation, Func<Task<LoginResult>> judge, CancellationToken cancellation)
    {
        try
        {
            var (attempt, retryAfter) = await attempts.BeginAsync(realm.Subdomain, name, client, cancellation);
            if (attempt is null)
            {
                LoginEvents.Ended(LoginOutcome.RateLimited, realm.Subdomain);
                return new LoginResult(LoginOutcome.RateLimited, null)
                {
                    RetryAfter = retryAfter,
                    RateLimit = attempts.Exhausted(name, client, retryAfter),
                };
            }

            var result = await JudgeAsync(attempt, judge);
            result.RateLimit = attempt.RateLimit;
            events.Judged(granted, realm.Subdomain, name, client, attempt, result, invocation);
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

        if (result.IsUnjudged)
        {
            await attempts.WithdrawAsync(attempt);
            return result;
        }

        await attempts.SettleAsync(attempt, isSuccess: !result.IsFailure);
        return result;
    }

    /// <summary>
    /// Asks the realm's backends in their order. The first that accepts wins; where none does, the cause that says most is told.
    /// </summary>
    private async Task<LoginResult> LogInAsync(PasswordCheck check, CancellationToken cancellation)
    {
        var told = new BackendVerdict(LoginOutcome.PasswordAuthDisabled, null);
        var wasJudged = false;
        foreach (var backend in backends.Of(check.Realm))
        {
            BackendVerdict verdict;
            try
            {
                verdict = await backend.CheckAsync(check, cancellation);
            }
            catch (Exception fault) when (wasJudged && (fault is HashingGateFullException || AccountTables.IsUnavailability(fault)))
            {
                // One backend has refused the password: that it was tried must count, whatever the other met.
                log.BackendUnavailable(backend.GetType().Name, fault.GetType().Name);
                return new LoginResult(LoginOutcome.Unavailable, told.Account) { WasJudged = true };
            }

            if (verdict.Outcome == LoginOutcome.LoggedIn)
            {
                var login = GiveKey(verdict.Account!);
                return new LoginResult(login.Outcome, login.Account) { ApiKey = login.ApiKey, IsNewAccount = verdict.IsNew };
            }

            wasJudged |= verdict.Outcome is not (LoginOutcome.DirectoryUnavailable or LoginOutcome.Unavailable);
            if (verdict.Outcome.Weight() > told.Outcome.Weight())
            {
                told = verdict;
            }
        }

        if (told.Outcome == LoginOutcome.PasswordAuthDisabled)
        {
            return new LoginResult(LoginOutcome.PasswordAuthDisabled, (await check.Reading).Account);
        }

        return new LoginResult(told.Outcome, told.Account) { WasJudged = wasJudged };
    }

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
}
