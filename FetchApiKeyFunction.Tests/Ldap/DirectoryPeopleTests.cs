// From what was typed, and from what a directory says of somebody, to an account: contract section 9.1.

using System.Text;

namespace FetchApiKeyFunction.Tests.Ldap;

public sealed class DirectoryPeopleTests
{
    private const string None = "";

    // ---- Names that are typed ----

    [Theory]
    [InlineData("ophelia", "ophelia@example.com")]
    [InlineData("OPHELIA@example.com", "ophelia@example.com")]
    [InlineData("o.polonius", "o.polonius@example.com")]
    public async Task Of_several_user_names_the_one_that_was_typed_is_the_account(string typed, string address)
    {
        using var directory = new ScriptedDirectory().With("op1", "right", ("uid", ["op1", "ophelia", "o.polonius"]));
        await using var endpoint = await DirectoryEndpoint.StartAsync(directory, hasOwnPasswords: false);

        Assert.Equal(address, await endpoint.AddressOfAsync(typed, "right"));
        Assert.Null(await endpoint.AccountAsync("op1@example.com"));
    }

    [Fact]
    public async Task Without_a_domain_too_the_user_name_that_was_typed_is_the_address()
    {
        using var directory = new ScriptedDirectory().With("laertes", "right", ("uid", ["l1@x.example", "l2@x.example"]));
        await using var endpoint = await DirectoryEndpoint.StartAsync(directory, hasOwnPasswords: false, ("appendDomain", None));

        Assert.Equal("l2@x.example", await endpoint.AddressOfAsync("l2@x.example", "right"));
    }

    [Theory]
    [InlineData("ada@upn.example", "Ada@mail.example")]
    [InlineData("ada@mail.example", "Ada@mail.example")]
    [InlineData("both@mail.example", "both@mail.example")]
    [InlineData("nobody@mail.example", "401")]
    public async Task A_user_name_that_looks_like_an_address_is_found_where_it_is_nobodys_address(string typed, string outcome)
    {
        using var directory = new ScriptedDirectory()
            .With("ada", "right", ("upn", ["ada@upn.example"]), ("mail", ["Ada@mail.example"]))
            // The address of one, and the user name of another: the address decides.
            .With("one", "right", ("upn", ["one@upn.example"]), ("mail", ["both@mail.example"]))
            .With("two", "right", ("upn", ["both@mail.example"]), ("mail", ["two@mail.example"]));
        await using var endpoint = await DirectoryEndpoint.StartAsync(
            directory, hasOwnPasswords: false, ("appendDomain", None), ("emailAttribute", "mail"), ("usernameAttribute", "upn"),
            ("userSearchFilter", "(upn=%(user)s)"), ("reverseEmailSearchFilter", "(mail=%(email)s)"));

        Assert.Equal(outcome, await endpoint.AddressOfAsync(typed, "right"));
        // Known or not, both searches were made, and one bind.
        Assert.Equal((2, 1), (directory.Searches, directory.Binds));
    }

    [Theory]
    [InlineData(" ada@example.com", "ada@example.com")]
    [InlineData("ada@example.com \t", "ada@example.com")]
    [InlineData(" ada", "401")]
    [InlineData("ada @example.com", "401")]
    public async Task Blanks_around_an_address_are_stripped_where_a_directory_is_asked(string typed, string outcome)
    {
        using var directory = new ScriptedDirectory().With("ada", "right");
        await using var endpoint = await DirectoryEndpoint.StartAsync(directory, hasOwnPasswords: true);

        Assert.Equal(outcome, await endpoint.AddressOfAsync(typed, "right"));
        Assert.Equal(401, await endpoint.LogInAsync(" ada@example.com ", "wrong"));
        Assert.Equal(1, await endpoint.CountedAsync("ada@example.com"));
    }

    [Fact]
    public async Task A_domain_of_one_label_is_an_address_where_a_directory_says_so_and_nowhere_else()
    {
        using var directory = new ScriptedDirectory().With("ada", "right", ("mail", ["ada@corp"])).With("eve", "right");
        await using var byAttribute = await DirectoryEndpoint.StartAsync(
            directory, hasOwnPasswords: true, ("appendDomain", None), ("emailAttribute", "mail"), ("reverseEmailSearchFilter", "(mail=%(email)s)"));
        await using var byDomain = await DirectoryEndpoint.StartAsync(directory, hasOwnPasswords: true, ("appendDomain", "corp"));
        await using var elsewhere = await DirectoryEndpoint.StartAsync(directory, hasOwnPasswords: true, ("realms", "acme"));

        Assert.Equal("ada@corp", await byAttribute.AddressOfAsync("ada@corp", "right"));
        Assert.Equal("ada@corp", await byAttribute.AddressOfAsync("ADA@corp", "right"));
        Assert.Equal("eve@corp", await byDomain.AddressOfAsync("eve@Corp", "right"));
        Assert.Equal(400, await elsewhere.LogInAsync("ada@corp", "right"));
    }

    [Theory]
    [InlineData("a@b@example.com")]
    [InlineData("\"a@b\"@example.com")]
    [InlineData("@example.com")]
    public async Task A_user_name_with_an_at_sign_and_an_appended_domain_is_refused(string typed)
    {
        using var directory = new ScriptedDirectory().With("x", "right", ("uid", ["a@b", "\"a@b\"", ""]));
        await using var endpoint = await DirectoryEndpoint.StartAsync(directory, hasOwnPasswords: false);

        Assert.Equal(401, await endpoint.LogInAsync(typed, "right"));
        Assert.Equal(0, directory.Binds);
    }

    // ---- What an entry says ----

