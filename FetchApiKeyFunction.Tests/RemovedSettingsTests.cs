// Settings of earlier releases: each is refused by its name, however it is written, and together with every other fault.

using FetchApiKey.Attempts;
using FetchApiKey.Cli;
using FetchApiKey.Passwordless;
using FetchApiKey.Passwords;
using FetchApiKeyFunction.Tests.Hosts;
using Microsoft.Extensions.Configuration;

namespace FetchApiKeyFunction.Tests;

public sealed class RemovedSettingsTests
{
    private const string Value = "s3cr3t";

    private static readonly string[] Names =
    [
        "RealmCacheSeconds", "HashCeiling__memoryKib", "HashCeiling__passes", "HashCeiling__lanes", "HashCeiling__pbkdf2Iterations",
        "Hashing__slots", "Hashing__laneThreads", "Hashing__queueLength", "Hashing__maxWaitMs",
        "AttemptLimit__windowSeconds", "AttemptLimit__perAccountDaily", "AttemptLimit__perSharedAddress", "Telemetry__console",
        "Ldap__people__connections", "Jwt__portal__clockSkewSeconds",
    ];

    private static readonly (string Name, string Value)[] Sound =
    [
        ("AccountStorage", "UseDevelopmentStorage=true"), ("ExternalHost", "zulip.example.com"), TestServer.KeyVariable,
        ("Ldap__people__realms", "@"), ("Ldap__people__uri", "ldaps://ldap.example.com"), ("Ldap__people__userSearchBase", "o=example"),
        ("Jwt__portal__realms", "@"), ("Jwt__portal__algorithms", "HS256"), ("Jwt__portal__key", new string('k', 32)),
    ];

    public static TheoryData<string> Removed => [.. Names];

    [Theory]
    [MemberData(nameof(Removed))]
    public void A_removed_setting_is_refused_by_its_name(string name)
    {
        var fault = Assert.Single(FaultsOf((name, Value)));

        Assert.StartsWith($"{name}: is no longer a setting: ", fault, StringComparison.Ordinal);
        Assert.EndsWith("; remove it", fault, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Removed))]
    public void A_removed_setting_is_refused_in_any_case_with_a_colon_and_without_a_value(string name)
    {
        var colon = name.Replace("__", ":", StringComparison.Ordinal);
        foreach (var spelling in new[] { name.ToUpperInvariant(), name.ToLowerInvariant(), colon, colon.ToUpperInvariant() })
        {
            foreach (var value in new[] { Value, "" })
            {
                var fault = Assert.Single(FaultsOf((spelling, value)));
                Assert.StartsWith($"{name}: is no longer a setting: ", fault, StringComparison.OrdinalIgnoreCase);
            }
        }
    }

    [Fact]
    public void All_removed_settings_are_refused_at_once_beside_every_other_fault_and_no_value_is_quoted()
    {
        var faults = FaultsOf([
            .. Names.Select(name => (name, Value)), ("Argon2__passes", Value), ("Hashing__slot", Value), ("ExternalHost", $"https://{Value}")]);

        string[] beginnings =
        [
            .. Names.Select(name => $"{name}: is no longer a setting: "), "Argon2__passes: must be", "ExternalHost: entry 1 must be",
            "Hashing__slot: there is no such setting; Hashing__ takes memoryMib, alsoInUse",
        ];
        Assert.All(beginnings, beginning => Assert.Single(faults, fault => fault.StartsWith(beginning, StringComparison.Ordinal)));
        Assert.Equal(beginnings.Length, faults.Count);
        Assert.DoesNotContain(Value, string.Concat(faults), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_process_refuses_them_as_they_stand_in_its_environment()
    {
        using var run = TestedProgram.Usual.Start(["serve"], new Dictionary<string, string>
        {
            ["AccountStorage"] = "UseDevelopmentStorage=true",
            ["ExternalHost"] = "zulip.example.com",
            [TestServer.KeyVariable.Name] = TestServer.KeyVariable.Value,
            ["REALMCACHESECONDS"] = Value,
            ["Hashing:slots"] = Value,
            ["TELEMETRY__CONSOLE"] = "true",
        });

        Assert.Equal(ExitCode.BadSettings, await run.ExitCodeAsync());
        Assert.All(
            new[] { "RealmCacheSeconds: ", "Hashing__slots: ", "Telemetry__console: " },
            name => Assert.Contains($"{name}is no longer a setting: ", run.Error, StringComparison.Ordinal));
        Assert.DoesNotContain(Value, run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void No_page_and_no_template_names_a_removed_setting()
    {
        string[] files =
        [
            .. Directory.GetFiles(ProcessRun.Repository, "*.md"),
            .. Directory.GetFiles(Path.Combine(ProcessRun.Repository, "docs"), "*.md"),
            .. Directory.GetFiles(Path.Combine(ProcessRun.Repository, "infra"), "*", SearchOption.AllDirectories),
        ];

        Assert.All(files, file =>
        {
            var text = File.ReadAllText(file);
            Assert.All(RemovedSettings.Reasons.Keys, name => Assert.DoesNotContain(name, text, StringComparison.OrdinalIgnoreCase));
        });
    }

    /// <summary>What a reason says must be what holds.</summary>
    [Fact]
    public void The_reasons_have_the_figures_that_hold()
    {
        var (gate, attempts, settings) = (new GateLimits(), new AttemptSettings(), Read());

        Assert.Equal((0, 0), (gate.Slots, gate.LaneThreads));
        AssertFigure("RealmCacheSeconds", settings.RealmMaxAge.TotalSeconds);
        AssertFigure("Hashing__queueLength", gate.QueueLength);
        AssertFigure("Hashing__maxWaitMs", gate.MaxWait.TotalSeconds);
        AssertFigure("AttemptLimit__windowSeconds", attempts.Window.TotalMinutes);
        AssertFigure("AttemptLimit__perAccountDaily", AttemptSettings.DailyOf(AttemptSettings.MaxFailures));
        AssertFigure("AttemptLimit__perSharedAddress", attempts.PerSharedAddress);
        AssertFigure("Ldap__ID__connections", Assert.Single(settings.Ldap).Connections);
        AssertFigure("Jwt__ID__clockSkewSeconds", TokenValidator.ClockSkew.TotalSeconds);

        static void AssertFigure(string name, double figure) => Assert.Matches($@"\b{figure}\b", RemovedSettings.Reasons[name]);
    }

    /// <summary>Of settings that are sound but for these.</summary>
    private static IReadOnlyList<string> FaultsOf(params (string Name, string Value)[] more) =>
        Assert.Throws<InvalidSettingsException>(() => Read(more)).Faults;

    private static Settings Read(params (string Name, string Value)[] more) => Settings.Read(
        new ConfigurationBuilder().AddInMemoryCollection(Keys(Sound)).AddInMemoryCollection(Keys(more)).Build(), answersRequests: false);

    private static IEnumerable<KeyValuePair<string, string?>> Keys((string Name, string Value)[] settings) =>
        settings.Select(setting => KeyValuePair.Create(setting.Name.Replace("__", ":", StringComparison.Ordinal), (string?)setting.Value));
}
