// Who can say whether a password is right: the accounts' own hashes, or a directory.

using FetchApiKey.Accounts;
using FetchApiKey.Attempts;
using FetchApiKey.Passwords;

namespace FetchApiKey.Backends;

/// <summary>A name and a password in a realm, for a backend to judge.</summary>
/// <param name="Attempt">Whose turn it is, and until when it may wait; <see cref="LoginAttempt.Begin"/> before the work.</param>
/// <param name="Client">Whose login it is: clients take turns where something is scarce.</param>
/// <param name="Invocation">The Functions host's id of the request; empty without that host.</param>
/// <param name="Lifetime">How long the request has.</param>
/// <param name="Reading">The account of the typed address, which is being read; none for a name that is not an address.</param>
public sealed record PasswordCheck(
    Realm Realm, LoginName Name, TypedPassword Password, LoginAttempt Attempt, ClientAddress Client, string Invocation, RequestLifetime Lifetime,
    Task<AccountReading> Reading)
{
    /// <summary>
    /// Whose name it is, for those who read the event of a refusal. Null too where storage does not say: a password that was refused
    /// stays so.
    /// </summary>
    public async Task<Account?> OwnerAsync()
    {
        await ((Task)Reading).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return Reading.IsCompletedSuccessfully ? (await Reading).Account : null;
    }
}

/// <summary>What a backend says.</summary>
/// <param name="Outcome">LoggedIn where the password is right and the account may be used.</param>
/// <param name="Account">Null where there is none, or where nobody looked.</param>
public sealed record BackendVerdict(LoginOutcome Outcome, Account? Account)
{
    /// <summary>
    /// A hash was computed or a bind was sent: the attempt counts, whatever came of it, for every name alike.
    /// </summary>
    public bool WasTried { get; init; } = Outcome is not (LoginOutcome.Unavailable or LoginOutcome.DirectoryUnavailable);

    /// <summary>What a directory answered, for the audit trail; empty for nothing.</summary>
    public string Detail { get; init; } = "";

    /// <summary>
    /// What a right password has for a consequence, a renewed hash or a new account: done when the verdict is committed, and not before. It
    /// gives the verdict that follows from it. Null for none.
    /// </summary>
    public Func<CancellationToken, Task<BackendVerdict>>? Consequence { get; init; }
}

/// <summary>
/// Knows nothing of who may try, and nothing of HTTP. For a name that it does not know it takes as long as for a wrong password.
/// </summary>
public interface IPasswordBackend
{
    /// <exception cref="Exception">Whatever kept the password from being judged.</exception>
    Task<BackendVerdict> CheckAsync(PasswordCheck check, CancellationToken cancellation);
}
