// What a directory's answer to a bind means: contract section 9.1 and promise 41.

using System.Globalization;
using System.Text;
using Xunit.Abstractions;

namespace FetchApiKeyFunction.Tests.Ldap;

public sealed class ResultCodeTests(ITestOutputHelper output)
{
    private static readonly TimeSpan Late = TimeSpan.FromMilliseconds(900);

    /// <summary>RFC 4511 appendix A, and some that directories make up.</summary>
    private static readonly int[] Codes = [1, 2, 7, 8, 10, 12, 13, 14, 16, 19, 32, 34, 48, 49, 50, 51, 52, 53, 64, 65, 71, 80, 90, 122, 127];

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Whatever_code_refuses_a_bind_the_answer_and_the_count_are_those_of_a_wrong_password_for_known_and_unknown_names(bool hasOwnPasswords)
    {
        using var directory = new ScriptedDirectory();
        await using var endpoint = await DirectoryEndpoint.StartAsync(directory, hasOwnPasswords);
        var table = new StringBuilder(
            $"{(hasOwnPasswords ? "realm with both" : "directory alone")}: status/counted by result code of the user's bind\n");
        table.AppendLine(CultureInfo.InvariantCulture, $"{"answer",-12} {"known, right",-14} {"known, wrong",-14} {"unknown",-14}");
        var replies = Codes.Select(code => ($"{code}", Wrong: new ScriptedReply(code), Right: new ScriptedReply(code))).ToList();
        replies.Add(("late", new ScriptedReply(49, Late), new ScriptedReply(0)));
        replies.Add(("never", new ScriptedReply(null), new ScriptedReply(null)));
        replies.Add(("closes", new ScriptedReply(null, Closes: true), new ScriptedReply(null, Closes: true)));
        var rows = new List<string[]>();
        foreach (var (what, wrong, right) in replies)
        {
            directory.With($"known{what}", "right").With($"other{what}", "right");
            directory.UserBind = (_, password) => password == "right" ? right : wrong;
            var cells = new List<string>();
            foreach (var (name, password) in new[] { ($"known{what}", "right"), ($"other{what}", "wrong"), ($"nobody{what}", "wrong") })
            {
                var status = await endpoint.LogInAsync(name, password);
                cells.Add($"{status}/{await endpoint.CountedAsync($"{name}@example.com")}");
            }

            table.AppendLine(CultureInfo.InvariantCulture, $"{what,-12} {cells[0],-14} {cells[1],-14} {cells[2],-14}");
            rows.Add([what, .. cells]);
        }

        output.WriteLine(table.ToString());
        foreach (var row in rows)
        {
            string[] expected = row[0] switch
            {
                "late" => ["200/0", "503/1", "503/1"],
                "never" or "closes" => ["503/1", "503/1", "503/1"],
                _ => ["401/1", "401/1", "401/1"],
            };
            Assert.Equal([row[0], .. expected], row);
        }
    }

