// Choosing a new password by a link, start to finish: whether the link is good, the account may be used and the password will do.

using FetchApiKey.Accounts;
using FetchApiKey.Attempts;
using FetchApiKey.Audit;
using FetchApiKey.Passwords;
using Microsoft.Extensions.Logging;

namespace FetchApiKey;

/// <summary>The zero value is a refusal. The first four are one and the same to whoever holds the link.</summary>
public enum ResetOutcome
{
    LinkUnknown = 0,
    LinkExpired,

    /// <summary>The password was changed by another way since the link was made.</summary>
    LinkOutdated,
    AccountMissing,

    PasswordAuthDisabled,
    RealmDeactivated,
    UserDeactivated,

    /// <summary>Too many bad links from the address; nobody looked at this one.</summary>
    RateLimited,

    /// <summary>The link is good, and no password was offered.</summary>
    LinkGood,
    PasswordsDiffer,
    PasswordWeak,
    PasswordChanged,

    /// <summary>Storage failed while the password was being set, and could not be asked what came of it.</summary>
    PasswordUncertain,
}

public static class ResetOutcomes
{
    /// <summary>
    /// As it stands in traces, logs and the audit trail, where old rows keep the names they were written with: never change one.
    /// </summary>
    public static string Name(this ResetOutcome outcome) => outcome switch
    {
        ResetOutcome.LinkUnknown => "link_unknown",
        ResetOutcome.LinkExpired => "link_expired",
        ResetOutcome.LinkOutdated => "link_outdated",
        ResetOutcome.AccountMissing => "account_missing",
        ResetOutcome.PasswordAuthDisabled => "password_auth_disabled",
        ResetOutcome.RealmDeactivated => "realm_deactivated",
        ResetOutcome.UserDeactivated => "user_deactivated",
        ResetOutcome.RateLimited => "rate_limited",
        ResetOutcome.LinkGood => "link_good",
        ResetOutcome.PasswordsDiffer => "passwords_differ",
        ResetOutcome.PasswordWeak => "password_weak",
        ResetOutcome.PasswordChanged => "password_changed",
        ResetOutcome.PasswordUncertain => "password_uncertain",
        _ => throw new ArgumentOutOfRangeException(nameof(outcome)),
    };
}

/// <summary>What became of a link.</summary>
/// <param name="Account">Of a link whose secret was right; else null.</param>
public sealed record ResetResult(ResetOutcome Outcome, Account? Account = null)
{
    /// <summary>Of a password that is weak.</summary>
    public Weakness? Weakness { get; init; }

    /// <summary>When the attempt limit turned it away: after which another is allowed.</summary>
    public TimeSpan RetryAfter { get; init; }
}

/// <summary>A new password, typed twice, since whoever types it does not see it.</summary>
public sealed record ChosenPassword(TypedPassword First, TypedPassword Again)
{
    public bool IsOne => First.Utf8.AsSpan().SequenceEqual(Again.Utf8);
}

