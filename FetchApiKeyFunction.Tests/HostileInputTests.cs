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
        { "multipart with an endless boundary", "multipart/form-data; boundary=" + new string('b', 202), Part, 400, "malformed-body" },
        { "multipart without a boundary and without a body", "multipart/form-data; charset=utf-8", "", 400, "malformed-body" },
        { "multipart with a boundary that ends in a blank", "multipart/form-data; boundary=\"b \"", Part + "--b--\r\n", 400, "malformed-body" },
        { "multipart with an empty boundary", "multipart/form-data; boundary=\"\"", "", 400, "malformed-body" },
        { "multipart cut in a value", "multipart/form-data; boundary=b", Part[..^6], 400, "malformed-body" },
        { "multipart cut in a header", "multipart/form-data; boundary=b", Part[..20], 400, "malformed-body" },
        { "multipart without its last boundary", "multipart/form-data; boundary=b", Part, 400, "malformed-body" },
        { "multipart of another boundary", "multipart/form-data; boundary=c", Part + "--b--\r\n", 400, "malformed-body" },
        { "multipart with 50 headers", "multipart/form-data; boundary=b", "--b\r\n" + string.Concat(Enumerable.Range(0, 50).Select(i => $"X{i}: y\r\n")) + "\r\nv\r\n--b--\r\n", 400, "E1" },
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

    /// <summary>One row a case: the group, the body, the status.</summary>
    public static IEnumerable<(string Group, string Body, int Status)> Corpus()
    {
        for (var value = 0x80; value <= 0xFF; value++)
        {
            yield return ("a byte that no UTF-8 begins with, in the name", $"username=iago%{value:X2}@zulip.com&password=abcd1234", 400);
            yield return (
                "a byte that no UTF-8 begins with, in the password", $"username=iago@zulip.com&password=abcd1234%{value:X2}", 401);
        }

        for (var value = 0; value < 0x20; value++)
        {
            yield return ("a control character behind the name", $"username=iago@zulip.com%{value:X2}&password=abcd1234", 400);
            yield return ("a control character before the name", $"username=%{value:X2}iago@zulip.com&password=abcd1234", 400);
            yield return ("a control character in the password", $"username=iago@zulip.com&password=abcd%{value:X2}1234", 401);
        }

        string[] sequences = ["%C0%80", "%C1%BF", "%E0%80%80", "%ED%A0%80", "%ED%BF%BF", "%F0%80%80%80", "%F4%90%80%80", "%F8%88%80%80%80", "%FE", "%FF", "%E2%82", "%F0%9F%98"];
        foreach (var sequence in sequences)
        {
            yield return ("overlong, surrogate, beyond Unicode or cut UTF-8", $"username=iago{sequence}@zulip.com&password=x", 400);
            yield return ("the same in a name of a field", $"{sequence}=1&username=iago@zulip.com&password=abcd1234", 200);
        }

        foreach (var broken in new[] { "%", "%%", "%4", "%G1", "%1G", "%+1", "% 1", "%u0041", "%-1", "%0x" })
        {
            yield return ("broken percent-encoding in the name", $"username={broken}&password=abcd1234", 400);
            yield return ("broken percent-encoding in the password", $"username=iago@zulip.com&password=abcd1234{broken}", 401);
            yield return ("broken percent-encoding at the end", $"username=iago@zulip.com&password=abcd1234&x{broken}", 200);
        }

        foreach (var separator in new[] { ";", "%26", "&amp;", "\n", "\r\n", "\0", ",", "|" })
        {
            yield return ("what does not separate", $"username=iago@zulip.com{separator}password=abcd1234", 400);
        }

        foreach (var look in "\u0131\u0456\u00ED\u1D09\u2170\uFF49\u0269\u03B9\u13A5\u2139\u2148\u24BE\u24D8\u0399\u0406\u04C0\u2110\u2111\u2160\u217C\u2223\u05C0\u05D5\u0627\u06F1\u07CA\u0196\u01C0\u2C92\uA4F2")
        {
            yield return (
                "a look-alike of the name's first letter", $"username={Uri.EscapeDataString($"{look}ago@zulip.com")}&password=abcd1234",
                400);
        }

        foreach (var blank in "\u00A0\u00AD\u034F\u061C\u115F\u1160\u17B4\u180E\u2000\u2003\u2009\u200B\u200C\u200D\u200E\u200F\u2028\u2029\u202A\u202E\u202F\u205F\u2060\u2061\u2066\u2069\u3000\u3164\uFE00\uFE0F\uFEFF\uFFA0")
        {
            yield return (
                "an invisible character in the name", $"username={Uri.EscapeDataString($"ia{blank}go@zulip.com")}&password=abcd1234", 400);
        }
    }

    [Fact]
    public async Task Every_case_of_the_corpus_gets_its_status_and_a_whole_envelope()
    {
        var count = 0;
        foreach (var (group, body, status) in Corpus())
        {
            using var content = new ByteArrayContent(Encoding.Latin1.GetBytes(body));
            content.Headers.TryAddWithoutValidation("Content-Type", Urlencoded);
            var answer = await organisation.Server.SendAsync(HttpMethod.Post, "/api/v1/fetch_api_key", content);

            Assert.Equal((group, body, status), (group, body, answer.Status));
            using var envelope = System.Text.Json.JsonDocument.Parse(answer.Body);
            Assert.Equal(status == 200 ? "success" : "error", envelope.RootElement.GetProperty("result").GetString());
            count++;
        }

        Assert.True(count >= 400, $"{count} cases");
    }

    [Fact]
    public async Task Random_bytes_of_every_type_never_make_a_server_error()
    {
        string[] types = [Urlencoded, "multipart/form-data; boundary=b", "multipart/form-data; boundary=\"b\"; charset=utf-8", Urlencoded + "; charset=utf-8"];
        string[] seeds = [Login, Part + "--b--\r\n", "username=%C3%BC&password=", "--b\r\nContent-Disposition: form-data; name=\"a\"; filename=\"b\"\r\n\r\nx\r\n--b--"];
        for (var run = 0; run < LongTests.Or(50_000, 2000); run++)
        {
            var body = Encoding.Latin1.GetBytes(seeds[run % seeds.Length]);
            for (var change = 0; change < 1 + (run % 5); change++)
            {
                var place = System.Security.Cryptography.RandomNumberGenerator.GetInt32(body.Length);
                body[place] = (byte)System.Security.Cryptography.RandomNumberGenerator.GetInt32(256);
            }

            using var content = new ByteArrayContent(body, 0, body.Length - (run % 3 == 0 ? body.Length / 3 : 0));
            content.Headers.TryAddWithoutValidation("Content-Type", types[run / seeds.Length % types.Length]);
            var answer = await organisation.Server.SendAsync(HttpMethod.Post, "/api/v1/fetch_api_key", content);

            Assert.True(answer.Status is 200 or 400 or 401 or 429, $"{answer.Status} for {Convert.ToHexString(body)}");
        }
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
    public async Task Two_hundred_dribbling_connections_are_cut_off_while_others_are_served()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(45));
        var dribblers = Enumerable.Range(0, 200).Select(i => DribbleAsync(i % 2 == 0 ? "POST /api/v1/fetch_api_key HTTP/1.1\r\nHost: x\r\nX-Slow: " : Head + "Content-Length: 5000\r\n\r\n", limit.Token)).ToList();

        for (var login = 0; login < 40; login++)
        {
            await AssertStillServesAsync();
        }

        Assert.All(await Task.WhenAll(dribblers), Assert.True);
        await AssertStillServesAsync();
    }

    /// <summary>Sends a beginning and then a byte a second; true when the server has ended the connection.</summary>
    private async Task<bool> DribbleAsync(string beginning, CancellationToken limit)
    {
        using var client = new System.Net.Sockets.TcpClient();
        await client.ConnectAsync(System.Net.IPAddress.Loopback, organisation.Server.Origin.Port, limit);
        var stream = client.GetStream();
        try
        {
            await stream.WriteAsync(Encoding.ASCII.GetBytes(beginning), limit);
            while (true)
            {
                await stream.WriteAsync("x"u8.ToArray(), limit);
                await Task.Delay(1000, limit);
            }
        }
        catch (IOException)
        {
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    /// <summary>Both a length and chunks: what a smuggler sends to make two servers read two requests.</summary>
    [Theory]
    [InlineData("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")]
    [InlineData("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n")]
    [InlineData("Content-Length: 3\r\nContent-Length: 5\r\n\r\nabcde")]
    [InlineData("Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n")]
    [InlineData("Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n")]
    [InlineData("Content-Length: -1\r\n\r\n")]
    [InlineData("Content-Length: 1e3\r\n\r\n")]
    public async Task No_smuggling_form_is_a_login_or_a_server_error(string rest)
    {
        var answer = await organisation.Server.SendRawAsync(
            Head + "Connection: close\r\n" + rest + $"GET /api/v1/server_settings HTTP/1.1\r\nHost: {RootHost}\r\n\r\n");

        Assert.StartsWith("HTTP/1.1 4", answer, StringComparison.Ordinal);
        Assert.DoesNotContain("zulip_version", answer, StringComparison.Ordinal);
        await AssertStillServesAsync();
    }

    [Fact]
    public async Task No_hostile_input_is_reported_as_a_fault_or_quoted_in_the_log()
    {
        // Raw, percent-encoded, in UTF-16 and in base64: in whatever form it were quoted, it would be found.
        const string canary = "s3cr3t c4n4ry/ü";
        string[] forms =
        [
            canary, Uri.EscapeDataString(canary), "s3cr3t+c4n4ry", Convert.ToBase64String(Encoding.UTF8.GetBytes(canary)),
            Convert.ToHexString(Encoding.UTF8.GetBytes(canary)), Convert.ToHexStringLower(Encoding.UTF8.GetBytes(canary)), Organisation.IagosKey,
        ];
        var encoded = Uri.EscapeDataString(canary);
        await organisation.Server.SendAsync(HttpMethod.Post, $"/api/v1/fetch_api_key?username=iago@zulip.com&password={encoded}");
        await organisation.Server.SendAsync(HttpMethod.Post, $"/api/v1/{encoded}?{encoded}");
        await organisation.Server.SendAsync(
            HttpMethod.Get, $"/api/v1/server_settings?{encoded}", headers: ("Authorization", $"Basic {encoded}"));
        await organisation.Server.LogInAsync("bomb@zulip.com", canary);
        await organisation.Server.LogInAsync("broken@zulip.com", canary);
        await organisation.Server.LogInAsync("weak@zulip.com", canary);
        await organisation.Server.LogInAsync("iago@zulip.com", Organisation.RightPassword);
        await organisation.Server.SendRawAsync(
            $"POST /api/v1/fetch_api_key?{encoded} HTTP/1.1\r\nHost: {encoded}\r\nConnection: close\r\n\r\n");

        Assert.DoesNotContain(organisation.Server.Log, line => forms.Any(form => line.Contains(form, StringComparison.OrdinalIgnoreCase)));
        Assert.DoesNotContain(organisation.Server.Log, line => line.Contains("A request failed", StringComparison.Ordinal));
    }

    private async Task AssertStillServesAsync() =>
        Assert.Equal(200, (await organisation.Server.LogInAsync("iago@zulip.com", Organisation.RightPassword)).Status);

    private static string Repeat(string text, int count) => string.Concat(Enumerable.Repeat(text, count));
}
