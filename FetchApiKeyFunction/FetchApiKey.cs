// POST /api/v1/fetch_api_key: the login, start to finish.

using FetchApiKeyFunction.Accounts;
using FetchApiKeyFunction.Attempts;
using FetchApiKeyFunction.Audit;
using FetchApiKeyFunction.Passwords;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace FetchApiKeyFunction;

/// <summary>What a login came to: the answer, and what the operator is told beyond it.</summary>
/// <param name="UserId">Null where there is no account.</param>
public readonly record struct LoginResult(Reply Reply, LoginOutcome Outcome, int? UserId);

/// <summary>
/// Answers a user name and a password with the account's API key. The steps stand in the order of contract section 1.2,
/// and a step that refuses ends the login.
/// </summary>
public sealed class FetchApiKey(
    RealmStore realms, LoginAttempts attempts, AccountStore accounts, PasswordHasher hasher, ApiKeyCipher cipher,
    LoginEvents events, Settings settings, ClientAddressSettings clientAddress, ILogger<FetchApiKey> log)
{
    public async Task<Reply> AnswerAsync(HttpRequest request, RequestOrigin origin, CancellationToken cancellation)
    {
        var (form, refusal) = await RequestForm.ReadAsync(request, cancellation);
        if (form is null)
        {
            return refusal!;
        }

        using (form)
        {
            if (form.TakeText("username") is not { } username)
            {
                return Reply.Missing("username");
            }

            using var password = form.TakePassword("password");
            if (password is null)
            {
                return Reply.Missing("password");
            }

            // Names the client in a Zulip server's statistics, which we do not keep.
            form.Accept("client");

            if (await FindRealmAsync(origin, cancellation) is not { } realm)
            {
                return Reply.NonexistentSubdomain;
            }

            if (EmailAddress.TryParse(username) is not { } email)
            {
                return Reply.InvalidEmail;
            }

            // Read beside the reservation to save a round trip; nothing is made of it before the attempt is counted.
            var reading = accounts.FindAsync(realm.Subdomain, email, cancellation);
            var address = ClientAddress.Of(request.HttpContext, clientAddress);
            var (attempt, retryAfter) = await attempts.BeginAsync(realm.Subdomain, email, address, cancellation);
            if (attempt is null)
            {
                await ((Task)reading).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                LoginEvents.Ended(LoginOutcome.RateLimited, realm.Subdomain);
                return Reply.RateLimited(retryAfter).With(attempts.Exhausted(retryAfter));
            }

            var result = await JudgeAsync(attempt, () => LogInAsync(realm, email, address.Bucket, reading, password, form.Unconsumed(), cancellation));
            events.Judged(realm.Subdomain, email, address, attempt, result, Routes.InvocationOf(request));
            return result.Reply.With(attempt.RateLimit);
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

    private async Task<Realm?> FindRealmAsync(RequestOrigin origin, CancellationToken cancellation) =>
        origin.SubdomainOf(settings.ExternalHosts) is { } subdomain ? await realms.FindAsync(subdomain, cancellation) : null;

    /// <summary>Checks the password, and only then looks at whether the account may be used.</summary>
    private async Task<LoginResult> LogInAsync(
        Realm realm, EmailAddress email, string client, Task<AccountReading> reading, TypedPassword password, IReadOnlyCollection<string> ignored,
        CancellationToken cancellation)
    {
        var (account, isMalformed) = await reading;
        LoginResult Refused(Reply reply, LoginOutcome outcome) => new(reply, outcome, account?.UserId);
        if (!realm.Backends.HasFlag(PasswordBackends.Email))
        {
            return Refused(Reply.PasswordAuthDisabled, LoginOutcome.PasswordAuthDisabled);
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
            return Refused(Reply.AuthenticationFailed, CauseOf(account, isMalformed, refused));
        }

        if (!realm.IsActive)
        {
            return Refused(Reply.RealmDeactivated, LoginOutcome.RealmDeactivated);
        }

        if (!account.IsActive)
        {
            return Refused(Reply.UserDeactivated, LoginOutcome.UserDeactivated);
        }

        if (verdict == PasswordVerdict.RightButOutdated && !await RenewHashAsync(account, client, password, cancellation))
        {
            return Refused(Reply.PasswordResetRequired, LoginOutcome.PasswordResetRequired);
        }

        return GiveKey(account, ignored);
    }

    /// <summary>Why a password was not right, which the wire does not tell.</summary>
    private static LoginOutcome CauseOf(Account? account, bool isMalformed, string? refused) =>
        isMalformed ? LoginOutcome.AccountMalformed
        : account is null ? LoginOutcome.UnknownUser
        : refused is not null ? LoginOutcome.StoredHashRefused
        : account.HasUsablePassword ? LoginOutcome.WrongPassword
        : LoginOutcome.PasswordUnusable;

    /// <summary>A key whose seal is broken, or another account's, is nobody's: the login ends as if the password were wrong.</summary>
    private LoginResult GiveKey(Account account, IReadOnlyCollection<string> ignored)
    {
        switch (cipher.Open(account, out var apiKey))
        {
            case Opening.Opened:
                return new LoginResult(Reply.LoggedIn(apiKey, account.Email, account.UserId, ignored), LoginOutcome.LoggedIn, account.UserId);

            case Opening.KeyUnknown:
                log.ApiKeyUnreadable(account.UserId, account.Subdomain);
                return new LoginResult(Reply.Unavailable, LoginOutcome.Unavailable, account.UserId);

            default:
                log.ApiKeyRefused(account.UserId, account.Subdomain);
                return new LoginResult(Reply.AuthenticationFailed, LoginOutcome.ApiKeyRefused, account.UserId);
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
