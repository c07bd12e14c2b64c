// What an operator sets: one validated type, read from the environment, with every fault reported at once.

using System.Globalization;
using FetchApiKey.Accounts;
using FetchApiKey.Attempts;
using FetchApiKey.Backends.Ldap;
using FetchApiKey.Passwordless;
using FetchApiKey.Passwords;
using FetchApiKey.Telemetry;
using Microsoft.Extensions.Configuration;

namespace FetchApiKey;

/// <summary>The settings cannot be used. Each fault names its variable; none quotes a secret.</summary>
public sealed class InvalidSettingsException(IReadOnlyList<string> faults)
    : Exception("Invalid settings:" + string.Concat(faults.Select(fault => "\n  " + fault)))
{
    public IReadOnlyList<string> Faults { get; } = faults;
}

/// <summary>How the tables are reached: by connection string, or by URI with a managed identity or an operator's own login.</summary>
public sealed class StorageSettings
{
    /// <summary>AccountStorage. A secret.</summary>
    public string? ConnectionString { get; init; }

    /// <summary>AccountStorage__tableServiceUri, for instance https://NAME.table.core.windows.net.</summary>
    public Uri? TableServiceUri { get; init; }

    /// <summary>AccountStorage__clientId, of a user-assigned identity; null for the system-assigned one.</summary>
    public string? ManagedIdentityClientId { get; init; }

    /// <summary>AccountStorage__credential is azurecli: whoever ran az login, for an operator's commands alone.</summary>
    public bool UsesAzureCli { get; init; }

    /// <summary>TablePrefix: up to 20 letters and digits, a letter first; tells deployments in one storage account apart.</summary>
    public string TablePrefix { get; init; } = "";
}

public sealed class Settings
{
    public required StorageSettings Storage { get; init; }

    /// <summary>
    /// ExternalHost: names without a port, separated by commas. A request for one of them is for the root realm, for a
    /// subdomain of one of them for that realm, and for any other host for none.
    /// </summary>
    public required IReadOnlyList<string> ExternalHosts { get; init; }

