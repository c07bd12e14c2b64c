// What package.cs makes: the same bytes from the same sources, what a host needs and no more, and a true bill of materials.

using System.IO.Compression;
using System.Security.Cryptography;
using System.Text.Json;
using FetchApiKey.Cli;

namespace FetchApiKeyFunction.Tests.Hosts;

public sealed class PackageTests
{
    private const int ProgramMode = 0b1_000_000_111_101_101;
    private const int FileMode = 0b1_000_000_110_100_100;

    [PackageFact]
    public async Task Another_checkout_with_a_developers_files_in_it_gives_the_same_custom_handler() =>
        await AssertSameBytesAsync("custom", await Package.CustomAsync());

    [Fact]
    public async Task Another_checkout_with_a_developers_files_in_it_gives_the_same_worker() =>
        await AssertSameBytesAsync("isolated", await Package.WorkerAsync());

    private static async Task AssertSameBytesAsync(string host, string first)
    {
        using var copy = new TemporaryFolder();
        var sources = Path.Combine(copy.Path, "a checkout, with a longer path");
        Package.CopySources(sources);
        await File.WriteAllTextAsync(Path.Combine(sources, "local.settings.json"), "{}");
        await File.WriteAllTextAsync(Path.Combine(sources, "FetchApiKey.Cli", "__azurite_db_table__.json"), "{}");

        var (code, text) = await Package.MakeAsync(sources, host, Path.Combine(copy.Path, "packages"));

        Assert.True(code == 0, text);
        var second = Path.Combine(copy.Path, "packages", Path.GetFileName(first));
        Assert.Equal(await DigestAsync(first), await DigestAsync(second));
        Assert.Equal(await File.ReadAllTextAsync(BillOf(first)), await File.ReadAllTextAsync(BillOf(second)));
        Assert.Contains($"{await DigestAsync(second)}  {second}", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_package_that_is_not_as_the_lock_file_has_it_is_refused()
    {
        using var copy = new TemporaryFolder();
        Package.CopySources(copy.Path);
        var locked = Path.Combine(copy.Path, "FetchApiKey.Cli", "packages.ahead-of-time.lock.json");
        var text = await File.ReadAllTextAsync(locked);
        using var packages = JsonDocument.Parse(text);
        var digest = packages.RootElement.GetProperty("dependencies").GetProperty("net10.0").GetProperty("CsvHelper").GetProperty("contentHash").GetString()!;
        await File.WriteAllTextAsync(locked, text.Replace(digest, Convert.ToBase64String(new byte[SHA512.HashSizeInBytes]), StringComparison.Ordinal));

        var (code, output) = await Package.MakeAsync(copy.Path, "custom", Path.Combine(copy.Path, "packages"));

        Assert.Equal(1, code);
        Assert.Contains("NU1403", output, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Path.Combine(copy.Path, "packages")));
    }

    [PackageFact]
    public async Task The_custom_handlers_zip_holds_what_its_host_needs_and_no_more()
    {
        await using var zip = await ZipFile.OpenReadAsync(await Package.CustomAsync());
        var names = zip.Entries.Select(entry => entry.FullName).ToList();

        Assert.Single(zip.Entries.Select(entry => entry.LastWriteTime.DateTime).Distinct());
        Assert.Equal(["FetchApiKey/function.json", "fetch-api-key", "glibc-hwcaps/x86-64-v4/libfetch-api-key-avx512.so", "host.json"], names);
        Assert.Equal(["fetch-api-key"], zip.Entries.Where(entry => Mode(entry) == ProgramMode).Select(entry => entry.FullName));
        Assert.All(zip.Entries, entry => Assert.True(Mode(entry) is ProgramMode or FileMode, $"{entry.FullName}: {Mode(entry)}"));
        Assert.True(Read(zip.GetEntry("host.json")!).TryGetProperty("customHandler", out _));
    }

    [PackageFact]
    public async Task The_bill_of_materials_lists_exactly_the_published_packages_with_their_digests()
    {
        var zip = await Package.CustomAsync();

        await AssertBillAsync(zip, await CompiledPackagesAsync());
    }

    [Fact]
    public async Task The_workers_zip_holds_what_its_host_needs_and_no_more()
    {
        var path = await Package.WorkerAsync();
        await using var zip = await ZipFile.OpenReadAsync(path);

        Assert.Single(zip.Entries.Select(entry => entry.LastWriteTime.DateTime).Distinct());
        Assert.All(zip.Entries, entry => Assert.Equal(FileMode, Mode(entry)));
        Assert.DoesNotContain(zip.Entries, entry => entry.FullName.EndsWith(".pdb", StringComparison.Ordinal));
        FunctionAppFolder.AssertRunnable(await Package.WorkerFolderAsync());
        await AssertBillAsync(path, PublishedPackages(zip));
    }

    private static async Task AssertBillAsync(string zip, List<string> shipped)
    {
        var modules = await NpmPackages.InstallAsync("release-linters", Path.Combine(AppContext.BaseDirectory, "Lint"), Console.WriteLine, CancellationToken.None);
        using var judge = ProcessRun.Start("node", [Path.Combine(AppContext.BaseDirectory, "Lint", "validate-bom.js"), modules, BillOf(zip)]);
        Assert.True(await judge.ExitCodeAsync() == 0, judge.Output);

        using var bill = JsonDocument.Parse(await File.ReadAllTextAsync(BillOf(zip)));
        var component = bill.RootElement.GetProperty("metadata").GetProperty("component");
        Assert.Equal(await DigestAsync(zip), component.GetProperty("hashes")[0].GetProperty("content").GetString());
        var listed = bill.RootElement.GetProperty("components").EnumerateArray().ToList();
        Assert.Equal(
            shipped,
            listed.Select(package => $"{package.GetProperty("name").GetString()}/{package.GetProperty("version").GetString()}").Order(StringComparer.Ordinal));

        var folder = (await OutputAsync("nuget", "locals", "global-packages", "--list")).Split(": ", 2)[1].Trim();
        foreach (var package in listed)
        {
            var (name, version) = (package.GetProperty("name").GetString()!.ToLowerInvariant(), package.GetProperty("version").GetString()!.ToLowerInvariant());
            await using var restored = File.OpenRead(Path.Combine(folder, name, version, $"{name}.{version}.nupkg"));
            Assert.Equal(Convert.ToHexStringLower(await SHA512.HashDataAsync(restored)), package.GetProperty("hashes")[0].GetProperty("content").GetString());
            Assert.True(package.TryGetProperty("licenses", out _), name);
        }
    }

    /// <summary>Of the lock file what is not for the build alone, and the runtime that the program has linked in.</summary>
    private static async Task<List<string>> CompiledPackagesAsync()
    {
        string[] ofTheBuild = ["Microsoft.CodeAnalysis.BannedApiAnalyzers", "Microsoft.DotNet.ILCompiler", "runtime.linux-x64.Microsoft.DotNet.ILCompiler", "Microsoft.NET.ILLink.Tasks", "Microsoft.NETCore.Platforms", "NETStandard.Library"];
        var runtime = (await OutputAsync("msbuild", "FetchApiKey.Cli", "-getProperty:PinnedRuntimeVersion")).Trim();
        using var locked = JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(ProcessRun.Repository, "FetchApiKey.Cli", "packages.ahead-of-time.lock.json")));
        var packages = locked.RootElement.GetProperty("dependencies").EnumerateObject()
            .SelectMany(target => target.Value.EnumerateObject())
            .Where(package => package.Value.GetProperty("type").GetString() != "Project")
            .GroupBy(package => package.Name, package => package.Value.GetProperty("resolved").GetString()!)
            .ToDictionary(package => package.Key, package => package.First());
        return
        [
            .. packages.Where(package => !ofTheBuild.Contains(package.Key))
                .Concat(new[] { "Microsoft.AspNetCore.App.Runtime.linux-x64", "Microsoft.NETCore.App.Runtime.NativeAOT.linux-x64" }
                    .Select(pack => KeyValuePair.Create(pack, runtime)))
                .Select(package => $"{package.Key}/{package.Value}")
                .Order(StringComparer.Ordinal),
        ];
    }

    private static List<string> PublishedPackages(ZipArchive zip) =>
    [
        .. zip.Entries.Where(entry => entry.FullName.EndsWith(".deps.json", StringComparison.Ordinal))
            .SelectMany(entry => Read(entry).GetProperty("libraries").EnumerateObject())
            .Where(library => library.Value.GetProperty("type").GetString() is "package" or "runtimepack")
            .Select(library => library.Name.Replace("runtimepack.", "", StringComparison.Ordinal))
            .Distinct()
            .Order(StringComparer.Ordinal),
    ];

    private static JsonElement Read(ZipArchiveEntry entry)
    {
        using var stream = entry.Open();
        return JsonDocument.Parse(stream).RootElement;
    }

    private static int Mode(ZipArchiveEntry entry) => entry.ExternalAttributes >>> 16;

    private static string BillOf(string zip) => Path.ChangeExtension(zip, ".cdx.json");

    private static async Task<string> DigestAsync(string file) => Convert.ToHexStringLower(SHA256.HashData(await File.ReadAllBytesAsync(file)));

    private static async Task<string> OutputAsync(params string[] arguments)
    {
        using var run = ProcessRun.Start("dotnet", arguments);
        Assert.Equal(0, await run.ExitCodeAsync());
        return run.Output;
    }
}
