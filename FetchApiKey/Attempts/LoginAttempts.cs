// The attempt limit as a login meets it: one bucket for the account, one for the client's address.

using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using FetchApiKey.Accounts;
using FetchApiKey.Backends;
using FetchApiKey.Telemetry;
using Microsoft.Extensions.Logging;

namespace FetchApiKey.Attempts;

/// <summary>The figures of the limit.</summary>
public sealed record AttemptSettings
{
    /// <summary>A bucket is one row: more than this do not fit into it.</summary>
    public const int MaxFailures = 1000;

    /// <summary>AttemptLimit__perAccount, 1 to 1000: failures in the window, which a success clears.</summary>
    public int PerAccount { get; init; } = 5;

    /// <summary>A Zulip server's.</summary>
    public TimeSpan Window { get; init; } = TimeSpan.FromMinutes(30);

    /// <summary>Failures in a day, which no success clears.</summary>
    public int PerAccountDaily { get; init; } = 50;

    /// <summary>AttemptLimit__perAddress, 1 to 1000: failures of an address in the window.</summary>
    public int PerAddress { get; init; } = 100;

    /// <summary>The same on Azure, where only a private address can be seen and so all share it.</summary>
    public int PerSharedAddress { get; init; } = MaxFailures;

    /// <summary>What <see cref="PerAccountDaily"/> is for a <see cref="PerAccount"/> of the operator's choice.</summary>
    public static int DailyOf(int perAccount) => Math.Min(10 * perAccount, MaxFailures);
}

/// <summary>What the answer to an attempt says of the limit: the X-RateLimit headers of contract section 1.6.</summary>
/// <param name="Reset">When every attempt made so far will be out of the window.</param>
public readonly record struct RateLimit(int Limit, int Remaining, DateTimeOffset Reset);

/// <summary>An attempt that may go on.</summary>
/// <param name="Account">Null where no account was named, and so the address alone is limited.</param>
public sealed record LoginAttempt(Reservation? Account, Reservation Address)
{
    public RateLimit RateLimit => Of(Account ?? Address);

    private static RateLimit Of(Reservation told) => new(told.Policy.Limit, told.Remaining, told.Now + told.Policy.Window);
}

public sealed class LoginAttempts(AttemptLimiter limiter, AttemptSettings settings, bool isOnAzure, TimeProvider time, ILogger<LoginAttempts> log)
{
    /// <summary>Addresses whose block is remembered here at the most.</summary>
    private const int MaxRemembered = 10_000;

    /// <summary>With the deadline of a request, <see cref="Dispatcher"/>, the ten seconds within which there is an answer.</summary>
    private static readonly TimeSpan SettleLimit = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan MaxMemory = TimeSpan.FromMinutes(1);

    private readonly AttemptPolicy _account = new(settings.PerAccount, settings.Window, settings.PerAccountDaily, IsClearedBySuccess: true);
    private readonly AttemptPolicy _address = new(settings.PerAddress, settings.Window, DailyLimit: null, IsClearedBySuccess: false);
    private readonly AttemptPolicy _sharedAddress = new(settings.PerSharedAddress, settings.Window, DailyLimit: null, IsClearedBySuccess: false);

    /// <summary>Until when an address is blocked: while it is, its guesses write nothing, and leave no rows of accounts.</summary>
    private readonly ConcurrentDictionary<string, DateTimeOffset> _blocked = new(StringComparer.Ordinal);
    private bool _hasWarned;

    /// <summary>The key of an account's bucket: one a realm and canonical address, whether there is such an account or not.</summary>
    public static string KeyOf(string subdomain, EmailAddress email) => Account.PartitionOf(subdomain, email);

    /// <summary>The same of a name that need not be an address.</summary>
    private static string KeyOf(string subdomain, LoginName name) => Account.PartitionOf(subdomain, name.Canonical);

    /// <summary>
    /// Counts the attempt in both buckets, or in that of the address where no account is named; or says after which time another
    /// may be made.
    /// </summary>
    public async Task<(LoginAttempt? Attempt, TimeSpan RetryAfter)> BeginAsync(
        string subdomain, LoginName? name, ClientAddress address, CancellationToken cancellation)
    {
        var addressKey = KeyOf(address);
        if (RememberedBlock(addressKey) is { } blocked)
        {
            return (null, blocked);
        }

        var ofAddress = limiter.ReserveAsync(addressKey, PolicyFor(address), cancellation);
        var ofAccount = name is null ? Task.FromResult(default(ReservationOutcome)) : limiter.ReserveAsync(KeyOf(subdomain, name), _account, cancellation);
        try
        {
            await Task.WhenAll(ofAddress, ofAccount);
        }
        catch
        {
            await WithdrawAsync(ofAddress);
            await WithdrawAsync(ofAccount);
            throw;
        }

        var (addressOutcome, accountOutcome) = (await ofAddress, await ofAccount);
        if (addressOutcome.Reservation is { } addressReservation && (name is null || accountOutcome.Reservation is not null))
        {
            return (new LoginAttempt(accountOutcome.Reservation, addressReservation), TimeSpan.Zero);
        }

        if (addressOutcome.Reservation is null)
        {
            Instruments.AttemptBlocked("address");
            Remember(addressKey, addressOutcome.RetryAfter);
        }

        if (name is not null && accountOutcome.Reservation is null)
        {
            Instruments.AttemptBlocked("account");
        }

        // An attempt that one bucket blocks counts in neither.
        if ((addressOutcome.Reservation ?? accountOutcome.Reservation) is { } other)
        {
            await WithdrawAsync(other);
        }

        return (null, addressOutcome.RetryAfter > accountOutcome.RetryAfter ? addressOutcome.RetryAfter : accountOutcome.RetryAfter);
    }

