// Tokens whose JSON is as nobody's library writes it, signed and unsigned: refused, never a fault of ours.

using System.Security.Cryptography;
using System.Text;
using Microsoft.IdentityModel.Tokens;
using static FetchApiKeyFunction.Tests.TestServer;

namespace FetchApiKeyFunction.Tests.Passwordless;

public sealed class TokenJsonTests(Organisation organisation) : IClassFixture<Organisation>, IAsyncLifetime
{
    private const string Header = """{"alg":"HS256","typ":"JWT"}""";
    private const string Claims = """{"email":"iago@zulip.com"}""";

    private static readonly byte[] Secret = Encoding.UTF8.GetBytes("thirty-two bytes and some more of them");

    private TestServer _server = null!;

    public async Task InitializeAsync() => _server = await PasswordlessServer.StartAsync(organisation.Tables, jwt:
    [
        ("Jwt__portal__realms", "@"), ("Jwt__portal__key", Encoding.UTF8.GetString(Secret)), ("Jwt__portal__algorithms", "HS256"),
    ]);

    public async Task DisposeAsync() => await _server.DisposeAsync();

    [Theory]
    [InlineData("""{"\ud83d":1,"alg":"HS256"}""", Claims)]
    [InlineData("""{"alg":"HS256","\udead":"x"}""", Claims)]
    [InlineData("""{"alg":"\ud83d"}""", Claims)]
    [InlineData("""{"alg":"HS256","kid":"\ud83d"}""", Claims)]
    [InlineData("""{"alg":"HS256","typ":["\ud83d"]}""", Claims)]
    [InlineData("""{"alg":{"a":"HS256"}}""", Claims)]
    [InlineData("""{"alg":256}""", Claims)]
    [InlineData("""{"alg":null}""", Claims)]
    [InlineData("[]", Claims)]
    [InlineData("\"HS256\"", Claims)]
    [InlineData("", Claims)]
    [InlineData(Header, """{"email":"\ud83d@zulip.com"}""")]
    [InlineData(Header, """{"\ud83d":1,"email":"iago@zulip.com"}""")]
    [InlineData(Header, """{"email":"iago@zulip.com","x":{"y":["\udfff"]}}""")]
    [InlineData(Header, """{"email":"iago@zulip.com","\u0065mail":"iago@zulip.com"}""")]
    [InlineData(Header, """{"email":"iago@zulip.com","iat":{}}""")]
    [InlineData(Header, """{"email":"iago@zulip.com","iat":"\ud83d"}""")]
    [InlineData(Header, """{"email":"iago@zulip.com","iat":1e999999999}""")]
    [InlineData(Header, """{"email":"iago@zulip.com","exp":[1]}""")]
    [InlineData(Header, """{"email":"iago@zulip.com","exp":-1e999999999}""")]
    [InlineData(Header, """{"email":"iago@zulip.com","nbf":9223372036854775808}""")]
    [InlineData(Header, """{"email":"iago@zulip.com","aud":{"a":"b"}}""")]
    [InlineData(Header, """{"email":"iago@zulip.com","aud":[1]}""")]
    [InlineData(Header, "null")]
    [InlineData(Header, "7")]
    public async Task A_token_of_unsound_JSON_is_a_bad_one_signed_or_not(string header, string claims)
    {
        foreach (var token in new[] { Sign(Encoding.UTF8.GetBytes(header), Encoding.UTF8.GetBytes(claims)), Unsigned(header, claims) })
        {
            var answer = await SendAsync(token);

            Assert.Equal((400, Golden("jwt-bad-token")), (answer.Status, answer.Body));
        }
    }

    [Fact]
    public async Task Deep_nesting_and_bytes_that_are_not_UTF_8_are_bad_tokens_too()
    {
        var deep = $$"""{"email":"iago@zulip.com","x":{{new string('[', 4000)}}{{new string(']', 4000)}}}""";

        foreach (var claims in new[] { Encoding.UTF8.GetBytes(deep), Encoding.Latin1.GetBytes("""{"email":"iago@zulip.com","name":"Zoë"}""") })
        {
            Assert.Equal((400, Golden("jwt-bad-token")), await StatusAndBodyAsync(Sign(Encoding.UTF8.GetBytes(Header), claims)));
            Assert.Equal((400, Golden("jwt-bad-token")), await StatusAndBodyAsync(Sign(claims, Encoding.UTF8.GetBytes(Claims))));
        }
    }

    [Fact]
    public async Task No_claim_of_any_kind_makes_a_server_fault()
    {
        string[] names = ["email", "exp", "nbf", "iat", "aud", "iss", "sub", "jti", "actort", "\\u0000", ""];
        string[] values = ["null", "true", "\"\"", "\"x\"", "-1", "1e40", "0.1", "[]", "[null]", "{}", "{\"a\":[{}]}", "\"\\u0000\"", "\"\\ud83d\\ude00\""];
        foreach (var name in names)
        {
            foreach (var value in values)
            {
                var answer = await SendAsync(Sign(Encoding.UTF8.GetBytes(Header), Encoding.UTF8.GetBytes($$"""{"{{name}}":{{value}}}""")));
                var inHeader = await SendAsync(Sign(Encoding.UTF8.GetBytes($$"""{"alg":"HS256","x{{name}}":{{value}}}"""), Encoding.UTF8.GetBytes(Claims)));

                Assert.InRange(answer.Status, 400, 401);
                Assert.InRange(inHeader.Status, 200, 401);
            }
        }
    }

    [Theory]
    [InlineData("\"\\ud83d\"", "jwt-profile-no-json")]
    [InlineData("{\"a\":1,\"a\":2}", "jwt-profile-no-json")]
    [InlineData("[true]", "jwt-profile-no-boolean")]
    public async Task A_parameter_that_is_JSON_is_read_as_carefully(string include, string golden)
    {
        var answer = await _server.SendAsync(
            HttpMethod.Post, "/api/v1/jwt/fetch_api_key", Form(("token", "x"), ("include_profile", include)));

        Assert.Equal((400, Golden(golden)), (answer.Status, answer.Body));
    }

    private Task<Answer> SendAsync(string token) => _server.SendAsync(HttpMethod.Post, "/api/v1/jwt/fetch_api_key", Form(("token", token)));

    private async Task<(int Status, string Body)> StatusAndBodyAsync(string token) =>
        await SendAsync(token) is var answer ? (answer.Status, answer.Body) : default;

    private static string Unsigned(string header, string claims) =>
        $"{Base64UrlEncoder.Encode(Encoding.UTF8.GetBytes(header))}.{Base64UrlEncoder.Encode(Encoding.UTF8.GetBytes(claims))}.AAAA";

    private static string Sign(byte[] header, byte[] claims)
    {
        var signed = $"{Base64UrlEncoder.Encode(header)}.{Base64UrlEncoder.Encode(claims)}";
        return $"{signed}.{Base64UrlEncoder.Encode(HMACSHA256.HashData(Secret, Encoding.ASCII.GetBytes(signed)))}";
    }
}
