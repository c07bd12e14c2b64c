// The realms and accounts that the login tests know, over real tables and a real server.

using FetchApiKey.Accounts;
using FetchApiKey.Cli;
using FetchApiKey.Passwords;

namespace FetchApiKeyFunction.Tests;

public sealed class Organisation : IAsyncLifetime
{
    public const string IagosKey = "gjA04ZYcqXKalvYMA8OeXSfzUOLrtbZv";
    public const string RightPassword = "abcd1234";

    /// <summary>Made by Django 3.2.25: argon2i, m=512, t=2, p=2, a 16-byte hash, of "abcd1234".</summary>
    public const string OldHash = "argon2$argon2i$v=19$m=512,t=2,p=2$c2FsdHNhbHRzYWx0$SsXVj4HuQoC5KHcD99MoJg";

    internal string TablePrefix { get; private set; } = "";

    internal AccountTables Tables { get; private set; } = null!;

    internal AccountStore Accounts { get; private set; } = null!;

    internal TestServer Server { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        var storage = await SharedAzurite.NewStorageAsync();
        TablePrefix = storage.TablePrefix;
        Tables = AccountTables.Open(storage);
        await Tables.CreateAsync(CancellationToken.None);
        Accounts = new AccountStore(Tables);
        await AddRealmAsync(
            new Realm("", "Zulip & Söhne", "<p>The coolest place in the universe.</p>", "/icon.png", null, true, PasswordBackends.Email));
        await AddRealmAsync(new Realm("acme", "Acme", "", "", "https://chat.example.org", true, PasswordBackends.Email));
        await AddRealmAsync(new Realm("closed", "Closed", "", "", null, false, PasswordBackends.Email));
        await AddRealmAsync(new Realm("nopasswords", "No passwords", "", "", null, true, PasswordBackends.None));
        var hash = await HashAsync(RightPassword);
        await AddAsync("", 5, "iago@zulip.com", hash, apiKey: IagosKey);
        await AddAsync("", 6, "gone@zulip.com", hash, isActive: false);
        await AddAsync("", 7, "bot@zulip.com", "!unusable");
        await AddAsync("", 8, "broken@zulip.com", "argon2$argon2id$v=19$m=0,t=0,p=0$$");
        await AddAsync("", 9, "bomb@zulip.com", "argon2$argon2id$v=19$m=4194304,t=2,p=8$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA");
        await AddAsync("", 10, "weak@zulip.com", OldHash);
        await AddAsync("acme", 5, "only@acme.com", hash);
        await AddAsync("closed", 5, "iago@zulip.com", hash);
        Server = await TestServer.StartAsync(Tables);
    }

    public async Task DisposeAsync() => await Server.DisposeAsync();

    internal async Task<Account> AddAsync(
        string subdomain, int userId, string emailText, string hash, bool isActive = true, string? apiKey = null)
    {
        var email = EmailAddress.TryParse(emailText)!;
        var seal = TestServer.Cipher.Seal(subdomain, email, userId, apiKey ?? Account.NewApiKey());
        var account = new Account(subdomain, userId, emailText, hash, seal, isActive, Account.Member, DateTimeOffset.UnixEpoch);
        Assert.Equal(Addition.Added, await Accounts.AddAsync(account, email, CancellationToken.None));
        return account;
    }

    internal async Task<Account> FindAsync(string emailText, string subdomain = "") =>
        (await Accounts.FindAsync(subdomain, EmailAddress.TryParse(emailText)!, CancellationToken.None)).Account!;

    internal static async Task<string> HashAsync(string password)
    {
        using var typed = TypedPassword.FromText(password);
        return await NewHash.OfAsync(typed, TestServer.Hashing, TimeProvider.System);
    }

    private async Task AddRealmAsync(Realm realm) =>
        Assert.True(await new RealmStore(Tables, TimeSpan.Zero, TimeProvider.System).AddAsync(realm, CancellationToken.None));
}
