// Tells the operator how logins end: in the metrics, in the trace at hand, in the log and in the audit trail.

using System.Diagnostics;
using FetchApiKey.Accounts;
using FetchApiKey.Attempts;
using FetchApiKey.Backends;
using FetchApiKey.Telemetry;

namespace FetchApiKey.Audit;

/// <summary>
/// Judged logins are recorded one by one; the attempt limit bounds the refused ones among them. Logins that the limit turns away are
/// counted and not recorded, so that a flood fills no table: the event that a bucket is full stands for them. What cannot be undone is
/// stored before it is done; everything else is told when it has happened.
/// </summary>
public sealed class LoginEvents(AuditTrail trail, CorrelationDigest digest, TimeProvider time)
{
    /// <param name="granted">The kind of event that it is where nothing was refused.</param>
    /// <param name="name">Null where no account was named.</param>
    /// <param name="attempt">Null where nothing was limited.</param>
    public void Judged(
        string granted, string subdomain, LoginName? name, ClientAddress address, LoginAttempt? attempt, LoginResult result, string invocation)
    {
        Ended(result.Outcome, subdomain);
        var happened = new SecurityEvent(
            time.GetUtcNow(), result.IsGranted ? granted : SecurityEventKind.LoginRefused, result.Outcome.Name(), subdomain, result.Account?.UserId,
            NameIn(result, name) is { } named ? digest.OfAccount(subdomain, named) : "", digest.OfClient(address.Bucket), Actor: "", invocation)
        {
            Detail = result.Detail,
        };
        Activity.Current?.SetTag("fetch_api_key.account", happened.Account);
        if (!result.IsStored)
        {
            trail.Record(happened);
        }

        if (!result.IsFailure)
        {
            return;
        }

        if (attempt is { FillsName: true })
        {
            trail.Record(happened with { Kind = SecurityEventKind.AccountLocked });
        }

        if (attempt is { FillsAddress: true })
        {
            trail.Record(happened with { Kind = SecurityEventKind.AddressLocked });
        }
    }

    /// <summary>
    /// Stores an event of what cannot be undone, before it is done: a password or a key that changes, an account that is made. Where it
    /// then is not done, <see cref="NotDone"/> says so.
    /// </summary>
    /// <exception cref="Exception">It is not stored, so the change must not be begun.</exception>
    public async Task<SecurityEvent> StoreAsync(
        string kind, string outcome, Account account, ClientAddress address, string invocation, CancellationToken cancellation)
    {
        var email = EmailAddress.TryParse(account.Email);
        var happening = new SecurityEvent(
            time.GetUtcNow(), kind, outcome, account.Subdomain, account.UserId, email is null ? "" : digest.OfAccount(account.Subdomain, email),
            digest.OfClient(address.Bucket), Actor: "", invocation);
        await trail.StoreAsync(happening, cancellation);
        return happening;
    }

    /// <summary>What was stored came to nothing: another was faster.</summary>
    public void NotDone(SecurityEvent stored) => trail.Record(stored with { Time = time.GetUtcNow(), Outcome = SecurityEvent.NotDone });

    /// <summary>Attempts that a client gave up have filled its address's bucket.</summary>
    public void AddressFilled(string subdomain, ClientAddress address, string invocation) => trail.Record(new SecurityEvent(
        time.GetUtcNow(), SecurityEventKind.AddressLocked, LoginOutcome.Unavailable.Name(), subdomain, UserId: null, Account: "",
        digest.OfClient(address.Bucket), Actor: "", invocation));

    /// <summary>A password that was changed by a link, which is stored by then, or a link that was refused.</summary>
    public void PasswordReset(string subdomain, ResetResult result, ClientAddress address, LoginAttempt attempt, string invocation)
    {
        Activity.Current?.SetTag("fetch_api_key.realm", subdomain).SetTag("fetch_api_key.outcome", result.Outcome.Name());
        if (result.Outcome is ResetOutcome.PasswordChanged or ResetOutcome.PasswordUncertain)
        {
            return;
        }

        var email = result.Account is { } account ? EmailAddress.TryParse(account.Email) : null;
        var happened = new SecurityEvent(
            time.GetUtcNow(), SecurityEventKind.PasswordResetRefused, result.Outcome.Name(), subdomain,
            result.Account?.UserId, email is null ? "" : digest.OfAccount(subdomain, email), digest.OfClient(address.Bucket), Actor: "", invocation);
        trail.Record(happened);
        if (attempt.FillsAddress)
        {
            trail.Record(happened with { Kind = SecurityEventKind.AddressLocked });
        }
    }

    /// <summary>
    /// The account's address, so that it is found by that whatever name a directory knows its owner by; else the typed name.
    /// </summary>
    private static LoginName? NameIn(LoginResult result, LoginName? name) =>
        name is not null && result.Account is { } account && EmailAddress.TryParse(account.Email) is { } email ? email : name;

    public static void Ended(LoginOutcome outcome, string realm)
    {
        // Who changed a key has not logged in, and would blur the share of logins that are refused.
        if (outcome != LoginOutcome.ApiKeyChanged)
        {
            Instruments.LoginEnded(outcome, realm);
        }

        Activity.Current?.SetTag("fetch_api_key.realm", realm).SetTag("fetch_api_key.outcome", outcome.Name());
    }
}
