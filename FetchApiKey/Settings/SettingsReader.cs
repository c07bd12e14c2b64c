// How settings are read: values by name, with everything that is wrong collected under the name of its environment variable.

using System.Globalization;
using FetchApiKey.Accounts;
using Microsoft.Extensions.Configuration;

namespace FetchApiKey;

/// <summary>
/// Reads the settings, or one section of them. A fault names the variable and what it takes; none quotes a value, which may be a
/// secret that was put in the wrong place. An absent setting and a blank one are the same.
/// </summary>
internal sealed class SettingsReader
{
    private readonly IConfiguration _configuration;
    private readonly string _prefix;
    private readonly List<string> _faults;
    private readonly Dictionary<string, string> _placeholders;
    private readonly List<string> _known = [];

    public SettingsReader(IConfiguration configuration)
        : this(configuration, "", "", [], new(StringComparer.OrdinalIgnoreCase))
    {
    }

    private SettingsReader(
        IConfiguration configuration, string id, string prefix, List<string> faults, Dictionary<string, string> placeholders) =>
        (_configuration, Id, _prefix, _faults, _placeholders) = (configuration, id, prefix, faults, placeholders);

    /// <summary>The last part of a section's name; empty for all settings.</summary>
    public string Id { get; }

    /// <summary>Of this reader and of all that were made from the same settings.</summary>
    public IReadOnlyList<string> Faults => _faults;

    public SettingsReader Section(string name)
    {
        Know(name);
        return new SettingsReader(_configuration.GetSection(name), name, $"{_prefix}{name}__", _faults, _placeholders);
    }

    /// <summary>The sections in this one, under names of an operator's choice.</summary>
    public IEnumerable<SettingsReader> Sections() => _configuration.GetChildren().Select(child => Section(child.Key));

    /// <summary>Whether the variable is there, blank or not.</summary>
    public bool Has(string name) => _configuration.GetSection(name).Exists();

    /// <summary>Without white space around it; null when it is absent or blank.</summary>
    public string? Text(string name) => Raw(name) is { } text && !string.IsNullOrWhiteSpace(text) ? text.Trim() : null;

    /// <summary>As it stands, white space included.</summary>
    public string? Raw(string name)
    {
        Know(name);
        return _configuration[name];
    }

    /// <summary>
    /// The same of a secret. One that is a placeholder is a fault, and the only one of its variable: see <see cref="RefusePlaceholders"/>.
    /// </summary>
    /// <param name="hasParts">Whether it is of parts, NAME=VALUE.</param>
    public string? Secret(string name, bool hasParts = false)
    {
        var secret = Raw(name);
        if (secret is not null && Placeholders.FaultOfSecret(secret, hasParts) is { } fault)
        {
            _placeholders[$"{_prefix}{name}"] = fault;
        }

        return secret;
    }

    public string Required(string name, string what)
    {
        if (Text(name) is { } text)
        {
            return text;
        }

        Fault(name, $"must be {what}");
        return "";
    }

    public int Integer(string name, int fallback, int min, int max)
    {
        if (Text(name) is not { } text)
        {
            return fallback;
        }

        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value) && value >= min && value <= max)
        {
            return value;
        }

        Fault(name, $"must be a whole number from {min} to {max}");
        return fallback;
    }

    /// <summary>False unless it is set to true.</summary>
    public bool Flag(string name) => Choice(name, StringComparer.OrdinalIgnoreCase, "false", "true") == "true";

    /// <summary>One of the values as they are written here; the first when there is none.</summary>
    public string Choice(string name, params string[] values) => Choice(name, StringComparer.Ordinal, values);

    /// <summary>Entries separated by commas.</summary>
    public List<string> List(string name) =>
        [.. (Text(name) ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)];

    /// <summary>The same, each parsed. A faulty one is named by its place.</summary>
    /// <param name="parse">Null for an entry that is not <paramref name="what"/>.</param>
    public List<T> List<T>(string name, Func<string, T?> parse, string what)
        where T : class
    {
        var entries = new List<T>();
        foreach (var (i, text) in List(name).Index())
        {
            if (parse(text) is { } entry)
            {
                entries.Add(entry);
            }
            else
            {
                Fault(name, $"entry {i + 1} must be {what}");
            }
        }

        return entries;
    }

    /// <summary>How the root realm is written, whose subdomain is empty.</summary>
    public const string RootRealm = "@";

    /// <summary>Subdomains, empty for the root realm, which is written @.</summary>
    /// <param name="taken">Realms of the sections before this one; those that are read are added.</param>
    public List<string> Realms(string name, HashSet<string> taken)
    {
        var realms = List(name).ConvertAll(realm => realm == RootRealm ? "" : realm);
        if (realms.Count == 0 || !realms.TrueForAll(Realm.IsSubdomain))
        {
            Fault(name, "must name subdomains of realms, separated by commas, with @ for the root realm");
            return [];
        }

        foreach (var (i, realm) in realms.Index())
        {
            if (!taken.Add(realm))
            {
                Fault(name, $"entry {i + 1} is named twice; a realm can be in one section only");
            }
        }

        return realms;
    }

    /// <summary>Variables whose names begin so, by their full names.</summary>
    public Dictionary<string, string?> Beginning(string prefix) => _configuration.AsEnumerable()
        .Where(variable => variable.Key.StartsWith(prefix, StringComparison.Ordinal) && !string.IsNullOrWhiteSpace(variable.Value))
        .ToDictionary(variable => variable.Key, variable => variable.Value, StringComparer.Ordinal);

    /// <summary>To be called when the section was read: a misspelt name would otherwise leave a default in force unseen.</summary>
    public void RefuseUnknown()
    {
        foreach (var child in _configuration.GetChildren().Select(child => child.Key))
        {
            if (!_known.Contains(child, StringComparer.OrdinalIgnoreCase) && !RemovedSettings.Contains($"{_prefix}{child}"))
            {
                Fault(child, $"there is no such setting{(_known.Count == 0 ? "" : $"; {_prefix} takes {string.Join(", ", _known)}")}");
            }
        }
    }

    /// <summary>
    /// To be called of all settings, when they were read. What else was found wrong with a placeholder says nothing, and would
    /// send an operator the wrong way.
    /// </summary>
    public void RefusePlaceholders()
    {
        var own = _configuration.GetChildren()
            .Where(child => _known.Contains(child.Key, StringComparer.OrdinalIgnoreCase))
            .SelectMany(child => child.AsEnumerable());
        foreach (var (path, value) in own)
        {
            if (value is not null && Placeholders.FaultOfReference(value) is { } fault)
            {
                _placeholders[path.Replace(":", "__", StringComparison.Ordinal)] = fault;
            }
        }

        _faults.RemoveAll(fault => _placeholders.ContainsKey(fault[..fault.IndexOf(": ", StringComparison.Ordinal)]));
        _faults.AddRange(_placeholders.Select(each => $"{each.Key}: {each.Value}"));
    }

    public void Fault(string name, string what) => _faults.Add($"{_prefix}{name}: {what}");

    private string Choice(string name, StringComparer comparer, params string[] values)
    {
        if (Text(name) is not { } text)
        {
            return values[0];
        }

        if (Array.Find(values, value => comparer.Equals(value, text)) is { } chosen)
        {
            return chosen;
        }

        Fault(name, $"must be {string.Join(" or ", values)}");
        return values[0];
    }

    private void Know(string name)
    {
        if (!_known.Contains(name))
        {
            _known.Add(name);
        }
    }
}
