// The service's own connections to a directory: bound, kept for a while, and made anew on the first server that answers.

using Microsoft.Extensions.Logging;

namespace FetchApiKey.Backends.Ldap;

/// <summary>A connection on which the service's own bind was answered.</summary>
/// <param name="Era">How many users' binds had gone without an answer when it was begun.</param>
/// <param name="Timeout">For one question on it.</param>
internal sealed record LdapSession(LdapConnection Connection, LdapServer Server, long Era, long Opened, TimeSpan Timeout)
{
    /// <summary>The timestamp of its last answer.</summary>
    public long Used { get; set; }
}

/// <summary>Nothing here binds as a user, so whatever goes wrong may be tried again, once on each server.</summary>
internal sealed class LdapSessions(LdapSettings settings, TimeProvider time, ILogger log, HostLookUp lookUp) : IDisposable
{
    /// <summary>Between us and a directory stand firewalls and balancers that forget what is idle: Azure's after four minutes.</summary>
    private static readonly TimeSpan MaxIdle = TimeSpan.FromMinutes(1);

    /// <summary>So that a directory which was moved, or an account whose rights were taken, is noticed.</summary>
    private static readonly TimeSpan MaxAge = TimeSpan.FromMinutes(10);

    /// <summary>For so long a server that failed is asked after the others.</summary>
    private static readonly TimeSpan MaxDistance = TimeSpan.FromSeconds(30);

    /// <summary>For TCP alone, while there are others to ask: a dead address must not take their time. RFC 8305 gives it 250 ms.</summary>
    private static readonly TimeSpan ToReachBeforeOthers = TimeSpan.FromMilliseconds(500);

    /// <summary>However many there are: an address that answers slowly is no dead one.</summary>
    private static readonly TimeSpan LeastShare = TimeSpan.FromSeconds(1.5);

    private readonly Lock _lock = new();
    private readonly List<LdapSession> _idle = [];
    private readonly Dictionary<LdapServer, long> _failed = [];
    private long _era;
    private bool _isDisposed;

    /// <summary>
    /// A user's bind went without an answer: whoever is to send another asks the service's own questions before, on a new connection.
    /// </summary>
    public void Distrust(LdapServer server)
    {
        Interlocked.Increment(ref _era);
        Demote(server);
    }

    /// <summary>It is asked after the others for a while.</summary>
    public void Demote(LdapServer server)
    {
        lock (_lock)
        {
            _failed[server] = time.GetTimestamp();
        }
    }

    /// <summary>No user's bind has gone without an answer since this session was begun.</summary>
    public bool IsTrusted(LdapSession session) => session.Era == Interlocked.Read(ref _era);

    /// <summary>
    /// Asks on a kept connection, which has half the time, since it may have been forgotten in between; where that fails on a new one, of
    /// the first server that answers. What is asked must be harmless to ask twice.
    /// </summary>
    /// <exception cref="DirectoryUnavailableException">No server could say.</exception>
    public async Task<T> AskAsync<T>(Func<LdapSession, Task<T>> ask, TimeBudget budget)
    {
        if (TakeIdle() is { } kept)
        {
            try
            {
                return await AskOnAsync(kept with { Timeout = settings.OperationTimeout / 2 }, ask);
            }
            catch (DirectoryUnavailableException fault) when (fault.IsOfOneServer)
            {
                // The others were idle for as long, or longer.
                Clear();
            }
        }

        var servers = InOrder(await LookUpAsync(budget.Limit));
        for (var place = 0; ; place++)
        {
            var server = servers[place];
            if (budget.Left <= TimeSpan.Zero)
            {
                throw new DirectoryUnavailableException(DirectoryFault.NotAsked, "no time was left to ask it");
            }

            try
            {
                // What is left is shared, so that the last server has its turn, too.
                var share = budget.Left / (servers.Count - place);
                share = share > LeastShare ? share : LeastShare;
                TimeSpan? toReach = place < servers.Count - 1 ? ToReachBeforeOthers : null;
                return await AskOnAsync(await OpenAsync(server, share, budget.Limit, toReach), ask);
            }
            catch (DirectoryUnavailableException fault) when (fault.IsOfOneServer)
            {
                Demote(server);
                if (place == servers.Count - 1)
                {
                    throw;
                }

                log.DirectoryServerFailed(settings.Id, server.ToString(), fault.Message);
            }
            catch (OperationCanceledException)
            {
                // The time of all was over while this one was asked.
                Demote(server);
                throw;
            }
        }
    }

