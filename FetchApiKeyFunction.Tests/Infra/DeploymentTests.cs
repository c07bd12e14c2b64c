// What a deployment makes, expanded by the Bicep CLI: nothing is open that need not be, and nothing is set that the endpoint does not know.

using System.Diagnostics.Metrics;
using System.Text.Json;
using System.Text.RegularExpressions;
using FetchApiKey.Telemetry;
using FetchApiKeyFunction.Tests.Hosts;
using Microsoft.Extensions.Configuration;

namespace FetchApiKeyFunction.Tests.Infra;

public sealed partial class DeploymentTests
{
    private const string BlobDataOwner = "b7e6dc6d-f1e8-4753-8033-0f276bb0955b";
    private const string TableDataContributor = "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3";
    private const string SecretsUser = "4633458b-17de-408a-b874-0445c86b69e6";
    private const string MetricsPublisher = "3913510d-42f4-4e42-8a64-420c390055eb";

    /// <summary>Settings that Azure and the Functions host read; every other one must be the endpoint's own.</summary>
    private static readonly string[] HostSettings =
    [
        "AzureWebJobsStorage__accountName", "AzureWebJobsStorage__credential", "AzureWebJobsStorage__clientId", "AzureWebJobsDisableHomepage",
        "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT", "ASPNETCORE_FORWARDEDHEADERS_ENABLED",
    ];

    public static TheoryData<string> Examples => ["dev", "prod"];

    // ---- What is open ----

    [Theory]
    [MemberData(nameof(Examples))]
    public void The_two_storages_take_no_keys_and_show_nothing_in_public(string example)
    {
        var deployment = Kept(example);
        var storages = deployment.Of("Microsoft.Storage/storageAccounts");

        Assert.Equal(2, storages.Count);
        Assert.All(storages, storage =>
        {
            Assert.Equal("false", storage.At("properties.allowSharedKeyAccess"));
            Assert.Equal("false", storage.At("properties.allowBlobPublicAccess"));
            Assert.Equal("false", storage.At("properties.allowCrossTenantReplication"));
            Assert.Equal("true", storage.At("properties.supportsHttpsTrafficOnly"));
            Assert.Equal("TLS1_2", storage.At("properties.minimumTlsVersion"));
        });
        Assert.Equal("None", Assert.Single(deployment.Of("Microsoft.Storage/storageAccounts/blobServices/containers")).At("properties.publicAccess"));
    }

    [Theory]
    [MemberData(nameof(Examples))]
    public void The_vault_goes_by_roles_and_loses_nothing(string example)
    {
        var vault = Assert.Single(Kept(example).Of("Microsoft.KeyVault/vaults"));

        Assert.Equal("true", vault.At("properties.enableRbacAuthorization"));
        Assert.Equal("true", vault.At("properties.enableSoftDelete"));
        Assert.Equal("true", vault.At("properties.enablePurgeProtection"));
    }

    [Theory]
    [MemberData(nameof(Examples))]
    public void Telemetry_is_taken_from_identities_only(string example)
    {
        var deployment = Kept(example);

        Assert.Equal("true", Assert.Single(deployment.Of("Microsoft.Insights/components")).At("properties.DisableLocalAuth"));
        Assert.Equal("true", Assert.Single(deployment.Of("Microsoft.OperationalInsights/workspaces")).At("properties.features.disableLocalAuth"));
    }

    [Theory]
    [MemberData(nameof(Examples))]
    public void The_app_speaks_TLS_and_knows_no_publishing_password(string example)
    {
        var deployment = Kept(example);
        var app = Assert.Single(deployment.Of("Microsoft.Web/sites"));
        var identity = Assert.Single(deployment.Of("Microsoft.ManagedIdentity/userAssignedIdentities")).At("id");

        Assert.Equal("true", app.At("properties.httpsOnly"));
        Assert.Equal(("1.2", "1.2"), (app.At("properties.siteConfig.minTlsVersion"), app.At("properties.siteConfig.scmMinTlsVersion")));
        Assert.Equal("Disabled", app.At("properties.siteConfig.ftpsState"));
        Assert.Null(app.At("properties.siteConfig.cors"));
        Assert.Equal("UserAssigned", app.At("identity.type"));
        Assert.Equal(identity, app.At("properties.keyVaultReferenceIdentity"));
        Assert.Equal(
            ("UserAssignedIdentity", identity),
            (app.At("properties.functionAppConfig.deployment.storage.authentication.type"),
                app.At("properties.functionAppConfig.deployment.storage.authentication.userAssignedIdentityResourceId")));
        Assert.Equal(
            [("ftp", "false"), ("scm", "false")],
            deployment.Of("Microsoft.Web/sites/basicPublishingCredentialsPolicies").Select(policy => (policy.At("name")!.Split('/')[1], policy.At("properties.allow")!)).Order());
    }

