// Logins with JSON web tokens: what the contract says, and every kind of token that must not get in.

using System.Security.Cryptography;
using System.Text;
using FetchApiKey.Accounts;
using FetchApiKey.Attempts;
using Microsoft.IdentityModel.Tokens;
using static FetchApiKeyFunction.Tests.TestServer;

namespace FetchApiKeyFunction.Tests.Passwordless;

public sealed class JwtLoginTests(Organisation organisation) : IClassFixture<Organisation>, IAsyncLifetime
{
    private const string Path = "/api/v1/jwt/fetch_api_key";
    private const string Secret = "thirty-two bytes and some more, é";
    private const string Iago = """{"email":"iago@zulip.com"}""";
    private const string AcmeHost = "acme.zulip.example.com";
    private const string ClosedHost = "closed.zulip.example.com";
    private const string Audience = "https://chat.example.org/";
    private const string ForAcme = """{"email":"only@acme.com","aud":"https://chat.example.org/","iss":"portal","exp":4102444800}""";

    private static readonly RSA Rsa = RSA.Create(2048);
    private static readonly ECDsa Ec = ECDsa.Create(ECCurve.NamedCurves.nistP256);

    private static readonly (string, string)[] Sections =
    [
        ("Jwt__portal__realms", "@"), ("Jwt__portal__key", Secret), ("Jwt__portal__algorithms", "HS256"),
        ("Jwt__acme__realms", "acme"), ("Jwt__acme__key", Rsa.ExportSubjectPublicKeyInfoPem().Replace("\n", "\\n", StringComparison.Ordinal)),
        ("Jwt__acme__algorithms", "RS256"), ("Jwt__acme__audience", Audience), ("Jwt__acme__issuer", "portal"), ("Jwt__acme__requireExpiry", "true"),
        ("Jwt__third__realms", "closed"), ("Jwt__third__key", Ec.ExportSubjectPublicKeyInfoPem()), ("Jwt__third__algorithms", "ES256"),
    ];

    private TestServer _server = null!;

    public async Task InitializeAsync() => _server = await PasswordlessServer.StartAsync(organisation.Tables, jwt: Sections);

    public async Task DisposeAsync() => await _server.DisposeAsync();

    // ---- The contract's rows ----

    [Theory]
    [InlineData("jwt-success", 200, Iago)]
    [InlineData("jwt-success", 200, """{"email":"IAGO@zulip.com","exp":4102444800,"nbf":1,"iat":1.5,"user_id":6}""")]
    [InlineData("jwt-success", 200, """{"email":"iago@zulip.com","aud":[]}""")]
    [InlineData("jwt-success", 200, """{"email":" iago@zulip.com "}""")]
    [InlineData("jwt-no-email", 400, """{"sub":"iago@zulip.com"}""")]
    [InlineData("jwt-no-email", 400, """{"email":null}""")]
    [InlineData("jwt-no-email", 400, """{"email":["iago@zulip.com"]}""")]
    [InlineData("E5", 401, """{"email":"nobody@zulip.com"}""")]
    [InlineData("E5", 401, """{"email":"only@acme.com"}""")]
    [InlineData("E5", 401, """{"email":""}""")]
    [InlineData("E5", 401, """{"email":"iago"}""")]
    [InlineData("E9", 401, """{"email":"gone@zulip.com"}""")]
    public async Task A_token_that_holds_is_answered_by_its_address(string golden, int status, string claims)
    {
        var answer = await SendAsync(Hmac("HS256", claims));

        Assert.Equal((status, Golden(golden)), (answer.Status, answer.Body));
        Assert.Equal("1000", answer.Headers["X-RateLimit-Limit"]);
        Assert.DoesNotContain("WWW-Authenticate", answer.Headers.Keys);
    }

    [Fact]
    public async Task RSA_and_EC_keys_serve_the_realms_that_they_are_for()
    {
        var acme = await SendAsync(RsaToken(ForAcme), AcmeHost);
        var closed = await SendAsync(EcToken(Iago), ClosedHost);
        var mixedUp = await SendAsync(RsaToken(ForAcme), ClosedHost);

        Assert.Equal(200, acme.Status);
        Assert.Contains("\"email\":\"only@acme.com\"", acme.Body, StringComparison.Ordinal);
        Assert.Equal((401, Golden("E11")), (closed.Status, closed.Body));
        Assert.Equal((400, Golden("jwt-bad-token")), (mixedUp.Status, mixedUp.Body));
    }

