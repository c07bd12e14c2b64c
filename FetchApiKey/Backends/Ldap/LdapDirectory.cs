// Whether a directory has somebody, and whether it accepts their password.

using System.Security.Cryptography;
using System.Text;
using FetchApiKey.Attempts;
using Microsoft.Extensions.Logging;

namespace FetchApiKey.Backends.Ldap;

/// <summary>The zero value is a refusal.</summary>
public enum DirectoryVerdict
{
    NoEntry = 0,
    WrongPassword,

    /// <summary>A bind was sent, and its answer did not come.</summary>
    Unanswered,

    /// <summary>Right password, but the entry does not match the access filter.</summary>
    RightWithoutAccess,
    Right,
}

/// <param name="Entry">Null where nobody has the name.</param>
/// <param name="Detail">The result code of the bind, for the audit trail.</param>
public sealed record DirectoryAnswer(DirectoryVerdict Verdict, DirectoryEntry? Entry, string Detail);

/// <summary>
/// The same questions for every name, whether there is an entry or not: the searches, and the bind of the entry or of a decoy, on a
/// connection that is made for this alone. What follows the bind needs no further question, so that an outage in between tells nothing
/// about the password.
/// </summary>
public sealed class LdapDirectory : IDisposable
{
    /// <summary>Whatever the directory does, there is an answer by then. It leaves time for the other backend.</summary>
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(5);

    /// <summary>A bind that has less time left is not sent: it would count, and a slow answer would be nobody's fault.</summary>
    private static readonly TimeSpan LeastForBind = TimeSpan.FromSeconds(2);

    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly LdapSessions _sessions;
    private readonly WorkTurns _places;
    private readonly EntrySearch _search;
    private readonly byte[]? _access;

    public LdapDirectory(LdapSettings settings, TimeProvider time, ILogger log, HostLookUp? lookUp = null)
    {
        (Settings, _time, _log) = (settings, time, log);
        _sessions = new LdapSessions(settings, time, log, lookUp ?? LdapServers.AddressesOfAsync);
        _places = new WorkTurns(settings.Connections);
        _search = new EntrySearch(settings, log);
        _access = settings.AccessFilter?.With("");
    }

    public LdapSettings Settings { get; }

    /// <summary>Finds the one entry that has a name, and tries the password on it.</summary>
    /// <param name="password">UTF-8; not empty, since that would bind anybody (RFC 4513 section 5.1.2), and without NUL, at which a
    /// server might cut it off.</param>
    /// <param name="caller">Who asks, and how long they may wait.</param>
    /// <exception cref="DirectoryUnavailableException">The directory could not say, and no bind was sent.</exception>
    /// <exception cref="OperationCanceledException">The client went away before a bind was sent, or the request's time is over.</exception>
    internal async Task<DirectoryAnswer> AuthenticateAsync(
        DirectoryQuery query, ReadOnlyMemory<byte> password, DirectoryCaller caller, CancellationToken cancellation)
    {
        if (password.IsEmpty || password.Span.Contains((byte)0))
        {
            throw new ArgumentException("An empty password would bind anybody.", nameof(password));
        }

        return await WithinAsync(
            caller.Left < Limit ? caller.Left : Limit,
            async budget =>
            {
                using var place = await TakePlaceAsync(caller, budget);
                while (true)
                {
                    var found = await _sessions.AskAsync(session => PrepareAsync(session, query, budget.Limit), budget);
                    using var connection = found.Connection;
                    caller.Waiting.ThrowIfCancellationRequested();
                    // Another's bind may have gone without an answer meanwhile. Then the service's own questions come first, once more.
                    if (_sessions.IsTrusted(found.Session))
                    {
                        return await BindAsync(found, password, caller.Begin, budget);
                    }
                }
            },
            caller.Waiting, cancellation);
    }

    /// <summary>Whether the directory answers, and has what people are searched below.</summary>
    public async Task<bool> AnswersAsync(CancellationToken cancellation)
    {
        try
        {
            return await WithinAsync(
                Limit, budget => _sessions.AskAsync(session => _search.SeesBasesAsync(session, budget.Limit), budget), CancellationToken.None, cancellation);
        }
        catch (DirectoryUnavailableException)
        {
            return false;
        }
    }

    /// <summary>Every address of every server, each a server of its own.</summary>
    public Task<IReadOnlyList<LdapServer>> LookUpAsync(CancellationToken cancellation) => _sessions.LookUpAsync(cancellation);

    /// <summary>
    /// Goes through what a login asks, on one server and on connections of its own: connection, the service's bind, the bases, the bind
    /// of nobody.
    /// </summary>
    /// <returns>How long a bind that is refused takes.</returns>
    /// <exception cref="DirectoryUnavailableException">What is wrong.</exception>
    public async Task<TimeSpan> ExamineAsync(LdapServer server, CancellationToken cancellation)
    {
        var session = await _sessions.OpenAsync(server, Limit, cancellation);
        using var own = session.Connection;
        _ = await _search.SeesBasesAsync(session, cancellation);
        using var connection = await LdapConnection.OpenAsync(Settings, server, Settings.ConnectTimeout, _time, cancellation);
        var begun = _time.GetTimestamp();
        try
        {
            var password = Encoding.ASCII.GetBytes(RandomNumberGenerator.GetHexString(32));
            await connection.BindAsync(DecoyDn(), password, Settings.OperationTimeout, cancellation);
        }
        catch (DirectoryUnavailableException fault) when (fault.Fault == DirectoryFault.Silent)
        {
            throw new DirectoryUnavailableException(
                DirectoryFault.Silent,
                $"{fault.Message} that it refuses, though it answers the service's own: wrong passwords get 503, and count");
        }

        return _time.GetElapsedTime(begun);
    }

