// Names of attributes: those that the settings ask for, and those that a directory answers under.

namespace FetchApiKeyFunction.Tests.Ldap;

public sealed class AttributeNameTests
{
    private const string NotRecognised = "answers under other attribute names than it was asked for";

    [SlapdTheory]
    // A name is one in any case.
    [InlineData("othello", "userAccountControl", "USERACCOUNTCONTROL", "directory_disabled", "")]
    [InlineData("hamlet", "userAccountControl", "USERACCOUNTCONTROL", "logged_in", "")]
    // OpenLDAP takes an alias, and answers under the attribute's first name.
    [InlineData("othello", "userAccountControl", "uac", "unknown_user", "uac")]
    [InlineData("hamlet", "userAccountControl", "uac", "logged_in", "")]
    [InlineData("hamlet", "full_name", "commonName", "unknown_user", "commonName")]
    // With an option it is a subtype, which is meant too.
    [InlineData("polonius", "deactivated", "nsAccountLock", "directory_disabled", "")]
    [InlineData("polonius", "full_name", "cn", "logged_in", "")]
    public async Task What_a_directory_calls_otherwise_is_found_or_lets_nobody_in(
        string username, string name, string attribute, string outcome, string missing)
    {
        await using var slapd = await Slapd.StartAsync(new SlapdAdditions(Entries: $"""
            dn: uid=polonius,{Slapd.People}
            objectClass: inetOrgPerson
            objectClass: extensibleObject
            uid: polonius
            cn: Polonius
            cn;lang-de: Herr Polonius
            sn: Polonius
            nsAccountLock: FALSE
            nsAccountLock;lang-en: TRUE
            userPassword: canary-polonius
            """));
        await using var endpoint = await DirectoryEndpoint.StartAsync(slapd, hasOwnPasswords: false, ($"attributes:{name}", attribute));

        Assert.Equal(outcome == "logged_in" ? 200 : 401, await endpoint.LogInAsync(username, $"canary-{username}"));

        Assert.Equal(outcome, (await endpoint.EventAsync(outcome)).Outcome);
        Assert.Equal(
            missing.Length > 0 ? 1 : 0,
            endpoint.Server.Log.Count(line => line.Contains($"{NotRecognised}, so that one of these may be missed: {missing};", StringComparison.Ordinal)));
        Assert.Equal(missing.Length > 0, endpoint.Server.Log.Any(line => line.Contains(NotRecognised, StringComparison.Ordinal)));
        if (outcome == "logged_in" && name == "full_name")
        {
            Assert.Equal("Polonius", (await endpoint.AccountAsync($"{username}@example.com"))!.FullName);
        }
    }

    [Theory]
    [InlineData("uid userAccountControl=512", 200)]
    [InlineData("UID useraccountcontrol=514", 401)]
    [InlineData("uid userAccountControl;x-own=514", 401)]
    [InlineData("uid userAccountControl=512 userAccountControl;x-own=514", 401)]
    [InlineData("uid 1.2.840.113556.1.4.8=512", 401)]
    [InlineData("uid adsUserAccountControl=514", 401)]
    [InlineData("userid userAccountControl=512", 401)]
    [InlineData("uid;lang-en userAccountControl=512", 200)]
    // Whoever is asked for two attributes and has one, and of the rest nothing, is as before.
    [InlineData("uid", 200)]
    // A directory that gives more than it was asked for, all of which it has, may.
    [InlineData("uid userAccountControl=512 cn", 200)]
    [InlineData("uid cn", 401)]
    public async Task What_a_directory_may_have_called_otherwise_is_not_taken_for_absent(string answered, int status)
    {
        using var directory = new ScriptedDirectory();
        directory.UserBind = (_, _) => new ScriptedReply(0);
        directory.Instead = id =>
        [
            ScriptedMessages.Entry(id, $"uid=hamlet,{ScriptedDirectory.People}", answered.Split(' ').Select(each => each.Split('=')).Select(
                each => (each[0], new[] { System.Text.Encoding.ASCII.GetBytes(each is [_, var value] ? value : "hamlet") }))),
        ];
        await using var endpoint = await DirectoryEndpoint.StartAsync(
            directory, hasOwnPasswords: false, ("attributes:userAccountControl", "userAccountControl"));

        Assert.Equal(status, await endpoint.LogInAsync("hamlet", "right"));

        // Whatever it was, there was one bind, and a refusal counts.
        Assert.Equal((1, status == 200 ? 0 : 1), (directory.Binds, await endpoint.CountedAsync("hamlet@example.com")));
    }

    [Fact]
    public async Task Of_several_values_the_first_is_one_without_options()
    {
        using var directory = new ScriptedDirectory();
        directory.UserBind = (_, _) => new ScriptedReply(0);
        directory.Instead = id => [ScriptedMessages.Entry(
            id, $"uid=hamlet,{ScriptedDirectory.People}",
            [("mail;lang-de", ["prinz@example.com"u8.ToArray()]), ("uid", ["hamlet"u8.ToArray()]), ("mail", ["prince@example.com"u8.ToArray()])])];
        await using var endpoint = await DirectoryEndpoint.StartAsync(
            directory, hasOwnPasswords: false, ("appendDomain", ""), ("emailAttribute", "mail"));

        Assert.Equal("prince@example.com", await endpoint.AddressOfAsync("hamlet", "right"));
        Assert.Equal("prince@example.com", await endpoint.AddressOfAsync("prinz@example.com", "right"));
    }
}
