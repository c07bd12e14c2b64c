// How the endpoint's process starts under every host: with its tables, without them, and with storage away.

using Azure.Data.Tables;
using FetchApiKey.Accounts;

namespace FetchApiKeyFunction.Tests.Hosts;

[Collection(EveryHostDefinition.Name)]
public sealed class HostStartTests(EveryHost hosts)
{
    [Theory]
    [MemberData(nameof(EveryHost.Kinds), MemberType = typeof(EveryHost))]
    public async Task A_login_sent_the_moment_the_port_accepts_is_judged_like_any_other(HostKind kind)
    {
        await using var host = await hosts.StartAsync(kind);

        var answers = await Task.WhenAll(host.LogInAsync(), host.LogInAsync(password: "wrong"));

        Assert.Equal([200, 401], answers.Select(answer => answer.Status));
    }

    [Theory]
    [MemberData(nameof(EveryHost.Kinds), MemberType = typeof(EveryHost))]
    public async Task Without_some_of_its_tables_it_lets_nobody_in_and_ends_naming_them(HostKind kind)
    {
        var (storage, tables) = await NewTablesAsync();
        await tables.Attempts.DeleteAsync();
        await tables.Audit.DeleteAsync();
        await using var host = await EveryHost.CreateAsync(kind, EveryHost.Settings(storage.ConnectionString!, storage.TablePrefix));
        await host.StartAsync();
        host.Process.ExpectEnd();
        var process = host.Process.Current;

        while (!process.HasExited)
        {
            // From the host until the process is ready and when it has ended, from the endpoint in between.
            Assert.True((await host.TryLogInAsync())?.Status is null or 500 or 503);
        }

        Assert.Equal(ExitCode.BadSettings, await process.ExitCodeAsync());
        var line = ErrorLine(kind, process);
        Assert.Contains($"{storage.TablePrefix}attempts", line, StringComparison.Ordinal);
        Assert.Contains($"{storage.TablePrefix}audit", line, StringComparison.Ordinal);
        Assert.DoesNotContain($"{storage.TablePrefix}accounts", line, StringComparison.Ordinal);
        Assert.DoesNotContain("Listening", process.Output, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(EveryHost.Kinds), MemberType = typeof(EveryHost))]
    public async Task With_storage_away_at_start_it_answers_503_and_recovers_in_ten_seconds(HostKind kind)
    {
        var (proxy, connection) = await FaultProxy.StartAsync();
        await using var _ = proxy;
        proxy.Fault = StorageFault.Reset;
        await using var host = await EveryHost.CreateAsync(kind, EveryHost.Settings(connection, hosts.Organisation.TablePrefix));
        await host.StartAsync();
        await host.WaitUntilReadyAsync();

        var away = await host.LogInAsync();
        Assert.Equal((503, TestServer.Golden("E18")), (away.Status, away.Body));
        Assert.Contains("Retry-After: *", away.Headers, StringComparison.Ordinal);
        await host.WaitForAsync("could not be asked for its tables at start");

        proxy.Fault = StorageFault.None;
        await host.UntilLoggedInAsync(TimeSpan.FromSeconds(10));
        Assert.Equal(1, host.Process.Starts);
    }

    [Theory]
    [MemberData(nameof(EveryHost.Kinds), MemberType = typeof(EveryHost))]
    public async Task Storage_that_comes_back_without_the_tables_ends_it(HostKind kind)
    {
        var (proxy, connection) = await FaultProxy.StartAsync();
        await using var _ = proxy;
        proxy.Fault = StorageFault.Reset;
        var prefix = (await SharedAzurite.NewStorageAsync()).TablePrefix;
        await using var host = await EveryHost.CreateAsync(kind, EveryHost.Settings(connection, prefix));
        await host.StartAsync();
        await host.WaitUntilReadyAsync();
        host.Process.ExpectEnd();
        Assert.Equal(503, (await host.LogInAsync()).Status);

        proxy.Fault = StorageFault.None;

        Assert.Equal(ExitCode.BadSettings, await host.Process.Current.ExitCodeAsync());
        var line = ErrorLine(kind, host.Process.Current);
        Assert.All(
            new[] { "realms", "accounts", "userids", "attempts", "audit" },
            table => Assert.Contains(prefix + table, line, StringComparison.Ordinal));
    }

