// POST /api/v1/fetch_api_key: the login, start to finish.

using FetchApiKeyFunction.Accounts;
using FetchApiKeyFunction.Attempts;
using FetchApiKeyFunction.Passwords;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace FetchApiKeyFunction;

/// <summary>
/// Answers a user name and a password with the account's API key. The steps stand in the order of contract section 1.2,
/// and a step that refuses ends the login.
/// </summary>
public sealed class FetchApiKey(
    RealmStore realms, LoginAttempts attempts, AccountStore accounts, PasswordHasher hasher, ApiKeyCipher cipher,
    Settings settings, ClientAddressSettings clientAddress, ILogger<FetchApiKey> log)
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
                return Reply.RateLimited(retryAfter).With(attempts.Exhausted(retryAfter));
            }

            var reply = await JudgeAsync(attempt, () => LogInAsync(realm, email, address.Bucket, reading, password, form.Unconsumed(), cancellation));
            return reply.With(attempt.RateLimit);
        }
    }

    /// <summary>
    /// Lets no verdict out before it is written down. What throws has judged nothing that anybody will learn of, so the
    /// attempt is taken back.
    /// </summary>
    private async Task<Reply> JudgeAsync(LoginAttempt attempt, Func<Task<Reply>> logIn)
    {
        Reply reply;
        try
        {
            reply = await logIn();
        }
        catch
        {
            await attempts.WithdrawAsync(attempt);
            throw;
        }

        if (reply == Reply.Unavailable)
        {
            await attempts.WithdrawAsync(attempt);
            return reply;
        }

        await attempts.SettleAsync(attempt, isSuccess: reply.Status == StatusCodes.Status200OK);
        return reply;
    }

    private async Task<Realm?> FindRealmAsync(RequestOrigin origin, CancellationToken cancellation) =>
        origin.SubdomainOf(settings.ExternalHosts) is { } subdomain ? await realms.FindAsync(subdomain, cancellation) : null;

    /// <summary>Checks the password, and only then looks at whether the account may be used.</summary>
    private async Task<Reply> LogInAsync(
        Realm realm, EmailAddress email, string client, Task<AccountReading> reading, TypedPassword password, IReadOnlyCollection<string> ignored,
        CancellationToken cancellation)
    {
        var (account, isMalformed) = await reading;
        if (!realm.Backends.HasFlag(PasswordBackends.Email))
        {
            return Reply.PasswordAuthDisabled;
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
            return Reply.AuthenticationFailed;
        }

        if (!realm.IsActive)
        {
            return Reply.RealmDeactivated;
        }

        if (!account.IsActive)
        {
            return Reply.UserDeactivated;
        }

        if (verdict == PasswordVerdict.RightButOutdated && !await RenewHashAsync(account, client, password, cancellation))
        {
            return Reply.PasswordResetRequired;
        }

        return GiveKey(account, ignored);
    }

    /// <summary>A key whose seal is broken, or another account's, is nobody's: the login ends as if the password were wrong.</summary>
    private Reply GiveKey(Account account, IReadOnlyCollection<string> ignored)
    {
        switch (cipher.Open(account, out var apiKey))
        {
            case Opening.Opened:
                return Reply.LoggedIn(apiKey, account.Email, account.UserId, ignored);

            case Opening.KeyUnknown:
                log.ApiKeyUnreadable(account.UserId, account.Subdomain);
                return Reply.Unavailable;

            default:
                log.ApiKeyRefused(account.UserId, account.Subdomain);
                return Reply.AuthenticationFailed;
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
