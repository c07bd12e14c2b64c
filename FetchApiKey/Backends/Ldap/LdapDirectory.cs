// Searches a directory and binds to it, on threads of its own and for no longer than the settings allow.

using System.Collections.Concurrent;
using System.DirectoryServices.Protocols;
using System.Net;
using System.Net.Sockets;
using System.Security.Authentication;
using Microsoft.Extensions.Logging;

namespace FetchApiKey.Backends.Ldap;

/// <summary>The directory could not say: it is away, too slow, not to be trusted, or too many ask at once.</summary>
public sealed class DirectoryUnavailableException(string reason) : Exception(reason);

/// <summary>Somebody's entry, with the attributes that the settings name.</summary>
public sealed record DirectoryEntry(string Dn, IReadOnlyDictionary<string, IReadOnlyList<string>> Attributes)
{
    public IReadOnlyList<string> this[string attribute] => Attributes.GetValueOrDefault(attribute, []);

    /// <summary>Null where there is no value.</summary>
    public string? First(string attribute) => this[attribute] is [var value, ..] ? value : null;
}

/// <summary>The zero value is a refusal.</summary>
public enum DirectoryVerdict
{
    NoEntry = 0,
    WrongPassword,

    /// <summary>Right password, but the entry does not match the access filter.</summary>
    RightWithoutAccess,
    Right,
}

/// <summary>
/// A thread for each connection that may be open, so that a directory which hangs takes none from the rest of the process. Each keeps
/// one connection that it searches on; a password is tried on another, made for it alone. A search and a bind for every
/// login, whether there is an entry or not.
/// </summary>
public sealed class LdapDirectory : IDisposable
{
    /// <summary>Logins that may wait for a thread.</summary>
    private const int QueueLength = 256;

    /// <summary>Whatever the directory does, there is an answer by then; it leaves time for the other backend within the request's deadline.</summary>
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(5);

    /// <summary>RFC 4511 appendix A: refusals of who asks. Whatever else goes wrong is the directory's.</summary>
    private static readonly ResultCode[] Refusals =
    [
        (ResultCode)49, ResultCode.InappropriateAuthentication, ResultCode.UnwillingToPerform, ResultCode.ConstraintViolation,
        ResultCode.InsufficientAccessRights, ResultCode.NoSuchObject, ResultCode.InvalidDNSyntax,
    ];

    private readonly LdapSettings _settings;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly BlockingCollection<Job> _jobs = new(QueueLength);
    private readonly string[] _attributes;

    public LdapDirectory(LdapSettings settings, TimeProvider time, ILogger log)
    {
        (_settings, _time, _log) = (settings, time, log);
        _attributes = [.. new[] { settings.UsernameAttribute, settings.EmailAttribute }.OfType<string>().Concat(settings.Attributes.Values).Distinct(StringComparer.OrdinalIgnoreCase)];
        for (var i = 0; i < settings.Connections; i++)
        {
            new Thread(Work) { IsBackground = true, Name = $"{settings}" }.Start();
        }
    }

    public LdapSettings Settings => _settings;

    /// <summary>Finds the one entry that a filter matches, and tries the password on it.</summary>
    /// <param name="isTheirs">Whether an entry is the typed name's: directories compare more loosely than we do.</param>
    /// <param name="password">Not empty, and without NUL, at which the library would cut it off: an empty one binds anybody (RFC 4513 section 5.1.2).</param>
    /// <exception cref="DirectoryUnavailableException">The directory could not say.</exception>
    public Task<(DirectoryVerdict Verdict, DirectoryEntry? Entry)> AuthenticateAsync(
        string filter, Func<DirectoryEntry, bool> isTheirs, string password, CancellationToken cancellation)
    {
        if (password.Length == 0 || password.Contains('\0', StringComparison.Ordinal))
        {
            throw new ArgumentException("An empty password would bind anybody.", nameof(password));
        }

        return RunAsync(
            (session, limit) =>
            {
                var entry = Find(session, filter, limit) is { } found && isTheirs(found) ? found : null;
                var isRight = session.Accepts(entry?.Dn ?? _settings.DecoyDn ?? $"cn={Guid.NewGuid():N},{_settings.UserSearchBase}", password, limit);
                if (entry is null)
                {
                    return (DirectoryVerdict.NoEntry, (DirectoryEntry?)null);
                }

                return (!isRight ? DirectoryVerdict.WrongPassword : HasAccess(session, entry, limit) ? DirectoryVerdict.Right : DirectoryVerdict.RightWithoutAccess, entry);
            },
            cancellation);
    }

