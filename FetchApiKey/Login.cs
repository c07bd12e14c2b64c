// The login, start to finish: whether somebody may try, whether the password is right, whether the account may be used.

using System.Runtime.ExceptionServices;
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

    /// <summary>Whether a backend has tried the password, though the answer be that one was away.</summary>
    public bool WasJudged { get; init; }

    /// <summary>What a directory answered, for the audit trail; empty for nothing.</summary>
    public string Detail { get; init; } = "";

    /// <summary>Whether nobody looked at what was given, so that no attempt is counted.</summary>
    public bool IsUnjudged => Outcome is LoginOutcome.Unavailable or LoginOutcome.DirectoryUnavailable && !WasJudged;

    /// <summary>Whether it counts as a failed attempt.</summary>
    public bool IsFailure => !IsGranted && !IsVouchedFor && !IsUnjudged;

    /// <summary>Its event stands in the audit table: it was stored before the consequence.</summary>
    public bool IsStored { get; init; }

    /// <summary>
    /// What a backend met that should not happen, after another had refused the password: to be thrown when the attempt is counted.
    /// </summary>
    public ExceptionDispatchInfo? Fault { get; init; }

    /// <summary>Of an account that was logged in to; empty otherwise. A secret.</summary>
    public string ApiKey { get; init; } = "";

    public RateLimit RateLimit { get; set; }

    /// <summary>What is done when the verdict is committed, and what the login comes to then. Null for nothing.</summary>
    public Func<CancellationToken, Task<LoginResult>>? Consequence { get; init; }

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
        Realm realm, LoginName name, TypedPassword password, ClientAddress client, string invocation, RequestLifetime lifetime)
    {
        var result = await LimitAsync(
            SecurityEventKind.Login, realm, name, client, invocation, lifetime,
            () => name.Email is { } email ? accounts.FindAsync(realm.Subdomain, email, lifetime.Deadline) : Task.FromResult(default(AccountReading)),
            (attempt, reading) => LogInAsync(new PasswordCheck(realm, name, password, attempt, client, invocation, lifetime, reading), lifetime.Deadline));
        result.Fault?.Throw();
        return result;
    }

    /// <summary>The same without an account that is read beside the limit.</summary>
    public Task<LoginResult> LimitAsync(
        string granted, Realm realm, LoginName? name, ClientAddress client, string invocation, RequestLifetime lifetime, Func<LoginAttempt, Task<LoginResult>> judge) =>
        LimitAsync(
            granted, realm, name, client, invocation, lifetime, () => Task.FromResult(default(AccountReading)),
            (attempt, _) => judge(attempt));

    /// <summary>
    /// Has an attempt judged if the limit allows it. No verdict leaves, and none has a consequence, before it is committed; one that cannot
    /// be committed since the limit was reached meanwhile is answered like any other that the limit turns away.
    /// </summary>
    /// <param name="granted">The kind of event that it is where nothing was refused.</param>
    /// <param name="name">Null where no account is named: then the address alone is limited.</param>
    /// <param name="read">
    /// Begun beside the reading of the limit, to save a round trip; nothing is made of it where that turns the attempt away.
    /// </param>
    private async Task<LoginResult> LimitAsync(
        string granted, Realm realm, LoginName? name, ClientAddress client, string invocation, RequestLifetime lifetime,
        Func<Task<AccountReading>> read, Func<LoginAttempt, Task<AccountReading>, Task<LoginResult>> judge)
    {
        Task<AccountReading>? reading = null;
        try
        {
            var (begun, retryAfter) = await attempts.BeginAsync(
                realm.Subdomain, name, client, () => reading = read(), lifetime.Deadline, lifetime.Abandoned);
            if (begun is not { } attempt)
            {
                return TurnedAway(realm, name, client, retryAfter);
            }

            using (attempt)
            {
                var result = await attempts.JudgeAsync(
                    attempt, events, realm.Subdomain, invocation, () => judge(attempt, reading!), lifetime.Abandoned);
                if (!result.IsUnjudged)
                {
                    var (mayLeave, tooMany) = await attempts.CommitAsync(attempt, result.IsFailure);
                    if (!mayLeave)
                    {
                        return TurnedAway(realm, name, client, tooMany);
                    }

                    result = result.Consequence is { } consequence ? await consequence(lifetime.Deadline) : result;
                }

                if (result.Outcome == LoginOutcome.RateLimited)
                {
                    // A consequence has a limit of its own.
                    LoginEvents.Ended(result.Outcome, realm.Subdomain);
                    result.RateLimit = attempts.Exhausted(name, client, result.RetryAfter);
                    return result;
                }

                result.RateLimit = attempt.RateLimit;
                events.Judged(granted, realm.Subdomain, name, client, attempt, result, invocation);
                return result;
            }
        }
        catch
        {
            LoginEvents.Ended(LoginOutcome.Unavailable, realm.Subdomain);
            throw;
        }
        finally
        {
            // Nothing looked at it where the attempt limit turned the login away.
            await ((Task?)reading ?? Task.CompletedTask).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private LoginResult TurnedAway(Realm realm, LoginName? name, ClientAddress client, TimeSpan retryAfter)
    {
        LoginEvents.Ended(LoginOutcome.RateLimited, realm.Subdomain);
        return new LoginResult(LoginOutcome.RateLimited, null) { RetryAfter = retryAfter, RateLimit = attempts.Exhausted(name, client, retryAfter) };
    }

    /// <summary>For somebody whom another than this endpoint vouches for: whether the account may be used, and its key.</summary>
    /// <param name="email">Null for what is no address, and so nobody's.</param>
    public async Task<LoginResult> AdmitAsync(Realm realm, EmailAddress? email, CancellationToken cancellation)
    {
        var (account, malformed) = email is null ? default : await accounts.FindAsync(realm.Subdomain, email, cancellation);
        if (malformed is not null)
        {
            log.RowMalformed(malformed);
        }

        var result = account is not null ? RefuseDeactivated(realm, account) ?? GiveKey(account)
            : new LoginResult(malformed is not null ? LoginOutcome.AccountMalformed : LoginOutcome.UnknownUser, null);
        return new LoginResult(result.Outcome, account) { ApiKey = result.ApiKey, IsVouchedFor = true };
    }

    /// <summary>Null when both are active.</summary>
    public static LoginResult? RefuseDeactivated(Realm realm, Account account) =>
        !realm.IsActive ? new LoginResult(LoginOutcome.RealmDeactivated, account)
        : !account.IsActive ? new LoginResult(LoginOutcome.UserDeactivated, account)
        : null;

    /// <summary>
    /// Asks the realm's backends in their order. The first that accepts wins; where none does, the cause that says most is told.
    /// </summary>
    private async Task<LoginResult> LogInAsync(PasswordCheck check, CancellationToken cancellation)
    {
        var told = new BackendVerdict(LoginOutcome.PasswordAuthDisabled, null);
        var (wasJudged, detail) = (false, "");
        foreach (var backend in backends.Of(check.Realm))
        {
            BackendVerdict verdict;
            try
            {
                verdict = await backend.CheckAsync(check, cancellation);
            }
            catch (Exception fault) when (wasJudged)
            {
                // One backend has refused the password: that it was tried must count, whatever the other met.
                log.BackendUnavailable(backend.GetType().Name, fault.GetType().Name);
                return new LoginResult(LoginOutcome.Unavailable, told.Account)
                {
                    WasJudged = true,
                    Detail = detail,
                    Fault = fault is HashingGateFullException || AccountTables.IsUnavailability(fault) ? null : ExceptionDispatchInfo.Capture(fault),
                };
            }

            if (verdict.Outcome == LoginOutcome.LoggedIn)
            {
                return verdict.Consequence is { } consequence
                    ? new LoginResult(LoginOutcome.LoggedIn, verdict.Account)
                    {
                        Consequence = async cancelled =>
                        {
                            var following = await consequence(cancelled);
                            return following.Outcome == LoginOutcome.LoggedIn ? Granted(following) : new LoginResult(following.Outcome, following.Account);
                        },
                    }
                    : Granted(verdict);
            }

            wasJudged |= verdict.WasTried;
            detail = verdict.Detail.Length > 0 ? verdict.Detail : detail;
            if (verdict.Outcome.Weight() > told.Outcome.Weight())
            {
                told = verdict;
            }
        }

        if (told.Outcome == LoginOutcome.PasswordAuthDisabled)
        {
            return new LoginResult(LoginOutcome.PasswordAuthDisabled, (await check.Reading).Account);
        }

        return new LoginResult(told.Outcome, told.Account) { WasJudged = wasJudged, Detail = detail };
    }

    /// <summary>The password was right, whatever becomes of the key: the verdict is committed, and is no failure.</summary>
    private LoginResult Granted(BackendVerdict verdict)
    {
        var login = GiveKey(verdict.Account!);
        return new LoginResult(login.Outcome, login.Account)
        {
            ApiKey = login.ApiKey,
            WasJudged = true,
            IsVouchedFor = login.Outcome == LoginOutcome.Unavailable,
            Detail = verdict.Detail,
        };
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