    /// <summary>RealmCacheSeconds, 0 to 3600: how old a realm's settings may be at a login.</summary>
    public TimeSpan RealmMaxAge { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// Argon2__memoryKib, __passes, __lanes, within the ceilings, and Argon2__engine, built-in or konscious;
    /// HashCeiling__memoryKib, __passes, __lanes, __pbkdf2Iterations;
    /// Hashing__memoryMib, __slots, __laneThreads, __queueLength, __maxWaitMs.
    /// </summary>
    public required HashingSettings Hashing { get; init; }

    /// <summary>ApiKeys__keys__ID, base64 of 32 bytes each; ApiKeys__writeWith, an ID, needed where there are several.</summary>
    public required ApiKeySettings ApiKeys { get; init; }

    /// <summary>AttemptLimit__perAccount, __windowSeconds, __perAccountDaily, __perAddress, __perSharedAddress.</summary>
    public AttemptSettings Attempts { get; init; } = new();

    /// <summary>ClientAddress__header, ClientAddress__trustedHops; null for what the host at hand makes safe.</summary>
    public ClientAddressSettings? ClientAddress { get; init; }

    /// <summary>Whether Azure's own WEBSITE_HOSTNAME is there.</summary>
    public bool IsOnAzure { get; init; }

    /// <summary>CorsAllowedOrigins: origins separated by commas, or *. Empty: no CORS headers, no preflight.</summary>
    public IReadOnlyList<string> CorsAllowedOrigins { get; init; } = [];

    /// <summary>Ldap__ID__NAME.</summary>
    public IReadOnlyList<LdapSettings> Ldap { get; init; } = [];

    public TelemetrySettings Telemetry { get; init; } = new();

    /// <summary>DevelopmentLogin: false, true or refuse.</summary>
    public DevelopmentLoginMode DevelopmentLogin { get; init; }

    /// <summary>Jwt__ID__realms and the rest of each section, by the realm's subdomain.</summary>
    public IReadOnlyDictionary<string, JwtSettings> Jwt { get; init; } = new Dictionary<string, JwtSettings>();

    /// <summary>Audit__retentionDays, 1 to 3650.</summary>
    public TimeSpan AuditRetention { get; init; } = TimeSpan.FromDays(400);

    public const string AzureHostVariable = "WEBSITE_HOSTNAME";

    /// <summary>
    /// Reads and validates. An operator's command does not answer requests, so it needs no ExternalHost.
    /// </summary>
    /// <exception cref="InvalidSettingsException">One or more settings are missing or out of range.</exception>
    public static Settings Read(IConfiguration configuration, bool answersRequests)
    {
        var reader = new Reader(configuration);
        var ceilings = new HashCeilings
        {
            MemoryKib = reader.Integer("HashCeiling:memoryKib", new HashCeilings().MemoryKib, 8, 4 * 1024 * 1024),
            Passes = reader.Integer("HashCeiling:passes", new HashCeilings().Passes, 1, 1000),
            Lanes = reader.Integer("HashCeiling:lanes", new HashCeilings().Lanes, 1, 255),
            Pbkdf2Iterations = reader.Integer("HashCeiling:pbkdf2Iterations", new HashCeilings().Pbkdf2Iterations, 1, 100_000_000),
        };
        var lanes = reader.Integer("Argon2:lanes", Argon2Cost.Default.Lanes, 1, ceilings.Lanes);
        var cost = new Argon2Cost(
            reader.Integer("Argon2:memoryKib", Argon2Cost.Default.MemoryKib, 8 * lanes, ceilings.MemoryKib),
            reader.Integer("Argon2:passes", Argon2Cost.Default.Passes, 1, ceilings.Passes),
            lanes);
        var useKonscious = reader.Choice("Argon2:engine", "built-in", "konscious") == "konscious";
        var settings = new Settings
        {
            Storage = reader.Storage(answersRequests),
            ExternalHosts = reader.ExternalHosts(answersRequests),
            RealmMaxAge = TimeSpan.FromSeconds(reader.Integer("RealmCacheSeconds", 30, 0, 3600)),
            Hashing = reader.Hashing(cost, ceilings, useKonscious),
            ApiKeys = reader.ApiKeys(),
            Attempts = reader.Attempts(),
            ClientAddress = reader.ClientAddress(),
            IsOnAzure = reader.IsOnAzure,
            CorsAllowedOrigins = reader.Origins("CorsAllowedOrigins"),
            Ldap = LdapSettings.Read(configuration, answersRequests, reader.Faults),
            Telemetry = reader.Telemetry(),
            AuditRetention = TimeSpan.FromDays(reader.Integer("Audit:retentionDays", 400, 1, 3650)),
            DevelopmentLogin = reader.DevelopmentLogin(),
            Jwt = JwtSettings.Read(reader),
        };
        reader.RefuseUnknown("Argon2", "memoryKib", "passes", "lanes", "engine");
        reader.RefuseUnknown("HashCeiling", "memoryKib", "passes", "lanes", "pbkdf2Iterations");
        reader.RefuseUnknown("Hashing", "memoryMib", "slots", "laneThreads", "queueLength", "maxWaitMs", "alsoInUse");
        reader.RefuseUnknown("ApiKeys", "keys", "writeWith");
        reader.RefuseUnknown("AttemptLimit", "perAccount", "windowSeconds", "perAccountDaily", "perAddress", "perSharedAddress");
        reader.RefuseUnknown("ClientAddress", "header", "trustedHops");
        reader.RefuseUnknown("Telemetry", "tracePercent");
        reader.RefuseUnknown("Audit", "retentionDays");
        reader.RefuseUnknown("AccountStorage", "tableServiceUri", "clientId", "credential");
        return reader.Faults.Count == 0 ? settings : throw new InvalidSettingsException(reader.Faults);
    }

    internal sealed class Reader(IConfiguration configuration)
    {
        public List<string> Faults { get; } = [];

        /// <summary>Core Tools set the variable, too, to a port of this machine.</summary>
        public bool IsOnAzure => AzureHost is { Length: > 0 } host && host != "localhost";

        /// <summary>The name alone; null where there is none.</summary>
        private string? AzureHost => Text(AzureHostVariable)?.Split(':')[0].ToLowerInvariant();

        public int Integer(string key, int fallback, int min, int max)
        {
            if (Text(key) is not { } text)
            {
                if (fallback < min || fallback > max)
                {
                    Faults.Add($"{Variable(key)}: its default {fallback} lies outside {min} to {max}; set it or what bounds it");
                }

                return fallback;
            }

            if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value) && value >= min && value <= max)
            {
                return value;
            }

            Faults.Add($"{Variable(key)}: must be a whole number from {min} to {max}");
            return fallback;
        }