    /// <summary>Every address of every server, each a server of its own.</summary>
    public async Task<IReadOnlyList<LdapServer>> LookUpAsync(CancellationToken limit)
    {
        using var late = new CancellationTokenSource(settings.ConnectTimeout / 2, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, limit);
        return await LdapServers.LookUpAsync(settings.Servers, lookUp, either.Token);
    }

    /// <summary>Connects to one server and binds as the service.</summary>
    /// <param name="share">No step may take longer, whatever the settings allow.</param>
    /// <param name="toReach">For TCP alone, where that is less.</param>
    public async Task<LdapSession> OpenAsync(LdapServer server, TimeSpan share, CancellationToken limit, TimeSpan? toReach = null)
    {
        var timeout = share < settings.OperationTimeout ? share : settings.OperationTimeout;
        var era = Interlocked.Read(ref _era);
        var toConnect = share < settings.ConnectTimeout ? share : settings.ConnectTimeout;
        var connection = await LdapConnection.OpenAsync(settings, server, toConnect, time, limit, toReach);
        try
        {
            var result = await connection.BindAsync(settings.BindDn, settings.BindPasswordUtf8, timeout, limit);
            return result.Code switch
            {
                LdapResult.Success => new LdapSession(connection, server, era, time.GetTimestamp(), timeout),
                LdapResult.Busy or LdapResult.Unavailable => throw DirectoryUnavailableException.Busy(result),
                _ => throw new DirectoryUnavailableException(
                    DirectoryFault.BindRefused, $"it refuses bindDn and bindPassword ({result})"),
            };
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _isDisposed = true;
        }

        Clear();
    }

    private async Task<T> AskOnAsync<T>(LdapSession session, Func<LdapSession, Task<T>> ask)
    {
        try
        {
            var answer = await ask(session);
            Keep(session);
            return answer;
        }
        catch
        {
            session.Connection.Dispose();
            throw;
        }
    }

    /// <summary>The server that failed least lately first, those that did not in their order.</summary>
    private List<LdapServer> InOrder(IReadOnlyList<LdapServer> servers)
    {
        lock (_lock)
        {
            foreach (var (server, _) in _failed.Where(failure => time.GetElapsedTime(failure.Value) > MaxDistance).ToList())
            {
                _failed.Remove(server);
            }

            return [.. servers.OrderBy(server => _failed.GetValueOrDefault(server, long.MinValue))];
        }
    }

    /// <summary>Null where none is left that may be used.</summary>
    private LdapSession? TakeIdle()
    {
        lock (_lock)
        {
            while (_idle is [.., var last])
            {
                _idle.RemoveAt(_idle.Count - 1);
                if (IsTrusted(last) && time.GetElapsedTime(last.Used) < MaxIdle && time.GetElapsedTime(last.Opened) < MaxAge)
                {
                    return last;
                }

                last.Connection.Dispose();
            }

            return null;
        }
    }

    private void Keep(LdapSession session)
    {
        lock (_lock)
        {
            if (!_isDisposed)
            {
                session.Used = time.GetTimestamp();
                _idle.Add(session);
                return;
            }
        }

        session.Connection.Dispose();
    }

    private void Clear()
    {
        lock (_lock)
        {
            _idle.ForEach(session => session.Connection.Dispose());
            _idle.Clear();
        }
    }
}
