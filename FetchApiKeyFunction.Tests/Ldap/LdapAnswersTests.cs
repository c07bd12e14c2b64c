// Answers that no directory should give, and what becomes of the login.

using System.Text;

namespace FetchApiKeyFunction.Tests.Ldap;

public sealed class LdapAnswersTests
{
    [Theory]
    [InlineData(52, "", "it refuses StartTLS (LDAP result 52)")]
    [InlineData(0, "clear", "it sends more than its answer to StartTLS in clear")]
    [InlineData(0, "", "cannot judge a login")]
    public async Task No_password_is_sent_where_StartTLS_did_not_end_in_TLS(int code, string behind, string reason)
    {
        using var directory = new ScriptedDirectory { StartTls = code, BehindStartTls = behind.Length > 0 ? ScriptedMessages.Result(2, 1, 0) : [] }.With("hamlet", "right");
        await using var endpoint = await DirectoryEndpoint.StartAsync(
            directory, hasOwnPasswords: false, ("startTls", "true"), ("connectTimeoutMs", "500"));

        Assert.Equal(503, await endpoint.LogInAsync("hamlet", "right"));

        Assert.Equal((0, 0, 0), (directory.ServiceBinds, directory.Binds, await endpoint.CountedAsync("hamlet@example.com")));
        Assert.Contains(endpoint.Server.Log, line => line.Contains(reason, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("another question", 503, "it answers another question")]
    [InlineData("no LDAP", 503, "what it sends is not LDAP")]
    [InlineData("a notice that it is leaving", 503, "it closed the connection")]
    [InlineData("too many messages", 503, "more than 64 messages")]
    [InlineData("too large a message", 503, "exceeds the limits")]
    [InlineData("a part of the values", 401, "an entry that cannot be used")]
    [InlineData("too many values", 401, "an entry that cannot be used")]
    [InlineData("no DN", 401, "an entry that cannot be used")]
    [InlineData("references", 401, "refused")]
    public async Task What_a_search_should_not_be_answered_with_lets_nobody_in(string what, int status, string reason)
    {
        using var directory = new ScriptedDirectory();
        directory.UserBind = (_, _) => new ScriptedReply(0);
        byte[][] uid = ["hamlet"u8.ToArray()];
        directory.Instead = id => what switch
        {
            "another question" => [ScriptedMessages.Entry(id + 1, "uid=hamlet,o=x", [("uid", uid)])],
            "no LDAP" => ["HTTP/1.1 400 Bad Request"u8.ToArray()],
            "a notice that it is leaving" => [ScriptedMessages.Result(0, 24, 52)],
            "too many messages" => Enumerable.Repeat(ScriptedMessages.Reference(id, "ldap://elsewhere"), 64),
            "too large a message" => [ScriptedMessages.Entry(id, "uid=hamlet,o=x", [("uid", uid), ("photo", [new byte[1 << 20]])])],
            "a part of the values" => [ScriptedMessages.Entry(id, "uid=hamlet,o=x", [("uid", uid), ("memberOf;range=0-1499", uid)])],
            "too many values" => [ScriptedMessages.Entry(id, "uid=hamlet,o=x", [("uid", uid), ("mail", [.. Enumerable.Repeat(Encoding.ASCII.GetBytes("x"), 5000)])])],
            "no DN" => [ScriptedMessages.Entry(id, "", [("uid", uid)])],
            _ => [ScriptedMessages.Reference(id, "ldap://elsewhere"), ScriptedMessages.Reference(id, "ldap://elsewhere")],
        };
        await using var endpoint = await DirectoryEndpoint.StartAsync(directory, hasOwnPasswords: false);

        Assert.Equal(status, await endpoint.LogInAsync("hamlet", "right"));

        Assert.Equal(status == 401 ? (1, 1) : (0, 0), (directory.Binds, await endpoint.CountedAsync("hamlet@example.com")));
        Assert.Contains(endpoint.Server.Log, line => line.Contains(reason, StringComparison.Ordinal));
    }
}
