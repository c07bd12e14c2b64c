// Settings of directories: what they read, what they refuse, and that a process without the native library does not start.

using FetchApiKey.Backends.Ldap;
using FetchApiKey.Cli;
using FetchApiKeyFunction.Tests.Hosts;
using Microsoft.Extensions.Configuration;

namespace FetchApiKeyFunction.Tests.Ldap;

public sealed class LdapSettingsTests
{
    private static readonly (string, string)[] Enough = [("people:realms", "@, acme"), ("people:uri", "ldaps://ldap.example.com"), ("people:userSearchBase", "dc=example,dc=com")];

    [Fact]
    public void The_defaults_are_those_of_the_documentation()
    {
        var settings = Assert.Single(Read(Enough));

        Assert.Equal(["", "acme"], settings.Realms);
        Assert.Equal(("ldap.example.com", 636, LdapEncryption.Tls), (settings.Host, settings.Port, settings.Encryption));
        Assert.Equal(("(uid=%(user)s)", "uid"), (settings.UserSearchFilter.ToString(), settings.UsernameAttribute));
        Assert.Equal((false, false, 4), (settings.AutoCreate, settings.IsFirst, settings.Connections));
        Assert.Equal((TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(2)), (settings.ConnectTimeout, settings.OperationTimeout));
    }

