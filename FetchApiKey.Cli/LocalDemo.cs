// local: the whole endpoint on one machine, with a demo account to log in as.

using System.Globalization;
using FetchApiKey.Accounts;
using FetchApiKey.Cli;
using FetchApiKey.Passwords;
using Microsoft.Extensions.Configuration;

namespace FetchApiKey.Cli;

/// <summary>
/// Runs against Azurite and nothing else: whatever storage the environment names is left alone, so that the demo
/// account, whose password everybody knows, never gets into it.
/// </summary>
public static class LocalDemo
{
    private const string Email = "iago@zulip.com";
    private const string Password = "abcd1234";
    private const string ApiKey = "gjA04ZYcqXKalvYMA8OeXSfzUOLrtbZv";
    private const int UserId = 5;

    /// <summary>Not secret, like everything of the demo; API keys are sealed with it all the same.</summary>
    private const string KeyVariable = "ApiKeys__keys__demo";
    private static readonly string Key = Convert.ToBase64String(new byte[ApiKeySettings.KeyBytes]);

    public static async Task<int> RunAsync(
        IConfiguration environment, ushort port, DirectoryInfo? data, TimeProvider time, TextWriter output, CancellationToken cancellation)
    {
        await using var azurite = await Azurite.FindOrStartAsync(data, output.WriteLine, cancellation);
        var settings = Settings.Read(OnAzurite(environment, azurite.ConnectionString), answersRequests: true);
        var tables = AccountTables.Open(settings.Storage);
        await tables.CreateAsync(cancellation);
        await AddDemoAsync(settings, tables, time, cancellation);
        var server = EndpointServer.Build(settings, new Listener(Address: null, port, IsFunctionsHost: false), tables, time);
        await EndpointServer.RunAsync(server, _ => output.Write(Invitation(port, azurite) + output.NewLine), cancellation);
        return ExitCode.Done;
    }

    /// <summary>The development variant is on, unless the environment has a word on it.</summary>
    private static IConfigurationRoot OnAzurite(IConfiguration environment, string connectionString) => new ConfigurationBuilder()
        .AddInMemoryCollection([new("DevelopmentLogin", "true")])
        .AddInMemoryCollection(environment.AsEnumerable().Where(setting =>
            !setting.Key.StartsWith("AccountStorage", StringComparison.OrdinalIgnoreCase) && !setting.Key.StartsWith("ApiKeys", StringComparison.OrdinalIgnoreCase)))
        .AddInMemoryCollection(
        [
            new("AccountStorage", connectionString), new("ExternalHost", "localhost,127.0.0.1,[::1]"), new(KeyVariable.Replace("__", ":", StringComparison.Ordinal), Key),
        ])
        .Build();

    private static async Task AddDemoAsync(Settings settings, AccountTables tables, TimeProvider time, CancellationToken cancellation)
    {
        var root = new Realm(
            "", "Demo organization", "<p>Log in as iago@zulip.com.</p>", "", PublicUrl: null, IsActive: true, PasswordBackends.Email);
        await new RealmStore(tables, TimeSpan.Zero, time).AddAsync(root, cancellation);

        // Below the strength rule, which the documentation's example is free to be.
        using var password = TypedPassword.FromText(Password);
        var hash = await NewHash.OfAsync(password, settings.Hashing, time);
        var email = EmailAddress.TryParse(Email)!;
        var apiKey = new ApiKeyCipher(settings.ApiKeys).Seal("", email, UserId, ApiKey);
        var account = new Account("", UserId, Email, hash, apiKey, IsActive: true, Account.Roles["administrator"], time.GetUtcNow());
        await new AccountStore(tables).AddAsync(account, email, cancellation);
    }

    private static string Invitation(ushort port, Azurite azurite) => string.Create(CultureInfo.InvariantCulture, $"""

        Listening on http://localhost:{port}. Ctrl-C stops it{(azurite.IsOurs ? ", and Azurite with it" : "; the Azurite that was running goes on")}.

        Fetch the demo account's API key:

          curl -sS http://localhost:{port}/api/v1/fetch_api_key --data-urlencode username={Email} --data-urlencode password={Password}

        Commands such as 'users add' reach the same tables with this in the environment:

          export AccountStorage='{azurite.ConnectionString}' {KeyVariable}={Key}

        """);
}
