// Logins against a real directory: who gets in, who does not, and what happens when the directory is not there.

using System.Text.Json;
using FetchApiKey.Accounts;
using FetchApiKey.Audit;
using Microsoft.Extensions.Configuration;
using static FetchApiKeyFunction.Tests.TestServer;

namespace FetchApiKeyFunction.Tests.Ldap;

public sealed class LdapTests : IAsyncLifetime
{
    private const string Local = "of his own";

    /// <summary>Of class and tests: one directory for all, tables for each.</summary>
    private static readonly Lazy<Task<Slapd>> Shared = new(async () =>
    {
        var slapd = await Slapd.StartAsync();
        AppDomain.CurrentDomain.ProcessExit += (_, _) => slapd.DisposeAsync().AsTask().GetAwaiter().GetResult();
        return slapd;
    });

    private readonly List<TestServer> _servers = [];
    private Slapd _slapd = null!;
    private AccountTables _tables = null!;
    private AccountStore _accounts = null!;

    public async Task InitializeAsync()
    {
        if (Slapd.Skip is not null)
        {
            return;
        }

        _slapd = await Shared.Value;
        _tables = await SharedAzurite.NewTablesAsync();
        _accounts = new AccountStore(_tables);
        var realms = new RealmStore(_tables, TimeSpan.Zero, TimeProvider.System);
        foreach (var realm in new[]
        {
            new Realm("", "Root", "", "", null, true, PasswordBackends.Email),
            new Realm("acme", "Acme", "", "", null, true, PasswordBackends.None),
            new Realm("closed", "Closed", "", "", null, false, PasswordBackends.None),
            new Realm("plain", "No directory", "", "", null, true, PasswordBackends.Email),
        })
        {
            Assert.True(await realms.AddAsync(realm, CancellationToken.None));
        }
    }

    public async Task DisposeAsync()
    {
        foreach (var server in _servers)
        {
            await server.DisposeAsync();
        }
    }

    // ---- From the typed name to the account ----

    [SlapdTheory]
    [InlineData("hamlet")]
    [InlineData("HAMLET")]
    [InlineData("hamlet@example.com")]
    [InlineData("Hamlet@EXAMPLE.com")]
    public async Task With_a_domain_to_append_user_name_and_address_are_one_person(string username)
    {
        var server = await StartAsync(("appendDomain", "example.com"), ("autoCreate", "true"));

        var answer = await server.LogInAsync(username, "canary-hamlet");

        Assert.Equal(200, answer.Status);
        Assert.Equal("hamlet@example.com", Member(answer, "email"));
        Assert.Equal(401, (await server.LogInAsync(username, "canary-horatio")).Status);
        Assert.Equal(401, (await server.LogInAsync("hamlet@mail.example.com", "canary-hamlet")).Status);
    }

    [SlapdTheory]
    [InlineData("hamlet", 200)]
    [InlineData("hamlet@mail.example.com", 200)]
    [InlineData("PRINCE@mail.example.com", 200)]
    [InlineData("hamlet@example.com", 401)]
    [InlineData("horatio", 401)]
    [InlineData("nobody", 401)]
    [InlineData("yorick", 401)]
    [InlineData("twin", 401)]
    [InlineData("*", 401)]
    [InlineData("h*", 401)]
    [InlineData("hamlet)(uid=*", 401)]
    [InlineData(" hamlet", 401)]
    [InlineData("hamlet ", 401)]
    [InlineData("ｈamlet", 401)]
    [InlineData("ham\u00ADlet", 401)]
    [InlineData("hamlet\0", 401)]
    [InlineData("", 401)]
    public async Task With_an_address_attribute_both_ways_lead_to_the_entry_and_no_other_spelling_does(string username, int status)
    {
        var server = await StartAsync(("emailAttribute", "mail"), ("reverseEmailSearchFilter", "(mail=%(email)s)"), ("autoCreate", "true"));

        var answer = await server.LogInAsync(
            username, username == "twin" ? "canary-twin" : username == "yorick" ? "canary-yorick" : "canary-hamlet");

        Assert.Equal((username, status), (username, answer.Status));
        Assert.Equal(status == 200 ? "Hamlet@mail.example.com" : null, status == 200 ? Member(answer, "email") : null);
        if (status == 401)
        {
            Assert.Equal(Golden("E5"), answer.Body);
        }
    }

