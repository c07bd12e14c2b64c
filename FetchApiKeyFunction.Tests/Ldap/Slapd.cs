// OpenLDAP's slapd from Debian's package, with a directory of people, a certificate and ports of its own. No service of the machine's is touched.

using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using FetchApiKey.Cli;
using FetchApiKeyFunction.Tests.Hosts;

namespace FetchApiKeyFunction.Tests.Ldap;

[AttributeUsage(AttributeTargets.Method)]
internal sealed class SlapdFactAttribute : FactAttribute
{
    public SlapdFactAttribute() => Skip = Slapd.Skip;
}

[AttributeUsage(AttributeTargets.Method)]
internal sealed class SlapdTheoryAttribute : TheoryAttribute
{
    public SlapdTheoryAttribute() => Skip = Slapd.Skip;
}

/// <summary>What a test adds to the usual directory.</summary>
/// <param name="Global">Lines of slapd.conf before the databases.</param>
/// <param name="Database">Lines for the database of people, its first rules of access included.</param>
/// <param name="Entries">LDIF.</param>
internal sealed record SlapdAdditions(string Global = "", string Database = "", string Entries = "");

internal sealed class Slapd : ITestedDirectory, IAsyncDisposable
{
    public const string ReaderDn = "cn=reader,dc=example,dc=com";
    public const string ReaderPassword = "canary-bind-password";
    public const string People = "ou=people,dc=example,dc=com";

    /// <summary>Searches too, and is in a database of its own, so that the rules of that of people do not concern its bind.</summary>
    public const string OutsiderDn = "cn=outsider,o=service";

    private static readonly string Sources = Path.Combine(ProcessRun.Repository, "FetchApiKeyFunction.Tests", "Ldap");
    private static readonly string[] Packages = ["slapd", "libldap-2.5-0", "libsasl2-2", "libltdl7", "libwrap0", "libnsl2", "libtirpc3"];
    private static readonly Lazy<Task<string>> Unpacked = new(() => DebianPackages.UnpackAsync("slapd", Packages));

    private readonly string _folder;
    private readonly string _root;
    private ProcessRun? _run;

    private Slapd(string folder, string root)
    {
        (_folder, _root) = (folder, root);
        (Port, TlsPort) = (Azurite.FreePort(), Azurite.FreePort());
    }

    /// <summary>Null where the tests run, else why they do not.</summary>
    public static string? Skip { get; } = DebianPackages.WhyNotUnpack("slapd", Packages);

    public int Port { get; }

    public int TlsPort { get; }

    /// <summary>Of whoever signed the server's certificate, and of somebody else.</summary>
    public string Authority => Path.Combine(_folder, "authority.pem");

    public string ForeignAuthority => Path.Combine(_folder, "foreign.pem");

    public IReadOnlyDictionary<string, string> Settings => new Dictionary<string, string>
    {
        ["Ldap__people__realms"] = "@", ["Ldap__people__uri"] = $"ldap://127.0.0.1:{Port}",
        ["Ldap__people__bindDn"] = ReaderDn, ["Ldap__people__bindPassword"] = ReaderPassword,
        ["Ldap__people__userSearchBase"] = People, ["Ldap__people__appendDomain"] = "example.com",
        ["Ldap__people__operationTimeoutMs"] = "2000",
    };

    public static async Task<Slapd> StartAsync(SlapdAdditions? additions = null)
    {
        var slapd = new Slapd(Directory.CreateTempSubdirectory("fetch-api-key-slapd-").FullName, await Unpacked.Value);
        await slapd.WriteAsync(additions ?? new SlapdAdditions());
        using (var add = slapd.Run("-Tadd", "-f", slapd.Conf, "-l", slapd.Entries))
        {
            Assert.True(await add.ExitCodeAsync() == 0, add.Output);
        }

        await slapd.StartAgainAsync();
        return slapd;
    }