        /// <summary>One of the values; the first when there is none.</summary>
        public string Choice(string key, params string[] values)
        {
            if (Text(key) is not { } text)
            {
                return values[0];
            }

            if (!values.Contains(text, StringComparer.Ordinal))
            {
                Faults.Add($"{Variable(key)}: must be {string.Join(" or ", values)}");
            }

            return text;
        }

        /// <summary>It hands out keys without a password, so a deployment that the internet reaches must not come up with it.</summary>
        public DevelopmentLoginMode DevelopmentLogin()
        {
            var mode = Choice("DevelopmentLogin", "false", "true", "refuse") switch
            {
                "true" => DevelopmentLoginMode.On,
                "refuse" => DevelopmentLoginMode.Refuse,
                _ => DevelopmentLoginMode.Absent,
            };
            if (mode != DevelopmentLoginMode.Absent && IsOnAzure)
            {
                Faults.Add("DevelopmentLogin: gives anybody every API key, so it is not for Azure; leave it out");
            }

            return mode;
        }

        public HashingSettings Hashing(Argon2Cost cost, HashCeilings ceilings, bool useKonscious)
        {
            var defaults = new GateLimits();
            var limits = new GateLimits
            {
                MemoryBytes = Integer("Hashing:memoryMib", 0, 0, 1024 * 1024) * 1024L * 1024,
                Slots = Integer("Hashing:slots", 0, 0, 256),
                LaneThreads = Integer("Hashing:laneThreads", 0, 0, 64),
                QueueLength = Integer("Hashing:queueLength", defaults.QueueLength, 1, 100_000),
                MaxWait = TimeSpan.FromMilliseconds(Integer("Hashing:maxWaitMs", (int)defaults.MaxWait.TotalMilliseconds, 1, 8000)),
            };
            var settings = new HashingSettings(cost, ceilings, limits, useKonscious) { AlsoInUse = Costs("Hashing:alsoInUse", ceilings) };
            if (HashingGate.SlotsFor(PasswordHasher.SlotBytes(settings.LargestMemoryKib, useKonscious), limits) < 1)
            {
                Faults.Add("Hashing__memoryMib: leaves no room for a hash of Argon2__memoryKib");
            }

            return settings;
        }

        /// <summary>KIB:PASSES:LANES or pbkdf2:ITERATIONS, separated by commas.</summary>
        private List<HashCost> Costs(string key, HashCeilings ceilings)
        {
            var costs = new List<HashCost>();
            foreach (var text in List(Text(key)))
            {
                var parts = text.Split(':');
                var numbers = parts.Select(part => int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : 0).ToArray();
                switch (parts)
                {
                    case ["pbkdf2", _] when numbers[1] >= 1 && numbers[1] <= ceilings.Pbkdf2Iterations:
                        costs.Add(new HashCost(null, numbers[1]));
                        break;
                    case [_, _, _] when numbers[0] >= 8 * numbers[2] && numbers[0] <= ceilings.MemoryKib
                        && numbers[1] >= 1 && numbers[1] <= ceilings.Passes && numbers[2] >= 1 && numbers[2] <= ceilings.Lanes:
                        costs.Add(new HashCost(new Argon2Cost(numbers[0], numbers[1], numbers[2]), 0));
                        break;
                    default:
                        Faults.Add($"{Variable(key)}: '{text}' is not KIB:PASSES:LANES or pbkdf2:ITERATIONS within the ceilings");
                        break;
                }
            }

            return costs;
        }

