// Somebody's entry in a directory.

namespace FetchApiKey.Backends.Ldap;

/// <summary>
/// An entry with the attributes that it came with. A value is octets: not all are text.
/// </summary>
public sealed class DirectoryEntry(string dn, DirectoryAttributes attributes)
{
    /// <summary>Not empty.</summary>
    public string Dn => dn;

    /// <summary>Of the attributes, without options.</summary>
    public IReadOnlyCollection<string> Names => attributes.Names;

    public IReadOnlyList<byte[]> Octets(string attribute) => attributes.ValuesOf(attribute);

    /// <summary>Those of the values that are text.</summary>
    public IEnumerable<string> this[string attribute] => Octets(attribute).Select(value => BerReader.TextOf(value)).OfType<string>();

    /// <summary>Null where there is no value, or the first is no text.</summary>
    public string? First(string attribute) => Octets(attribute) is [var value, ..] ? BerReader.TextOf(value) : null;
}

/// <summary>
/// Values by the name of their attribute, whatever its case. RFC 4512 section 2.5: a name may have options behind it, mail;lang-de, and
/// is then a subtype of the name alone. What asks for mail, or searches by it, means both. Values without options come first.
/// </summary>
public sealed class DirectoryAttributes
{
    private readonly Dictionary<string, List<byte[]>> _values = new(StringComparer.OrdinalIgnoreCase);
    private readonly HashSet<string> _descriptions = new(StringComparer.OrdinalIgnoreCase);

    public IReadOnlyCollection<string> Names => _values.Keys;

    public IReadOnlyList<byte[]> ValuesOf(string name) => _values.GetValueOrDefault(name, []);

    /// <summary>False where it is there already, with the same options.</summary>
    /// <param name="description">The name, and options.</param>
    public bool TryAdd(string description, IReadOnlyList<byte[]> values)
    {
        var name = description.Split(';')[0];
        var all = _values.TryGetValue(name, out var others) ? others : _values[name] = [];
        all.InsertRange(name.Length == description.Length ? 0 : all.Count, values);
        return _descriptions.Add(description);
    }
}