    /// <summary>Whether the directory answers, and has the base that people are searched below.</summary>
    public async Task<bool> AnswersAsync(CancellationToken cancellation)
    {
        try
        {
            return await RunAsync(
                (session, limit) => session.Search(new SearchRequest(_settings.UserSearchBase, "(objectClass=*)", SearchScope.Base, "1.1"), limit).Entries.Count == 1,
                cancellation);
        }
        catch (DirectoryUnavailableException)
        {
            return false;
        }
    }

    public void Dispose() => _jobs.CompleteAdding();

    private DirectoryEntry? Find(Session session, string filter, CancellationToken limit)
    {
        var request = new SearchRequest(_settings.UserSearchBase, filter, SearchScope.Subtree, _attributes) { SizeLimit = 2 };
        SearchResponse response;
        try
        {
            response = session.Search(request, limit);
        }
        catch (DirectoryOperationException fault) when (fault.Response?.ResultCode == ResultCode.SizeLimitExceeded)
        {
            _log.DirectoryEntryAmbiguous(_settings.Id);
            return null;
        }

        if (response.Entries.Count > 1)
        {
            _log.DirectoryEntryAmbiguous(_settings.Id);
        }

        return response.Entries.Count == 1 ? EntryOf(response.Entries[0]) : null;
    }

    /// <summary>Asked of the directory, which knows how its attributes compare.</summary>
    private bool HasAccess(Session session, DirectoryEntry entry, CancellationToken limit) =>
        _settings.AccessFilter is null
        || session.Search(new SearchRequest(entry.Dn, _settings.AccessFilter.ToString(), SearchScope.Base, "1.1"), limit).Entries.Count == 1;

    private static DirectoryEntry EntryOf(SearchResultEntry found)
    {
        var attributes = new Dictionary<string, IReadOnlyList<string>>(StringComparer.OrdinalIgnoreCase);
        foreach (DirectoryAttribute attribute in found.Attributes.Values)
        {
            attributes[attribute.Name] = [.. attribute.GetValues(typeof(string)).Cast<string>()];
        }

        return new DirectoryEntry(found.DistinguishedName, attributes);
    }

    private async Task<T> RunAsync<T>(Func<Session, CancellationToken, T> work, CancellationToken cancellation)
    {
        using var limit = new CancellationTokenSource(Limit, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellation);
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        var job = new Job(
            session => done.TrySetResult(work(session, either.Token)),
            reason => done.TrySetException(new DirectoryUnavailableException(reason)),
            either.Token);
        try
        {
            if (!_jobs.TryAdd(job))
            {
                throw new DirectoryUnavailableException("too many logins wait for it");
            }

            return await done.Task.WaitAsync(either.Token);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            _log.DirectoryUnavailable(_settings.Id, "no answer in time");
            throw new DirectoryUnavailableException("no answer in time");
        }
        catch (DirectoryUnavailableException fault)
        {
            _log.DirectoryUnavailable(_settings.Id, fault.Message);
            throw;
        }
        finally
        {
            await either.CancelAsync();
        }
    }

    private void Work()
    {
        using var session = new Session(_settings, _time);
        foreach (var job in _jobs.GetConsumingEnumerable())
        {
            // Whoever waited for it may have gone, and its token with it.
            if (job.Limit.IsCancellationRequested)
            {
                continue;
            }

            try
            {
                job.Run(session);
            }
            catch (Exception fault)
            {
                // No fault may end a thread that others wait for; types and codes, never a message, which may quote a name.
                job.Fail(fault switch
                {
                    LdapException ldap => $"LDAP error {ldap.ErrorCode}",
                    DirectoryOperationException operation => $"LDAP result {operation.Response?.ResultCode}",
                    AuthenticationException => "its certificate or its TLS is refused",
                    SocketException socket => $"{socket.SocketErrorCode}",
                    DirectoryUnavailableException unavailable => unavailable.Message,
                    _ => fault.GetType().Name,
                });
            }
        }
    }

    private sealed record Job(Action<Session> Run, Action<string> Fail, CancellationToken Limit);

