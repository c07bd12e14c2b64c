// The endpoint's parts and the server's limits, the same for every host.

using FetchApiKey.Accounts;
using FetchApiKey.Attempts;
using FetchApiKey.Audit;
using FetchApiKey.Backends;
using FetchApiKey.Backends.Ldap;
using FetchApiKey.Passwordless;
using FetchApiKey.Passwords;
using FetchApiKey.Telemetry;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;

namespace FetchApiKey.Composition;

public static class EndpointServices
{
    /// <summary>
    /// Headers that have not arrived by then end the connection; bodies are cut off at Kestrel's own 240 bytes a second after 5 seconds.
    /// </summary>
    private static readonly TimeSpan HeadersTimeout = TimeSpan.FromSeconds(10);

    /// <summary>
    /// Adds what answers requests (<see cref="Dispatcher"/>), what it needs, what looks at storage at start (<see cref="StartUp"/>),
    /// Kestrel's limits, log filters and telemetry.
    /// </summary>
    /// <param name="tables">Null for those that the settings name.</param>
    /// <exception cref="InvalidSettingsException">The settings do not fit the host.</exception>
    public static void AddFetchApiKey(
        this IHostApplicationBuilder builder, Settings settings, HostTraits host, AccountTables? tables = null, TimeProvider? time = null)
    {
        if (settings.DevelopmentLogin != DevelopmentLoginMode.Absent && !host.IsLoopbackOnly)
        {
            throw new InvalidSettingsException(
                ["DevelopmentLogin: gives anybody every API key, so it needs a loopback address and no Functions host; remove it"]);
        }

        builder.Configuration.AddInMemoryCollection(settings.Telemetry.OpenTelemetry);
        var services = builder.Services;
        services.Configure<KestrelServerOptions>(LimitRequests);
        services.PostConfigure<LoggerFilterOptions>(FilterLog);
        // While nobody reads the log, lines are left out, and their number is told later: a login must not wait for a full pipe.
        services.PostConfigure<ConsoleLoggerOptions>(console => console.QueueFullMode = ConsoleLoggerQueueFullMode.DropWrite);
        services.AddTelemetry(settings.Telemetry);
        services.AddSingleton(settings).AddSingleton(host);
        services.AddSingleton(time ?? TimeProvider.System);
        services.AddSingleton(tables ?? AccountTables.Open(settings.Storage));
        AddAccounts(services, settings);
        AddLogin(services, settings);
        Endpoints.Add(services, settings.DevelopmentLogin);
        services.AddSingleton<Dispatcher>();
        services.AddSingleton<StartUp>();
        services.AddHostedService(provider => provider.GetRequiredService<StartUp>());
        services.AddHostedService<Sweeper>();
    }

    private static void LimitRequests(KestrelServerOptions kestrel)
    {
        kestrel.AddServerHeader = false;
        // The form reader has a smaller limit of its own. A client that sends more is read for as long as Kestrel drains, so
        // that it gets the 413 instead of a reset.
        kestrel.Limits.MaxRequestBodySize = null;
        kestrel.Limits.RequestHeadersTimeout = HeadersTimeout;
    }

    /// <summary>
    /// After everything else, so that no setting of the machine's brings back a line that quotes a query string, where some clients
    /// put the password: ASP.NET Core's "Request starting" does.
    /// </summary>
    private static void FilterLog(LoggerFilterOptions options)
    {
        options.MinLevel = LogLevel.Information;
        options.Rules.Clear();
        foreach (var framework in new[] { "Microsoft", "System", "Azure", "Grpc" })
        {
            options.Rules.Add(new LoggerFilterRule(null, framework, LogLevel.Warning, null));
        }

        options.Rules.Add(new LoggerFilterRule(null, "Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.None, null));
    }

    private static void AddAccounts(IServiceCollection services, Settings settings)
    {
        services.AddSingleton(settings.ApiKeys).AddSingleton<CorrelationDigest>();
        services.AddSingleton(provider => new ApiKeyCipher(settings.ApiKeys, provider.GetRequiredService<AccountTables>().SealMarker));
        services.AddSingleton<AccountStore>().AddSingleton<DirectoryIds>().AddSingleton<PasswordInvitations>();
        services.AddSingleton(provider => new RealmStore(
            provider.GetRequiredService<AccountTables>(), settings.RealmMaxAge, provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton<AuditTable>().AddSingleton<AuditTrail>().AddSingleton<LoginEvents>();
    }

    private static void AddLogin(IServiceCollection services, Settings settings)
    {
        services.AddSingleton(settings.Hashing).AddSingleton<PasswordHasher>();
        services.AddSingleton(settings.Attempts).AddSingleton<AttemptTable>().AddSingleton<OpenAttempts>().AddSingleton<RegenerationLimit>();
        services.AddSingleton(provider => new LoginAttempts(
            provider.GetRequiredService<AttemptTable>(), provider.GetRequiredService<OpenAttempts>(), settings.Attempts, settings.IsOnAzure,
            provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<ILogger<LoginAttempts>>()));
        foreach (var directory in settings.Ldap)
        {
            services.AddSingleton(provider => new LdapDirectory(
                directory, provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<ILogger<LdapDirectory>>()));
        }

        services.AddSingleton<EmailBackend>().AddSingleton<PasswordBackendsInOrder>().AddSingleton<Login>().AddSingleton<PasswordReset>();
    }
}