/// <summary>
/// It knows nothing of HTTP. A link that is not good counts as a failed attempt of the client's address, whose limit bounds what can be
/// tried; of no account, since that would let anybody lock one out. Whatever is wrong with a link, the same is read and nothing hashed.
/// </summary>
public sealed class PasswordReset(
    LoginAttempts attempts, PasswordInvitations invitations, PasswordHasher hasher, LoginEvents events, TimeProvider time, ILogger<PasswordReset> log)
{
    /// <summary>
    /// How often the rows are read again when somebody else changed one: a login that renewed its hash, or another try with the same
    /// link.
    /// </summary>
    private const int Tries = 5;

    /// <param name="chosen">Null to ask only whether the link is good.</param>
    /// <exception cref="Exception">
    /// Whatever kept the link from being judged; no attempt is counted then, and the link is as good as before.
    /// </exception>
    public async Task<ResetResult> TryAsync(
        Realm realm, string token, ChosenPassword? chosen, ClientAddress client, string invocation, RequestLifetime lifetime)
    {
        var (begun, retryAfter) = await attempts.BeginAsync(
            realm.Subdomain, name: null, client, beside: () => { }, lifetime.Deadline, lifetime.Abandoned);
        if (begun is not { } attempt)
        {
            return new ResetResult(ResetOutcome.RateLimited) { RetryAfter = retryAfter };
        }

        using (attempt)
        {
            var result = await attempts.JudgeAsync(
                attempt, events, realm.Subdomain, invocation,
                () => JudgeAsync(realm, token, chosen, client, attempt, invocation, lifetime.Deadline), lifetime.Abandoned);
            attempt.ReturnTurn();

            // A link that is good changes nothing by itself, and a password that it has set stays set: neither can be withheld.
            var isFailure = result.Outcome <= ResetOutcome.AccountMissing;
            if (isFailure && await attempts.CommitAsync(attempt, isFailure) is { MayLeave: false, RetryAfter: var tooMany })
            {
                return new ResetResult(ResetOutcome.RateLimited) { RetryAfter = tooMany };
            }

            switch (result.Outcome)
            {
                case ResetOutcome.LinkGood or ResetOutcome.PasswordsDiffer or ResetOutcome.PasswordWeak:
                    break;

                case ResetOutcome.PasswordChanged:
                    events.PasswordReset(realm.Subdomain, result, client, attempt, invocation);
                    await attempts.ClearAsync(realm.Subdomain, EmailAddress.TryParse(result.Account!.Email)!);
                    break;

                default:
                    events.PasswordReset(realm.Subdomain, result, client, attempt, invocation);
                    break;
            }

            return result;
        }
    }

    private async Task<ResetResult> JudgeAsync(
        Realm realm, string text, ChosenPassword? chosen, ClientAddress client, LoginAttempt attempt, string invocation, CancellationToken cancellation)
    {
        if (InvitationToken.TryParse(text) is not { } token)
        {
            return new ResetResult(ResetOutcome.LinkUnknown);
        }

        var (invitation, account) = await invitations.FindAsync(realm.Subdomain, token, cancellation);
        if (Judge(realm, token, invitation, account) is { } refused)
        {
            return refused;
        }

        if (chosen is null)
        {
            return new ResetResult(ResetOutcome.LinkGood, account);
        }

        if (!chosen.IsOne)
        {
            return new ResetResult(ResetOutcome.PasswordsDiffer, account);
        }

        if (PasswordStrength.WeaknessOf(chosen.First, EmailAddress.TryParse(account!.Email)!, time) is { } weakness)
        {
            return new ResetResult(ResetOutcome.PasswordWeak, account) { Weakness = weakness };
        }

        var hash = await hasher.HashAsync(client, chosen.First, attempt.Waiting);
        var stored = await events.StoreAsync(
            SecurityEventKind.PasswordChanged, ResetOutcome.PasswordChanged.Name(), account, client, invocation, cancellation);
        try
        {
            var result = await ChangeAsync(realm, token, invitation!, account, hash, cancellation);
            if (result?.Outcome != ResetOutcome.PasswordChanged)
            {
                events.NotDone(stored);
            }

            return result ?? throw new AttemptsContendedException();
        }
        catch (Exception fault) when (AccountTables.IsUnavailability(fault))
        {
            log.ResetUncertain(account.UserId, realm.Subdomain, fault.GetType().Name);
            return new ResetResult(ResetOutcome.PasswordUncertain, account);
        }
    }

    /// <summary>The link is judged anew each time that another changed a row of its account first; null where that does not end.</summary>
    private async Task<ResetResult?> ChangeAsync(
        Realm realm, InvitationToken token, PasswordInvitation invitation, Account account, string hash, CancellationToken cancellation)
    {
        for (var tries = 0; tries < Tries; tries++)
        {
            if (await invitations.RedeemAsync(token, invitation, account, hash, cancellation))
            {
                return new ResetResult(ResetOutcome.PasswordChanged, account);
            }

            log.ResetOvertaken(account.UserId, realm.Subdomain);
            var (currentInvitation, current) = await invitations.FindAsync(realm.Subdomain, token, cancellation);
            if (current?.PasswordHash == hash)
            {
                // Done by a try whose acknowledgement was lost: nobody else has this hash.
                return new ResetResult(ResetOutcome.PasswordChanged, current);
            }

            if (Judge(realm, token, currentInvitation, current) is { } refused)
            {
                return refused;
            }

            (invitation, account) = (currentInvitation!, current!);
        }

        return null;
    }

    /// <summary>
    /// Null for a link that is good for an account that may be used. What is wrong with the account is for the link's holder alone.
    /// </summary>
    private ResetResult? Judge(Realm realm, InvitationToken token, PasswordInvitation? invitation, Account? account)
    {
        if (invitation?.IsFor(token) != true)
        {
            return new ResetResult(ResetOutcome.LinkUnknown);
        }

        if (account is null)
        {
            return new ResetResult(ResetOutcome.AccountMissing);
        }

        if (invitation.Expires <= time.GetUtcNow())
        {
            return new ResetResult(ResetOutcome.LinkExpired, account);
        }

        return !invitation.IsFor(account) ? new ResetResult(ResetOutcome.LinkOutdated, account)
            : !realm.IsActive ? new ResetResult(ResetOutcome.RealmDeactivated, account)
            : !realm.Backends.HasFlag(PasswordBackends.Email) ? new ResetResult(ResetOutcome.PasswordAuthDisabled, account)
            : !account.IsActive ? new ResetResult(ResetOutcome.UserDeactivated, account)
            : null;
    }
}
