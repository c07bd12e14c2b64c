// The engine as a library: what it shows to others, its package, and the answers in its README.

using System.IO.Compression;
using System.Xml.Linq;
using FetchApiKey.Argon2;
using FetchApiKeyFunction.Tests.Hosts;

namespace FetchApiKeyFunction.Tests.Passwords;

public sealed class EnginePackageTests
{
    private static readonly string Project = Path.Combine(ProcessRun.Repository, "FetchApiKey.Argon2");

    [Fact]
    public void The_engine_shows_its_entry_points_and_nothing_of_its_inside()
    {
        string[] expected =
        [
            "Argon2Engine", "Argon2Parameters", "Argon2Path", "Argon2Variant",
            "HashingMemory", "HashingThreadPriority", "HashingWorkspace", "LaneWorkers",
        ];
        var assembly = typeof(Argon2Engine).Assembly;
        var types = assembly.GetExportedTypes();

        Assert.Equal(expected, types.Select(type => type.Name).Order(StringComparer.Ordinal));
        Assert.DoesNotContain(types.SelectMany(type => type.GetMembers()), member => $"{member}".Contains('*', StringComparison.Ordinal));
        Assert.Equal(
            ["FetchApiKey.Benchmarks", "FetchApiKeyFunction.Tests"],
            assembly.GetCustomAttributesData().Where(attribute => attribute.AttributeType.Name == "InternalsVisibleToAttribute")
                .Select(attribute => (string)attribute.ConstructorArguments[0].Value!).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task The_engine_packs_with_its_readme_its_documentation_and_no_dependency()
    {
        using var scratch = new TemporaryFolder();
        var packages = Path.Combine(scratch.Path, "packages");
        string[] arguments = ["pack", Project, "--artifacts-path", Path.Combine(scratch.Path, "build"), "--output", packages];
        using var pack = ProcessRun.Start("dotnet", arguments);
        Assert.True(await pack.ExitCodeAsync() == 0, pack.Output);

        await using var package = await ZipFile.OpenReadAsync(Assert.Single(Directory.GetFiles(packages, "*.nupkg")));
        var names = package.Entries.Select(entry => entry.FullName).ToList();
        Assert.Equal(
            ["lib/net10.0/FetchApiKey.Argon2.dll", "lib/net10.0/FetchApiKey.Argon2.xml"],
            names.Where(name => name.StartsWith("lib/", StringComparison.Ordinal)).Order(StringComparer.Ordinal));
        Assert.Contains("README.md", names);
        await using var specification = await package.GetEntry("FetchApiKey.Argon2.nuspec")!.OpenAsync();
        var metadata = (await XDocument.LoadAsync(specification, LoadOptions.None, CancellationToken.None))
            .Root!.Elements().Single(element => element.Name.LocalName == "metadata").Elements().ToList();
        string Of(string name) => metadata.Single(element => element.Name.LocalName == name).Value;
        Assert.Equal(("FetchApiKey.Argon2", "MIT", "README.md"), (Of("id"), Of("license"), Of("readme")));
        Assert.StartsWith("Argon2d, Argon2i and Argon2id (RFC 9106)", Of("description"), StringComparison.Ordinal);
        Assert.DoesNotContain(metadata.Descendants(), element => element.Name.LocalName == "dependency");
    }

    /// <summary>Rows: variant, version, KiB, passes, lanes, then in hexadecimal password, salt, secret, data, tag.</summary>
    [Fact]
    public void The_known_answers_of_the_readme_come_out_on_every_path()
    {
        var rows = File.ReadLines(Path.Combine(Project, "README.md")).Where(line => line.StartsWith("| Argon2", StringComparison.Ordinal))
            .Select(line => line.Split('|', StringSplitOptions.TrimEntries)[1..^1]).ToList();

        Assert.Equal(4, rows.Count);
        foreach (var row in rows)
        {
            var numbers = row[1..5].Select(int.Parse).ToArray();
            var bytes = row[5..].Select(cell => cell == "-" ? [] : Convert.FromHexString(cell.Trim('`'))).ToArray();
            var parameters = new Argon2Parameters(
                Enum.Parse<Argon2Variant>(row[0]), numbers[0], numbers[1], numbers[2], numbers[3], bytes[4].Length);
            using var memory = new HashingMemory(parameters.MemoryBytes);
            foreach (var path in Enum.GetValues<Argon2Path>().Where(Argon2Engine.IsSupported))
            {
                var tag = new byte[parameters.TagBytes];
                var workspace = new HashingWorkspace(memory, 0, memory.Bytes);
                Argon2Engine.Derive(path, parameters, bytes[0], bytes[1], bytes[2], bytes[3], workspace, tag);
                Assert.Equal((path, Convert.ToHexString(bytes[4])), (path, Convert.ToHexString(tag)));
            }
        }
    }
}