    [SlapdFact]
    public async Task What_has_a_meaning_in_a_filter_is_only_a_character_of_a_name()
    {
        var server = await StartAsync(("emailAttribute", "mail"), ("autoCreate", "true"));

        Assert.Equal(200, (await server.LogInAsync(@"star*(a\b)", "canary-star")).Status);
        Assert.Equal(401, (await server.LogInAsync("star*", "canary-star")).Status);
    }

    [SlapdTheory]
    [InlineData("")]
    [InlineData("\0")]
    [InlineData("\0canary-hamlet")]
    [InlineData("canary-hamlet\0")]
    [InlineData(" canary-hamlet")]
    public async Task A_password_that_would_bind_anybody_or_be_cut_off_is_never_right(string password)
    {
        var server = await StartAsync(("appendDomain", "example.com"), ("autoCreate", "true"));

        Assert.Equal(
            (401, Golden("E5")), (await server.LogInAsync("hamlet", password)) is var answer ? (answer.Status, answer.Body) : default);
    }

    // ---- Accounts ----

    [SlapdFact]
    public async Task The_first_login_makes_an_account_with_a_key_and_without_a_password()
    {
        var server = await StartAsync(("appendDomain", "example.com"), ("autoCreate", "true"), ("attributes:full_name", "cn"));

        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => server.LogInAsync("hamlet", "canary-hamlet")));
        var again = await server.LogInAsync("hamlet@example.com", "canary-hamlet");

        Assert.All(answers, answer => Assert.Equal(again, answer, (one, other) => one!.Status == 200 && one.Body == other!.Body));
        var account = (await _accounts.FindAsync("", Parse("hamlet@example.com"), CancellationToken.None)).Account!;
        Assert.Equal(
            (1, "Hamlet, Prince of Denmark", Account.Member, false),
            (account.UserId, account.FullName, account.Role, account.HasUsablePassword));
        Assert.Equal(Opening.Opened, Cipher.Open(account, out var key));
        Assert.Equal(Member(again, "api_key"), key);
        Assert.Contains(await EventsAsync(1, "hamlet@example.com", SecurityEventKind.AccountCreated), happened => happened.UserId == 1);
        Assert.Equal(200, (await server.LogInAsync("horatio", "canary-horatio")).Status);
        Assert.Equal(2, (await _accounts.FindAsync("", Parse("horatio@example.com"), CancellationToken.None)).Account!.UserId);
    }

    [SlapdFact]
    public async Task Without_permission_no_account_is_made()
    {
        var server = await StartAsync(("appendDomain", "example.com"));

        Assert.Equal((401, Golden("E5")), await BodyAsync(server, "hamlet", "canary-hamlet"));
        Assert.Equal("account_not_created", (await EventsAsync(1, "hamlet@example.com"))[0].Outcome);
        Assert.Null((await _accounts.FindAsync("", Parse("hamlet@example.com"), CancellationToken.None)).Account);
    }

    [SlapdFact]
    public async Task A_deactivated_account_or_realm_is_refused_like_a_wrong_password_and_recorded_as_what_it_is()
    {
        await AddAsync("", 7, "gertrude@example.com", "!", isActive: false);
        var server = await StartAsync(("appendDomain", "example.com"), ("autoCreate", "true"), ("realms", "@,closed"));

        Assert.Equal((401, Golden("E5")), await BodyAsync(server, "gertrude", "canary-gertrude"));
        Assert.Equal("account_inactive", (await EventsAsync(1, "gertrude@example.com"))[0].Outcome);
        Assert.Equal((401, Golden("E5")), await BodyAsync(server, "gertrude", "wrong"));
        Assert.Equal((401, Golden("E5")), await BodyAsync(server, "hamlet", "canary-hamlet", "closed.zulip.example.com"));
        Assert.Equal((401, Golden("E5")), await BodyAsync(server, "hamlet", "wrong", "closed.zulip.example.com"));
        Assert.Null((await _accounts.FindAsync("closed", Parse("hamlet@example.com"), CancellationToken.None)).Account);
    }

    [SlapdTheory]
    [InlineData("othello", "directory_disabled")]
    [InlineData("ophelia", "directory_disabled")]
    public async Task Who_is_disabled_in_the_directory_is_refused(string username, string cause)
    {
        var server = await StartAsync(
            ("appendDomain", "example.com"), ("autoCreate", "true"), ("attributes:userAccountControl", "userAccountControl"), ("attributes:deactivated", "nsAccountLock"));

        Assert.Equal((401, Golden("E5")), await BodyAsync(server, username, $"canary-{username}"));
        Assert.Equal(cause, (await EventsAsync(1, $"{username}@example.com"))[0].Outcome);
        Assert.Equal(200, (await server.LogInAsync("hamlet", "canary-hamlet")).Status);
    }

    [SlapdTheory]
    [InlineData("", "hamlet", 200, "accessFilter=(departmentNumber=castle)")]
    [InlineData("", "horatio", 401, "accessFilter=(departmentNumber=castle)")]
    [InlineData("acme", "hamlet", 200, "attributes:org_membership=employeeType")]
    [InlineData("", "hamlet", 401, "attributes:org_membership=employeeType")]
    [InlineData("", "horatio", 200, "attributes:org_membership=employeeType")]
    [InlineData("acme", "horatio", 401, "attributes:org_membership=employeeType")]
    [InlineData("", "hamlet", 200, "attributes:org_membership=employeeType;accessFilter=(departmentNumber=castle)")]
    [InlineData("acme", "othello", 401, "attributes:org_membership=employeeType;accessFilter=(departmentNumber=castle)")]
    public async Task Access_to_a_realm_is_by_membership_or_by_filter(string realm, string username, int status, string rules)
    {
        var server = await StartAsync(
            [("appendDomain", "example.com"), ("autoCreate", "true"), ("realms", "@,acme"), .. rules.Split(';').Select(rule => (rule.Split('=', 2)[0], rule.Split('=', 2)[1]))]);

        var answer = await server.LogInAsync(username, $"canary-{username}", realm.Length == 0 ? RootHost : $"{realm}.zulip.example.com");

        Assert.Equal(status, answer.Status);
    }

    // ---- Two backends ----

    [SlapdTheory]
    [InlineData("email,ldap")]
    [InlineData("ldap,email")]
    public async Task Either_backend_may_accept_and_one_attempt_is_counted(string order)
    {
        await AddAsync("", 3, "hamlet@example.com", await Organisation.HashAsync(Local));
        await AddAsync("", 4, "only@local.example", await Organisation.HashAsync(Local));
        var server = await StartAsync(("appendDomain", "example.com"), ("order", order), ("limit", "5"));

        Assert.Equal(200, (await server.LogInAsync("hamlet@example.com", "canary-hamlet")).Status);
        Assert.Equal(200, (await server.LogInAsync("hamlet@example.com", Local)).Status);
        Assert.Equal(200, (await server.LogInAsync("only@local.example", Local)).Status);
        foreach (var username in new[] { "hamlet", "HAMLET@example.com", "hamlet@Example.com", "Hamlet", "hamlet@example.com" })
        {
            Assert.Equal((401, Golden("E5")), await BodyAsync(server, username, "wrong"));
        }

        Assert.Equal(429, (await server.LogInAsync("hamlet", "canary-hamlet")).Status);
        Assert.Equal(429, (await server.LogInAsync("hamlet@example.com", Local)).Status);
        Assert.All(
            await EventsAsync(5, "hamlet@example.com", SecurityEventKind.LoginRefused),
            happened => Assert.Equal("wrong_password", happened.Outcome));
        foreach (var attempt in Enumerable.Range(0, 6))
        {
            Assert.Equal(attempt < 5 ? 401 : 429, (await server.LogInAsync("nobody", "wrong")).Status);
        }
    }

    [SlapdTheory]
    [InlineData("email,ldap")]
    [InlineData("ldap,email")]
    public async Task With_the_directory_stopped_passwords_of_accounts_go_on_guesses_count_and_all_is_well_when_it_is_back(string order)
    {
        await using var own = await Slapd.StartAsync();
        await AddAsync("", 3, "hamlet@example.com", await Organisation.HashAsync(Local));
        var server = await StartAsync(
            own, ("appendDomain", "example.com"), ("order", order), ("realms", "@,acme"), ("autoCreate", "true"), ("limit", "5"));
        Assert.Equal(200, (await server.LogInAsync("hamlet", "canary-hamlet")).Status);
        Assert.Equal(200, (await server.SendAsync(HttpMethod.Get, "/api/v1/health/ready")).Status);
        own.Stop();

        Assert.Equal(200, (await server.LogInAsync("hamlet@example.com", Local)).Status);
        foreach (var username in new[] { "horatio@example.com", "nobody@example.com" })
        {
            // The account's own password was judged, so that it cannot be guessed at without end.
            foreach (var attempt in Enumerable.Range(0, 6))
            {
                Assert.Equal(attempt < 5 ? 503 : 429, (await server.LogInAsync(username, "wrong")).Status);
            }

            // Nobody judged anything, so nothing counts.
            foreach (var _ in Enumerable.Range(0, 6))
            {
                Assert.Equal(
                    (503, Golden("E18")), await BodyAsync(server, username, $"canary-{username.Split('@')[0]}", "acme.zulip.example.com"));
            }
        }

        Assert.Equal("directory_unavailable", (await EventsAsync(5, "nobody@example.com"))[0].Outcome);
        await own.StartAgainAsync();
        Assert.Equal(200, (await server.LogInAsync("hamlet", "canary-hamlet")).Status);
        Assert.Equal(200, (await server.LogInAsync("horatio", "canary-horatio", "acme.zulip.example.com")).Status);
    }

    [SlapdTheory]
    [InlineData("none")]
    [InlineData("tls")]
    [InlineData("startTls")]
    public async Task A_directory_that_falls_silent_takes_nothing_from_others_and_is_asked_again(string encryption)
    {
        using var proxy = new DirectoryProxy(encryption == "tls" ? _slapd.TlsPort : _slapd.Port);
        await AddAsync("", 3, "hamlet@example.com", await Organisation.HashAsync(Local));
        var server = await StartAsync(
            [("appendDomain", "example.com"), ("order", "email,ldap"), ("autoCreate", "true"), ("connectTimeoutMs", "1000"), ("operationTimeoutMs", "1000"),
            ("uri", $"{(encryption == "tls" ? "ldaps" : "ldap")}://localhost:{proxy.Port}"), .. Trust(encryption)]);
        Assert.Equal(200, (await server.LogInAsync("horatio", "canary-horatio")).Status);
        proxy.IsSilent = true;

        var stuck = await Task.WhenAll(
            Enumerable.Range(0, 6).Select(i => server.LogInAsync(i % 2 == 0 ? "horatio" : "nobody", "canary-horatio")));
        Assert.All(stuck, answer => Assert.Equal((503, Golden("E18")), (answer.Status, answer.Body)));
        Assert.Equal(200, (await server.LogInAsync("hamlet@example.com", Local)).Status);
        Assert.Equal(503, (await server.SendAsync(HttpMethod.Get, "/api/v1/health/ready")).Status);

        proxy.IsSilent = false;
        Assert.Equal(200, (await server.LogInAsync("horatio", "canary-horatio")).Status);
    }

    [SlapdFact]
    public async Task A_known_and_an_unknown_name_cost_the_directory_the_same_connections()
    {
        using var proxy = new DirectoryProxy(_slapd.Port);
        var settings = Read(_slapd, ("appendDomain", "example.com"), ("uri", $"ldap://127.0.0.1:{proxy.Port}"));
        // One thread, which connects for its searches once.
        var server = await StartAsync(settings with { Ldap = [settings.Ldap[0] with { Connections = 1 }] });
        await server.LogInAsync("hamlet", "wrong");

        var before = proxy.Accepted;
        await server.LogInAsync("hamlet", "wrong");
        var forKnown = proxy.Accepted - before;
        await server.LogInAsync("nobody", "wrong");

        Assert.Equal((1, 1), (forKnown, proxy.Accepted - before - forKnown));
    }

    // ---- TLS ----

    [SlapdTheory]
    [InlineData("tls", "localhost", true, 200)]
    [InlineData("tls", "127.0.0.1", true, 200)]
    [InlineData("startTls", "127.0.0.1", true, 200)]
    [InlineData("tls", "127.0.0.2", true, 503)]
    [InlineData("tls", "127.0.0.1", false, 503)]
    [InlineData("startTls", "127.0.0.1", false, 503)]
    public async Task Only_a_certificate_that_is_trusted_and_names_the_host_is_taken(
        string encryption, string host, bool isTrusted, int status)
    {
        var server = await StartAsync(
            [("appendDomain", "example.com"), ("autoCreate", "true"),
            ("uri", encryption == "tls" ? $"ldaps://{host}:{_slapd.TlsPort}" : $"ldap://{host}:{_slapd.Port}"),
            .. Trust(encryption), ("trustedCertificates", isTrusted ? _slapd.Authority : _slapd.ForeignAuthority)]);

        Assert.Equal(status, (await server.LogInAsync("hamlet", "canary-hamlet")).Status);
        Assert.Equal(
            status == 503, server.Log.Any(line => line.Contains("its certificate or its TLS is refused", StringComparison.Ordinal)));
    }

    [SlapdFact]
    public async Task A_certificate_that_only_an_authority_of_its_own_signed_is_not_the_systems()
    {
        var server = await StartAsync(
            ("appendDomain", "example.com"), ("autoCreate", "true"), ("uri", $"ldaps://localhost:{_slapd.TlsPort}"));

        Assert.Equal(503, (await server.LogInAsync("hamlet", "canary-hamlet")).Status);
    }

    // ---- What clients and the log are told ----

    [SlapdFact]
    public async Task Server_settings_tell_where_a_directory_is_and_which_names_it_takes()
    {
        var withDomain = await StartAsync(("appendDomain", "example.com"), ("realms", "@,acme"));
        var bare = await StartAsync();

        var root = Document(await withDomain.SendAsync(HttpMethod.Get, "/api/v1/server_settings"));
        var acme = Document(await withDomain.SendAsync(HttpMethod.Get, "/api/v1/server_settings", host: "acme.zulip.example.com"));
        var plain = Document(await withDomain.SendAsync(HttpMethod.Get, "/api/v1/server_settings", host: "plain.zulip.example.com"));
        var addresses = Document(await bare.SendAsync(HttpMethod.Get, "/api/v1/server_settings"));

        Assert.Equal((true, true, true, false), Told(root));
        Assert.Equal((true, false, true, false), Told(acme));
        Assert.Equal((true, true, false, true), Told(plain));
        Assert.Equal((true, true, true, true), Told(addresses));
        Assert.Equal((400, Golden("E4")), await BodyAsync(withDomain, "hamlet", "canary-hamlet", "plain.zulip.example.com"));
    }

    [SlapdFact]
    public async Task Neither_log_nor_audit_trail_quotes_what_went_to_the_directory()
    {
        var server = await StartAsync(
            ("emailAttribute", "mail"), ("reverseEmailSearchFilter", "(mail=%(email)s)"), ("autoCreate", "true"),
            ("bindPassword", "canary-wrong"));
        Assert.Equal(503, (await server.LogInAsync("horatio", "canary-horatio")).Status);
        var right = await StartAsync(("emailAttribute", "mail"), ("autoCreate", "true"));
        Assert.Equal(200, (await right.LogInAsync("horatio", "canary-horatio")).Status);
        Assert.Equal(401, (await right.LogInAsync("yorick", "canary-yorick")).Status);

        Assert.Contains(server.Log, line => line.Contains("it refuses bindDn and bindPassword", StringComparison.Ordinal));
        Assert.All(server.Log.Concat(right.Log), line => Assert.DoesNotMatch("canary|horatio|yorick|dc=", line));
    }

    // ---- The parts ----

    private Task<TestServer> StartAsync(params (string Name, string Value)[] ldap) => StartAsync(_slapd, ldap);

    private Task<TestServer> StartAsync(Slapd slapd, params (string Name, string Value)[] ldap) => StartAsync(Read(slapd, ldap));

    private async Task<TestServer> StartAsync(Settings settings)
    {
        var server = await TestServer.StartAsync(_tables, settings);
        _servers.Add(server);
        return server;
    }

    /// <summary>As a process reads them; a limit is the attempt limit's.</summary>
    private static Settings Read(Slapd slapd, params (string Name, string Value)[] ldap)
    {
        var values = new Dictionary<string, string?>(StringComparer.OrdinalIgnoreCase)
        {
            ["AccountStorage"] = "UseDevelopmentStorage=true",
            ["ExternalHost"] = "zulip.example.com,127.0.0.1",
            ["Argon2:memoryKib"] = "64",
            ["Argon2:passes"] = "1",
            ["Argon2:lanes"] = "1",
            ["ApiKeys:keys:one"] = KeyVariable.Value,
            ["AttemptLimit:perAccount"] = "1000",
            ["AttemptLimit:perAddress"] = "1000",
            ["Ldap:people:realms"] = "@",
            ["Ldap:people:uri"] = $"ldap://127.0.0.1:{slapd.Port}",
            ["Ldap:people:bindDn"] = Slapd.ReaderDn,
            ["Ldap:people:bindPassword"] = Slapd.ReaderPassword,
            ["Ldap:people:userSearchBase"] = Slapd.People,
        };
        foreach (var (name, value) in ldap)
        {
            values[name == "limit" ? "AttemptLimit:perAccount" : $"Ldap:people:{name}"] = value;
        }

        return Settings.Read(new ConfigurationBuilder().AddInMemoryCollection(values).Build(), answersRequests: true);
    }

    private IEnumerable<(string, string)> Trust(string encryption) => encryption switch
    {
        "tls" => [("trustedCertificates", _slapd.Authority)],
        "startTls" => [("startTls", "true"), ("trustedCertificates", _slapd.Authority)],
        _ => [],
    };

    private async Task AddAsync(string subdomain, int userId, string emailText, string hash, bool isActive = true)
    {
        var account = new Account(
            subdomain, userId, emailText, hash, Cipher.Seal(subdomain, EmailAddress.TryParse(emailText)!, userId, Account.NewApiKey()), isActive, Account.Member, DateTimeOffset.UnixEpoch);
        Assert.Equal(Addition.Added, await _accounts.AddAsync(account, Parse(emailText), CancellationToken.None));
    }

    private async Task<List<SecurityEvent>> EventsAsync(int count, string emailText, string? kind = null)
    {
        var digests = new CorrelationDigest(Keys).AllOfAccount("", Parse(emailText));
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (true)
        {
            var found = new List<SecurityEvent>();
            var now = TimeProvider.System.GetUtcNow();
            await foreach (var happened in new AuditTable(_tables).SearchAsync(new AuditQuery(now.AddMinutes(-10), now.AddMinutes(1)) { Accounts = digests }, limit.Token))
            {
                if (kind is null || happened.Kind == kind)
                {
                    found.Add(happened);
                }
            }

            if (found.Count >= count)
            {
                return found;
            }

            await Task.Delay(20, limit.Token);
        }
    }

    private static async Task<(int Status, string Body)> BodyAsync(TestServer server, string username, string password, string host = RootHost)
    {
        var answer = await server.LogInAsync(username, password, host);
        return (answer.Status, answer.Body);
    }

    private static (bool Password, bool Email, bool Ldap, bool RequireEmail) Told(JsonElement settings)
    {
        var methods = settings.GetProperty("authentication_methods");
        Assert.Equal(methods.GetProperty("email").GetBoolean(), settings.GetProperty("email_auth_enabled").GetBoolean());
        return (
            methods.GetProperty("password").GetBoolean(), methods.GetProperty("email").GetBoolean(),
            methods.GetProperty("ldap").GetBoolean(),
            settings.GetProperty("require_email_format_usernames").GetBoolean());
    }

    private static JsonElement Document(Answer answer) => JsonDocument.Parse(answer.Body).RootElement;

    private static string Member(Answer answer, string name) => Document(answer).GetProperty(name).GetString()!;

    private static EmailAddress Parse(string text) => EmailAddress.TryParse(text)!;
}