    [Fact]
    public void Without_a_private_network_there_is_none_of_it()
    {
        var deployment = Kept("dev");

        Assert.DoesNotContain(deployment.Resources, resource => resource.At("type")!.StartsWith("Microsoft.Network/", StringComparison.Ordinal));
        Assert.Equal(["Enabled", "Enabled", "Enabled"], StoragesAndVault(deployment).Select(resource => resource.At("properties.publicNetworkAccess")));
    }

    [Fact]
    public void In_a_private_network_storages_and_vault_have_no_other_entrance()
    {
        var deployment = Kept("prod");
        var network = Assert.Single(deployment.Of("Microsoft.Network/virtualNetworks")).At("id");

        Assert.All(StoragesAndVault(deployment), resource =>
        {
            Assert.Equal("Disabled", resource.At("properties.publicNetworkAccess"));
            Assert.Equal("Deny", resource.At("properties.networkAcls.defaultAction"));
        });
        Assert.Equal(
            StoragesAndVault(deployment).Select(resource => resource.At("id")).Order(StringComparer.Ordinal),
            deployment.Of("Microsoft.Network/privateEndpoints")
                .Select(endpoint => endpoint.At("properties.privateLinkServiceConnections.0.properties.privateLinkServiceId")).Order(StringComparer.Ordinal));
        Assert.Equal(
            ["blob", "table", "vault"],
            deployment.Of("Microsoft.Network/privateEndpoints")
                .Select(endpoint => endpoint.At("properties.privateLinkServiceConnections.0.properties.groupIds.0")).Order(StringComparer.Ordinal));
        Assert.Equal(3, deployment.Of("Microsoft.Network/privateEndpoints/privateDnsZoneGroups").Count);
        Assert.Equal(3, deployment.Of("Microsoft.Network/privateDnsZones/virtualNetworkLinks").Count);
        Assert.Equal($"{network}/subnets/app", Assert.Single(deployment.Of("Microsoft.Web/sites")).At("properties.virtualNetworkSubnetId"));
        Assert.Contains("\"serviceName\": \"Microsoft.App/environments\"", deployment.Text, StringComparison.Ordinal);
    }

    // ---- Who may do what ----

    [Fact]
    public void The_app_has_five_roles_each_on_one_resource_and_nobody_else_has_any()
    {
        var deployment = Kept("prod");
        var roles = Roles(deployment);

        Assert.All(roles, role => Assert.Equal(("ServicePrincipal", true), (role.Type, role.Principal.Contains("/userAssignedIdentities/", StringComparison.Ordinal))));
        Assert.Equal(
            [
                ($"secrets/sealing-key-k1", SecretsUser),
                ($"secrets/sealing-key-k2", SecretsUser),
                ($"storageAccounts/{Storage(deployment, "data")}", TableDataContributor),
                ($"storageAccounts/{Storage(deployment, "host")}", BlobDataOwner),
                ($"components/{Assert.Single(deployment.Of("Microsoft.Insights/components")).At("name")}", MetricsPublisher),
            ],
            roles.Select(role => (role.Scope, role.Role)).OrderBy(role => Array.IndexOf([SecretsUser, TableDataContributor, BlobDataOwner, MetricsPublisher], role.Role)).ThenBy(role => role.Scope, StringComparer.Ordinal));
    }

