// How a login ended, and why: for the operator's eyes, where the wire tells less.

namespace FetchApiKey;

/// <summary>The zero value is no verdict.</summary>
public enum LoginOutcome
{
    /// <summary>Not judged: storage was away, or too many waited to be hashed.</summary>
    Unavailable = 0,
    LoggedIn,
    WrongPassword,
    UnknownUser,

    /// <summary>The account has no password that could be right.</summary>
    PasswordUnusable,

    /// <summary>The stored hash is malformed or exceeds the limits.</summary>
    StoredHashRefused,
    AccountMalformed,

    /// <summary>Right password, but the sealed API key was altered or is another account's.</summary>
    ApiKeyRefused,
    UserDeactivated,
    RealmDeactivated,
    PasswordAuthDisabled,
    PasswordResetRequired,
    RateLimited,

    /// <summary>A JSON web token that is forged, expired, malformed or meant for somebody else.</summary>
    TokenRefused,

    /// <summary>The API key that was given is not the account's, or there is no such account.</summary>
    WrongApiKey,

    /// <summary>The right API key was given and another took its place.</summary>
    ApiKeyChanged,

    /// <summary>The directory could not say, and no other backend accepted the password.</summary>
    DirectoryUnavailable,

    /// <summary>Right password of a directory, whose entry is disabled there.</summary>
    DirectoryDisabled,

    /// <summary>... whose entry has no access to the realm.</summary>
    DirectoryAccessDenied,

    /// <summary>... whose entry gives no e-mail address that an account could have.</summary>
    DirectoryEmailInvalid,

    /// <summary>... whose entry gives a name that no account may have.</summary>
    DirectoryNameInvalid,

    /// <summary>... whose address has the account of another entry.</summary>
    DirectoryAccountTaken,

    /// <summary>... but no account, and the settings make none.</summary>
    AccountNotCreated,

    /// <summary>
    /// ... but the account here, or the realm, is deactivated, which a directory's people are not told (contract section 9).
    /// </summary>
    AccountInactive,
}

public static class LoginOutcomes
{
    /// <summary>
    /// As it stands in metrics, logs and the audit trail, where old rows keep the names they were written with: never change one.
    /// </summary>
    public static string Name(this LoginOutcome outcome) => outcome switch
    {
        LoginOutcome.Unavailable => "unavailable",
        LoginOutcome.LoggedIn => "logged_in",
        LoginOutcome.WrongPassword => "wrong_password",
        LoginOutcome.UnknownUser => "unknown_user",
        LoginOutcome.PasswordUnusable => "password_unusable",
        LoginOutcome.StoredHashRefused => "stored_hash_refused",
        LoginOutcome.AccountMalformed => "account_malformed",
        LoginOutcome.ApiKeyRefused => "api_key_refused",
        LoginOutcome.UserDeactivated => "user_deactivated",
        LoginOutcome.RealmDeactivated => "realm_deactivated",
        LoginOutcome.PasswordAuthDisabled => "password_auth_disabled",
        LoginOutcome.PasswordResetRequired => "password_reset_required",
        LoginOutcome.RateLimited => "rate_limited",
        LoginOutcome.TokenRefused => "token_refused",
        LoginOutcome.WrongApiKey => "wrong_api_key",
        LoginOutcome.ApiKeyChanged => "api_key_changed",
        LoginOutcome.DirectoryUnavailable => "directory_unavailable",
        LoginOutcome.DirectoryDisabled => "directory_disabled",
        LoginOutcome.DirectoryAccessDenied => "directory_access_denied",
        LoginOutcome.DirectoryEmailInvalid => "directory_email_invalid",
        LoginOutcome.DirectoryNameInvalid => "directory_name_invalid",
        LoginOutcome.DirectoryAccountTaken => "directory_account_taken",
        LoginOutcome.AccountNotCreated => "account_not_created",
        LoginOutcome.AccountInactive => "account_inactive",
        _ => throw new ArgumentOutOfRangeException(nameof(outcome)),
    };

    /// <summary>
    /// How much a backend's refusal says, where several refuse: of an account that may not be used after a right password most, then that
    /// one was away, then what a password met, and least that nobody knows the name.
    /// </summary>
    public static int Weight(this LoginOutcome outcome) => outcome switch
    {
        LoginOutcome.RealmDeactivated or LoginOutcome.UserDeactivated or LoginOutcome.PasswordResetRequired => 6,
        LoginOutcome.Unavailable or LoginOutcome.DirectoryUnavailable => 5,
        LoginOutcome.DirectoryDisabled or LoginOutcome.DirectoryAccessDenied or LoginOutcome.DirectoryEmailInvalid or LoginOutcome.AccountNotCreated
            or LoginOutcome.AccountInactive or LoginOutcome.DirectoryNameInvalid or LoginOutcome.DirectoryAccountTaken => 4,
        LoginOutcome.StoredHashRefused or LoginOutcome.AccountMalformed => 3,
        LoginOutcome.WrongPassword => 2,
        LoginOutcome.PasswordAuthDisabled => -1,
        LoginOutcome.UnknownUser => 0,
        _ => 1,
    };
}
