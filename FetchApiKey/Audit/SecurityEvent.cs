// What the audit trail is made of.

using FetchApiKey.Accounts;

namespace FetchApiKey.Audit;

/// <summary>Kinds of events; the names are what `audit search --kind` takes.</summary>
public static class SecurityEventKind
{
    public const string Login = "login";
    public const string LoginRefused = "login_refused";

    /// <summary>Logins without a password: with a JSON web token, and in the development variant.</summary>
    public const string TokenLogin = "token_login";
    public const string DevelopmentLogin = "development_login";

    /// <summary>The failure that filled an account's bucket, or an address's, of the attempt limit.</summary>
    public const string AccountLocked = "account_locked";
    public const string AddressLocked = "address_locked";

    /// <summary>A directory's entry is made into an account. Stored before that is done, like the next two.</summary>
    public const string AccountCreated = "account_created";

    public const string PasswordChanged = "password_changed";
    public const string ApiKeyChanged = "api_key_changed";

    /// <summary>A link to choose a new password that was refused; the outcome says why.</summary>
    public const string PasswordResetRefused = "password_reset_refused";
    /// <summary>An operator took API keys out, of one account or of a realm.</summary>
    public const string ApiKeyDisclosed = "api_key_disclosed";
    public const string SealingKeyRotated = "sealing_key_rotated";

    /// <summary>Whatever else an operator did.</summary>
    public const string OperatorAct = "operator_act";

    public static IReadOnlyList<string> All { get; } =
    [
        Login, LoginRefused, TokenLogin, DevelopmentLogin, AccountLocked, AddressLocked, AccountCreated, PasswordChanged, ApiKeyChanged, ApiKeyDisclosed,
        PasswordResetRefused, SealingKeyRotated, OperatorAct,
    ];
}

/// <summary>
/// One event. It names nobody in clear: an account and a client's address are digests, which <see cref="CorrelationDigest"/>
/// makes again from a name that somebody looks for.
/// </summary>
/// <param name="Time">By the clock of the process that it happened in.</param>
/// <param name="Outcome">
/// Of a login, a name of <see cref="LoginOutcomes"/>; of a link to choose a password, one of <see cref="ResetOutcomes"/>; of an
/// operator's act, the verb.
/// </param>
/// <param name="Realm">Its subdomain.</param>
/// <param name="UserId">Null where there is no account.</param>
/// <param name="Account">A digest; empty when no account is concerned.</param>
/// <param name="Client">A digest; empty for an operator's act.</param>
/// <param name="Actor">The operating system's name for the operator; empty for a login.</param>
/// <param name="Invocation">The Functions host's id of the request; empty without that host.</param>
public sealed record SecurityEvent(
    DateTimeOffset Time, string Kind, string Outcome, string Realm, int? UserId, string Account, string Client, string Actor, string Invocation)
{
    /// <summary>The outcome of an event that takes back the one before it, which was stored first and then came to nothing.</summary>
    public const string NotDone = "not_done";

    /// <summary>
    /// What is wrong with the row that it was read from; what the row does not tell is then empty. Null where nothing is.
    /// </summary>
    public RowFault? Malformed { get; init; }

    /// <summary>
    /// What a directory answered to a bind, a code and Active Directory's own, such as "ldap 49 data 532"; empty for nothing.
    /// </summary>
    public string Detail { get; init; } = "";
}
