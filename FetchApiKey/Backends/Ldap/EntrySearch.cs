// Whose entry a directory has under a name.

using Microsoft.Extensions.Logging;

namespace FetchApiKey.Backends.Ldap;

/// <param name="Filters">That are searched with, each whatever the others find; of those that find somebody the first decides.</param>
/// <param name="IsTheirs">Whether an entry is the typed name's: directories compare more loosely than we do.</param>
public sealed record DirectoryQuery(IReadOnlyList<byte[]> Filters, Func<DirectoryEntry, bool> IsTheirs);

internal sealed class EntrySearch(LdapSettings settings, ILogger log)
{
    private static readonly byte[] Anything = LdapFilter.TryParse("(objectClass=*)", "")!.With("");

    private readonly string[] _attributes =
    [
        .. new[] { settings.UsernameAttribute, settings.EmailAttribute }.OfType<string>()
            .Concat(settings.Attributes.Values).Distinct(StringComparer.OrdinalIgnoreCase),
    ];

    /// <summary>Null where nobody has the name, or it cannot be said who.</summary>
    public async Task<DirectoryEntry?> FindAsync(LdapSession session, DirectoryQuery query, CancellationToken limit)
    {
        DirectoryEntry? decided = null;
        var isDecided = false;
        foreach (var filter in query.Filters)
        {
            var found = await FindAsync(session, filter, limit);
            if (!isDecided && found.Count > 0)
            {
                isDecided = found.Count > 1 || found[0] is null || query.IsTheirs(found[0]!);
                decided = isDecided && found.Count == 1 ? found[0] : null;
            }
        }

        return decided;
    }

    /// <summary>In every base, in their order. Bases that overlap find an entry twice.</summary>
    private async Task<List<DirectoryEntry?>> FindAsync(LdapSession session, byte[] filter, CancellationToken limit)
    {
        var found = new List<DirectoryEntry?>();
        var isMore = false;
        foreach (var where in settings.UserSearchBases)
        {
            var search = new LdapSearch(where, LdapScope.Subtree, filter, _attributes);
            var (code, entries) = await session.Connection.SearchAsync(search, session.Timeout, limit);
            isMore |= code == LdapResult.SizeLimitExceeded;
            found.AddRange([.. entries.Select(Usable).Where(entry => entry is null || !found.Exists(other => Same(entry, other)))]);
        }

        if (!found.Contains(null) && (isMore || found.Count > 1))
        {
            log.DirectoryEntryAmbiguous(settings.Id);
        }

        // What was cut off is no answer that one of it could be taken from.
        return isMore ? [.. found, null, null] : found;
    }

    /// <summary>
    /// Null for one that came in part, and for one that lacks an attribute that was asked for and has one that was not. A directory
    /// answers under its own name for an attribute, whatever alias it was asked by: what says that somebody is disabled would be missed.
    /// </summary>
    private DirectoryEntry? Usable(DirectoryEntry? entry)
    {
        if (entry is null)
        {
            log.DirectoryEntryUnusable(settings.Id);
            return null;
        }

        var missing = _attributes.Except(entry.Names, StringComparer.OrdinalIgnoreCase).ToList();
        if (missing.Count == 0 || !entry.Names.Except(_attributes, StringComparer.OrdinalIgnoreCase).Any())
        {
            return entry;
        }

        log.DirectoryAttributesUnrecognised(settings.Id, string.Join(", ", missing));
        return null;
    }

    /// <summary>Asked of the directory, which knows how its attributes compare; for nobody of a base, so that it costs the same.</summary>
    public async Task<bool> MatchesAsync(LdapSession session, string? dn, byte[] filter, CancellationToken limit)
    {
        var search = new LdapSearch(dn ?? settings.UserSearchBases[0], LdapScope.Base, filter, ["1.1"]);
        return (await session.Connection.SearchAsync(search, session.Timeout, limit)).Entries.Count == 1;
    }

    /// <exception cref="DirectoryUnavailableException">It has not what people are searched below.</exception>
    public async Task<bool> SeesBasesAsync(LdapSession session, CancellationToken limit)
    {
        foreach (var (place, where) in settings.UserSearchBases.Index())
        {
            var search = new LdapSearch(where, LdapScope.Base, Anything, ["1.1"]);
            var found = await session.Connection.SearchAsync(search, session.Timeout, limit);
            if (found.Entries.Count != 1)
            {
                throw new DirectoryUnavailableException(
                    DirectoryFault.BaseMissing, $"it does not show bindDn base {place + 1} of userSearchBase");
            }
        }

        return true;
    }

    private static bool Same(DirectoryEntry one, DirectoryEntry? other) => one.Dn.Equals(other?.Dn, StringComparison.OrdinalIgnoreCase);
}
