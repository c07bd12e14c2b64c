// The endpoint on Kestrel: as a custom handler behind the Functions host, or on its own.

using System.Globalization;
using System.Net;
using FetchApiKeyFunction.Accounts;
using FetchApiKeyFunction.Attempts;
using FetchApiKeyFunction.Passwordless;
using FetchApiKeyFunction.Telemetry;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;

namespace FetchApiKeyFunction.Hosting;

/// <summary>Where to listen, and for whom.</summary>
/// <param name="Address">Null for both loopback addresses.</param>
/// <param name="BehindFunctionsHost">True only when the Functions host started this process and alone can reach it.</param>
public sealed record Listener(IPAddress? Address, int Port, bool BehindFunctionsHost)
{
    public const string PortVariable = "FUNCTIONS_CUSTOMHANDLER_PORT";

    /// <summary>
    /// Keys without a password are for whoever sits at this machine: the Functions host serves others, and so does any
    /// address but loopback.
    /// </summary>
    /// <exception cref="InvalidSettingsException">DevelopmentLogin is on, and others can ask.</exception>
    public void RefuseDevelopmentLogin(Settings settings)
    {
        if (settings.DevelopmentLogin != DevelopmentLoginMode.Absent && (BehindFunctionsHost || (Address is not null && !IPAddress.IsLoopback(Address))))
        {
            throw new InvalidSettingsException(["DevelopmentLogin: gives anybody every API key, so it needs a loopback address and no Functions host; leave it out"]);
        }
    }

    /// <summary>The listener that the Functions host asks for; null when it did not start this process.</summary>
    /// <exception cref="InvalidSettingsException">The variable is there and is no port.</exception>
    public static Listener? OfFunctionsHost() => Environment.GetEnvironmentVariable(PortVariable) switch
    {
        null or "" => null,
        { } text when ushort.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port > 0 =>
            new Listener(IPAddress.Loopback, port, BehindFunctionsHost: true),
        _ => throw new InvalidSettingsException([$"{PortVariable}: must be a port"]),
    };
}

public static class CustomHandler
{
    /// <summary>Between looks for the tables, where the store could not be asked at start.</summary>
    private static readonly TimeSpan CheckInterval = TimeSpan.FromSeconds(5);

    /// <summary>
    /// The server, not yet started. Its addresses are the listener's alone: an ASPNETCORE_URLS of the machine, a
    /// appsettings.json in the working directory or a log level set there changes nothing.
    /// </summary>
    /// <param name="moreLogging">Adds sinks beside the console.</param>
    public static WebApplication Build(
        Settings settings, Listener listener, AccountTables tables, TimeProvider time, Action<ILoggingBuilder>? moreLogging = null) =>
        Compose(settings, listener, tables, time, moreLogging).App;

    private static (WebApplication App, Routes Routes) Compose(
        Settings settings, Listener listener, AccountTables tables, TimeProvider time, Action<ILoggingBuilder>? moreLogging)
    {
        listener.RefuseDevelopmentLogin(settings);
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            // The form reader has a smaller cap of its own; a client that sends more is heard out, for as long as
            // Kestrel drains, so that it reads the 413 instead of a reset.
            kestrel.Limits.MaxRequestBodySize = null;
            // Who dribbles is cut off: headers within this, bodies at Kestrel's own 240 bytes a second after 5 seconds.
            kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(10);
            if (listener.Address is { } address)
            {
                kestrel.Listen(address, listener.Port);
            }
            else
            {
                kestrel.ListenLocalhost(listener.Port);
            }
        });
        builder.Logging.SetMinimumLevel(LogLevel.Information)
            .AddFilter("Microsoft", LogLevel.Warning)
            // Its request lines quote query strings, where some clients put the password.
            .AddFilter("Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.None)
            .AddSimpleConsole(console =>
            {
                console.SingleLine = true;
                console.ColorBehavior = listener.BehindFunctionsHost ? LoggerColorBehavior.Disabled : LoggerColorBehavior.Default;
            });

        builder.Configuration.AddInMemoryCollection(settings.Telemetry.OpenTelemetry);
        builder.Services.AddTelemetry(settings.Telemetry);
        moreLogging?.Invoke(builder.Logging);

        var app = builder.Build();
        var routes = new Routes(
            settings, tables, listener.BehindFunctionsHost,
            listener.BehindFunctionsHost ? ClientAddressSettings.BehindFunctionsHost : ClientAddressSettings.Direct, time, app.Services.GetRequiredService<ILoggerFactory>());
        app.Lifetime.ApplicationStopped.Register(routes.Dispose);
        app.Run(async context => await (await routes.AnswerAsync(context)).ExecuteAsync(context));
        return (app, routes);
    }

    /// <summary>
    /// Serves until the process is told to stop. It listens at once; what a login needs is fetched meanwhile, and logins wait for
    /// it. A table that does not exist ends it, as soon as the store can be asked, and until then nobody gets in, since realms are read through the same check.
    /// </summary>
    /// <exception cref="MissingTablesException">A table does not exist.</exception>
    public static async Task ServeAsync(Settings settings, Listener listener, AccountTables tables, TimeProvider time, Action<string> onListening, CancellationToken cancellation)
    {
        // First, since it waits for others.
        var storage = Task.Run(() => tables.WarmUpAsync(cancellation), cancellation);
        var (app, routes) = Compose(settings, listener, tables, time, moreLogging: null);
        await using var disposal = app;
        var warmUp = Task.Run(() => Task.WhenAll(storage, routes.WarmUpAsync(cancellation)), cancellation);
        await app.StartAsync(cancellation);
        var log = app.Services.GetRequiredService<ILoggerFactory>().CreateLogger(nameof(CustomHandler));
        var checking = Task.CompletedTask;
        try
        {
            await warmUp.WaitAsync(app.Lifetime.ApplicationStopping);
        }
        catch (Exception fault) when (fault is not MissingTablesException && AccountTables.IsUnavailability(fault))
        {
            log.StorageUncheckedAtStart(fault.GetType().Name);
            checking = CheckLaterAsync(tables, time, app.Lifetime.ApplicationStopping);
        }

        if (settings.Hashing.Cost.IsBelowAdvice)
        {
            log.HashCostIsLow(settings.Hashing.Cost.MemoryKib, settings.Hashing.Cost.Passes);
        }

        onListening(app.Urls.First());
        var serving = app.WaitForShutdownAsync(cancellation);
        await await Task.WhenAny(serving, checking);
        await serving;
    }

    /// <summary>Ends when the tables are there, or the process is told to stop.</summary>
    /// <exception cref="MissingTablesException">The store is back, and a table does not exist.</exception>
    private static async Task CheckLaterAsync(AccountTables tables, TimeProvider time, CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                await Task.Delay(CheckInterval, time, stopping);
                await tables.CheckAsync(stopping);
                return;
            }
            catch (Exception fault) when (fault is not MissingTablesException && AccountTables.IsUnavailability(fault))
            {
                // Still away; each login says so, and readiness.
            }
        }
    }
}

/// <summary>The endpoint on the configured storage, as the Functions host or an operator starts it.</summary>
public static class Serving
{
    public static Task RunAsync(Settings settings, Listener listener, TextWriter output, CancellationToken cancellation) =>
        CustomHandler.ServeAsync(settings, listener, AccountTables.Open(settings.Storage), TimeProvider.System,
            address => output.WriteLine($"Listening on {address}"), cancellation);
}
