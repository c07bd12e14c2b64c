// Makes the zip that is deployed, and its bill of materials: dotnet run package.cs -- custom|isolated [--output DIR]
//
// The same sources and the same SDK give the same bytes, wherever and whenever it is run: paths are mapped, nothing of the
// checkout's history is compiled in, entries are sorted and have one time stamp. Symbols are left out: nothing in the
// endpoint reads them, and those of a package can be built again from its sources. The custom handler is compiled ahead of
// time, which takes gcc or clang to link with (Debian: gcc libc6-dev); of another linker come other bytes.

#:property PublishAot=false
#:property RestorePackagesWithLockFile=false
#:property RestoreLockedMode=false
#:package System.CommandLine

using System.CommandLine;
using System.Diagnostics;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Xml.Linq;
using Edges = System.Collections.Generic.SortedDictionary<string, System.Collections.Generic.SortedSet<string>>;

const string Runtime = "linux-x64";

var repository = (string)AppContext.GetData("EntryPointFileDirectoryPath")!;
var host = new Argument<string>("host") { Description = "isolated (the .NET isolated worker, the default) or custom (the custom handler, compiled ahead of time).", DefaultValueFactory = _ => "isolated" };
host.AcceptOnlyFromAmong("isolated", "custom");
var output = new Option<DirectoryInfo>("--output")
{
    Description = "The folder to write to.",
    DefaultValueFactory = _ => new DirectoryInfo(Path.Combine(repository, "artifacts")),
};
var command = new RootCommand("Makes the zip that is deployed, and its bill of materials.") { host, output };
command.SetAction(async (arguments, cancellation) =>
    await MakeAsync(arguments.GetRequiredValue(host), arguments.GetRequiredValue(output).FullName, cancellation));
var parsed = command.Parse(args);
var code = await parsed.InvokeAsync();
return parsed.Errors.Count > 0 ? 2 : code;

async Task<int> MakeAsync(string kind, string folder, CancellationToken cancellation)
{
    var scratch = Directory.CreateTempSubdirectory("fetch-api-key-package-").FullName;
    try
    {
        var published = Path.Combine(scratch, "published");
        if (await PublishAsync(kind, scratch, published, cancellation) is { } failure)
        {
            await Console.Error.WriteLineAsync(failure);
            return 1;
        }

        Directory.CreateDirectory(folder);
        var zip = Path.Combine(folder, $"fetch-api-key-{kind}.zip");
        await ZipAsync(published, zip, cancellation);
        var digest = Convert.ToHexStringLower(SHA256.HashData(await File.ReadAllBytesAsync(zip, cancellation)));
        var packages = (await RunAsync(["nuget", "locals", "global-packages", "--list"], cancellation)).Output.Split(": ", 2)[1].Trim();
        var materials = Path.ChangeExtension(zip, ".cdx.json");
        var (components, edges) = kind == "custom" ? WhatWasCompiled(Path.Combine(scratch, "build"), packages) : WhatWasPublished(published);
        await File.WriteAllBytesAsync(materials, BillOfMaterials(components, edges, kind, digest, packages), cancellation);
        Console.WriteLine($"{digest}  {zip}");
        Console.WriteLine($"{Convert.ToHexStringLower(SHA256.HashData(await File.ReadAllBytesAsync(materials, cancellation)))}  {materials}");
        return 0;
    }
    finally
    {
        Directory.Delete(scratch, recursive: true);
    }
}

// The reason, when the folder could not be published.
async Task<string?> PublishAsync(string kind, string scratch, string published, CancellationToken cancellation)
{
    string[] ofKind = kind == "custom" ? ["FetchApiKey.Cli", "-p:PublishProfile=ahead-of-time"] : ["FetchApiKeyFunction", "-p:UseAppHost=false"];
    var (exitCode, text) = await RunAsync(
        [
            "publish", Path.Combine(repository, ofKind[0]), ofKind[1], "--configuration", "Release",
            "--artifacts-path", Path.Combine(scratch, "build"), "--output", published,
            // Absolute paths and the checkout's commit and origin would otherwise be in the assembly, by way of its symbols.
            $"-p:PathMap={Escape(repository)}=/_/%2C{Escape(scratch)}=/_/build/", "-p:ContinuousIntegrationBuild=false",
            "-p:EnableSourceLink=false", "-p:EnableSourceControlManagerQueries=false",
        ],
        cancellation);
    return exitCode == 0 ? null
        : text.Contains("Platform linker", StringComparison.Ordinal)
            ? $"{text}\nThe custom handler is linked by gcc or clang, and neither was found. On Debian: apt-get install --no-install-recommends gcc libc6-dev"
        : $"{text}\nThe package '{kind}' could not be published.";

    // The compiler wants its separators doubled, MSBuild its own as codes.
    static string Escape(string path) => path.Replace("%", "%25", StringComparison.Ordinal).Replace(";", "%3B", StringComparison.Ordinal)
        .Replace(",", "%2C%2C", StringComparison.Ordinal).Replace("=", "==", StringComparison.Ordinal);
}