    [Theory]
    [InlineData("jwt-no-token", 400, "", RootHost)]
    [InlineData("jwt-no-token", 400, "token=", RootHost)]
    [InlineData("jwt-not-enabled", 400, "token=x", "nopasswords.zulip.example.com")]
    [InlineData("jwt-not-enabled", 400, "", "nopasswords.zulip.example.com")]
    [InlineData("E3", 404, "token=x", "unknown.zulip.example.com")]
    [InlineData("E3", 404, "", "evil.example.net")]
    [InlineData("jwt-profile-no-boolean", 400, "include_profile=1", "unknown.zulip.example.com")]
    [InlineData("jwt-profile-no-boolean", 400, "include_profile=%22true%22", RootHost)]
    [InlineData("jwt-profile-no-boolean", 400, "include_profile=null", RootHost)]
    [InlineData("jwt-profile-no-json", 400, "include_profile=True", RootHost)]
    [InlineData("jwt-profile-no-json", 400, "include_profile=", RootHost)]
    public async Task What_is_wrong_before_the_token_is_told_in_the_contracts_order(string golden, int status, string query, string host)
    {
        var answer = await _server.SendAsync(HttpMethod.Post, $"{Path}?{query}", host: host);

        Assert.Equal((status, Golden(golden)), (answer.Status, answer.Body));
        Assert.DoesNotContain("X-RateLimit-Limit", answer.Headers.Keys);
    }

    [Theory]
    [InlineData("jwt-profile", "true")]
    [InlineData("jwt-profile", " true ")]
    public async Task The_profile_comes_when_it_is_asked_for_and_what_nothing_took_comes_last(string golden, string include)
    {
        var answer = await _server.SendAsync(
            HttpMethod.Post, Path, Form(("token", Hmac("HS256", Iago)), ("include_profile", include), ("password", "x"), ("client", "c")));

        Assert.Equal((200, Golden(golden)), (answer.Status, answer.Body));
    }

