// What an entry says of a person, by the settings.

using System.Globalization;
using FetchApiKey.Accounts;
using Microsoft.Extensions.Logging;

namespace FetchApiKey.Backends.Ldap;

internal sealed class EntryRules(LdapSettings settings, ILogger log)
{
    /// <summary>ADS_UF_ACCOUNTDISABLE of Active Directory.</summary>
    private const int AccountDisabled = 2;

    /// <summary>Of a unique id. They have 16 octets, or 36 characters.</summary>
    private const int LongestId = 256;

    /// <summary>
    /// What stands in org_membership for the root realm, whose subdomain is empty: Zulip's name, and that of our settings.
    /// </summary>
    private static readonly string[] RootNames = ["www", "@"];

    /// <summary>
    /// Whether an entry has a typed name as it is, ASCII case aside. A directory matches names without regard to case, blanks and
    /// look-alikes of Unicode; each spelling would have an attempt limit of its own.
    /// </summary>
    public bool IsOf(DirectoryEntry entry, string typed) =>
        entry[settings.UsernameAttribute].Any(value => Same(value, typed))
        || (settings.EmailAttribute is { } email && entry[email].Any(value => Same(value, typed)));

    /// <summary>
    /// The address attribute; else the user name that was typed, of several that an entry may have, with the domain or as it is.
    /// </summary>
    public EmailAddress? EmailOf(DirectoryEntry entry, string typed)
    {
        if (settings.EmailAttribute is { } attribute)
        {
            return entry.First(attribute) is { } email ? EmailAddress.TryParse(email) : null;
        }

        return entry[settings.UsernameAttribute].FirstOrDefault(value => Same(value, typed)) is not { } username ? null
            : settings.AppendDomain is not { } domain ? EmailAddress.TryParse(username)
            : username.Contains('@', StringComparison.Ordinal) ? null
            : EmailAddress.TryParse($"{username}@{domain}");
    }

    /// <summary>As a Zulip server decides: either way in is enough; where neither is set, everybody has access.</summary>
    public bool HasAccess(Realm realm, DirectoryEntry entry, bool matchesFilter)
    {
        if (!settings.Attributes.TryGetValue("org_membership", out var membership))
        {
            return matchesFilter;
        }

        return entry[membership].Any(value => value == realm.Subdomain || (realm.Subdomain.Length == 0 && RootNames.Contains(value)))
            || (settings.AccessFilter is not null && matchesFilter);
    }

    /// <summary>A value that is not understood disables, since it was meant to say something, and is logged.</summary>
    public bool IsDisabled(DirectoryEntry entry) =>
        Says(entry, "userAccountControl", HasDisablingBit)
        | Says(
            entry, "deactivated", text => text?.ToUpperInvariant() switch { "TRUE" or "YES" => true, "FALSE" or "NO" => false, _ => null });

    /// <summary>Empty where the directory has none; null for one that no account may have.</summary>
    public string? FullNameOf(DirectoryEntry entry)
    {
        var name = Text("full_name");
        name = name is "" ? Text("first_name") is { } first && Text("last_name") is { } last ? $"{first} {last}".Trim() : null : name;
        return name is "" || (name is not null && FullName.IsName(name)) ? name : null;

        string? Text(string of) => settings.Attributes.TryGetValue(of, out var attribute) && entry.Octets(attribute).Count > 0
            ? entry.First(attribute)?.Trim()
            : "";
    }

    /// <summary>
    /// A digest of what stays the same when everything else of an entry changes; null where the settings name no such attribute, or the
    /// entry has it not once.
    /// </summary>
    public string? UniqueIdOf(DirectoryEntry entry) =>
        settings.Attributes.TryGetValue("unique_account_id", out var attribute)
            && entry.Octets(attribute) is [{ Length: > 0 and <= LongestId } id]
            ? DirectoryIds.DigestOf(id)
            : null;

    private static bool? HasDisablingBit(string? text) =>
        int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var bits) ? (bits & AccountDisabled) != 0 : null;

    /// <param name="isDisabling">Null for what is not understood.</param>
    private bool Says(DirectoryEntry entry, string name, Func<string?, bool?> isDisabling)
    {
        var disables = false;
        foreach (var value in settings.Attributes.TryGetValue(name, out var attribute) ? entry.Octets(attribute) : [])
        {
            if (isDisabling(BerReader.TextOf(value)) is { } isTold)
            {
                disables |= isTold;
            }
            else
            {
                log.DirectoryValueNotUnderstood(settings.Id, name);
                disables = true;
            }
        }

        return disables;
    }

    public static bool Same(string one, string other) => LoginName.CanonicalOf(one) == LoginName.CanonicalOf(other);
}
