// The templates of infra/ as text: they compile and lint without a word, and take and refuse parameters before anything is deployed.

namespace FetchApiKeyFunction.Tests.Infra;

public sealed class BicepTests
{
    public static TheoryData<string> Templates => [.. Files("", "*.bicep")];

    public static TheoryData<string> ParameterFiles => [.. Files("", "*.bicepparam"), .. Files("examples", "*.bicepparam")];

    public static TheoryData<string> Examples => [.. Files("examples", "*.bicepparam")];

    [BicepTheory]
    [MemberData(nameof(Templates))]
    public async Task A_template_compiles_without_a_warning(string template) => await Bicep.BuildAsync(template);

    [BicepTheory]
    [MemberData(nameof(Templates))]
    public async Task The_linter_has_nothing_to_say(string template) => Assert.Equal((0, ""), await Bicep.RunAsync("lint", template));

    [BicepTheory]
    [MemberData(nameof(ParameterFiles))]
    public async Task A_parameter_file_fits_its_template(string parameters)
    {
        var (code, output) = await Bicep.RunAsync("build-params", parameters, "--stdout");

        Assert.True(code == 0 && output.StartsWith('{'), output);
    }

    [BicepTheory]
    [MemberData(nameof(Examples))]
    public async Task An_example_makes_what_its_snapshot_says(string parameters)
    {
        var (code, output) = await Bicep.RunAsync(Bicep.SnapshotArguments(parameters, "validate"));

        Assert.True(code == 0, $"Renew the snapshots if this is meant; CONTRIBUTING.md has the command.\n{output}");
    }

    [BicepFact]
    public async Task A_wrong_parameter_is_refused_before_anything_is_deployed()
    {
        string[] wrong =
        [
            "param name = 'muchtoolong'",
            "param host = 'dotnet'",
            "param instanceMemoryMB = 1024",
            "param httpConcurrency = 0",
            "param maximumInstanceCount = 1001",
            "param alwaysReadyInstances = -1",
            "param sealingKeyIds = []",
            "param accountStorageSku = 'Premium_LRS'",
            "param realmCacheSeconds = 30",
            "param argon2 = { lanes: 17 }",
            "param audit = { retentionDays: 0 }",
            "param attempts = { perAccount: 0 }",
            "param hashing = { slots: 2 }",
            "param attempts = { windowSeconds: 1800 }",
            "param thresholds = { failedPercent: 101 }",
            "param operator = ''",
        ];

        var (code, output) = await Bicep.CheckAsync(string.Join('\n', wrong));

        Assert.NotEqual(0, code);
        Assert.All(wrong, (_, line) => Assert.Matches($@"case\.bicepparam\({line + Bicep.LinesBeforeParameters + 1},\d+\) : Error BCP", output));
    }

    private static IEnumerable<string> Files(string folder, string pattern) =>
        Directory.GetFiles(Path.Combine(Bicep.Infra, folder), pattern).Select(file => Path.GetRelativePath(Bicep.Infra, file)).Order(StringComparer.Ordinal);
}
