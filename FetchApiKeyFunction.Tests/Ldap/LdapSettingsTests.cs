// Settings of directories: what they read and what they refuse.

using FetchApiKey.Backends.Ldap;
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
        Assert.Equal([new LdapServer("ldap.example.com", 636, LdapEncryption.Tls)], settings.Servers);
        Assert.Equal(["dc=example,dc=com"], settings.UserSearchBases);
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
    [InlineData("userAccountControl", true)]
    [InlineData("msDS-User-Account-Control-Computed", true)]
    [InlineData("1.2.840.113556.1.4.8", false)]
    [InlineData("oid.1.2.840.113556.1.4.8", false)]
    [InlineData("12", false)]
    [InlineData("mail;lang-de", false)]
    [InlineData("*", false)]
    [InlineData("-", false)]
    public void An_attribute_is_set_by_its_name_and_by_no_number(string attribute, bool isTaken)
    {
        foreach (var setting in new[] { "attributes:userAccountControl", "usernameAttribute", "emailAttribute" })
        {
            var fault = Record.Exception(() => Read([.. Enough, ($"people:{setting}", attribute)])) as InvalidSettingsException;

            Assert.Equal(isTaken, fault is null);
            Assert.True(isTaken || Assert.Single(fault!.Faults).Contains("as the directory writes it in an entry", StringComparison.Ordinal));
        }
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
    [InlineData("ldaps://one.example.com ldaps://two.example.com:1636", "one.example.com:636 two.example.com:1636")]
    [InlineData("ldaps://one.example.com, ldap://[::1]:3389", "one.example.com:636 ::1:3389")]
    public void Several_servers_stand_in_their_order(string uri, string servers) =>
        Assert.Equal(servers, string.Join(' ', Assert.Single(Read([.. Enough, ("people:uri", uri)])).Servers));

    [Theory]
    [InlineData("ldaps://one.example.com ldap://two.example.com")]
    [InlineData("ldaps://one.example.com http://two.example.com")]
    public void One_server_that_may_not_be_used_is_a_fault(string uri) =>
        Assert.Throws<InvalidSettingsException>(() => Read([.. Enough, ("people:uri", uri)]));

    [Fact]
    public void Several_bases_stand_in_their_order_and_an_escaped_semicolon_is_a_part_of_one() => Assert.Equal(
        ["ou=people,o=x", @"ou=a\;b,o=x"], Assert.Single(Read([.. Enough, ("people:userSearchBase", @"ou=people,o=x; ou=a\;b,o=x ;")])).UserSearchBases);

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
}