        public ApiKeySettings ApiKeys()
        {
            var keys = new Dictionary<string, byte[]>(StringComparer.Ordinal);
            foreach (var entry in configuration.GetSection("ApiKeys:keys").GetChildren())
            {
                var key = new byte[ApiKeySettings.KeyBytes + 1];
                if (entry.Key.Length > 20 || !entry.Key.All(char.IsAsciiLetterOrDigit))
                {
                    Faults.Add($"{Variable(entry.Path)}: its id must be up to 20 letters and digits");
                }
                else if (Convert.TryFromBase64String(entry.Value ?? "", key, out var length) && length == ApiKeySettings.KeyBytes)
                {
                    keys.Add(entry.Key.ToLowerInvariant(), key[..length]);
                }
                else
                {
                    Faults.Add($"{Variable(entry.Path)}: must be base64 of {ApiKeySettings.KeyBytes} bytes; 'keys generate' makes one");
                }
            }

            var writeWith = Text("ApiKeys:writeWith")?.ToLowerInvariant();
            if (keys.Count == 0)
            {
                Faults.Add("ApiKeys__keys__ID: must hold a key that API keys are sealed with, under an ID of your choice; 'keys generate' makes one");
            }
            else if (writeWith is null && keys.Count > 1)
            {
                Faults.Add("ApiKeys__writeWith: must name one of the keys, since there are several");
            }
            else if (writeWith is not null && !keys.ContainsKey(writeWith))
            {
                Faults.Add("ApiKeys__writeWith: names no key of ApiKeys__keys");
            }

            return new ApiKeySettings(keys, writeWith ?? keys.Keys.FirstOrDefault() ?? "");
        }

        public AttemptSettings Attempts()
        {
            var defaults = new AttemptSettings();
            return new AttemptSettings
            {
                PerAccount = Integer("AttemptLimit:perAccount", defaults.PerAccount, 1, 1000),
                Window = TimeSpan.FromSeconds(Integer("AttemptLimit:windowSeconds", (int)defaults.Window.TotalSeconds, 1, 86_400)),
                PerAccountDaily = Integer("AttemptLimit:perAccountDaily", defaults.PerAccountDaily, 1, 1000),
                PerAddress = Integer("AttemptLimit:perAddress", defaults.PerAddress, 1, 1000),
                PerSharedAddress = Integer("AttemptLimit:perSharedAddress", defaults.PerSharedAddress, 1, 1000),
            };
        }

        public ClientAddressSettings? ClientAddress()
        {
            var header = Text("ClientAddress:header");
            if (header is null && Text("ClientAddress:trustedHops") is null)
            {
                return null;
            }

            if (header is not null && !header.All(c => char.IsAsciiLetterOrDigit(c) || c == '-'))
            {
                Faults.Add("ClientAddress__header: must be the name of a header");
            }

            return new ClientAddressSettings(header ?? ClientAddressSettings.Direct.Header, Integer("ClientAddress:trustedHops", 1, 0, 10));
        }