    [BicepFact]
    public async Task An_operator_gets_the_accounts_and_the_keys_and_nothing_else()
    {
        const string Operator = "11111111-2222-3333-4444-555555555555";

        var deployment = new Deployment((await Bicep.SnapshotAsync($"param operatorPrincipalId = '{Operator}'")).GetRawText());

        Assert.Equal(
            [(TableDataContributor, $"storageAccounts/{Storage(deployment, "data")}"), (SecretsUser, "secrets/sealing-key-k1")],
            Roles(deployment).Where(role => role.Principal == Operator).Select(role => (role.Role, role.Scope)));
        Assert.Equal(6, Roles(deployment).Count);
    }

    // ---- What is set ----

    [Theory]
    [MemberData(nameof(Examples))]
    public void Every_app_setting_is_one_that_the_README_or_Azure_knows(string example)
    {
        var known = KnownSettings().ToList();

        Assert.All(AppSettings(Kept(example)).Keys, name => Assert.True(
            HostSettings.Contains(name) || known.Any(pattern => Regex.IsMatch(name, $"^{pattern}$")), $"Nobody reads {name}."));
    }

    [Theory]
    [MemberData(nameof(Examples))]
    public void The_endpoint_starts_with_the_app_settings_as_they_are_deployed(string example)
    {
        var deployment = Kept(example);
        var settings = AppSettings(deployment);
        Assert.StartsWith($"[format('https://{{0}}.table.{{1}}', '{Storage(deployment, "data")}', environment()", settings["AccountStorage__tableServiceUri"], StringComparison.Ordinal);
        Assert.Contains(".defaultHostName", settings["ExternalHost"], StringComparison.Ordinal);
        Assert.EndsWith(".ConnectionString]", settings["APPLICATIONINSIGHTS_CONNECTION_STRING"], StringComparison.Ordinal);
        Assert.StartsWith("[format('Authorization=AAD;ClientId={0}', reference('", settings["APPLICATIONINSIGHTS_AUTHENTICATION_STRING"], StringComparison.Ordinal);
        settings["APPLICATIONINSIGHTS_CONNECTION_STRING"] = $"InstrumentationKey={Guid.Empty}";
        settings["APPLICATIONINSIGHTS_AUTHENTICATION_STRING"] = $"Authorization=AAD;ClientId={Guid.Empty}";
        settings["AccountStorage__tableServiceUri"] = "https://example.table.core.windows.net";
        settings["ExternalHost"] = "example.azurewebsites.net";
        foreach (var reference in settings.Where(setting => setting.Value.StartsWith("@Microsoft.KeyVault(", StringComparison.Ordinal)).ToList())
        {
            settings[reference.Key] = TestServer.KeyVariable.Value;
        }

        var read = Read(settings);

        Assert.True(read.ApiKeys.Keys.ContainsKey(read.ApiKeys.WriteWith));
        Assert.Equal(example == "dev" ? "dev" : "", read.Storage.TablePrefix);
        Assert.Equal(example == "dev" ? [] : [KeyValuePair.Create("chat.example.org", "org")], read.RealmHosts);
        Assert.Equal(example == "dev" ? 100 : 300, read.Attempts.PerAddress);
        Assert.Equal(example == "dev" ? 100 : 10, read.Telemetry.TracePercent);
        Assert.Equal(example == "dev" ? 30 : 400, read.AuditRetention.Days);
        Assert.True(read.Telemetry.UsesIdentity);
    }

    [BicepFact]
    public async Task Every_setting_that_can_be_chosen_has_the_range_that_the_endpoint_accepts()
    {
        var template = await Bicep.BuildAsync("main.bicep");
        var ranges = new List<(string Name, int Min, int Max)>();
        foreach (Match section in SettingsSection().Matches(await File.ReadAllTextAsync(Path.Combine(Bicep.Infra, "main.bicep"))))
        {
            var type = template.At($"parameters.{section.Groups["parameter"].Value}.$ref")!.Split('/')[^1];
            foreach (var property in template.GetProperty("definitions").GetProperty(type).GetProperty("properties").EnumerateObject())
            {
                var name = $"{section.Groups["section"].Value}__{property.Name}";
                if (property.Value.At("type") == "int")
                {
                    ranges.Add((name, property.Value.Number("minValue"), property.Value.Number("maxValue")));
                }
                else
                {
                    Assert.Contains(KnownSettings(), known => known == name);
                }
            }
        }

        Assert.Equal(9, ranges.Count);
        Assert.All(ranges, range =>
        {
            Assert.Equal([false, true, true, false], new[] { range.Min - 1, range.Min, range.Max, range.Max + 1 }.Select(value => IsAccepted(range.Name, value)));
        });
    }