    [Fact]
    public async Task A_profile_has_the_name_where_one_is_known()
    {
        var seal = Cipher.Seal("", EmailAddress.TryParse("cordelia@zulip.com")!, 71, new string('c', 32));
        var account = new Account("", 71, "cordelia@zulip.com", "!", seal, true, Account.Member, DateTimeOffset.UnixEpoch) { FullName = "Cordelia, Lear's daughter" };
        await organisation.Accounts.AddAsync(account, EmailAddress.TryParse(account.Email)!, CancellationToken.None);

        var answer = await _server.SendAsync(HttpMethod.Post, Path, Form(("token", Hmac("HS256", """{"email":"cordelia@zulip.com"}""")), ("include_profile", "true")));

        Assert.Contains(""","is_bot":false,"full_name":"Cordelia, Lear's daughter","timezone":"",""", answer.Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_profile_that_is_not_wanted_does_not_come()
    {
        var answer = await _server.SendAsync(HttpMethod.Post, Path, Form(("token", Hmac("HS256", Iago)), ("include_profile", "false")));

        Assert.Equal((200, Golden("jwt-success")), (answer.Status, answer.Body));
    }

    [Theory]
    [InlineData("GET")]
    [InlineData("OPTIONS")]
    [InlineData("PUT")]
    public async Task Another_method_gets_405(string method)
    {
        var answer = await _server.SendAsync(new HttpMethod(method), Path);

        Assert.Equal((405, Golden("method-not-allowed"), "POST"), (answer.Status, answer.Body, answer.Headers["Allow"]));
    }

    // ---- Tokens that must not get in; each differs in one thing from one that does ----

    private static readonly Dictionary<string, (string Host, Func<string> Make)> Attacks = new()
    {
        ["alg none without a signature"] = (RootHost, () => Unsigned("""{"alg":"none"}""", Iago)),
        ["alg None with the right signature"] = (RootHost, () => Sign("""{"alg":"None"}""", Iago, Mac256)),
        ["alg none, signed"] = (RootHost, () => Sign("""{"alg":"none"}""", Iago, Mac256)),
        ["no alg"] = (RootHost, () => Sign("{}", Iago, Mac256)),
        ["alg twice"] = (RootHost, () => Sign("""{"alg":"none","alg":"HS256"}""", Iago, Mac256)),
        ["no signature"] = (RootHost, () => Unsigned("""{"alg":"HS256"}""", Iago)),
        ["another secret"] = (RootHost, () => Sign("""{"alg":"HS256"}""", Iago, text => HMACSHA256.HashData(new byte[32], text))),
        ["a signature cut short"] = (RootHost, () => Hmac("HS256", Iago)[..^2]),
        ["other claims under a signature"] = (RootHost, () => WithClaims(Hmac("HS256", """{"email":"gone@zulip.com"}"""), Iago)),
        ["another algorithm of the same secret"] = (RootHost, () => Sign("""{"alg":"HS512"}""", Iago, text => HMACSHA512.HashData(Encoding.UTF8.GetBytes(Secret), text))),
        ["expired"] = (RootHost, () => Hmac("HS256", $$"""{"email":"iago@zulip.com","exp":{{TimeProvider.System.GetUtcNow().ToUnixTimeSeconds() - 60}}}""")),
        ["expired long ago"] = (RootHost, () => Hmac("HS256", """{"email":"iago@zulip.com","exp":0}""")),
        ["an expiry that is no number"] = (RootHost, () => Hmac("HS256", """{"email":"iago@zulip.com","exp":"never"}""")),
        ["an expiry that is null"] = (RootHost, () => Hmac("HS256", """{"email":"iago@zulip.com","exp":null}""")),
        ["an expiry beyond numbers"] = (RootHost, () => Hmac("HS256", """{"email":"iago@zulip.com","exp":1e400}""")),
        ["not yet valid"] = (RootHost, () => Hmac("HS256", """{"email":"iago@zulip.com","nbf":4102444800}""")),
        ["issued in the future"] = (RootHost, () => Hmac("HS256", """{"email":"iago@zulip.com","iat":4102444800}""")),
        ["an audience where none is configured"] = (RootHost, () => Hmac("HS256", """{"email":"iago@zulip.com","aud":"another service"}""")),
        ["a critical extension"] = (RootHost, () => Sign("""{"alg":"HS256","crit":["exp"],"exp":1}""", Iago, Mac256)),
        ["an empty list of critical extensions"] = (RootHost, () => Sign("""{"alg":"HS256","crit":[]}""", Iago, Mac256)),
        ["an unencoded payload"] = (RootHost, () => Sign("""{"alg":"HS256","b64":false,"crit":["b64"]}""", Iago, Mac256)),
        ["the address twice"] = (RootHost, () => Hmac("HS256", """{"email":"iago@zulip.com","email":"bot@zulip.com"}""")),
        ["claims that are a list"] = (RootHost, () => Hmac("HS256", """["iago@zulip.com"]""")),
        ["a token in a token"] = (RootHost, () => Sign("""{"alg":"HS256","cty":"JWT"}""", Hmac("HS256", Iago), Mac256)),
        ["an encrypted token"] = (RootHost, Encrypted),
        ["its own key in jwk"] = (RootHost, () => OwnKey(key => $$$"""{"alg":"RS256","jwk":{"kty":"RSA","n":"{{{Url(key.Modulus!)}}}","e":"{{{Url(key.Exponent!)}}}"}}""")),
        ["its own key at jku"] = (AcmeHost, () => OwnKey(_ => """{"alg":"RS256","jku":"http://127.0.0.1:1/keys","kid":"a"}""", ForAcme)),
        ["its own certificate at x5u"] = (AcmeHost, () => OwnKey(_ => """{"alg":"RS256","x5u":"http://127.0.0.1:1/cert"}""", ForAcme)),
        ["a file named by kid"] = (RootHost, () => Sign("""{"alg":"HS256","kid":"../../../dev/null"}""", Iago, text => HMACSHA256.HashData(Array.Empty<byte>(), text))),
        ["longer than any token"] = (RootHost, () => Hmac("HS256", $$"""{"email":"iago@zulip.com","x":"{{new string('x', 16 * 1024)}}"}""")),
        ["a fourth part"] = (RootHost, () => Hmac("HS256", Iago) + ".x"),
        ["white space around"] = (RootHost, () => $" {Hmac("HS256", Iago)}\n"),
        ["no token at all"] = (RootHost, () => "iago@zulip.com"),
        ["full stops"] = (RootHost, () => ".."),
        ["no ASCII"] = (RootHost, () => "é.世界.🔑"),
        ["the public key's PEM as a secret"] = (AcmeHost, () => Confused(Encoding.UTF8.GetBytes(Rsa.ExportSubjectPublicKeyInfoPem()))),
        ["the public key's PEM and a line's end as a secret"] = (
            AcmeHost, () => Confused(Encoding.UTF8.GetBytes(Rsa.ExportSubjectPublicKeyInfoPem() + "\n"))),
        ["the public key's DER as a secret"] = (AcmeHost, () => Confused(Rsa.ExportSubjectPublicKeyInfo())),
        ["the public key's modulus as a secret"] = (AcmeHost, () => Confused(Rsa.ExportParameters(false).Modulus!)),
        ["another RSA key"] = (AcmeHost, () => OwnKey(_ => """{"alg":"RS256"}""", ForAcme)),
        ["another hash of the same RSA key"] = (AcmeHost, () => Sign("""{"alg":"RS512"}""", ForAcme, text => Rsa.SignData(text, HashAlgorithmName.SHA512, RSASignaturePadding.Pkcs1))),
        ["another padding of the same RSA key"] = (AcmeHost, () => Sign("""{"alg":"PS256"}""", ForAcme, text => Rsa.SignData(text, HashAlgorithmName.SHA256, RSASignaturePadding.Pss))),
        ["another audience"] = (AcmeHost, () => RsaToken(ForAcme.Replace(Audience, "https://chat.example.org", StringComparison.Ordinal))),
        ["an audience in another case"] = (
            AcmeHost, () => RsaToken(ForAcme.Replace(Audience, Audience.ToUpperInvariant(), StringComparison.Ordinal))),
        ["no audience"] = (AcmeHost, () => RsaToken(ForAcme.Replace("\"aud\"", "\"x\"", StringComparison.Ordinal))),
        ["another issuer"] = (AcmeHost, () => RsaToken(ForAcme.Replace("\"portal\"", "\"portal2\"", StringComparison.Ordinal))),
        ["no issuer"] = (AcmeHost, () => RsaToken(ForAcme.Replace("\"iss\"", "\"x\"", StringComparison.Ordinal))),
        ["no expiry where one is required"] = (AcmeHost, () => RsaToken(ForAcme.Replace("\"exp\"", "\"x\"", StringComparison.Ordinal))),
        ["an EC signature of zeros"] = (ClosedHost, () => Sign("""{"alg":"ES256"}""", Iago, _ => new byte[64])),
        ["an EC signature in DER"] = (ClosedHost, () => Sign("""{"alg":"ES256"}""", Iago, text => Ec.SignData(text, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence))),
        ["the EC key's PEM as a secret"] = (ClosedHost, () => Sign("""{"alg":"HS256"}""", Iago, text => HMACSHA256.HashData(Encoding.UTF8.GetBytes(Ec.ExportSubjectPublicKeyInfoPem()), text))),
    };

    public static TheoryData<string> AttackNames => [.. Attacks.Keys];

    [Theory]
    [MemberData(nameof(AttackNames))]
    public async Task A_token_that_does_not_hold_is_a_bad_one(string what)
    {
        var (host, make) = Attacks[what];
        var token = make();

        var answer = await SendAsync(token, host);

        Assert.Equal((400, Golden("jwt-bad-token")), (answer.Status, answer.Body));
        Assert.DoesNotContain(
            _server.Log, line => line.Contains(token, StringComparison.Ordinal) || line.StartsWith("Error", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_clock_that_is_a_little_slow_or_fast_is_forgiven()
    {
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
        var slow = await SendAsync(Hmac("HS256", $$"""{"email":"iago@zulip.com","exp":{{now - 10}}}"""));
        var fast = await SendAsync(Hmac("HS256", $$"""{"email":"iago@zulip.com","nbf":{{now + 10}},"iat":{{now + 10}}}"""));

        Assert.Equal((200, 200), (slow.Status, fast.Status));
    }

    // ---- The limit ----

    [Fact]
    public async Task Tokens_that_do_not_hold_close_the_address_and_those_that_hold_do_not_count()
    {
        await using var server = await PasswordlessServer.StartAsync(
            (await FreshAsync()).Tables, attempts: ManyAttempts with { PerAddress = 3 }, jwt: Sections);
        for (var i = 0; i < 5; i++)
        {
            Assert.Equal(200, (await SendAsync(Hmac("HS256", Iago), server: server)).Status);
            Assert.Equal(401, (await SendAsync(Hmac("HS256", """{"email":"nobody@zulip.com"}"""), server: server)).Status);
            Assert.Equal(400, (await SendAsync(Hmac("HS256", "{}"), server: server)).Status);
        }

        var bad = new List<Answer>();
        for (var i = 0; i < 3; i++)
        {
            bad.Add(await SendAsync("x", server: server));
        }

        var blocked = await SendAsync(Hmac("HS256", Iago), server: server);
        var password = await server.LogInAsync("iago@zulip.com", "abcd1234");

        Assert.Equal(["2", "1", "0"], bad.Select(answer => answer.Headers["X-RateLimit-Remaining"]));
        Assert.All(bad, answer => Assert.Equal((400, "3"), (answer.Status, answer.Headers["X-RateLimit-Limit"])));
        Assert.Equal((429, "0", "3"), (blocked.Status, blocked.Headers["X-RateLimit-Remaining"], blocked.Headers["X-RateLimit-Limit"]));
        Assert.Matches("""\A\{"result":"error","msg":"API usage exceeded rate limit","code":"RATE_LIMIT_HIT","retry-after":[0-9.]+\}\n\z""", blocked.Body);
        Assert.Equal(429, password.Status);
    }

    [Fact]
    public async Task Storage_that_is_away_judges_no_token()
    {
        var fresh = await FreshAsync();
        await using var server = await PasswordlessServer.StartAsync(fresh.Tables, jwt: Sections);
        await fresh.Tables.Attempts.DeleteAsync();

        var answer = await SendAsync("x", server: server);

        Assert.Equal((503, Golden("E18")), (answer.Status, answer.Body));
    }

    // ---- Settings ----

    [Theory]
    [InlineData("portal__realms", "", "__realms: must name subdomains")]
    [InlineData("portal__realms", "Acme", "__realms: must name subdomains")]
    [InlineData("portal__realms", "@, acme", "portal__realms: entry 2 is named twice")]
    [InlineData("portal__key", "", "portal__key: must hold the key")]
    [InlineData("portal__key", "s3cr3t", "portal__key: HS256 takes a secret of 32 bytes")]
    [InlineData("portal__key", "base64:s3cr3t!", "portal__key: what follows base64: is no base64")]
    [InlineData("portal__key", "base64:czNjcjN0", "portal__key: HS256 takes a secret of 32 bytes")]
    [InlineData("portal__key", "-----BEGIN PUBLIC KEY-----\ns3cr3t\n-----END PUBLIC KEY-----", "portal__key: is no public key")]
    [InlineData("portal__algorithms", "", "portal__algorithms: must name one or more of HS256")]
    [InlineData("portal__algorithms", "none", "portal__algorithms: must name one or more of HS256")]
    [InlineData("portal__algorithms", "hs256", "portal__algorithms: must name one or more of HS256")]
    [InlineData("portal__algorithms", "HS256, HS512", "portal__key: HS512 takes a secret of 64 bytes")]
    [InlineData("portal__algorithms", "HS256,RS256", "portal__key: RS256 takes a public key")]
    [InlineData("acme__algorithms", "RS256,HS256", "acme__key: is an RSA key, which HS256 does not take")]
    [InlineData("third__algorithms", "ES256,ES384", "third__key: is an EC key of a curve that ES384 does not take")]
    [InlineData("third__algorithms", "HS256", "third__key: is an EC key")]
    [InlineData("third__requireExpiry", "yes", "third__requireExpiry: must be false or true")]
    [InlineData("third__alg", "ES256", "third__alg: there is no such setting; Jwt__third__ takes realms, algorithms, key, audience, issuer, requireExpiry")]
    public void A_section_that_is_not_safe_stops_the_start_and_quotes_no_key(string name, string value, string fault)
    {
        var given = Sections.Where(setting => setting.Item1 != $"Jwt__{name}").Append(($"Jwt__{name}", value));

        var refusal = Assert.Throws<InvalidSettingsException>(() => PasswordlessServer.Read([.. given]));

        var line = Assert.Single(refusal.Faults);
        Assert.StartsWith("Jwt__", line, StringComparison.Ordinal);
        Assert.Contains(fault, line, StringComparison.Ordinal);
        Assert.DoesNotContain("s3cr3t", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Small_RSA_keys_and_private_keys_are_refused()
    {
        using var small = RSA.Create(1024);

        Assert.Contains(
            "is an RSA key of 1024 bits; 2048 are the least", FaultOf(small.ExportSubjectPublicKeyInfoPem()), StringComparison.Ordinal);
        Assert.Contains("is a private key", FaultOf(Rsa.ExportPkcs8PrivateKeyPem()), StringComparison.Ordinal);

        static string FaultOf(string key) => Assert.Single(Assert.Throws<InvalidSettingsException>(() => PasswordlessServer.Read(
            [.. Sections.Where(setting => setting.Item1 != "Jwt__acme__key"), ("Jwt__acme__key", key)])).Faults);
    }

    [Fact]
    public async Task A_secret_may_be_given_in_base64()
    {
        await using var server = await PasswordlessServer.StartAsync(organisation.Tables, jwt:
        [
            ("Jwt__a__realms", "@"), ("Jwt__a__algorithms", "HS256"), ("Jwt__a__key", "base64:" + Convert.ToBase64String(Encoding.UTF8.GetBytes(Secret))),
        ]);

        Assert.Equal(200, (await SendAsync(Hmac("HS256", Iago), server: server)).Status);
    }

    // ---- Tokens, made by hand so that they can be wrong ----

    private Task<Answer> SendAsync(string token, string host = RootHost, TestServer? server = null) =>
        (server ?? _server).SendAsync(HttpMethod.Post, Path, Form(("token", token)), host);

    private static async Task<Organisation> FreshAsync()
    {
        var fresh = new Organisation();
        await fresh.InitializeAsync();
        await fresh.DisposeAsync();
        return fresh;
    }

    private static byte[] Mac256(byte[] text) => HMACSHA256.HashData(Encoding.UTF8.GetBytes(Secret), text);

    private static string Hmac(string algorithm, string claims) => Sign($$"""{"alg":"{{algorithm}}","typ":"JWT"}""", claims, Mac256);

    private static string RsaToken(string claims) => Sign("""{"alg":"RS256"}""", claims, text => Rsa.SignData(text, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1));

    private static string EcToken(string claims) => Sign("""{"alg":"ES256"}""", claims, text => Ec.SignData(text, HashAlgorithmName.SHA256));

    private static string Confused(byte[] secret) => Sign("""{"alg":"HS256"}""", ForAcme, text => HMACSHA256.HashData(secret, text));

    private static string OwnKey(Func<RSAParameters, string> header, string claims = Iago)
    {
        using var own = RSA.Create(2048);
        return Sign(
            header(own.ExportParameters(false)), claims, text => own.SignData(text, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1));
    }

    private static string Encrypted() => new Microsoft.IdentityModel.JsonWebTokens.JsonWebTokenHandler().CreateToken(
        Iago,
        new SigningCredentials(new SymmetricSecurityKey(Encoding.UTF8.GetBytes(Secret)), "HS256"),
        new EncryptingCredentials(new SymmetricSecurityKey(Encoding.UTF8.GetBytes(Secret)[..32]), "dir", "A128CBC-HS256"));

    /// <summary>The claims replaced, the signature left.</summary>
    private static string WithClaims(string token, string claims)
    {
        var parts = token.Split('.');
        return $"{parts[0]}.{Url(Encoding.UTF8.GetBytes(claims))}.{parts[2]}";
    }

    private static string Unsigned(string header, string claims) =>
        $"{Url(Encoding.UTF8.GetBytes(header))}.{Url(Encoding.UTF8.GetBytes(claims))}.";

    private static string Sign(string header, string claims, Func<byte[], byte[]> sign)
    {
        var signed = Unsigned(header, claims)[..^1];
        return $"{signed}.{Url(sign(Encoding.ASCII.GetBytes(signed)))}";
    }

    private static string Url(byte[] bytes) => Base64UrlEncoder.Encode(bytes);
}