    public void Dispose() => _sessions.Dispose();

    private sealed record Prepared(LdapSession Session, DirectoryEntry? Entry, bool HasAccess, LdapConnection Connection);

    /// <summary>All that is asked before the bind, and a connection for that. Known and unknown names are asked about alike.</summary>
    private async Task<Prepared> PrepareAsync(LdapSession session, DirectoryQuery query, CancellationToken limit)
    {
        var entry = await _search.FindAsync(session, query, limit);
        var opening = LdapConnection.OpenAsync(Settings, session.Server, Settings.ConnectTimeout, _time, limit);
        try
        {
            var hasAccess = _access is null || await _search.MatchesAsync(session, entry?.Dn, _access, limit);
            return new Prepared(session, entry, hasAccess, await opening);
        }
        catch
        {
            // Whichever failed, nothing is left of the other.
            await ((Task)opening).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (opening.IsCompletedSuccessfully)
            {
                (await opening).Dispose();
            }

            throw;
        }
    }

    /// <summary>From here on the attempt counts, whatever becomes of it.</summary>
    private async Task<DirectoryAnswer> BindAsync(Prepared found, ReadOnlyMemory<byte> password, Action begin, TimeBudget budget)
    {
        var least = Settings.OperationTimeout < LeastForBind ? Settings.OperationTimeout : LeastForBind;
        if (budget.Left < least)
        {
            // It took the time of all, so another server has its turn before it.
            _sessions.Demote(found.Session.Server);
            throw new DirectoryUnavailableException(DirectoryFault.NotAsked, "no time was left to ask it");
        }

        budget.Limit.ThrowIfCancellationRequested();
        begin();
        LdapResult result;
        try
        {
            result = await found.Connection.BindAsync(found.Entry?.Dn ?? DecoyDn(), password, Settings.OperationTimeout, budget.Limit);
        }
        catch (Exception fault)
        {
            // Whatever it is, the bind was sent.
            _sessions.Distrust(found.Session.Server);
            _log.DirectoryUnavailable(
                Settings.Id, (fault as DirectoryUnavailableException)?.Message ?? $"no answer to a bind in time ({fault.GetType().Name})");
            return new DirectoryAnswer(DirectoryVerdict.Unanswered, found.Entry, "ldap unanswered");
        }

        if (result.Code is LdapResult.StrongerAuthRequired or LdapResult.ConfidentialityRequired)
        {
            _log.DirectoryWantsEncryption(Settings.Id, result.Code);
        }

        var verdict = found.Entry is null ? DirectoryVerdict.NoEntry
            : result.Code != LdapResult.Success ? DirectoryVerdict.WrongPassword
            : found.HasAccess ? DirectoryVerdict.Right
            : DirectoryVerdict.RightWithoutAccess;
        return new DirectoryAnswer(verdict, found.Entry, result.ToString());
    }

    private string DecoyDn() => Settings.DecoyDn ?? $"cn={Guid.NewGuid():N},{Settings.UserSearchBases[0]}";

    /// <summary>Networks take turns, so that a flood from one makes its own logins wait.</summary>
    private async Task<WorkTurn> TakePlaceAsync(DirectoryCaller caller, TimeBudget budget)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(budget.Limit, caller.Waiting);
        try
        {
            return await _places.TakeAsync(caller.Client, name: null, either.Token);
        }
        catch (OperationCanceledException) when (!caller.Waiting.IsCancellationRequested)
        {
            throw new DirectoryUnavailableException(DirectoryFault.NotAsked, "too many logins wait for it");
        }
    }

    /// <param name="waiting">Whose cancellation is told as it is, and is none of the directory's.</param>
    private async Task<T> WithinAsync<T>(
        TimeSpan length, Func<TimeBudget, Task<T>> work, CancellationToken waiting, CancellationToken cancellation)
    {
        using var late = new CancellationTokenSource(length > TimeSpan.Zero ? length : TimeSpan.Zero, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellation);
        var budget = new TimeBudget(_time, _time.GetTimestamp(), length, either.Token);
        try
        {
            return await work(budget);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested && !waiting.IsCancellationRequested)
        {
            const string reason = "no answer in time";
            _log.DirectoryUnavailable(Settings.Id, reason);
            throw new DirectoryUnavailableException(DirectoryFault.Silent, reason);
        }
        catch (DirectoryUnavailableException fault)
        {
            _log.DirectoryUnavailable(Settings.Id, fault.Message);
            throw;
        }
    }
}
