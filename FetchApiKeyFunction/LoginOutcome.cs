// How a login ended, and why: for the operator's eyes, where the wire tells less.

namespace FetchApiKeyFunction;

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

    /// <summary>The stored hash is malformed or beyond the ceilings.</summary>
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
}

public static class LoginOutcomes
{
    private static readonly string[] Names =
    [
        "unavailable", "logged_in", "wrong_password", "unknown_user", "password_unusable", "stored_hash_refused", "account_malformed",
        "api_key_refused", "user_deactivated", "realm_deactivated", "password_auth_disabled", "password_reset_required", "rate_limited",
        "token_refused", "wrong_api_key", "api_key_changed",
    ];

    /// <summary>As it stands in metrics, logs and the audit trail.</summary>
    public static string Name(this LoginOutcome outcome) => Names[(int)outcome];

    public static IReadOnlyList<string> All => Names;
}