    /// <summary>What one thread has of the directory.</summary>
    private sealed class Session(LdapSettings settings, TimeProvider time) : IDisposable
    {
        private Bound? _search;

        /// <summary>On the standing connection, which is made anew, once, where the directory has closed it meanwhile, and not where it is silent.</summary>
        public SearchResponse Search(SearchRequest request, CancellationToken limit)
        {
            var isFresh = _search is null;
            var begun = time.GetTimestamp();
            try
            {
                return SearchOnce(request, limit);
            }
            catch (LdapException) when (!isFresh && !limit.IsCancellationRequested && time.GetElapsedTime(begun) < settings.OperationTimeout)
            {
                return SearchOnce(request, limit);
            }
        }

        /// <summary>Binds on a connection made for this alone: none is ever searched on that somebody's password opened.</summary>
        public bool Accepts(string dn, string password, CancellationToken limit)
        {
            try
            {
                Bind(dn, password, limit).Dispose();
                return true;
            }
            catch (LdapException fault) when (Refusals.Contains((ResultCode)fault.ErrorCode))
            {
                return false;
            }
            catch (DirectoryOperationException fault) when (fault.Response is { } response && Refusals.Contains(response.ResultCode))
            {
                return false;
            }
        }

        public void Dispose() => _search?.Dispose();

        private SearchResponse SearchOnce(SearchRequest request, CancellationToken limit)
        {
            try
            {
                _search ??= Bind(settings.BindDn, settings.BindPassword, limit);
            }
            catch (LdapException fault) when (Refusals.Contains((ResultCode)fault.ErrorCode))
            {
                throw new DirectoryUnavailableException("it refuses bindDn and bindPassword");
            }

            try
            {
                using var cut = _search.CutAfter(settings.OperationTimeout, time, limit);
                return (SearchResponse)_search.Connection.SendRequest(request);
            }
            catch (Exception fault) when (fault is not DirectoryOperationException)
            {
                _search.Dispose();
                _search = null;
                throw;
            }
        }

        private Bound Bind(string dn, string password, CancellationToken limit)
        {
            using var late = new CancellationTokenSource(settings.ConnectTimeout, time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(limit, late.Token);
            var bound = new Bound(LdapChannel.OpenAsync(settings, either.Token).GetAwaiter().GetResult());
            try
            {
                using var cut = bound.CutAfter(settings.OperationTimeout, time, limit);
                bound.Bind(dn, password);
                return bound;
            }
            catch
            {
                bound.Dispose();
                throw;
            }
        }
    }

    private sealed class Bound(LdapChannel channel) : IDisposable
    {
        public LdapConnection Connection { get; } = New(channel);

        public void Bind(string dn, string password)
        {
            if (dn.Length == 0)
            {
                Connection.AuthType = AuthType.Anonymous;
                Connection.Bind();
            }
            else
            {
                Connection.Bind(new NetworkCredential(dn, password));
            }
        }

        /// <summary>Until it is disposed of, the channel is cut after this time or at the limit, which ends whatever the library waits for.</summary>
        public IDisposable CutAfter(TimeSpan timeout, TimeProvider time, CancellationToken limit)
        {
            var late = new CancellationTokenSource(timeout, time);
            late.Token.Register(channel.Dispose);
            return new Cut(late, limit.Register(channel.Dispose));
        }

        public void Dispose()
        {
            channel.Dispose();
            Connection.Dispose();
        }

        private static LdapConnection New(LdapChannel channel)
        {
            var connection = new LdapConnection(new LdapDirectoryIdentifier("127.0.0.1", channel.Port, fullyQualifiedDnsHostName: true, connectionless: false))
            {
                AuthType = AuthType.Basic,
                AutoBind = false,
                // Above every limit of ours: the channel is what is cut.
                Timeout = TimeSpan.FromSeconds(30),
            };
            connection.SessionOptions.ProtocolVersion = 3;
            // A referral would lead elsewhere, past the channel.
            connection.SessionOptions.ReferralChasing = ReferralChasingOptions.None;
            return connection;
        }

        private sealed record Cut(CancellationTokenSource Late, CancellationTokenRegistration AtLimit) : IDisposable
        {
            public void Dispose()
            {
                AtLimit.Dispose();
                Late.Dispose();
            }
        }
    }
}