    /// <summary>The same for what concerns no name that anybody typed: the address's bucket alone.</summary>
    public Task<(LoginAttempt? Attempt, TimeSpan RetryAfter)> BeginAsync(ClientAddress address, CancellationToken cancellation) =>
        BeginAsync(subdomain: "", name: null, address, cancellation);

    /// <summary>Forgets the failures on an account, those of the day too. Where that fails, they are over by themselves in the end.</summary>
    public async Task ForgetAsync(string subdomain, EmailAddress email)
    {
        using var limit = new CancellationTokenSource(SettleLimit, time);
        try
        {
            await limiter.ForgetAsync(KeyOf(subdomain, email), limit.Token);
        }
        catch (Exception fault) when (AccountTables.IsUnavailability(fault))
        {
            log.AttemptsNotForgotten(fault.GetType().Name);
        }
    }

    /// <summary>
    /// Writes the verdict down, which must be done before it leaves the process. A client that has gone away does not stop
    /// it: the right password of somebody with a bad connection must not be left behind as a failure.
    /// </summary>
    public async Task SettleAsync(LoginAttempt attempt, bool isSuccess)
    {
        using var limit = new CancellationTokenSource(SettleLimit, time);
        await Task.WhenAll(
            attempt.Account is { } account ? limiter.SettleAsync(account, isSuccess, limit.Token) : Task.CompletedTask,
            limiter.SettleAsync(attempt.Address, isSuccess, limit.Token));
    }

    /// <summary>Takes an attempt back whose password nobody looked at.</summary>
    public Task WithdrawAsync(LoginAttempt attempt) => Task.WhenAll(
        attempt.Account is { } account ? WithdrawAsync(account) : Task.CompletedTask, WithdrawAsync(attempt.Address));

    private async Task WithdrawAsync(Task<ReservationOutcome> outcome)
    {
        if (outcome is { IsCompletedSuccessfully: true, Result.Reservation: { } reservation })
        {
            await WithdrawAsync(reservation);
        }
    }

    /// <summary>Where this fails, the attempt will count as a failure when its reservation expires.</summary>
    private async Task WithdrawAsync(Reservation reservation)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(1), time);
        try
        {
            await limiter.WithdrawAsync(reservation, limit.Token);
        }
        catch (Exception fault) when (AccountTables.IsUnavailability(fault))
        {
            log.AttemptNotWithdrawn(fault.GetType().Name);
        }
    }

    /// <param name="name">Null where the address alone is limited.</param>
    public RateLimit Exhausted(LoginName? name, ClientAddress address, TimeSpan retryAfter) =>
        new((name is null ? PolicyFor(address) : _account).Limit, 0, time.GetUtcNow() + retryAfter);

    private static string KeyOf(ClientAddress address) => $"@{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(address.Bucket)))}";

    /// <summary>For how long an address is blocked as far as this instance remembers; null when it remembers nothing.</summary>
    private TimeSpan? RememberedBlock(string addressKey)
    {
        if (!_blocked.TryGetValue(addressKey, out var until))
        {
            return null;
        }

        var left = until - time.GetUtcNow();
        if (left > TimeSpan.Zero)
        {
            Instruments.AttemptBlocked("address");
            return left;
        }

        _blocked.TryRemove(addressKey, out _);
        return null;
    }

    private AttemptPolicy PolicyFor(ClientAddress address)
    {
        if (!address.IsShared || !isOnAzure)
        {
            return _address;
        }

        if (!Interlocked.Exchange(ref _hasWarned, true))
        {
            log.ClientAddressesShared(_sharedAddress.Limit);
        }

        return _sharedAddress;
    }

    private void Remember(string addressKey, TimeSpan retryAfter)
    {
        if (_blocked.Count >= MaxRemembered)
        {
            _blocked.Clear();
        }

        _blocked[addressKey] = time.GetUtcNow() + (retryAfter < MaxMemory ? retryAfter : MaxMemory);
    }
}
