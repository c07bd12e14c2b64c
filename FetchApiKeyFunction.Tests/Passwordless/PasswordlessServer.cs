// A server with logins that need no password, on the tables of an organisation.

using FetchApiKey.Accounts;
using FetchApiKey.Attempts;
using FetchApiKey.Passwordless;
using Microsoft.Extensions.Configuration;

namespace FetchApiKeyFunction.Tests.Passwordless;

internal static class PasswordlessServer
{
    public static Task<TestServer> StartAsync(
        AccountTables tables, DevelopmentLoginMode development = DevelopmentLoginMode.Absent, AttemptSettings? attempts = null, params (string Name, string Value)[] jwt) =>
        TestServer.StartAsync(tables, SettingsWith(development, attempts, jwt));

    public static Settings SettingsWith(
        DevelopmentLoginMode development = DevelopmentLoginMode.Absent, AttemptSettings? attempts = null, params (string Name, string Value)[] jwt)
    {
        var usual = TestServer.NewSettings();
        return new Settings
        {
            Storage = usual.Storage,
            ExternalHosts = usual.ExternalHosts,
            RealmMaxAge = usual.RealmMaxAge,
            Hashing = usual.Hashing,
            ApiKeys = usual.ApiKeys,
            Attempts = attempts ?? usual.Attempts,
            DevelopmentLogin = development,
            Jwt = Read(jwt).Jwt,
        };
    }

    /// <summary>As an operator's environment is read.</summary>
    public static Settings Read(params (string Name, string Value)[] more) => Settings.Read(
        new ConfigurationBuilder()
            .AddInMemoryCollection(new Dictionary<string, string?>
            {
                ["AccountStorage"] = "UseDevelopmentStorage=true",
                ["ExternalHost"] = "zulip.example.com",
                ["ApiKeys:keys:one"] = Convert.ToBase64String(new byte[32]),
            })
            .AddInMemoryCollection(more.Select(setting => KeyValuePair.Create(setting.Name.Replace("__", ":", StringComparison.Ordinal), (string?)setting.Value)))
            .Build(),
        answersRequests: true);
}