    [Theory]
    [InlineData("service bind 51", 503)]
    [InlineData("service bind 52", 503)]
    [InlineData("service bind 49", 503)]
    [InlineData("service bind never", 503)]
    [InlineData("search 51", 503)]
    [InlineData("search 52", 503)]
    [InlineData("search 80", 503)]
    [InlineData("search 32", 503)]
    [InlineData("search never", 503)]
    [InlineData("stopped", 503)]
    public async Task An_outage_of_the_service_counts_in_no_directory_realm_and_in_a_realm_with_both_for_every_name(string outage, int status)
    {
        foreach (var hasOwnPasswords in new[] { false, true })
        {
            using var directory = new ScriptedDirectory().With("hamlet", "right");
            await using var endpoint = await DirectoryEndpoint.StartAsync(directory, hasOwnPasswords);
            Break(directory, outage);

            foreach (var (name, password) in new[] { ("hamlet", "right"), ("hamlet", "wrong"), ("nobody", "wrong") })
            {
                Assert.Equal(status, await endpoint.LogInAsync(name, password));
            }

            Assert.Equal(
                hasOwnPasswords ? (2, 1, 0) : (0, 0, 0),
                (await endpoint.CountedAsync("hamlet@example.com"), await endpoint.CountedAsync("nobody@example.com"), directory.Binds));
            Assert.Contains(
                endpoint.Server.Log, line => line.Contains("Directory 'people' cannot judge a login: ", StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task An_outage_locks_nobody_out_however_often_they_try()
    {
        using var directory = new ScriptedDirectory().With("hamlet", "right");
        await using var endpoint = await DirectoryEndpoint.StartAsync(directory, hasOwnPasswords: false);
        Assert.Equal(200, await endpoint.LogInAsync("hamlet", "right"));
        directory.Stop();

        for (var i = 0; i < 40; i++)
        {
            Assert.Equal(503, await endpoint.LogInAsync(i % 2 == 0 ? "hamlet" : "nobody", "right"));
        }

        directory.StartAgain();
        Assert.Equal(200, await endpoint.LogInAsync("hamlet", "right"));
        Assert.Equal((0, 0), (await endpoint.CountedAsync("hamlet@example.com"), await endpoint.CountedAsync("nobody@example.com")));
    }

    [Fact]
    public async Task After_an_unanswered_bind_no_other_is_sent_until_the_services_own_questions_are_answered_again()
    {
        using var directory = new ScriptedDirectory().With("hamlet", "right").With("horatio", "right");
        await using var endpoint = await DirectoryEndpoint.StartAsync(directory, hasOwnPasswords: false);
        Assert.Equal(200, await endpoint.LogInAsync("hamlet", "right"));
        var (bound, binds) = (directory.ServiceBinds, directory.Binds);

        // The bind is not answered, and from then on nothing of the service's is.
        directory.UserBind = (_, _) =>
        {
            directory.ServiceBind = _ => new ScriptedReply(null);
            return new ScriptedReply(null);
        };
        Assert.Equal(503, await endpoint.LogInAsync("hamlet", "right"));
        for (var i = 0; i < 4; i++)
        {
            Assert.Equal(503, await endpoint.LogInAsync(i % 2 == 0 ? "hamlet" : "horatio", "right"));
        }

        Assert.Equal((1, 0), (await endpoint.CountedAsync("hamlet@example.com"), await endpoint.CountedAsync("horatio@example.com")));
        // The kept connection was not used any more, though searches on it would have been answered.
        Assert.Equal((binds + 1, bound + 4), (directory.Binds, directory.ServiceBinds));

        directory.ServiceBind = _ => new ScriptedReply(0);
        directory.UserBind = (_, _) => new ScriptedReply(0);
        Assert.Equal(200, await endpoint.LogInAsync("horatio", "right"));
        Assert.Equal(200, await endpoint.LogInAsync("horatio", "right"));
        Assert.Equal(bound + 5, directory.ServiceBinds);
    }

    [Fact]
    public async Task A_directory_that_refuses_slowly_is_no_way_to_guess_without_a_limit()
    {
        using var directory = new ScriptedDirectory().With("hamlet", "right");
        directory.UserBind = (_, password) => password == "right" ? new ScriptedReply(0) : new ScriptedReply(49, Late);
        await using var endpoint = await DirectoryEndpoint.StartAsync(directory, hasOwnPasswords: false);

        foreach (var name in new[] { "hamlet", "nobody" })
        {
            var statuses = new List<int>();
            for (var i = 0; i < 6; i++)
            {
                statuses.Add(await endpoint.LogInAsync(name, $"wrong{i}"));
            }

            Assert.Equal([503, 503, 503, 503, 503, 429], statuses);
        }

        Assert.Equal(429, await endpoint.LogInAsync("hamlet", "right"));
        Assert.Equal(10, directory.Binds);
    }

    [Theory]
    [InlineData(49, "80090308: LdapErr: DSID-0C090439, comment: AcceptSecurityContext error, data 532, v4563", "ldap 49 data 532")]
    [InlineData(49, "80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data 52E, v1db1", "ldap 49 data 52e")]
    [InlineData(49, "80090308: LdapErr: DSID-0C090439, comment: AcceptSecurityContext error, data 775, v4563", "ldap 49 data 775")]
    [InlineData(53, "Account inactive: hamlet", "ldap 53")]
    [InlineData(49, "data 532 of hamlet", "ldap 49")]
    public async Task The_code_and_the_sub_code_of_Active_Directory_are_in_the_audit_trail_and_nothing_else_of_what_it_wrote(
        int code, string diagnostic, string detail)
    {
        using var directory = new ScriptedDirectory().With("hamlet", "right");
        directory.UserBind = (_, _) => new ScriptedReply(code, Diagnostic: diagnostic);
        await using var endpoint = await DirectoryEndpoint.StartAsync(directory, hasOwnPasswords: true);

        Assert.Equal(401, await endpoint.LogInAsync("hamlet", "wrong"));
        Assert.Equal(401, await endpoint.LogInAsync("nobody", "wrong"));

        Assert.Equal(detail, (await endpoint.EventAsync("wrong_password")).Detail);
        Assert.Equal(detail, (await endpoint.EventAsync("unknown_user")).Detail);
        Assert.DoesNotContain(endpoint.Server.Log, line => line.Contains("hamlet", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(8, true)]
    [InlineData(13, true)]
    [InlineData(53, false)]
    public async Task A_directory_that_wants_encryption_is_told_to_the_operator_once_a_bind(int code, bool isTold)
    {
        using var directory = new ScriptedDirectory().With("hamlet", "right");
        directory.UserBind = (_, _) => new ScriptedReply(code);
        await using var endpoint = await DirectoryEndpoint.StartAsync(directory, hasOwnPasswords: false);

        Assert.Equal(401, await endpoint.LogInAsync("hamlet", "right"));

        Assert.Equal(isTold ? 1 : 0, endpoint.Server.Log.Count(line => line.StartsWith("Error", StringComparison.Ordinal) && line.Contains($"(LDAP result {code})", StringComparison.Ordinal)));
    }

    private static void Break(ScriptedDirectory directory, string outage)
    {
        if (outage == "stopped")
        {
            directory.Stop();
            return;
        }

        var reply = new ScriptedReply(int.TryParse(outage.Split(' ')[^1], CultureInfo.InvariantCulture, out var code) ? code : null);
        if (outage.StartsWith("service", StringComparison.Ordinal))
        {
            directory.ServiceBind = _ => reply;
        }
        else
        {
            directory.Search = _ => reply;
        }
    }
}