    [BicepTheory]
    [InlineData("", "isolated", "dotnet-isolated", "10.0")]
    [InlineData("param host = 'isolated'", "isolated", "dotnet-isolated", "10.0")]
    [InlineData("param host = 'custom'", "custom", "custom", "1.0")]
    public async Task A_host_is_a_runtime_that_Azure_has_and_the_worker_unless_chosen(string parameter, string host, string name, string version)
    {
        var deployment = new Deployment((await Bicep.SnapshotAsync(parameter)).GetRawText());
        var runtime = Assert.Single(deployment.Of("Microsoft.Web/sites"));

        Assert.Equal((name, version), (runtime.At("properties.functionAppConfig.runtime.name"), runtime.At("properties.functionAppConfig.runtime.version")));
        Assert.EndsWith($"artifacts/fetch-api-key-{host}.zip", deployment.Root.At("outputs.next"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("dev", "dev")]
    [InlineData("prod", "")]
    public void The_tables_are_made_in_the_account_storage_under_the_prefix(string example, string prefix)
    {
        var deployment = Kept(example);

        Assert.Equal(
            new[] { "realms", "accounts", "userids", "attempts", "audit" }.Select(table => $"{Storage(deployment, "data")}/default/{prefix}{table}"),
            deployment.Of("Microsoft.Storage/storageAccounts/tableServices/tables").Select(table => table.At("name")));
    }

    // ---- What is secret ----

    [BicepFact]
    public async Task The_key_goes_into_the_vault_and_nowhere_else()
    {
        var template = await Bicep.BuildAsync("main.bicep");
        var vault = template.GetProperty("resources").GetProperty("vault").GetProperty("properties");

        Assert.Equal("securestring", template.At("parameters.sealingKey.type"));
        Assert.Equal("securestring", vault.At("template.parameters.newestSecret.type"));
        Assert.Equal("[parameters('sealingKey')]", vault.At("parameters.newestSecret.value"));
        Assert.Single(Regex.Matches(template.GetRawText(), @"parameters\('sealingKey'\)"));
        Assert.Equal("[parameters('newestSecret')]", vault.At("template.resources.newest.properties.value"));
        Assert.Equal(["[not(empty(parameters('newestSecret')))]", "[parameters('newestSecret')]"], Strings(template).Where(text => text.Contains("newestSecret", StringComparison.Ordinal)));
    }

    [BicepFact]
    public async Task No_output_and_no_app_setting_holds_a_secret()
    {
        var template = await Bicep.BuildAsync("main.bicep");

        Assert.DoesNotContain(Strings(template), text => KeyFunctions().IsMatch(text));
        Assert.All(Outputs(template), output =>
        {
            Assert.Equal("string", output.At("type"));
            Assert.DoesNotMatch("(?i)secret|sealing|key'|connectionstring|password", output.At("value")!);
        });
        Assert.All(AppSettings(Kept("prod")).Where(setting => setting.Key.StartsWith("ApiKeys__keys__", StringComparison.Ordinal)), setting =>
            Assert.Matches(@"^@Microsoft\.KeyVault\(VaultName=fetchprod-kv-\w+;SecretName=sealing-key-k[12]\)$", setting.Value));
    }

    // ---- Who is told ----

    [Theory]
    [InlineData("dev", false)]
    [InlineData("prod", true)]
    public void Every_alert_reaches_the_action_group_and_names_its_page(string example, bool isProbed)
    {
        var deployment = Kept(example);
        var group = Assert.Single(deployment.Of("Microsoft.Insights/actionGroups")).At("id");
        var logAlerts = deployment.Of("Microsoft.Insights/scheduledQueryRules");
        var metricAlerts = deployment.Of("Microsoft.Insights/metricAlerts");

        var guide = File.ReadAllText(Path.Combine(ProcessRun.Repository, "docs", "operating.md"));

        Assert.All(logAlerts, alert => Assert.Equal(group, alert.At("properties.actions.actionGroups.0")));
        Assert.All(metricAlerts, alert => Assert.Equal(group, alert.At("properties.actions.0.actionGroupId")));
        Assert.All(logAlerts.Concat(metricAlerts), alert =>
        {
            Assert.Equal("true", alert.At("properties.enabled"));
            var name = alert.At("name")![(alert.At("name")!.IndexOf('-', StringComparison.Ordinal) + 1)..alert.At("name")!.LastIndexOf('-')];
            Assert.EndsWith($" docs/operating.md#alert-{name}", alert.At("properties.description"), StringComparison.Ordinal);
            Assert.Contains($"\n### Alert: {name}\n", guide, StringComparison.Ordinal);
        });
        string[] expected =
        [
            "login-failures", "attempts-blocked", "server-errors", "unavailable", "latency", "audit-lost", "storage-throttling", .. isProbed ? new[] { "unreachable" } : [],
        ];
        Assert.Equal(expected, logAlerts.Concat(metricAlerts).Select(alert => alert.At("properties.description")!.Split("#alert-")[1]));
        Assert.Equal(isProbed ? 1 : 0, deployment.Of("Microsoft.Insights/webtests").Count);
    }

    [Fact]
    public void Recipients_of_alerts_are_those_of_the_parameters()
    {
        Assert.Equal("operations@example.com", Assert.Single(Kept("prod").Of("Microsoft.Insights/actionGroups")).At("properties.emailReceivers.0.emailAddress"));
        Assert.Null(Assert.Single(Kept("dev").Of("Microsoft.Insights/actionGroups")).At("properties.emailReceivers.0"));
    }

    [Fact]
    public void The_workbook_asks_the_workspace_of_its_own_deployment()
    {
        var deployment = Kept("prod");
        var page = JsonDocument.Parse(Assert.Single(deployment.Of("Microsoft.Insights/workbooks")).At("properties.serializedData")!).RootElement;

        Assert.Equal(Assert.Single(deployment.Of("Microsoft.OperationalInsights/workspaces")).At("id"), page.At("fallbackResourceIds.0"));
        Assert.NotNull(page.At("items.10.content.query"));
    }

    [Fact]
    public void Alerts_and_workbook_ask_for_what_the_endpoint_measures()
    {
        var measured = new HashSet<string> { "http.server.request.duration" };
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, _) => measured.UnionWith(instrument.Meter.Name == Instruments.Name ? [instrument.Name] : Array.Empty<string>()),
        };
        listener.Start();
        Instruments.AttemptBlocked("account");
        var deployment = Kept("prod");
        var page = JsonDocument.Parse(Assert.Single(deployment.Of("Microsoft.Insights/workbooks")).At("properties.serializedData")!).RootElement;

        var queries = deployment.Of("Microsoft.Insights/scheduledQueryRules").Select(alert => alert.At("properties.criteria.allOf.0.query")!)
            .Concat(Enumerable.Range(1, 10).Select(item => page.At($"items.{item}.content.query")!)).ToList();

        Assert.Equal(16, queries.Count);
        Assert.All(queries, query => Assert.All(
            MetricName().Matches(query).Select(name => name.Value.Trim('"')).DefaultIfEmpty(query.StartsWith("AppRequests", StringComparison.Ordinal) ? "http.server.request.duration" : "nothing"),
            name => Assert.Contains(name, measured)));
        Assert.All(queries.Where(query => query.Contains("LoggedIn", StringComparison.Ordinal)), query =>
            Assert.Contains($"\"{LoginOutcome.LoggedIn.Name()}\"", query, StringComparison.Ordinal));
    }