static async Task ZipAsync(string published, string zip, CancellationToken cancellation)
{
    // The earliest time that the format knows.
    var stamp = new DateTimeOffset(1980, 1, 1, 0, 0, 0, TimeSpan.Zero);
    await using var archive = await ZipArchive.CreateAsync(File.Create(zip), ZipArchiveMode.Create, leaveOpen: false, Encoding.UTF8, cancellation);
    foreach (var name in Directory.GetFiles(published, "*", SearchOption.AllDirectories)
        .Select(file => Path.GetRelativePath(published, file).Replace('\\', '/'))
        .Where(name => !name.EndsWith(".pdb", StringComparison.Ordinal))
        .Order(StringComparer.Ordinal))
    {
        if (name.Contains("local.settings", StringComparison.OrdinalIgnoreCase) || name.Contains("azurite", StringComparison.OrdinalIgnoreCase))
        {
            throw new InvalidDataException($"{name} is for a developer's machine and must not be published.");
        }

        var content = await File.ReadAllBytesAsync(Path.Combine(published, name), cancellation);
        var entry = archive.CreateEntry(name, CompressionLevel.SmallestSize);
        entry.LastWriteTime = stamp;

        // The modes of files restored from packages differ from machine to machine. A program is an ELF file without extension.
        var isProgram = Path.GetExtension(name).Length == 0 && content.AsSpan().StartsWith("\u007fELF"u8);
        entry.ExternalAttributes = (isProgram ? 0b1_000_000_111_101_101 : 0b1_000_000_110_100_100) << 16;
        await using var stream = await entry.OpenAsync(cancellation);
        await stream.WriteAsync(content, cancellation);
    }
}