        public TelemetrySettings Telemetry()
        {
            var insights = Text("APPLICATIONINSIGHTS_CONNECTION_STRING");
            if (insights is not null && (!Parts(insights).TryGetValue("InstrumentationKey", out var key) || !Guid.TryParse(key, out _)))
            {
                Faults.Add("APPLICATIONINSIGHTS_CONNECTION_STRING: is not a connection string of Application Insights");
            }

            var identity = Parts(Text("APPLICATIONINSIGHTS_AUTHENTICATION_STRING"));
            if (identity.Count > 0 && identity.GetValueOrDefault("Authorization") != "AAD")
            {
                Faults.Add("APPLICATIONINSIGHTS_AUTHENTICATION_STRING: must be Authorization=AAD, with ClientId=... for a user-assigned identity");
            }

            if (Text(TelemetrySettings.OtlpEndpointVariable) is { } otlp && (!Uri.TryCreate(otlp, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https")))
            {
                Faults.Add($"{TelemetrySettings.OtlpEndpointVariable}: must be an http or https URI");
            }

            return new TelemetrySettings
            {
                ApplicationInsights = insights,
                UsesIdentity = identity.Count > 0,
                IdentityClientId = identity.GetValueOrDefault("ClientId"),
                OpenTelemetry = configuration.AsEnumerable()
                    .Where(variable => variable.Key.StartsWith("OTEL_", StringComparison.Ordinal) && !string.IsNullOrWhiteSpace(variable.Value))
                    .ToDictionary(variable => variable.Key, variable => variable.Value, StringComparer.Ordinal),
                TracePercent = Integer("Telemetry:tracePercent", new TelemetrySettings().TracePercent, 0, 100),
            };
        }

        /// <summary>NAME=VALUE, separated by semicolons.</summary>
        private static Dictionary<string, string> Parts(string? text) => (text ?? "")
            .Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            .Select(part => part.Split('=', 2))
            .GroupBy(part => part[0], StringComparer.OrdinalIgnoreCase)
            .ToDictionary(part => part.Key, part => part.Last().ElementAtOrDefault(1) ?? "", StringComparer.OrdinalIgnoreCase);

        public StorageSettings Storage(bool answersRequests)
        {
            var connection = Text("AccountStorage");
            var uriText = Text("AccountStorage:tableServiceUri");
            if (connection is null == uriText is null)
            {
                Faults.Add("AccountStorage: set either AccountStorage to a connection string or AccountStorage__tableServiceUri to a URI");
            }

            if (connection is not null && !IsConnectionString(connection))
            {
                Faults.Add("AccountStorage: is not a connection string of Azure Table Storage");
            }

            Uri? uri = null;
            if (uriText is not null && (!Uri.TryCreate(uriText, UriKind.Absolute, out uri) || uri.Scheme != Uri.UriSchemeHttps))
            {
                Faults.Add("AccountStorage__tableServiceUri: must be an https URI");
            }

            var usesAzureCli = Choice("AccountStorage:credential", "managedidentity", "azurecli") == "azurecli";
            if (usesAzureCli && answersRequests)
            {
                Faults.Add("AccountStorage__credential: azurecli is for the operator's commands; nobody's own login answers requests");
            }

            var prefix = Text("TablePrefix") ?? "";
            if (prefix.Length > 20 || !prefix.All(char.IsAsciiLetterOrDigit) || (prefix.Length > 0 && !char.IsAsciiLetter(prefix[0])))
            {
                Faults.Add("TablePrefix: must be up to 20 letters and digits, a letter first");
            }

            return new StorageSettings
            {
                ConnectionString = connection,
                TableServiceUri = uri,
                ManagedIdentityClientId = Text("AccountStorage:clientId"),
                UsesAzureCli = usesAzureCli,
                TablePrefix = prefix,
            };
        }

        public List<string> ExternalHosts(bool required)
        {
            var hosts = List(Text("ExternalHost") ?? AzureHost).ConvertAll(host => host.ToLowerInvariant());
            if (required && hosts.Count == 0)
            {
                Faults.Add("ExternalHost: must name the host that clients reach this endpoint by");
            }

            foreach (var host in hosts.Where(host => !IsHost(host)))
            {
                Faults.Add($"ExternalHost: '{host}' is not a host name (without scheme, port or path)");
            }

            return hosts;
        }

        public List<string> Origins(string key)
        {
            var origins = List(Text(key));
            foreach (var origin in origins.Where(origin => origin != "*" && Realm.OriginOf(origin) != origin))
            {
                Faults.Add($"{Variable(key)}: '{origin}' is not an origin such as https://app.example.com");
            }

            return origins;
        }

        /// <summary>A misspelt name would otherwise leave a default in force unseen.</summary>
        public void RefuseUnknown(string section, params string[] known)
        {
            foreach (var child in configuration.GetSection(section).GetChildren())
            {
                if (!known.Contains(child.Key, StringComparer.OrdinalIgnoreCase))
                {
                    Faults.Add($"{Variable(child.Path)}: there is no such setting; {Variable(section)}__ takes {string.Join(", ", known)}");
                }
            }
        }

        /// <summary>The IDs of an operator's choice below a section.</summary>
        public IEnumerable<string> Sections(string name) => configuration.GetSection(name).GetChildren().Select(section => section.Key);

        /// <summary>Null when it is absent or blank.</summary>
        public string? Text(string key) => configuration[key] is { } text && !string.IsNullOrWhiteSpace(text) ? text.Trim() : null;

        public static List<string> List(string? text) =>
            [.. (text ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)];

        public static string Variable(string key) => key.Replace(":", "__", StringComparison.Ordinal);

        private static bool IsHost(string host) =>
            Uri.CheckHostName(host.Trim('[', ']')) is UriHostNameType.IPv4 or UriHostNameType.IPv6
            || (Uri.CheckHostName(host) == UriHostNameType.Dns && host.All(char.IsAscii));

        private static bool IsConnectionString(string text)
        {
            try
            {
                _ = new Azure.Data.Tables.TableServiceClient(text);
                return true;
            }
            catch (Exception fault) when (fault is InvalidOperationException or FormatException or ArgumentException)
            {
                return false;
            }
        }
    }
}