    // ---- Reading ----

    private static Deployment Kept(string example) => new(File.ReadAllText(Path.Combine(Bicep.Infra, "examples", $"{example}.snapshot.json")));

    private static IEnumerable<JsonElement> StoragesAndVault(Deployment deployment) =>
        deployment.Of("Microsoft.Storage/storageAccounts").Concat(deployment.Of("Microsoft.KeyVault/vaults"));

    /// <summary>The name of the one storage account that has this word in it.</summary>
    private static string Storage(Deployment deployment, string word) =>
        Assert.Single(deployment.Of("Microsoft.Storage/storageAccounts"), storage => storage.At("name")!.Contains(word, StringComparison.Ordinal)).At("name")!;

    private static List<(string Scope, string Role, string Principal, string? Type)> Roles(Deployment deployment) =>
    [
        .. deployment.Of("Microsoft.Authorization/roleAssignments").Select(role => (
            string.Join('/', role.At("id")!.Split("/providers/Microsoft.Authorization/")[0].Split('/')[^2..]),
            role.At("properties.roleDefinitionId")!.Split('/')[^1],
            role.At("properties.principalId")!,
            role.At("properties.principalType"))),
    ];

    private static Dictionary<string, string> AppSettings(Deployment deployment) =>
        Assert.Single(deployment.Of("Microsoft.Web/sites/config")).GetProperty("properties").EnumerateObject()
            .ToDictionary(setting => setting.Name, setting => setting.Value.GetString()!);