    [Theory]
    [InlineData("FALSE", 200, false)]
    [InlineData("no", 200, false)]
    [InlineData("TRUE", 401, false)]
    [InlineData("Yes", 401, false)]
    [InlineData("0", 401, true)]
    [InlineData("nein", 401, true)]
    [InlineData("", 401, true)]
    [InlineData("FALSE|TRUE", 401, false)]
    public async Task What_says_that_somebody_is_deactivated_is_read_in_both_spellings_and_anything_else_disables_and_is_logged(
        string values, int status, bool isLogged)
    {
        using var directory = new ScriptedDirectory().With("ada", "right", ("nsAccountLock", values.Split('|')));
        await using var endpoint = await DirectoryEndpoint.StartAsync(
            directory, hasOwnPasswords: false, ("attributes:deactivated", "nsAccountLock"));

        Assert.Equal(status, await endpoint.LogInAsync("ada", "right"));

        Assert.Equal(
            isLogged,
            endpoint.Server.Log.Any(line => line.Contains("a value of deactivated that is not understood", StringComparison.Ordinal)));
        if (status == 401)
        {
            Assert.Equal("ldap 0", (await endpoint.EventAsync("directory_disabled")).Detail);
        }
    }

    public static TheoryData<string, bool> Names => new()
    {
        { new string('é', 100), true },
        // 60 and 100 code points of two characters each.
        { string.Concat(Enumerable.Repeat("🔑", 60)), true },
        { string.Concat(Enumerable.Repeat("🔑", 100)), true },
        { string.Concat(Enumerable.Repeat("🔑", 101)), false },
        { new string('n', 136), false },
        { new string('n', 40_000), false },
        { "Ada\tLovelace", false },
        { "Ada\0", false },
        { "Ada\u0085Lovelace", false },
        { "Ada\u007F", false },
        { "  Ada Lovelace ", true },
    };

    [Theory]
    [MemberData(nameof(Names))]
    public async Task A_name_that_no_account_may_have_makes_none_and_burns_no_user_id(string name, bool isTaken)
    {
        using var directory = new ScriptedDirectory().With("ada", "right", ("cn", [name])).With("eve", "right", ("cn", ["Eve"]));
        await using var endpoint = await DirectoryEndpoint.StartAsync(directory, hasOwnPasswords: false, ("attributes:full_name", "cn"));

        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(isTaken ? 200 : 401, await endpoint.LogInAsync("ada", "right"));
        }

        Assert.Equal(isTaken ? name.Trim() : null, (await endpoint.AccountAsync("ada@example.com"))?.FullName);
        Assert.Equal(isTaken ? 2 : 1, await endpoint.NextUserIdAsync());
        Assert.Equal(200, await endpoint.LogInAsync("eve", "right"));
        if (!isTaken)
        {
            Assert.Equal("ldap 0", (await endpoint.EventAsync("directory_name_invalid")).Detail);
        }
    }

    // ---- The unique id of an entry ----

    [Fact]
    public async Task An_address_that_changes_in_the_directory_stays_the_same_account_and_who_gets_the_old_one_does_not_get_the_account()
    {
        using var directory = new ScriptedDirectory().With("ada", "right", ("entryUUID", ["6ba7b810"])).With("eve", "right", ("entryUUID", ["6ba7b811"]));
        await using var endpoint = await DirectoryEndpoint.StartAsync(
            directory, hasOwnPasswords: false, ("attributes:unique_account_id", "entryUUID"));
        Assert.Equal("ada@example.com", await endpoint.AddressOfAsync("ada", "right"));
        var userId = (await endpoint.AccountAsync("ada@example.com"))!.UserId;

        // She marries, and somebody else is called as she was.
        directory.Everybody.Clear();
        directory.With("lovelace", "right", ("entryUUID", ["6ba7b810"])).With("ada", "other", ("entryUUID", ["6ba7b812"]));

        Assert.Equal("ada@example.com", await endpoint.AddressOfAsync("lovelace", "right"));
        Assert.Null(await endpoint.AccountAsync("lovelace@example.com"));
        Assert.Equal("401", await endpoint.AddressOfAsync("ada", "other"));
        Assert.Equal(userId, (await endpoint.EventAsync("directory_account_taken")).UserId);
        Assert.Equal(2, await endpoint.NextUserIdAsync());
    }

    [Fact]
    public async Task An_account_that_was_there_before_is_the_entrys_from_its_first_login_on_until_it_is_deleted()
    {
        using var directory = new ScriptedDirectory().With("ada", "right", ("objectGUID", [Encoding.UTF8.GetString([1, 2, 3])]));
        await using var endpoint = await DirectoryEndpoint.StartAsync(
            directory, hasOwnPasswords: false, ("attributes:unique_account_id", "objectGUID"));
        await endpoint.AddAsync(7, "ada@example.com", "!");
        Assert.Equal("ada@example.com", await endpoint.AddressOfAsync("ada", "right"));
        directory.Everybody.Clear();
        directory.With("ada2", "right", ("objectGUID", [Encoding.UTF8.GetString([1, 2, 3])]));
        Assert.Equal("ada@example.com", await endpoint.AddressOfAsync("ada2", "right"));

        var account = (await endpoint.AccountAsync("ada@example.com"))!;
        await endpoint.Accounts.DeleteAsync("", EmailAddress.TryParse("ada@example.com")!, account.UserId, CancellationToken.None);

        Assert.Equal("ada2@example.com", await endpoint.AddressOfAsync("ada2", "right"));
        await foreach (var row in endpoint.Tables.UserIds.QueryAsync<Azure.Data.Tables.TableEntity>(row => row.PartitionKey == ".directory"))
        {
            var gone = FetchApiKey.Accounts.Account.PartitionOf("", "ada@example.com");
            Assert.False(row.RowKey == gone || row.GetString("Account") == gone);
        }
    }
}
