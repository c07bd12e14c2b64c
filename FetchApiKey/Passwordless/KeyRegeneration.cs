// POST /api/v1/users/me/api_key/regenerate: a new API key for who has the old one.

using System.Security.Cryptography;
using System.Text;
using FetchApiKey.Accounts;
using FetchApiKey.Attempts;
using FetchApiKey.Audit;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace FetchApiKey.Passwordless;

/// <summary>
/// The right key is tried as a password is: the attempt is counted first, in the same buckets, and the same work is done whether
/// the account exists or not. Every instance reads keys from the table each time, so the old one is dead when the new one is
/// written. A request that is cut off after that leaves its client without the new key: a login has it.
/// </summary>
public sealed class KeyRegeneration
{
    private static readonly Reply MalformedKey = Reply.Unauthorized("Malformed API key");
    private static readonly Reply InvalidKey = Reply.Unauthorized("Invalid API key");
    private static readonly Reply UserDeactivated = Reply.Unauthorized("Account is deactivated");
    private static readonly Reply RealmDeactivated = Reply.Unauthorized("This organization has been deactivated");

    private readonly RealmStore _realms;
    private readonly AccountStore _accounts;
    private readonly ApiKeyCipher _cipher;
    private readonly Login _login;
    private readonly RegenerationLimit _limit;
    private readonly LoginEvents _events;
    private readonly Settings _settings;
    private readonly ILogger _log;

    /// <summary>Whose key is opened and compared where there is no account.</summary>
    private readonly Account _nobody;

    public KeyRegeneration(
        RealmStore realms, AccountStore accounts, ApiKeyCipher cipher, Login login, RegenerationLimit limit, LoginEvents events, Settings settings,
        ILogger<KeyRegeneration> log)
    {
        (_realms, _accounts, _cipher, _login, _limit, _events, _settings, _log) = (realms, accounts, cipher, login, limit, events, settings, log);
        var email = EmailAddress.TryParse("nobody@localhost")!;
        _nobody = new Account(
            "", 0, email.Text, "!", cipher.Seal("", email, 0, Account.NewApiKey()), IsActive: false, Account.Member, DateTimeOffset.UnixEpoch);
    }

    public async Task<Reply> AnswerAsync(EndpointRequest request, CancellationToken cancellation)
    {
        if (await request.Origin.RealmAsync(_realms, _settings, cancellation) is not { } realm)
        {
            return Reply.NonexistentSubdomain;
        }

        var (credentials, refusal) = BasicCredentials.Read(request.Http.Headers.Authorization.ToString());
        if (credentials is not { } given)
        {
            return refusal!;
        }

        if (!Account.IsApiKey(given.ApiKey))
        {
            return MalformedKey;
        }

        if (EmailAddress.TryParse(given.Email) is not { } email)
        {
            return InvalidKey;
        }

        var result = await _login.LimitAsync(
            SecurityEventKind.ApiKeyChanged, realm, email, request.Client, request.Invocation, request.Lifetime,
            async attempt =>
            {
                attempt.Begin();
                return await JudgeAsync(realm, email, given.ApiKey, request);
            });
        return (result.Outcome switch
        {
            LoginOutcome.ApiKeyChanged => Reply.KeyChanged(result.ApiKey),
            LoginOutcome.RateLimited => Reply.RateLimited(result.RetryAfter),
            LoginOutcome.Unavailable => Reply.Unavailable,
            LoginOutcome.RealmDeactivated => RealmDeactivated,
            LoginOutcome.UserDeactivated => UserDeactivated,
            _ => InvalidKey,
        }).With(result.RateLimit);
    }

    private async Task<LoginResult> JudgeAsync(Realm realm, EmailAddress email, string givenKey, EndpointRequest request)
    {
        var (account, malformed) = await _accounts.FindAsync(realm.Subdomain, email, request.Lifetime.Deadline);
        if (malformed is not null)
        {
            _log.RowMalformed(malformed);
        }

        return Judge(realm, account, malformed is not null, givenKey)
            ?? new LoginResult(LoginOutcome.ApiKeyChanged, account) { Consequence = cancelled => ChangeAsync(realm, email, account!, givenKey, request, cancelled) };
    }

    /// <summary>Null for the right key of an account that may be used. The same work is done whether there is an account or not.</summary>
    private LoginResult? Judge(Realm realm, Account? account, bool isMalformed, string givenKey)
    {
        var opening = _cipher.Open(account ?? _nobody, out var storedKey);
        var isRight = Equals(storedKey, givenKey);
        if (account is null)
        {
            return new LoginResult(isMalformed ? LoginOutcome.AccountMalformed : LoginOutcome.UnknownUser, null);
        }

        if (opening != Opening.Opened)
        {
            // It will not open a second time either, and says what the operator must know.
            return _login.GiveKey(account);
        }

        return isRight ? Login.RefuseDeactivated(realm, account) : new LoginResult(LoginOutcome.WrongApiKey, account);
    }

    /// <summary>
    /// The event is stored before the key changes. Another that changed the row first is judged anew: if it changed the key, then the key
    /// that was given is the old one.
    /// </summary>
    private async Task<LoginResult> ChangeAsync(
        Realm realm, EmailAddress email, Account account, string givenKey, EndpointRequest request, CancellationToken cancellation)
    {
        var (mayChange, retryAfter) = await _limit.CountAsync(realm.Subdomain, email, cancellation);
        if (!mayChange)
        {
            return new LoginResult(LoginOutcome.RateLimited, account) { RetryAfter = retryAfter };
        }

        var stored = await _events.StoreAsync(
            SecurityEventKind.ApiKeyChanged, LoginOutcome.ApiKeyChanged.Name(), account, request.Client, request.Invocation, cancellation);
        var newKey = Account.NewApiKey();
        var written = _cipher.Seal(account.Subdomain, email, account.UserId, newKey);
        while (!await _accounts.SetSealedApiKeyAsync(account, written, cancellation))
        {
            var (current, malformed) = await _accounts.FindAsync(realm.Subdomain, email, cancellation);
            if (current?.SealedApiKey == written)
            {
                // The write was carried out, and its acknowledgement lost.
                account = current;
                break;
            }

            if (Judge(realm, current, malformed is not null, givenKey) is { } refused)
            {
                _events.NotDone(stored);
                return refused;
            }

            account = current!;
        }

        return new LoginResult(LoginOutcome.ApiKeyChanged, account) { ApiKey = newKey, IsStored = true };
    }

    /// <summary>In a time that does not depend on where they differ.</summary>
    private static bool Equals(string stored, string given) =>
        CryptographicOperations.FixedTimeEquals(Encoding.ASCII.GetBytes(stored), Encoding.ASCII.GetBytes(given));
}
