// Whether the process lives, and whether it can log anybody in: for load balancers and for the operator.

using Azure;
using FetchApiKey.Accounts;
using FetchApiKey.Audit;
using FetchApiKey.Backends.Ldap;
using Microsoft.Extensions.Logging;

namespace FetchApiKey;

/// <summary>
/// Readiness looks at what a login needs: the tables are there and answer, a stored API key opens with a configured key, directories
/// answer, and events can be recorded, without which no password or key is changed. Anybody may ask, so the answer tells no detail, which
/// goes to the log, and one look serves everybody for <see cref="MaxAge"/>: asking often costs storage nothing.
/// </summary>
public sealed class Health(
    AccountTables tables, AccountStore accounts, ApiKeyCipher cipher, AuditTrail trail, IEnumerable<LdapDirectory> directories, TimeProvider time,
    ILogger<Health> log)
{
    private static readonly TimeSpan MaxAge = TimeSpan.FromSeconds(5);

    /// <summary>A look takes no longer; storage that answers more slowly is not ready.</summary>
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(8);

    private const int SampledAccounts = 3;

    private const int MaxTold = 100;

    private readonly Lock _lock = new();
    private readonly HashSet<RowFault> _told = [];
    private Task<bool>? _look;
    private long _begun;

    /// <summary>The process answers.</summary>
    public static Task<Reply> AnswerLiveAsync(EndpointRequest request, CancellationToken cancellation) => Task.FromResult(Reply.Healthy);

    public async Task<Reply> AnswerReadyAsync(EndpointRequest request, CancellationToken cancellation) =>
        await LookAsync().WaitAsync(cancellation) ? Reply.Healthy : Reply.Unavailable;

    private Task<bool> LookAsync()
    {
        lock (_lock)
        {
            if (_look is null || (_look.IsCompleted && time.GetElapsedTime(_begun) >= MaxAge))
            {
                _begun = time.GetTimestamp();
                _look = IsReadyAsync();
            }

            return _look;
        }
    }

    /// <summary>Once for each row: who asks whether the endpoint is ready asks every few seconds. Looks come one after the other.</summary>
    private void Tell(RowFault fault)
    {
        if (_told.Count < MaxTold && _told.Add(fault))
        {
            log.RowMalformed(fault);
        }
    }

    private async Task<bool> IsReadyAsync()
    {
        using var limit = new CancellationTokenSource(Limit, time);
        try
        {
            var answers = Task.WhenAll(directories.Select(directory => directory.AnswersAsync(limit.Token)));
            await tables.CheckNowAsync(limit.Token);
            await tables.SealMarker.ReadAsync(limit.Token);
            // Several, since one whose seal was damaged says nothing about the keys.
            var some = await accounts.SomeAsync(SampledAccounts, Tell, limit.Token);
            if ((await answers).Contains(false))
            {
                log.NotReady("a directory does not answer");
                return false;
            }

            if (trail.IsAway)
            {
                log.NotReady("the audit table takes no events; passwords and keys cannot be changed until it does");
                return false;
            }

            if (some.Count == 0 || some.Any(account => cipher.Open(account, out _) == Opening.Opened))
            {
                return true;
            }

            log.NotReady("stored API keys do not open with the configured keys");
        }
        catch (MissingTablesException missing)
        {
            log.NotReady(missing.Message);
        }
        catch (Exception fault) when (AccountTables.IsUnavailability(fault))
        {
            log.NotReady(
                $"account storage is unavailable: {fault.GetType().Name}, status {(fault as RequestFailedException)?.Status ?? 0}");
        }

        return false;
    }
}