    /// <summary>Patterns of the names in README's table of settings.</summary>
    private static IEnumerable<string> KnownSettings() =>
        SettingsRow().Matches(File.ReadAllText(Path.Combine(ProcessRun.Repository, "README.md")))
            .Select(row => row.Groups["name"].Value).Select(name => name.EndsWith("__ID", StringComparison.Ordinal) ? name[..^2] + "[A-Za-z0-9]+" : name);

    private static Settings Read(IReadOnlyDictionary<string, string> settings) => Settings.Read(
        new ConfigurationBuilder().AddInMemoryCollection(settings.ToDictionary(setting => setting.Key.Replace("__", ":", StringComparison.Ordinal), setting => (string?)setting.Value)).Build(),
        answersRequests: true);

    /// <summary>Whether the endpoint finds no fault in this setting, everything that bounds it being as wide as it can be.</summary>
    private static bool IsAccepted(string name, int value)
    {
        var settings = new Dictionary<string, string>
        {
            ["AccountStorage"] = "UseDevelopmentStorage=true",
            ["ExternalHost"] = "example.com",
            [TestServer.KeyVariable.Name] = TestServer.KeyVariable.Value,
            ["Argon2__lanes"] = "1",
            ["Argon2__memoryKib"] = "2048",
            [name] = $"{value}",
        };
        try
        {
            Read(settings);
            return true;
        }
        catch (InvalidSettingsException fault)
        {
            // That the memory of a test machine does not go with a size is no matter of its range.
            return !fault.Faults.Any(line => line.StartsWith($"{name}: must be", StringComparison.Ordinal));
        }
    }

    private static IEnumerable<JsonElement> Outputs(JsonElement template) => Objects(template).Where(entry => entry.Name == "outputs").SelectMany(entry => entry.Value.EnumerateObject()).Select(output => output.Value);

    private static IEnumerable<JsonProperty> Objects(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Object => element.EnumerateObject().SelectMany(property => Objects(property.Value).Prepend(property)),
        JsonValueKind.Array => element.EnumerateArray().SelectMany(Objects),
        _ => [],
    };

    private static IEnumerable<string> Strings(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Object => element.EnumerateObject().SelectMany(property => Strings(property.Value)),
        JsonValueKind.Array => element.EnumerateArray().SelectMany(Strings),
        JsonValueKind.String => [element.GetString()!],
        _ => [],
    };

    [GeneratedRegex(@"^\| `(?<name>\w+)` \|", RegexOptions.Multiline)]
    private static partial Regex SettingsRow();

    [GeneratedRegex(@"settingsOf\('(?<section>\w+)', (?<parameter>\w+)\)")]
    private static partial Regex SettingsSection();

    /// <summary>Names with a dot that a query compares Name with.</summary>
    [GeneratedRegex(@"(?<=\bName (==|in \([^)]*) ?)""[a-z_]+(\.[a-z_]+)+""")]
    private static partial Regex MetricName();

    [GeneratedRegex(@"\blist(Keys|AccountSas|ServiceSas|Secrets|Credentials)?\(", RegexOptions.IgnoreCase)]
    private static partial Regex KeyFunctions();
}
