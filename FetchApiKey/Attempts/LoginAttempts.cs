// The attempt limit as a login meets it: one bucket for the name, one for the client's address.

using System.Security.Cryptography;
using System.Text;
using FetchApiKey.Accounts;
using FetchApiKey.Backends;
using FetchApiKey.Telemetry;
using Microsoft.Extensions.Logging;

namespace FetchApiKey.Attempts;

/// <summary>
/// Nothing is reserved: an attempt begins by reading, when it is its turn (<see cref="WorkTurns"/>), and counts when its verdict is
/// committed (<see cref="AttemptBucket"/>). Storage calls beside the account's row: the name's row is read and written, and a wrong verdict
/// writes the address's row; that one is read, too, where the address is new here or has failures. All names cost the same.
/// </summary>
public sealed class LoginAttempts(
    AttemptTable table, OpenAttempts openAttempts, AttemptSettings settings, bool isOnAzure, TimeProvider time, ILogger<LoginAttempts> log)
{
    /// <summary>
    /// What writing a verdict may take beside the deadline of the request: together the ten seconds within which there is an answer.
    /// </summary>
    internal static readonly TimeSpan CommitLimit = TimeSpan.FromSeconds(2);

    /// <summary>Attempts that read, or have read and wait for their hash. Each makes up to three calls side by side.</summary>
    private const int MaxReading = 32;

    private readonly AttemptBuckets _buckets = new(table, time);
    private readonly WorkTurns _turns = new(MaxReading);
    private readonly AttemptPolicies _policies = new(settings, isOnAzure, log);
    private readonly AbandonedAttempts _abandoned = new(time, log);

    /// <summary>How many failures a name may have.</summary>
    public static AttemptPolicy NamePolicyOf(AttemptSettings settings) =>
        new(settings.PerAccount, settings.Window, settings.PerAccountDaily, IsClearedBySuccess: true);

    /// <summary>The key of a name's bucket: one a realm and canonical address, whether there is such an account or not.</summary>
    public static string KeyOf(string subdomain, EmailAddress email) => Account.PartitionOf(subdomain, email);

    /// <summary>The key of an address's bucket.</summary>
    internal static string KeyOf(ClientAddress client) =>
        $"@{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(client.Bucket)))}";

    /// <summary>
    /// Lets an attempt go on, or says after which time another may be made. Nothing is written. A bucket that was full a moment ago
    /// refuses without being read.
    /// </summary>
    /// <param name="name">Null for what concerns no name that was typed: then the address alone is limited.</param>
    /// <param name="beside">
    /// Begins what is to be read beside the buckets; called when they are, and not for an attempt that is refused unread.
    /// </param>
    /// <param name="deadline">Cancelled when there is no time left.</param>
    /// <param name="abandoned">Cancelled when the client goes away.</param>
    /// <exception cref="AttemptsContendedException">Too many attempts are open.</exception>
    public async Task<(LoginAttempt? Attempt, TimeSpan RetryAfter)> BeginAsync(
        string subdomain, LoginName? name, ClientAddress client, Action beside, CancellationToken deadline, CancellationToken abandoned)
    {
        var attempt = Open(name is null ? null : Account.PartitionOf(subdomain, name.Canonical), client, deadline, abandoned);
        try
        {
            var retryAfter = await StandingAsync(attempt, beside, deadline);
            if (retryAfter > TimeSpan.Zero)
            {
                attempt.Dispose();
                return (null, retryAfter);
            }

            return (attempt, TimeSpan.Zero);
        }
        catch (OperationCanceledException) when (attempt.Waiting.IsCancellationRequested)
        {
            // Its judge finds it cancelled, before any work.
            return (attempt, TimeSpan.Zero);
        }
        catch
        {
            attempt.Dispose();
            throw;
        }
    }

    /// <summary>Writes a verdict down, which must be done before it leaves the process.</summary>
    /// <exception cref="Exception">Storage is away, or there was no time left: the verdict must not leave.</exception>
    public async Task<VerdictCommitment> CommitAsync(LoginAttempt attempt, bool isFailure)
    {
        using var limit = new CancellationTokenSource(CommitLimit, time);
        var commitment = isFailure ? await CommitFailureAsync(attempt, limit.Token) : await CommitSuccessAsync(attempt, limit.Token);
        attempt.ReturnTurn();
        return commitment;
    }

    /// <summary>
    /// What to make of a fault that ended an attempt before its work had begun. An attempt that the client gave up counts against its
    /// address; one that waited too long or whose place was needed counts nowhere.
    /// </summary>
    /// <returns>The fault to throw in its place; null where it is to be thrown as it is.</returns>
    public Task<Exception?> EndedWaitingAsync(LoginAttempt attempt, Exception fault, CancellationToken abandoned) =>
        _abandoned.EndedAsync(attempt, fault, abandoned);

    /// <summary>Clears the failures on an account as a right login does; those of the day stay. If that fails, the log says so.</summary>
    public async Task ClearAsync(string subdomain, EmailAddress email)
    {
        using var limit = new CancellationTokenSource(CommitLimit, time);
        try
        {
            var key = KeyOf(subdomain, email);
            await table.ClearAsync(key, _policies.Name, limit.Token);
            _buckets.Forget(key);
        }
        catch (Exception fault) when (fault is AttemptRecordUnreadableException || AccountTables.IsUnavailability(fault))
        {
            log.AttemptsNotCleared(fault.GetType().Name);
        }
    }

    /// <param name="name">Null where the address alone is limited.</param>
    public RateLimit Exhausted(LoginName? name, ClientAddress address, TimeSpan retryAfter) =>
        new((name is null ? _policies.For(address) : _policies.Name).Limit, 0, time.GetUtcNow() + retryAfter);

    private LoginAttempt Open(string? nameKey, ClientAddress client, CancellationToken deadline, CancellationToken abandoned)
    {
        var open = openAttempts.Open(client, nameKey, _policies.MostOpen(client));
        return new LoginAttempt(
            open, _buckets, nameKey is null ? null : _buckets.Enter(nameKey, _policies.Name), _buckets.Enter(KeyOf(client), _policies.For(client)),
            CancellationTokenSource.CreateLinkedTokenSource(deadline, abandoned, open.Displaced), time.GetTimestamp());
    }

    /// <summary>Zero where another attempt is allowed, else when one will be.</summary>
    private async Task<TimeSpan> StandingAsync(LoginAttempt attempt, Action beside, CancellationToken deadline)
    {
        if (Remembered(attempt) is { } full)
        {
            return full;
        }

        await attempt.TakeTurnAsync(_turns);
        return Remembered(attempt) ?? await ReadStandingAsync(attempt, beside, deadline);
    }

    /// <summary>When another attempt will be allowed, where a bucket was full a moment ago.</summary>
    private static TimeSpan? Remembered(LoginAttempt attempt) =>
        attempt.Address.Remembered is { IsBlocked: true } address ? Blocked(address.RetryAfter, "address")
        : attempt.Name?.Remembered is { IsBlocked: true } name ? Blocked(name.RetryAfter, "account")
        : null;

    private async Task<TimeSpan> ReadStandingAsync(LoginAttempt attempt, Action beside, CancellationToken deadline)
    {
        var (name, address) = (attempt.Name, attempt.Address);
        // Beside the name's row. Where there are failures, it is read when a right verdict is committed.
        var reading = address.Remembered is not null || address.HasFailures ? null : address.ReadAsync(deadline);
        try
        {
            beside();
            if (name is not null)
            {
                var standing = await name.ReadAsync(deadline);
                _turns.LookAgain();
                if (standing.IsBlocked)
                {
                    return Blocked(standing.RetryAfter, "account");
                }

                attempt.RateLimit = RateLimitOf(name.Policy, standing.Room - 1);
            }
        }
        finally
        {
            await ((Task?)reading ?? Task.CompletedTask).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        return reading is not null && await reading is { IsBlocked: true } late ? Blocked(late.RetryAfter, "address") : TimeSpan.Zero;
    }

    private static TimeSpan Blocked(TimeSpan retryAfter, string bucket)
    {
        Instruments.AttemptBlocked(bucket);
        return retryAfter;
    }

    /// <summary>The name first; the address only for a verdict that may leave.</summary>
    private async Task<VerdictCommitment> CommitFailureAsync(LoginAttempt attempt, CancellationToken cancellation)
    {
        if (attempt.Name is { } name)
        {
            var ofName = await name.CommitFailureAsync(cancellation);
            if (!ofName.IsCommitted)
            {
                return Withheld(ofName, "account");
            }

            (attempt.FillsName, attempt.RateLimit) = (ofName.Room == 0, RateLimitOf(name.Policy, ofName.Room));
        }

        var ofAddress = await attempt.Address.CommitFailureAsync(cancellation);
        if (!ofAddress.IsCommitted)
        {
            return Withheld(ofAddress, "address");
        }

        attempt.FillsAddress = ofAddress.Room == 0;
        if (attempt.Name is null)
        {
            attempt.RateLimit = RateLimitOf(attempt.Address.Policy, ofAddress.Room);
        }

        return new VerdictCommitment(true, TimeSpan.Zero);
    }

    /// <summary>Nothing is written to the address's row, so that the people behind one address do not wait for each other.</summary>
    private async Task<VerdictCommitment> CommitSuccessAsync(LoginAttempt attempt, CancellationToken cancellation)
    {
        var address = attempt.Address;
        var remembered = address.Remembered;
        if (remembered is { IsBlocked: true } full)
        {
            return new VerdictCommitment(false, Blocked(full.RetryAfter, "address"));
        }

        var reading = remembered is null ? address.ReadAsync(cancellation) : null;
        var ofName = default(Commitment);
        try
        {
            if (attempt.Name is { } name)
            {
                ofName = await name.CommitSuccessAsync(cancellation);
                attempt.RateLimit = RateLimitOf(name.Policy, ofName.Room);
            }
        }
        finally
        {
            await ((Task?)reading ?? Task.CompletedTask).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        var standing = reading is null ? new AttemptStanding(address.Policy.Limit, TimeSpan.Zero) : await reading;
        if (attempt.Name is null)
        {
            attempt.RateLimit = RateLimitOf(address.Policy, standing.Room - 1);
        }
        else if (!ofName.IsCommitted)
        {
            return Withheld(ofName, "account");
        }

        return standing.IsBlocked ? new VerdictCommitment(false, Blocked(standing.RetryAfter, "address")) : new VerdictCommitment(true, TimeSpan.Zero);
    }

    private static VerdictCommitment Withheld(Commitment commitment, string bucket) => new(false, Blocked(commitment.RetryAfter, bucket));

    private RateLimit RateLimitOf(AttemptPolicy policy, int room) => new(policy.Limit, Math.Max(room, 0), time.GetUtcNow() + policy.Window);
}
