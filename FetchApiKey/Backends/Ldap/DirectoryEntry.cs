// Somebody's entry in a directory.

namespace FetchApiKey.Backends.Ldap;

/// <summary>
/// An entry with the attributes that were asked for, whatever the case of their names. A value is octets: not all are text.
/// </summary>
public sealed class DirectoryEntry(string dn, IReadOnlyDictionary<string, IReadOnlyList<byte[]>> attributes)
{
    /// <summary>Not empty.</summary>
    public string Dn => dn;

    public IReadOnlyList<byte[]> Octets(string attribute) => attributes.GetValueOrDefault(attribute, []);

    /// <summary>Those of the values that are text.</summary>
    public IEnumerable<string> this[string attribute] => Octets(attribute).Select(value => BerReader.TextOf(value)).OfType<string>();

    /// <summary>Null where there is no value, or the first is no text.</summary>
    public string? First(string attribute) => Octets(attribute) is [var value, ..] ? BerReader.TextOf(value) : null;
}
