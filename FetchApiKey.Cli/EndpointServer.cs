// The endpoint on a Kestrel of its own: as a custom handler behind the Functions host, or alone.

using System.Net.Sockets;
using System.Runtime.ExceptionServices;
using FetchApiKey.Accounts;
using FetchApiKey.Composition;
using FetchApiKey.Telemetry;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;

namespace FetchApiKey.Cli;

public static class EndpointServer
{
    /// <summary>
    /// The server, not yet started. Its addresses are the listener's alone: an ASPNETCORE_URLS of the machine, a
    /// appsettings.json in the working directory or a log level set there changes nothing.
    /// </summary>
    /// <param name="tables">Null for those that the settings name.</param>
    /// <param name="showTelemetry">Prints spans and metrics on the standard output, for development.</param>
    /// <param name="moreLogging">Adds sinks beside the console.</param>
    /// <exception cref="InvalidSettingsException">The settings do not fit the listener.</exception>
    public static WebApplication Build(
        Settings settings, Listener listener, AccountTables? tables = null, TimeProvider? time = null, bool showTelemetry = false,
        Action<ILoggingBuilder>? moreLogging = null)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            if (listener.Address is { } address)
            {
                kestrel.Listen(address, listener.Port);
            }
            else
            {
                kestrel.ListenLocalhost(listener.Port);
            }
        });
        builder.AddFetchApiKey(settings, listener.Traits, tables, time);
        builder.Services.AddSingleton(listener);
        AddConsole(builder.Logging);
        if (showTelemetry)
        {
            builder.Services.AddOpenTelemetry()
                .WithTracing(traces => traces.AddSource(Instruments.Name).AddConsoleExporter())
                .WithMetrics(metrics => metrics.AddMeter(Exporters.Meters).AddConsoleExporter());
        }

        moreLogging?.Invoke(builder.Logging);
        var app = builder.Build();
        var dispatcher = app.Services.GetRequiredService<Dispatcher>();
        app.Run(
            async context => await (await dispatcher.AnswerAsync(context, listener.InvocationOf(context.Request))).ExecuteAsync(context));
        return app;
    }

    /// <summary>Serves until the process is told to stop.</summary>
    /// <exception cref="MissingTablesException">A table does not exist.</exception>
    /// <exception cref="OperatorException">The port or address cannot be listened on.</exception>
    public static async Task RunAsync(WebApplication app, Action<string> onListening, CancellationToken cancellation)
    {
        await using var disposal = app;
        var startUp = app.Services.GetRequiredService<StartUp>();
        try
        {
            await app.StartAsync(cancellation);
            await startUp.Ready.WaitAsync(cancellation);
            if (startUp.Fault is null)
            {
                onListening(app.Urls.First());
            }
        }
        catch (Exception refusal) when (refusal is IOException or SocketException)
        {
            throw app.Services.GetRequiredService<Listener>().Explain(refusal);
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            // Told to stop before it was ready: an end like any other that was asked for.
        }

        await app.WaitForShutdownAsync(cancellation);
        if (startUp.Fault is { } fault)
        {
            ExceptionDispatchInfo.Throw(fault);
        }
    }

    /// <summary>The endpoint on the configured storage, as the Functions host or an operator starts it.</summary>
    public static Task RunAsync(Settings settings, Listener listener, TextWriter output, CancellationToken cancellation, bool showTelemetry = false) =>
        RunAsync(
            Build(settings, listener, showTelemetry: showTelemetry), address => output.WriteLine($"Listening on {address}"), cancellation);

    /// <summary>
    /// The Functions host takes every line of the standard error for an error, and every other for information. Without colours, whose
    /// control characters cannot be told from those of a value.
    /// </summary>
    private static void AddConsole(ILoggingBuilder logging)
    {
        logging.AddSimpleConsole(console =>
        {
            console.SingleLine = true;
            console.ColorBehavior = LoggerColorBehavior.Disabled;
        });
        // What it says of a start that failed is told as the end of the command, in a line.
        logging.Services.PostConfigure<LoggerFilterOptions>(options =>
            options.Rules.Add(new LoggerFilterRule(null, "Microsoft.Extensions.Hosting.Internal.Host", LogLevel.None, null)));
        logging.Services.Configure<ConsoleLoggerOptions>(console => console.LogToStandardErrorThreshold = LogLevel.Warning);
    }
}