    [Theory]
    [MemberData(nameof(EveryHost.Kinds), MemberType = typeof(EveryHost))]
    public async Task A_realm_that_cannot_be_read_fails_logins_and_does_not_end_it(HostKind kind)
    {
        var tables = await SharedAzurite.NewTablesAsync();
        await tables.Realms.AddEntityAsync(new TableEntity(Realm.Partition, Realm.RowKey("")) { ["IsActive"] = "neither" });
        var settings = EveryHost.Settings(await SharedAzurite.ConnectionStringAsync(), tables.Realms.Name[..^"realms".Length]);
        await using var host = await EveryHost.CreateAsync(kind, settings);
        await host.StartAsync();
        await host.WaitUntilReadyAsync();
        var failed = await host.LogInAsync();
        Assert.Equal((503, TestServer.Golden("E18")), (failed.Status, failed.Body));

        // Realms are read again when they are old, and then there is none.
        await tables.Realms.DeleteEntityAsync(Realm.Partition, Realm.RowKey(""));

        using var client = new HttpClient { BaseAddress = host.Origin, DefaultRequestHeaders = { Host = TestServer.RootHost } };
        var settingsWithoutRealm = "";
        for (var tries = 0; tries < 120 && settingsWithoutRealm.Length == 0; tries++)
        {
            await Task.Delay(500);
            using var answer = await client.GetAsync(new Uri("/api/v1/server_settings", UriKind.Relative));
            settingsWithoutRealm = answer.IsSuccessStatusCode ? await answer.Content.ReadAsStringAsync() : "";
        }

        Assert.Equal(TestServer.Golden("settings-no-realm"), settingsWithoutRealm);
        Assert.Equal(1, host.Process.Starts);
    }

    [Theory]
    [MemberData(nameof(EveryHost.Kinds), MemberType = typeof(EveryHost))]
    public async Task Faulty_settings_are_all_named_on_the_standard_error(HostKind kind)
    {
        var settings = EveryHost.Settings("AccountKey=s3cr3t", "1x", ("ExternalHost", "https://x/"), ("Argon2__passes", "0"));

        var line = await RefusedStartAsync(kind, settings);

        Assert.All(
            new[] { "AccountStorage: ", "TablePrefix: ", "ExternalHost: ", "Argon2__passes: " },
            name => Assert.Contains(name, line, StringComparison.Ordinal));
        Assert.DoesNotContain("s3cr3t", line, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(HostKind.Worker)]
    [InlineData(HostKind.CustomHandler)]
    public async Task The_development_variant_does_not_start_under_the_Functions_host(HostKind kind)
    {
        var settings = EveryHost.Settings(
            await SharedAzurite.ConnectionStringAsync(), hosts.Organisation.TablePrefix, ("DevelopmentLogin", "true"));

        Assert.Contains("DevelopmentLogin: ", await RefusedStartAsync(kind, settings), StringComparison.Ordinal);
    }

    /// <returns>What it printed on the standard error: for the worker one line.</returns>
    private static async Task<string> RefusedStartAsync(HostKind kind, Dictionary<string, string> settings)
    {
        await using var host = await EveryHost.CreateAsync(kind, settings);
        await host.StartAsync();
        host.Process.ExpectEnd();
        Assert.Equal(ExitCode.BadSettings, await host.Process.Current.ExitCodeAsync());
        return ErrorLine(kind, host.Process.Current);
    }

    /// <summary>Core Tools show no line of a worker but those that speak of an error.</summary>
    private static string ErrorLine(HostKind kind, ProcessRun process)
    {
        if (kind == HostKind.Worker)
        {
            Assert.StartsWith("error: ", process.Error, StringComparison.Ordinal);
            Assert.Equal(process.Error.Length - 1, process.Error.IndexOf('\n', StringComparison.Ordinal));
        }

        return process.Error;
    }

    /// <summary>With a root realm and one account.</summary>
    private async Task<(StorageSettings Storage, AccountTables Tables)> NewTablesAsync()
    {
        var storage = await SharedAzurite.NewStorageAsync();
        var tables = AccountTables.Open(storage);
        await tables.CreateAsync(CancellationToken.None);
        await new RealmStore(tables, TimeSpan.Zero, TimeProvider.System).AddAsync(
            new Realm("", "Zulip", "", "", null, true, PasswordBackends.Email), CancellationToken.None);
        var iago = await hosts.Organisation.FindAsync("iago@zulip.com");
        await new AccountStore(tables).AddAsync(iago, EmailAddress.TryParse(iago.Email)!, CancellationToken.None);
        return (storage, tables);
    }
}
