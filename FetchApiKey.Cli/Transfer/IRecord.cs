// One record of a file that is imported: its fields by name, whatever the format.

using System.Globalization;

namespace FetchApiKey.Cli.Transfer;

/// <summary>A field that is there in another form than the one it is asked for in is null.</summary>
public interface IRecord
{
    IEnumerable<string> Names { get; }

    /// <summary>Whether the field is there, in whatever form; an empty one of a format without types is not.</summary>
    bool Has(string name);

    string? Text(string name);

    int? Number(string name);

    bool? Flag(string name);

    /// <summary>ISO 8601, or as PostgreSQL prints it; UTC without an offset.</summary>
    DateTimeOffset? Time(string name) =>
        Text(name) is { } text && DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time) ? time : null;
}

public sealed class JsonRecord(JsonMembers row) : IRecord
{
    public IEnumerable<string> Names => row.Names;

    public bool Has(string name) => row.Has(name);

    public string? Text(string name) => row.Text(name);

    public int? Number(string name) => row.Number(name);

    public bool? Flag(string name) => row.Flag(name);
}

/// <param name="columns">The place of each field.</param>
/// <param name="values">Null for PostgreSQL's NULL, which is in no field the form that is asked for.</param>
public sealed class TextRecord(IReadOnlyDictionary<string, int> columns, IReadOnlyList<string?> values) : IRecord
{
    public IEnumerable<string> Names => columns.Keys;

    public bool Has(string name) => columns.ContainsKey(name) && Text(name) != "";

    public string? Text(string name) => columns.TryGetValue(name, out var place) ? values[place] : null;

    public int? Number(string name) =>
        int.TryParse(Text(name), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;

    public bool? Flag(string name) => Text(name) switch
    {
        "t" or "true" => true,
        "f" or "false" => false,
        _ => null,
    };
}