    [Fact]
    public void Every_fault_is_told_at_once_by_the_name_of_its_variable()
    {
        var fault = Assert.Throws<InvalidSettingsException>(() => Read(
            ("a:realms", "Acme"), ("a:uri", "https://ldap.example.com"), ("a:userSearchFilter", "(uid=x)"), ("a:usernameAttribute", "u=d"), ("a:appendDomain", "@example.com"),
            ("a:emailAttribute", "mail"), ("a:accessFilter", "(a=b"), ("a:bindPassword", "s3cr3t"), ("a:autoCreate", "yes"), ("a:order", "ldap"),
            ("a:connectTimeoutMs", "99"), ("a:operationTimeoutMs", "4001"), ("a:attributes:avatar", "jpegPhoto"), ("a:bindpasword", "s3cr3t"), ("a:trustedCertificates", "/nowhere"),
            ("b:realms", "@"), ("b:uri", "ldap://ldap.example.com"), ("b:userSearchBase", "o=b"), ("b:reverseEmailSearchFilter", "(mail=%(email)s)"),
            ("c-d:realms", "@"), ("c-d:uri", "ldaps://ldap.example.com"), ("c-d:userSearchBase", "o=c"), ("c-d:startTls", "true")));

        string[] named =
        [
            "Ldap__a__realms:", "Ldap__a__uri:", "Ldap__a__userSearchBase:", "Ldap__a__userSearchFilter:", "Ldap__a__usernameAttribute:", "Ldap__a__appendDomain:",
            "Ldap__a__emailAttribute:", "Ldap__a__accessFilter:", "Ldap__a__bindPassword:", "Ldap__a__autoCreate:", "Ldap__a__order:",
            "Ldap__a__connectTimeoutMs:", "Ldap__a__operationTimeoutMs:", "Ldap__a__attributes__avatar:", "Ldap__a__bindpasword:",
            "Ldap__a__trustedCertificates: without TLS", "Ldap__a__trustedCertificates: must be",
            "Ldap__b__uri: passwords would cross", "Ldap__b__reverseEmailSearchFilter:", "Ldap__c-d:", "Ldap__c-d__startTls:", "Ldap__c-d__realms: entry 1 is named twice",
        ];
        Assert.All(named, name => Assert.Contains(fault.Faults, line => line.StartsWith(name, StringComparison.Ordinal)));
        Assert.Equal(named.Length, fault.Faults.Count);
        Assert.DoesNotContain("s3cr3t", fault.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("email,ldap", false)]
    [InlineData("ldap, email", true)]
    [InlineData("LDAP,email", true)]
    public void The_order_may_be_written_with_spaces_and_in_any_case(string order, bool isFirst) =>
        Assert.Equal(isFirst, Assert.Single(Read([.. Enough, ("people:order", order), ("people:autoCreate", "True")])).IsFirst);

    [Theory]
    [InlineData("ldap://127.0.0.1", null, true)]
    [InlineData("ldap://localhost:3389", null, true)]
    [InlineData("ldap://10.0.0.1", null, false)]
    [InlineData("ldap://10.0.0.1", "startTls", true)]
    [InlineData("ldap://10.0.0.1", "allowUnencrypted", true)]
    [InlineData("ldaps://10.0.0.1/o=example", null, false)]
    [InlineData("ldaps://user@10.0.0.1", null, false)]
    public void Passwords_cross_a_network_encrypted_unless_somebody_says_otherwise(string uri, string? flag, bool isTaken)
    {
        (string, string)[] given = [.. Enough, ("people:uri", uri), .. flag is null ? Array.Empty<(string, string)>() : [($"people:{flag}", "true")]];

        Assert.Equal(isTaken, Record.Exception(() => Read(given)) is null);
    }

    [Theory]
    [InlineData("(uid=%(user)s)", "(uid=a\\2ab\\28c\\29\\5c\\00\\c3\\a9)")]
    [InlineData("(&(objectClass=person)(|(uid=%(user)s)(mail=%(user)s)))", "(&(objectClass=person)(|(uid=a\\2ab\\28c\\29\\5c\\00\\c3\\a9)(mail=a\\2ab\\28c\\29\\5c\\00\\c3\\a9)))")]
    public void A_value_is_escaped_wherever_it_stands(string filter, string expected) =>
        Assert.Equal(expected, LdapFilter.TryParse(filter, "%(user)s")!.With("a*b(c)\\\0é"));

    [Theory]
    [InlineData("uid=%(user)s")]
    [InlineData("(uid=%(user)s))")]
    [InlineData("((uid=%(user)s)")]
    [InlineData("(uid=%(user)s)(cn=a)")]
    [InlineData("(uid=a)")]
    [InlineData("")]
    public void What_is_no_filter_with_its_placeholder_is_refused(string filter) => Assert.Null(LdapFilter.TryParse(filter, "%(user)s"));

    [UnshareFact]
    public async Task Without_the_native_library_a_process_that_has_a_directory_does_not_start_and_says_what_to_install()
    {
        // In a mount namespace of its own, where the library's files are empty.
        const string hide = "for f in /lib/*-linux-gnu/libldap*.so* /usr/lib/*-linux-gnu/libldap*.so*; do mount --bind /dev/null \"$(readlink -f \"$f\")\" 2>/dev/null; done; exec dotnet \"$0\" serve";
        var environment = Enough.ToDictionary(setting => $"Ldap__{setting.Item1.Replace(":", "__", StringComparison.Ordinal)}", setting => setting.Item2);
        environment["AccountStorage"] = "UseDevelopmentStorage=true";
        environment["ExternalHost"] = "zulip.example.com";
        environment[TestServer.KeyVariable.Name] = TestServer.KeyVariable.Value;

        using var serve = ProcessRun.Start("unshare", ["--mount", "sh", "-c", hide, TestedProgram.Assembly], environment);

        Assert.Equal(ExitCode.BadSettings, await serve.ExitCodeAsync());
        Assert.Contains("Ldap: the OpenLDAP client library is missing", serve.Output, StringComparison.Ordinal);
        Assert.Contains("libldap-2.5-0", serve.Output, StringComparison.Ordinal);
    }

    private static IReadOnlyList<LdapSettings> Read(params (string Name, string Value)[] ldap)
    {
        var values = new Dictionary<string, string?>(StringComparer.OrdinalIgnoreCase)
        {
            ["AccountStorage"] = "UseDevelopmentStorage=true",
            ["ExternalHost"] = "zulip.example.com",
            ["ApiKeys:keys:one"] = TestServer.KeyVariable.Value,
        };
        foreach (var (name, value) in ldap)
        {
            values[$"Ldap:{name}"] = value;
        }

        return Settings.Read(new ConfigurationBuilder().AddInMemoryCollection(values).Build(), answersRequests: false).Ldap;
    }

    [AttributeUsage(AttributeTargets.Method)]
    private sealed class UnshareFactAttribute : FactAttribute
    {
        public UnshareFactAttribute() => Skip = MayUnshare() ? null : "Only root on Linux may hide a file from a process, where mount namespaces are allowed.";

        private static bool MayUnshare()
        {
            if (!OperatingSystem.IsLinux() || !Environment.IsPrivilegedProcess)
            {
                return false;
            }

            using var unshare = ProcessRun.Start("unshare", ["--mount", "true"]);
            return unshare.ExitCodeAsync().GetAwaiter().GetResult() == 0;
        }
    }
}