    public async Task StartAgainAsync()
    {
        // 127.0.0.2 is this machine, too, and is not named in the certificate.
        _run = Run("-d", "0", "-f", Conf, "-h", $"ldap://127.0.0.1:{Port} ldaps://127.0.0.1:{TlsPort} ldaps://127.0.0.2:{TlsPort}");
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (!await AcceptsAsync())
        {
            Assert.False(_run.HasExited, $"slapd ended: {_run.Output}");
            await Task.Delay(20, limit.Token);
        }
    }

    public void Stop()
    {
        _run?.Dispose();
        _run = null;
    }

    public ValueTask DisposeAsync()
    {
        Stop();
        Directory.Delete(_folder, recursive: true);
        return ValueTask.CompletedTask;
    }

    private string Conf => Path.Combine(_folder, "slapd.conf");

    private string Entries => Path.Combine(_folder, "directory.ldif");

    private ProcessRun Run(params string[] arguments) => ProcessRun.Start(
        Path.Combine(_root, "usr/sbin/slapd"), arguments,
        new Dictionary<string, string>
        {
            ["LD_LIBRARY_PATH"] = string.Join(
                ':', Directory.GetDirectories(Path.Combine(_root, "usr/lib"), "*-linux-gnu").Append(Path.Combine(_root, "usr/lib/ldap"))),
        },
        _folder);

    private async Task<bool> AcceptsAsync()
    {
        using var client = new TcpClient();
        try
        {
            await client.ConnectAsync(IPAddress.Loopback, Port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private async Task WriteAsync(SlapdAdditions additions)
    {
        Directory.CreateDirectory(Path.Combine(_folder, "data"));
        await WriteCertificatesAsync();
        await File.WriteAllTextAsync(
            Entries, $"{await File.ReadAllTextAsync(Path.Combine(Sources, "directory.ldif"))}\n{additions.Entries}\n");
        await File.WriteAllTextAsync(Conf, $"""
            include {_root}/etc/ldap/schema/core.schema
            include {_root}/etc/ldap/schema/cosine.schema
            include {_root}/etc/ldap/schema/inetorgperson.schema
            include {Sources}/directory.schema
            modulepath {_root}/usr/lib/ldap
            moduleload back_mdb
            moduleload back_null
            {additions.Global}
            TLSCertificateFile {_folder}/server.pem
            TLSCertificateKeyFile {_folder}/server.key
            database mdb
            suffix "dc=example,dc=com"
            directory {_folder}/data
            {additions.Database}
            access to attrs=userPassword by anonymous auth by * none
            access to * by dn.exact="{ReaderDn}" read by dn.exact="{OutsiderDn}" read by anonymous auth by * none
            database null
            suffix "o=service"
            rootdn "{OutsiderDn}"
            rootpw {ReaderPassword}

            """);
    }

    private async Task WriteCertificatesAsync()
    {
        var now = TimeProvider.System.GetUtcNow();
        using var authorityKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var authority = NewAuthority("CN=Authority", authorityKey, now);
        using var foreignKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var foreign = NewAuthority("CN=Another authority", foreignKey, now);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=directory", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        using var server = request.Create(authority, now.AddMinutes(-5), now.AddDays(1), [1, 2, 3, 4]);
        await File.WriteAllTextAsync(Authority, authority.ExportCertificatePem());
        await File.WriteAllTextAsync(ForeignAuthority, foreign.ExportCertificatePem());
        await File.WriteAllTextAsync(Path.Combine(_folder, "server.pem"), server.ExportCertificatePem());
        await File.WriteAllTextAsync(Path.Combine(_folder, "server.key"), key.ExportPkcs8PrivateKeyPem());
    }

    private static X509Certificate2 NewAuthority(string name, ECDsa key, DateTimeOffset now)
    {
        var request = new CertificateRequest(name, key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, false, 0, critical: true));
        return request.CreateSelfSigned(now.AddMinutes(-10), now.AddDays(2));
    }
}
