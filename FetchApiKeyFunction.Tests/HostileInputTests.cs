// What a client can send to break a form reader: each gets its 400 or 413 envelope, and the server lives on.

using System.Text;
using static FetchApiKeyFunction.Tests.TestServer;

namespace FetchApiKeyFunction.Tests;

public sealed class HostileInputTests(Organisation organisation) : IClassFixture<Organisation>
{
    private const string Urlencoded = "application/x-www-form-urlencoded";
    private const string Login = "username=iago%40zulip.com&password=abcd1234";

    private const string Head = $"POST /api/v1/fetch_api_key HTTP/1.1\r\nHost: {RootHost}\r\nContent-Type: {Urlencoded}\r\n";

    private static readonly string Part = "--b\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\niago@zulip.com\r\n";

    public static TheoryData<string, string, string, int, string> Bodies => new()
    {
        { "charset utf-7", Urlencoded + "; charset=utf-7", Login, 400, "unsupported-charset" },
        { "charset utf-16", Urlencoded + "; charset=\"utf-16\"", Login, 400, "unsupported-charset" },
        { "no such charset", Urlencoded + "; charset=klingon", Login, 400, "unsupported-charset" },
        { "quoted charset utf-8", Urlencoded + "; charset=\"UTF-8\"", Login, 200, "success" },
        { "charset utf8", Urlencoded + ";charset=utf8", Login, 200, "success" },
        { "101 fields", Urlencoded, Login + Repeat("&x", 99), 400, "too-many-fields" },
        { "10,000 fields", Urlencoded, Login + Repeat("&a=b", 10_000), 400, "too-many-fields" },
        { "the same field 101 times", Urlencoded, Repeat("username=a&", 101), 400, "too-many-fields" },
        { "a password of 1 MiB", Urlencoded, "username=iago%40zulip.com&password=" + new string('a', 1 << 20), 413, "body-too-large" },
        { "one byte over the cap", Urlencoded, Login.PadRight(RequestForm.MaxBodyBytes + 1, 'x'), 413, "body-too-large" },
        { "exactly the cap", Urlencoded, Login.PadRight(RequestForm.MaxBodyBytes, 'x'), 401, "E5" },
        { "NULs", Urlencoded, "\0\0\0", 400, "E1" },
        { "broken percent-encoding", Urlencoded, "username=%&password=%4&%zz%=%", 400, "E4" },
        { "overlong UTF-8", Urlencoded, "username=iago%C0%80@zulip.com&password=x", 400, "E4" },
        { "multipart without a boundary", "multipart/form-data", Part + "--b--\r\n", 400, "malformed-body" },
        { "multipart with an endless boundary", "multipart/form-data; boundary=" + new string('b', 71), Part, 400, "malformed-body" },
        { "multipart cut in a value", "multipart/form-data; boundary=b", Part[..^6], 400, "malformed-body" },
        { "multipart cut in a header", "multipart/form-data; boundary=b", Part[..20], 400, "malformed-body" },
        { "multipart without its last boundary", "multipart/form-data; boundary=b", Part, 400, "malformed-body" },
        { "multipart of another boundary", "multipart/form-data; boundary=c", Part + "--b--\r\n", 400, "malformed-body" },
        { "multipart with 50 headers", "multipart/form-data; boundary=b", "--b\r\n" + string.Concat(Enumerable.Range(0, 50).Select(i => $"X{i}: y\r\n")) + "\r\nv\r\n--b--\r\n", 400, "malformed-body" },
        { "multipart with 101 parts", "multipart/form-data; boundary=b", Repeat(Part, 101) + "--b--\r\n", 400, "too-many-fields" },
        { "multipart with a part without a name", "multipart/form-data; boundary=b", "--b\r\n\r\nv\r\n--b--\r\n", 400, "E1" },
        { "empty multipart", "multipart/form-data; boundary=b", "", 400, "E1" },
        { "multipart of utf-7", "multipart/form-data; boundary=b; charset=utf-7", Part + "--b--\r\n", 400, "unsupported-charset" },
    };

    [Theory]
    [MemberData(nameof(Bodies))]
    public async Task A_broken_body_gets_its_envelope(string what, string type, string body, int status, string golden)
    {
        using var content = new ByteArrayContent(Encoding.Latin1.GetBytes(body));
        content.Headers.TryAddWithoutValidation("Content-Type", type);

        var answer = await organisation.Server.SendAsync(HttpMethod.Post, "/api/v1/fetch_api_key", content);

        Assert.Equal((what, status, Golden(golden)), (what, answer.Status, answer.Body));
        await AssertStillServesAsync();
    }

    [Theory]
    [InlineData("ZZ\r\nusername\r\n0\r\n\r\n")]
    [InlineData("FFFFFFFFFFFFFFFFF\r\nx\r\n")]
    [InlineData("2\r\nusername\r\n0\r\n\r\n")]
    public async Task A_bad_chunk_size_gets_its_envelope_and_the_connection_ends(string chunks)
    {
        var answer = await organisation.Server.SendRawAsync(Head + "Transfer-Encoding: chunked\r\n\r\n" + chunks);

        Assert.StartsWith("HTTP/1.1 400 ", answer, StringComparison.Ordinal);
        Assert.EndsWith(Golden("malformed-body"), answer, StringComparison.Ordinal);
        await AssertStillServesAsync();
    }

    [Theory]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n40\r\nusername=")]
    [InlineData("Content-Length: 50\r\n\r\nusername=")]
    public async Task A_client_that_leaves_inside_its_body_leaves_no_trace(string rest)
    {
        await organisation.Server.SendAndLeaveAsync(Head + rest);

        await AssertStillServesAsync();
        Assert.DoesNotContain(organisation.Server.Log, line => line.StartsWith("Error", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_body_without_end_is_cut_off_at_the_cap()
    {
        var chunk = "10000\r\n" + new string('a', 0x10000) + "\r\n";
        var answer = await organisation.Server.SendRawAsync(
            Head + $"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}{chunk}0\r\n\r\n");

        Assert.StartsWith("HTTP/1.1 413 ", answer, StringComparison.Ordinal);
        Assert.EndsWith(Golden("body-too-large"), answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task No_hostile_input_is_reported_as_a_fault_or_quoted_in_the_log()
    {
        const string canary = "s3cr3t-c4n4ry";
        await organisation.Server.SendAsync(HttpMethod.Post, $"/api/v1/fetch_api_key?username=iago@zulip.com&password={canary}");
        await organisation.Server.SendAsync(HttpMethod.Post, $"/api/v1/{canary}?{canary}");
        await organisation.Server.LogInAsync("bomb@zulip.com", canary);

        Assert.DoesNotContain(organisation.Server.Log, line => line.Contains(canary, StringComparison.Ordinal));
        Assert.DoesNotContain(organisation.Server.Log, line => line.Contains("A request failed", StringComparison.Ordinal));
    }

    private async Task AssertStillServesAsync() =>
        Assert.Equal(200, (await organisation.Server.LogInAsync("iago@zulip.com", Organisation.RightPassword)).Status);

    private static string Repeat(string text, int count) => string.Concat(Enumerable.Repeat(text, count));
}