// The packages that the published .deps.json files name, and what each needs of the others.
static (SortedDictionary<string, bool> IsFramework, Edges Edges) WhatWasPublished(string published)
{
    var components = new SortedDictionary<string, bool>(StringComparer.Ordinal);
    var edges = new Edges(StringComparer.Ordinal);
    foreach (var file in Directory.GetFiles(published, "*.deps.json", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
    {
        var dependencies = JsonNode.Parse(File.ReadAllText(file))!;
        var libraries = dependencies["libraries"]!.AsObject();
        string? Reference(string id) => libraries[id]!["type"]!.GetValue<string>() switch
        {
            "package" => PackageUrl(id),
            "runtimepack" => PackageUrl(id["runtimepack.".Length..]),
            _ => null,
        };
        foreach (var (id, library) in libraries)
        {
            if (Reference(id) is { } purl)
            {
                components.TryAdd(purl, library!["type"]!.GetValue<string>() == "runtimepack");
            }
        }

        foreach (var (id, target) in dependencies["targets"]![dependencies["runtimeTarget"]!["name"]!.GetValue<string>()]!.AsObject())
        {
            foreach (var (name, version) in target!["dependencies"]?.AsObject() ?? [])
            {
                if (libraries.ContainsKey($"{name}/{version}") && Reference($"{name}/{version}") is { } to)
                {
                    Connect(edges, Reference(id) ?? "", to);
                }
            }
        }
    }

    return (components, edges);
}

// The packages that the ahead-of-time compiler read: those of the lock file that have a file in its list of references, and
// the runtime that it linked in.
static (SortedDictionary<string, bool> IsFramework, Edges Edges) WhatWasCompiled(string build, string packages)
{
    var read = Directory.GetFiles(build, "*.ilc.rsp", SearchOption.AllDirectories).SelectMany(File.ReadAllLines)
        .Select(line => line[(line.IndexOf(':', StringComparison.Ordinal) + 1)..])
        .Where(path => path.StartsWith(packages, StringComparison.Ordinal))
        .Select(path => Path.GetRelativePath(packages, path).Split('/'))
        .Select(parts => $"{parts[0]}/{parts[1]}")
        .ToHashSet(StringComparer.OrdinalIgnoreCase);
    var components = new SortedDictionary<string, bool>(StringComparer.Ordinal);
    var edges = new Edges(StringComparer.Ordinal);
    foreach (var file in Directory.GetFiles(build, "project.assets.json", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
    {
        var assets = JsonNode.Parse(File.ReadAllText(file))!;
        var resolved = assets["targets"]!.AsObject().SingleOrDefault(target => target.Key.EndsWith($"/{Runtime}", StringComparison.Ordinal)).Value?.AsObject();
        if (resolved is null)
        {
            // A library, whose packages are among those of the program.
            continue;
        }

        var project = assets["project"]!["frameworks"]!.AsObject().Single().Value!;
        foreach (var pack in project["downloadDependencies"]?.AsArray() ?? [])
        {
            var id = $"{pack!["name"]}/{pack["version"]!.GetValue<string>().Trim('[', ']').Split(',')[0]}";
            if (read.Contains(id))
            {
                components.TryAdd(PackageUrl(id), true);
                Connect(edges, "", PackageUrl(id));
            }
        }

        var shipped = resolved.Select(package => package.Key).Where(read.Contains).ToDictionary(id => id.Split('/')[0], StringComparer.OrdinalIgnoreCase);
        foreach (var id in shipped.Values)
        {
            components.TryAdd(PackageUrl(id), false);
            foreach (var (name, _) in resolved[id]!["dependencies"]?.AsObject() ?? [])
            {
                if (shipped.TryGetValue(name, out var to))
                {
                    Connect(edges, PackageUrl(id), PackageUrl(to));
                }
            }
        }

        // Projects are parts of the endpoint itself.
        foreach (var (name, _) in resolved.Where(library => library.Value!["type"]!.GetValue<string>() == "project")
            .SelectMany(library => library.Value!["dependencies"]?.AsObject() ?? [])
            .Concat(project["dependencies"]?.AsObject() ?? []))
        {
            if (shipped.TryGetValue(name, out var to))
            {
                Connect(edges, "", PackageUrl(to));
            }
        }
    }

    return (components, edges);
}

static string PackageUrl(string id) => $"pkg:nuget/{id.Replace('/', '@')}";

// From nothing: from the endpoint itself.
static void Connect(Edges edges, string from, string to)
{
    edges.TryAdd(from, new SortedSet<string>(StringComparer.Ordinal));
    edges[from].Add(to);
}

// CycloneDX 1.6. No time and no serial number: those of a document that can be made again are what it is made from.
static byte[] BillOfMaterials(SortedDictionary<string, bool> isFramework, Edges edges, string kind, string digest, string packages)
{
    var root = $"fetch-api-key-{kind}";
    foreach (var purl in isFramework.Keys.Prepend(""))
    {
        edges.TryAdd(purl, []);
    }

    var document = new JsonObject
    {
        ["$schema"] = "http://cyclonedx.org/schema/bom-1.6.schema.json",
        ["bomFormat"] = "CycloneDX",
        ["specVersion"] = "1.6",
        ["version"] = 1,
        ["metadata"] = new JsonObject
        {
            ["component"] = new JsonObject
            {
                ["type"] = "application",
                ["bom-ref"] = root,
                ["name"] = root,
                ["hashes"] = Hashes("SHA-256", digest),
                ["licenses"] = new JsonArray(new JsonObject { ["license"] = new JsonObject { ["id"] = "MIT" } }),
            },
        },
        ["components"] = new JsonArray([.. isFramework.Select(package => (JsonNode)Component(package.Key, package.Value, packages))]),
        ["dependencies"] = new JsonArray([.. edges.Select(edge => new JsonObject
        {
            ["ref"] = edge.Key.Length == 0 ? root : edge.Key,
            ["dependsOn"] = new JsonArray([.. edge.Value.Select(to => (JsonNode)to)]),
        })]),
    };
    using var buffer = new MemoryStream();
    using (var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true, NewLine = "\n" }))
    {
        document.WriteTo(writer);
    }

    buffer.WriteByte((byte)'\n');
    return buffer.ToArray();
}

// What the package itself says, from the folder that NuGet unpacked it to; its digest is the one that NuGet checked.
static JsonObject Component(string purl, bool isFramework, string packages)
{
    var component = new JsonObject();
    var (name, version) = purl["pkg:nuget/".Length..].Split('@') is [var id, var number] ? (id, number) : throw new InvalidDataException(purl);
    var folder = Path.Combine(packages, name.ToLowerInvariant(), version.ToLowerInvariant());
    var digest = Path.Combine(folder, $"{name.ToLowerInvariant()}.{version.ToLowerInvariant()}.nupkg.sha512");
    var metadata = XDocument.Load(Path.Combine(folder, $"{name.ToLowerInvariant()}.nuspec")).Root!.Elements().Single(element => element.Name.LocalName == "metadata").Elements().ToList();
    component["type"] = isFramework ? "framework" : "library";
    component["bom-ref"] = purl;
    component["name"] = name;
    component["version"] = version;
    component["hashes"] = Hashes("SHA-512", Convert.ToHexStringLower(Convert.FromBase64String(File.ReadAllText(digest))));
    if (metadata.Find(element => element.Name.LocalName == "license" && (string?)element.Attribute("type") == "expression") is { } expression)
    {
        component["licenses"] = new JsonArray(new JsonObject { ["expression"] = expression.Value.Trim() });
    }
    else if (metadata.Find(element => element.Name.LocalName == "licenseUrl") is { } address)
    {
        component["licenses"] = new JsonArray(new JsonObject { ["license"] = new JsonObject { ["name"] = "as at the address", ["url"] = address.Value.Trim() } });
    }

    component["purl"] = purl;
    return component;
}

static JsonArray Hashes(string algorithm, string digest) => [new JsonObject { ["alg"] = algorithm, ["content"] = digest }];

static async Task<(int ExitCode, string Output)> RunAsync(string[] arguments, CancellationToken cancellation)
{
    var start = new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", arguments) { RedirectStandardOutput = true };

    // Of the build of this program, and in the way of another.
    foreach (var name in start.Environment.Keys.Where(name => name.StartsWith("MSBUILD", StringComparison.OrdinalIgnoreCase)).ToList())
    {
        start.Environment.Remove(name);
    }

    using var process = Process.Start(start)!;
    var text = await process.StandardOutput.ReadToEndAsync(cancellation);
    await process.WaitForExitAsync(cancellation);
    return (process.ExitCode, text);
}
