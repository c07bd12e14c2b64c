// users set-password, rotate-key, deactivate, reactivate, unlock and delete.

using FetchApiKey.Accounts;
using FetchApiKey.Attempts;

namespace FetchApiKey.Cli;

/// <summary>What an operator orders here holds at the first try, whatever logins and others do to the account at the same time.</summary>
public sealed partial class UserCommands
{
    /// <param name="despiteDirectory">Whether it is meant, though the realm's people log in by a directory alone.</param>
    public async Task<int> SetPasswordAsync(string subdomain, string emailText, bool despiteDirectory, CancellationToken cancellation)
    {
        // To say at once that there is nobody; what is read here decides nothing, since the prompt may wait for long.
        await ReadAsync(subdomain, Parse(emailText), cancellation);
        if (!despiteDirectory && IsOfDirectoryAlone((await realms.ReadAsync(subdomain, cancellation)).Realm))
        {
            throw new OperatorException(
                $"The people of the {RealmCommands.Name(subdomain)} log in by a directory alone. {DespiteDirectory} sets a password all the same.");
        }

        var hash = await ReadNewHashAsync(Parse(emailText));
        var code = await OverrideAsync(
            subdomain, emailText, email => accounts.OverridePasswordHashAsync(subdomain, email, hash, cancellation),
            account => account, cancellation);
        await ClearAttemptsAsync(subdomain, Parse(emailText), cancellation);
        return code;
    }

    /// <summary>Gives an account another API key, which only a login tells.</summary>
    public async Task<int> RotateKeyAsync(string subdomain, string emailText, CancellationToken cancellation)
    {
        // The seal needs the user id, which an account keeps for as long as it lives.
        var account = await FindAsync(subdomain, emailText, cancellation);
        var written = cipher.Seal(account.Subdomain, Parse(emailText), account.UserId, Account.NewApiKey());
        return await OverrideAsync(
            subdomain, emailText, email => accounts.OverrideSealedApiKeyAsync(subdomain, email, written, cancellation),
            same => same, cancellation);
    }

    public Task<int> SetActiveAsync(string subdomain, string emailText, bool isActive, CancellationToken cancellation) => OverrideAsync(
        subdomain, emailText, email => accounts.OverrideActiveAsync(subdomain, email, isActive, cancellation),
        account => account with { IsActive = isActive }, cancellation);

    /// <summary>
    /// Records and makes a change that holds whatever the account was like before: a row that cannot be read is mended by it, where
    /// the column that it writes was what was wrong.
    /// </summary>
    /// <param name="result">What the account is afterwards.</param>
    private async Task<int> OverrideAsync(
        string subdomain, string emailText, Func<EmailAddress, Task<bool>> change, Func<Account, Account> result, CancellationToken cancellation)
    {
        var email = Parse(emailText);
        var (before, _) = await ReadAsync(subdomain, email, cancellation);
        await acts.RecordAsync(subdomain, email, before?.UserId, cancellation);
        if (!await change(email))
        {
            throw Missing(subdomain, email);
        }

        if (before is not null)
        {
            await report.WriteAsync(Row(result(before)));
            return ExitCode.Done;
        }

        var (mended, malformed) = await accounts.FindAsync(subdomain, email, cancellation);
        await report.WriteAsync(Row(mended ?? throw (malformed is null
            ? Missing(subdomain, email)
            : new OperatorException($"The account was changed, and nobody can log in to it, since its row cannot be read: {malformed}."))));
        return ExitCode.Done;
    }

    /// <summary>
    /// So that the new password is not refused for guesses at the old one. What was ordered is done, whatever becomes of this.
    /// </summary>
    private async Task ClearAttemptsAsync(string subdomain, EmailAddress email, CancellationToken cancellation)
    {
        try
        {
            await attempts.ClearAsync(LoginAttempts.KeyOf(subdomain, email), LoginAttempts.NamePolicyOf(settings.Attempts), cancellation);
        }
        catch (Exception fault) when (fault is AttemptRecordUnreadableException || AccountTables.IsUnavailability(fault))
        {
            await error.WriteLineAsync(
                $"The password is set, but the failed attempts on the account could not be cleared ({fault.GetType().Name}): run users unlock.");
        }
    }

    /// <summary>Forgets the failed attempts on an address, which need not have an account.</summary>
    public async Task<int> UnlockAsync(string subdomain, string emailText, CancellationToken cancellation)
    {
        await RequireRealmAsync(subdomain, cancellation);
        var email = Parse(emailText);
        await acts.RecordAsync(subdomain, email, userId: null, cancellation);
        await attempts.DeleteAsync(LoginAttempts.KeyOf(subdomain, email), cancellation);
        await attempts.DeleteAsync(RegenerationLimit.KeyOf(subdomain, email), cancellation);
        await report.WriteAsync(("realm", subdomain), ("email", email.Text), ("is_locked", false));
        return ExitCode.Done;
    }

    /// <summary>Deletes all that the tables have of a person but the audit trail, which has no name in it.</summary>
    public async Task<int> DeleteAsync(string subdomain, string emailText, CancellationToken cancellation)
    {
        var email = Parse(emailText);
        var (account, _) = await ReadAsync(subdomain, email, cancellation);
        var who = account is null ? $"The account of {email.Text}, whose row cannot be read," : $"User {account.UserId}, {account.Email},";
        await confirmation.RequireAsync($"{who} of the {RealmCommands.Name(subdomain)} is deleted with password and API key, for good.");
        if ((await ReadAsync(subdomain, email, cancellation)).Account?.UserId != account?.UserId)
        {
            throw new OperatorException($"Another account of {email.Text} was made meanwhile; look at it and try again.");
        }

        await acts.RecordAsync(subdomain, email, account?.UserId, cancellation);
        // Before the account, so that a deletion that is cut short is finished by running it again.
        await attempts.DeleteAsync(LoginAttempts.KeyOf(subdomain, email), cancellation);
        await attempts.DeleteAsync(RegenerationLimit.KeyOf(subdomain, email), cancellation);
        await accounts.DeleteAsync(subdomain, email, account?.UserId, cancellation);
        await report.WriteAsync(
            ("realm", subdomain), ("user_id", account is null ? "" : account.UserId), ("email", account?.Email ?? email.Text), ("is_deleted", true));
        return ExitCode.Done;
    }
}
