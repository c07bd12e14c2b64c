// Settings of earlier releases that are constants now, or follow from others.

namespace FetchApiKey;

internal static class RemovedSettings
{
    /// <summary>Stands for an ID of the operator's choice.</summary>
    private const string AnyId = "ID";

    private const string StoredHashes = "the limits for stored hashes are fixed";

    /// <summary>The variables, and what holds in their place.</summary>
    public static IReadOnlyDictionary<string, string> Reasons { get; } = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase)
    {
        ["RealmCacheSeconds"] = "realms are read again after 30 seconds",
        ["HashCeiling__memoryKib"] = StoredHashes,
        ["HashCeiling__passes"] = StoredHashes,
        ["HashCeiling__lanes"] = StoredHashes,
        ["HashCeiling__pbkdf2Iterations"] = StoredHashes,
        ["Hashing__slots"] = "there is one slot for each processor, as far as Hashing__memoryMib goes",
        ["Hashing__laneThreads"] = "a hash that runs alone uses every processor",
        ["Hashing__queueLength"] = "256 logins may wait for a slot",
        ["Hashing__maxWaitMs"] = "a login waits 5 seconds for a slot",
        ["AttemptLimit__windowSeconds"] = "the window is 30 minutes",
        ["AttemptLimit__perAccountDaily"] = "it is ten times AttemptLimit__perAccount, and 1000 at the most",
        ["AttemptLimit__perSharedAddress"] = "it is 1000",
        ["Telemetry__console"] = "'fetch-api-key serve --show-telemetry' prints spans and metrics",
        [$"Ldap__{AnyId}__connections"] = "a directory is asked about 4 logins at once",
        [$"Jwt__{AnyId}__clockSkewSeconds"] = "an issuer's clock may differ by 30 seconds",
    };

    /// <param name="variable">With the ID that the operator chose, where there is one.</param>
    public static bool Contains(string variable) => Reasons.ContainsKey(Pattern(variable));

    /// <summary>A fault for each that is set, blank or not.</summary>
    public static void Refuse(SettingsReader settings)
    {
        foreach (var (variable, reason) in Reasons)
        {
            Refuse(settings, variable.Split("__"), reason);
        }

        // None of its settings is left.
        settings.Section("HashCeiling").RefuseUnknown();
    }

    private static void Refuse(SettingsReader settings, ReadOnlySpan<string> names, string reason)
    {
        switch (names)
        {
            case [AnyId, .. var rest]:
                foreach (var section in settings.Sections())
                {
                    Refuse(section, rest, reason);
                }

                break;
            case [var name]:
                if (settings.Has(name))
                {
                    settings.Fault(name, $"is no longer a setting: {reason}; remove it");
                }

                break;
            case [var name, .. var rest]:
                Refuse(settings.Section(name), rest, reason);
                break;
        }
    }

    private static string Pattern(string variable) => variable.Split("__") switch
    {
        [var section, _, var name] => $"{section}__{AnyId}__{name}",
        _ => variable,
    };
}
