// What an operator sets: one validated type, read from the environment, with every fault reported at once.

using FetchApiKey.Accounts;
using FetchApiKey.Attempts;
using FetchApiKey.Backends.Ldap;
using FetchApiKey.Passwordless;
using FetchApiKey.Passwords;
using FetchApiKey.Telemetry;
using Microsoft.Extensions.Configuration;

namespace FetchApiKey;

public sealed record Settings
{
    public required StorageSettings Storage { get; init; }

    /// <summary>
    /// ExternalHost: names without a port, separated by commas. A request for one of them is for the root realm, for a
    /// subdomain of one of them for that realm, and for any other host for none.
    /// </summary>
    public required IReadOnlyList<string> ExternalHosts { get; init; }

    /// <summary>
    /// RealmHosts: entries such as chat.acme.org=acme, separated by commas. The subdomain of the realm of a host that is no external one.
    /// </summary>
    public IReadOnlyDictionary<string, string> RealmHosts { get; init; } = new Dictionary<string, string>();

    /// <summary>How old a realm's settings may be at a login.</summary>
    public TimeSpan RealmMaxAge { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Argon2__memoryKib, __passes, __lanes, __engine; Hashing__memoryMib, __alsoInUse.</summary>
    public required HashingSettings Hashing { get; init; }

    /// <summary>ApiKeys__keys__ID, base64 of 32 bytes each; ApiKeys__writeWith, an ID, needed where there are several.</summary>
    public required ApiKeySettings ApiKeys { get; init; }

    /// <summary>AttemptLimit__perAccount, __perAddress.</summary>
    public AttemptSettings Attempts { get; init; } = new();

    /// <summary>ClientAddress__header, ClientAddress__trustedHops; null for what the host at hand makes safe.</summary>
    public ClientAddressSettings? ClientAddress { get; init; }

    /// <summary>Whether Azure runs this process.</summary>
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

    /// <summary>
    /// Reads and validates. An operator's command does not answer requests, so it needs no ExternalHost.
    /// </summary>
    /// <exception cref="InvalidSettingsException">One or more settings are missing, out of range or no longer settings.</exception>
    public static Settings Read(IConfiguration configuration, bool answersRequests)
    {
        var reader = new SettingsReader(configuration);
        var website = WebsiteHost.Read(reader);
        var isOnAzure = website is { IsLoopback: false };
        var externalHosts = ReadExternalHosts(reader, website, answersRequests);
        var settings = new Settings
        {
            Storage = StorageSettings.Read(reader, answersRequests),
            ExternalHosts = externalHosts,
            RealmHosts = ReadRealmHosts(reader, externalHosts),
            Hashing = HashingSection.Read(reader, answersRequests),
            ApiKeys = ApiKeySection.Read(reader),
            Attempts = ReadAttempts(reader.Section("AttemptLimit")),
            ClientAddress = ReadClientAddress(reader.Section("ClientAddress")),
            IsOnAzure = isOnAzure,
            CorsAllowedOrigins = reader.List(
                "CorsAllowedOrigins",
                text => text == "*" || Realm.OriginOf(text) == text ? text : null,
                "an origin such as https://app.example.com"),
            Ldap = LdapSection.Read(reader),
            Telemetry = TelemetrySection.Read(reader),
            AuditRetention = ReadAuditRetention(reader.Section("Audit")),
            DevelopmentLogin = ReadDevelopmentLogin(reader, isOnAzure),
            Jwt = JwtSettings.Read(reader),
        };
        if (settings.DevelopmentLogin == DevelopmentLoginMode.On && settings.CorsAllowedOrigins.Contains("*"))
        {
            reader.Fault(
                "CorsAllowedOrigins", "must not be * with DevelopmentLogin: any web page in a browser on this machine could read every API key; name the origins");
        }

        RemovedSettings.Refuse(reader);
        reader.RefusePlaceholders();
        return reader.Faults.Count == 0 ? settings : throw new InvalidSettingsException(reader.Faults);
    }

    /// <summary>Some hold secrets, so none is printed.</summary>
    public override string ToString() => nameof(Settings);

    private static List<string> ReadExternalHosts(SettingsReader reader, WebsiteHost? website, bool isRequired)
    {
        var hosts = reader.List(
            "ExternalHost", text => HostName.Normalize(text) is { } host && IsHost(host) ? host : null, "a host name, without scheme, port or path");
        if (reader.List("ExternalHost").Count > 0)
        {
            return hosts;
        }

        if (website is not null && IsHost(website.Name))
        {
            return [website.Name];
        }

        if (isRequired)
        {
            reader.Fault("ExternalHost", "must name the host that clients reach this endpoint by");
        }

        return [];
    }

    /// <summary>A host that two claim would belong to whichever is looked at first.</summary>
    private static Dictionary<string, string> ReadRealmHosts(SettingsReader reader, List<string> externalHosts)
    {
        var byHost = new Dictionary<string, string>(StringComparer.Ordinal);
        var entries = reader.List(
            "RealmHosts", ParseRealmHost, "a host name and a subdomain, such as chat.example.org=acme; the root realm is written @");
        foreach (var (host, subdomain) in entries.Select(entry => (entry[0], entry[1])))
        {
            if (externalHosts.Contains(host) || !byHost.TryAdd(host, subdomain))
            {
                reader.Fault("RealmHosts", "must name each host once, and none that ExternalHost names");
            }
        }

        return byHost;
    }

    private static string[]? ParseRealmHost(string text) =>
        text.Split('=', StringSplitOptions.TrimEntries) is [var name, var realm] && HostName.Normalize(name) is { } host && IsHost(host)
        && (realm == SettingsReader.RootRealm || (realm.Length > 0 && Realm.IsSubdomain(realm)))
            ? [host, realm == SettingsReader.RootRealm ? "" : realm]
            : null;

    private static bool IsHost(string host) =>
        Uri.CheckHostName(host.Trim('[', ']')) is UriHostNameType.IPv4 or UriHostNameType.IPv6
        || (Uri.CheckHostName(host) == UriHostNameType.Dns && host.All(char.IsAscii));

    private static AttemptSettings ReadAttempts(SettingsReader limit)
    {
        var defaults = new AttemptSettings();
        var perAccount = limit.Integer("perAccount", defaults.PerAccount, 1, AttemptSettings.MaxFailures);
        var settings = new AttemptSettings
        {
            PerAccount = perAccount,
            PerAccountDaily = AttemptSettings.DailyOf(perAccount),
            PerAddress = limit.Integer("perAddress", defaults.PerAddress, 1, AttemptSettings.MaxFailures),
        };
        limit.RefuseUnknown();
        return settings;
    }

    private static ClientAddressSettings? ReadClientAddress(SettingsReader address)
    {
        var (header, hops) = (address.Text("header"), address.Text("trustedHops"));
        address.RefuseUnknown();
        if (header is null && hops is null)
        {
            return null;
        }

        if (header is not null && !header.All(c => char.IsAsciiLetterOrDigit(c) || c == '-'))
        {
            address.Fault("header", "must be the name of a header");
        }

        return new ClientAddressSettings(header ?? ClientAddressSettings.Direct.Header, address.Integer("trustedHops", 1, 0, 10));
    }

    private static TimeSpan ReadAuditRetention(SettingsReader audit)
    {
        var days = audit.Integer("retentionDays", 400, 1, 3650);
        audit.RefuseUnknown();
        return TimeSpan.FromDays(days);
    }

    /// <summary>It hands out keys without a password, so a deployment that the internet reaches must not start with it.</summary>
    private static DevelopmentLoginMode ReadDevelopmentLogin(SettingsReader reader, bool isOnAzure)
    {
        var mode = reader.Choice("DevelopmentLogin", "false", "true", "refuse") switch
        {
            "true" => DevelopmentLoginMode.On,
            "refuse" => DevelopmentLoginMode.Refuse,
            _ => DevelopmentLoginMode.Absent,
        };
        if (mode != DevelopmentLoginMode.Absent && isOnAzure)
        {
            reader.Fault("DevelopmentLogin", "gives anybody every API key, so it is not for Azure; remove it");
        }

        return mode;
    }
}
