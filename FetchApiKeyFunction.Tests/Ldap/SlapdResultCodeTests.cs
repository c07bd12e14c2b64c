// The answers of a real directory, as many as slapd can be made to give: contract section 9.1 and promise 41.

using System.Globalization;
using Xunit.Abstractions;

namespace FetchApiKeyFunction.Tests.Ldap;

public sealed class SlapdResultCodeTests(ITestOutputHelper output)
{
    private const string Right = "canary-hamlet";

    /// <summary>
    /// How slapd is set up, and what it then does: status and failures counted for a known name with its right password, another known name
    /// with a wrong one, and a name that it has not.
    /// </summary>
    public static TheoryData<string, string, string, string> States => new()
    {
        { "as it is", "200/0", "401/1", "401/1" },
        { "no password stored", "401/1", "401/1", "401/1" },
        { "wants encryption", "503/0", "503/0", "503/0" },
        { "takes no simple bind", "503/0", "503/0", "503/0" },
        { "base that is not there", "503/0", "503/0", "503/0" },
        { "base that is elsewhere", "503/0", "503/0", "503/0" },
        { "service may not search", "503/0", "503/0", "503/0" },
        { "service has another password", "503/0", "503/0", "503/0" },
        { "stopped", "503/0", "503/0", "503/0" },
    };

    [SlapdTheory]
    [MemberData(nameof(States))]
    public async Task Names_known_and_unknown_get_one_answer_and_one_count(string state, string right, string wrong, string unknown)
    {
        await using var slapd = await Slapd.StartAsync(state switch
        {
            "wants encryption" => new SlapdAdditions(Global: "security simple_bind=128"),
            "takes no simple bind" => new SlapdAdditions(Global: "disallow bind_simple"),
            "service may not search" => new SlapdAdditions(
                Database: "access to attrs=userPassword by anonymous auth by * none\naccess to * by anonymous auth by * none"),
            "base that is elsewhere" => new SlapdAdditions(Entries: """
                dn: ou=elsewhere,dc=example,dc=com
                objectClass: referral
                objectClass: extensibleObject
                ou: elsewhere
                ref: ldap://127.0.0.1:1/ou=people,dc=example,dc=org
                """),
            "no password stored" => new SlapdAdditions(Entries: """
                dn: uid=bare,ou=people,dc=example,dc=com
                objectClass: inetOrgPerson
                uid: bare
                cn: Bare
                sn: Bare
                mail: bare@example.com
                """),
            _ => new SlapdAdditions(),
        });
        (string Name, string Value)[] more = state switch
        {
            "base that is not there" => [("userSearchBase", "ou=nowhere,dc=example,dc=com")],
            "base that is elsewhere" => [("userSearchBase", "ou=elsewhere,dc=example,dc=com")],
            "service has another password" => [("bindPassword", "canary-other")],
            _ => [],
        };
        await using var endpoint = await DirectoryEndpoint.StartAsync(slapd, hasOwnPasswords: false, more);
        var known = state == "no password stored" ? "bare" : "hamlet";
        if (state == "stopped")
        {
            slapd.Stop();
        }

        var cells = new List<string>();
        foreach (var (name, password) in new[] { (known, Right), ("horatio", "canary-wrong"), ("nobody", "canary-wrong") })
        {
            var status = await endpoint.LogInAsync(name, password);
            var counted = await endpoint.CountedAsync($"{name}@example.com");
            cells.Add(string.Create(CultureInfo.InvariantCulture, $"{status}/{counted}"));
        }

        output.WriteLine($"{state}: {string.Join(' ', cells)}");
        Assert.Equal([right, wrong, unknown], cells);
        // Each of them told alike, and nothing of what was typed.
        Assert.DoesNotContain(endpoint.Server.Log, line => line.Contains("canary", StringComparison.Ordinal));
    }
}
