// Multipart forms as real clients send them.

using System.Text;
using static FetchApiKeyFunction.Tests.TestServer;

namespace FetchApiKeyFunction.Tests;

public sealed class MultipartTests(Organisation organisation) : IClassFixture<Organisation>
{
    private const string Path = "/api/v1/fetch_api_key";
    private const string Name = "--b\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\niago@zulip.com\r\n";
    private const string Password = "--b\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nabcd1234\r\n";
    private const string End = "--b--\r\n";

    [Theory]
    [InlineData("multipart/form-data; boundary====1700000000===", "===1700000000===")]
    [InlineData("multipart/form-data; boundary=-----=_Part_1;charset=UTF-8", "-----=_Part_1")]
    [InlineData("multipart/form-data;boundary=\"two words: (1)/?\"", "two words: (1)/?")]
    [InlineData("multipart/form-data; boundary=a@b[c]{d}<e>", "a@b[c]{d}<e>")]
    [InlineData("Multipart/Form-Data ; BOUNDARY = b", "b")]
    [InlineData("multipart/form-data; boundary=\"a\\\"b\"", "a\"b")]
    [InlineData("multipart/form-data; boundary=c; boundary=b", "b")]
    [InlineData("multipart/form-data; what; =; boundary=b;", "b")]
    public async Task Whatever_the_boundary_is_made_of_the_form_is_read(string type, string boundary)
    {
        var body = (Name + Password + End).Replace("--b", "--" + boundary, StringComparison.Ordinal);

        Assert.Equal((200, Golden("success")), await SendAsync(type, body));
    }

    [Fact]
    public async Task A_boundary_is_as_long_as_a_Zulip_server_takes_it()
    {
        var boundary = new string('b', 201);

        Assert.Equal(200, (await SendAsync("multipart/form-data; boundary=" + boundary, (Name + Password + End).Replace("--b", "--" + boundary, StringComparison.Ordinal))).Status);
    }

    [Theory]
    [InlineData("Content-Disposition: form-data; name=\"password\"\r\nContent-Transfer-Encoding: base64", "YWJjZDEyMzQ=", 200, "success")]
    [InlineData("Content-Disposition: form-data; name=\"password\"\r\ncontent-transfer-encoding:  BASE64 ", "YWJj\r\nZDEy\r\nMzQ=\r\n", 200, "success")]
    [InlineData("Content-Disposition: form-data; name=\"password\"\r\nContent-Transfer-Encoding: base64", "no base64", 401, "E5")]
    [InlineData("Content-Disposition: form-data; name=\"password\"\r\nContent-Transfer-Encoding: quoted-printable", "abcd1234", 200, "success")]
    [InlineData("Content-Disposition: form-data; name=\"password\"\r\nContent-Transfer-Encoding: 8bit\r\nContent-Type: text/plain; charset=UTF-8", "abcd1234", 200, "success")]
    [InlineData("Content-Disposition: form-data; name=\" password \"", "abcd1234", 200, "success")]
    [InlineData("Content-Disposition: form-data; name=password", "abcd1234", 200, "success")]
    [InlineData("content-disposition:form-data;NAME=\"password\";filename=\"\"", "abcd1234", 200, "success")]
    [InlineData("Content-Disposition: form-data; name*=UTF-8''pass%77ord", "abcd1234", 200, "success")]
    [InlineData("Content-Disposition: form-data; name*=iso-8859-1'en'password", "abcd1234", 200, "success")]
    [InlineData("Content-Disposition: attachment; name=\"password\"", "abcd1234", 200, "success")]
    [InlineData("Content-Disposition: form-data; name=\"password\"; filename*=UTF-8''p.txt", "abcd1234", 400, "E2")]
    [InlineData("Content-Disposition: form-data; name=\"password\"; filename=\"a;b\\\"c.txt\"", "abcd1234", 400, "E2")]
    [InlineData("Content-Disposition: form-data; name=\"pass\\\"word\"", "abcd1234", 400, "E2")]
    [InlineData("Content-Disposition: form-data", "abcd1234", 400, "E2")]
    [InlineData("no header at all", "abcd1234", 400, "E2")]
    public async Task A_part_is_read_as_a_Zulip_server_reads_it(string headers, string value, int status, string golden) =>
        Assert.Equal(
            (status, Golden(golden)),
            await SendAsync("multipart/form-data; boundary=b", $"{Name}--b\r\n{headers}\r\n\r\n{value}\r\n{End}"));

    [Theory]
    [InlineData("UTF-8''pass%77ord", "password")]
    [InlineData("UTF-8''ü🔑%C3%BC%F0%9F%94%91%", "ü🔑ü🔑%")]
    [InlineData("utf-8''%C3🔑%9F", "\uFFFD🔑\uFFFD")]
    [InlineData("iso-8859-1'de'ü🔑%FC", "ü🔑ü")]
    public void What_is_encoded_by_RFC_8187_is_decoded_and_the_rest_stays_as_it_is(string encoded, string name) =>
        Assert.Equal(name, HeaderParameters.Parse($"form-data; name*={encoded}").Named("name"));

    [Theory]
    [InlineData("a preamble\r\n", "an epilogue\r\n--b\r\n")]
    [InlineData("\r\n", "")]
    [InlineData("--bc\r\nnot this boundary\r\n", "--b\r\n")]
    public async Task What_stands_around_the_parts_does_not_count(string before, string after) =>
        Assert.Equal((200, Golden("success")), await SendAsync("multipart/form-data; boundary=b", before + Name + Password + End + after));

    [Fact]
    public async Task A_boundary_counts_at_the_beginning_of_a_line_alone()
    {
        var other = Password.Replace("password", "other", StringComparison.Ordinal).Replace("abcd1234", "x --b\r\n" + Name.Replace("--b", "--bc", StringComparison.Ordinal), StringComparison.Ordinal);

        var (status, body) = await SendAsync("multipart/form-data; boundary=b", Name + Password + other + End);

        Assert.Equal(200, status);
        Assert.EndsWith(",\"ignored_parameters_unsupported\":[\"other\"]}\n", body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Part_headers_may_be_many_and_names_have_quotes_and_backslashes()
    {
        var many = string.Concat(Enumerable.Range(0, 40).Select(i => $"X-Header-{i}: y\r\n"));
        var odd = "--b\r\nContent-Disposition: form-data; name=\"a\\\"b\\\\c\"\r\n\r\nv\r\n";

        var (status, body) = await SendAsync("multipart/form-data; boundary=b", Name + Password.Replace("--b\r\n", "--b\r\n" + many, StringComparison.Ordinal) + odd + End);

        Assert.Equal(200, status);
        Assert.EndsWith(",\"ignored_parameters_unsupported\":[\"a\\\"b\\\\c\"]}\n", body, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("application/x-www-form-urlencoded; charset", 200)]
    [InlineData("application/x-www-form-urlencoded;;", 200)]
    [InlineData("multipart/mixed; boundary=b", 400)]
    [InlineData("multipart", 400)]
    [InlineData("; boundary=b", 400)]
    public async Task Only_the_two_types_of_forms_are_read(string type, int status) =>
        Assert.Equal(status, (await SendAsync(type, "username=iago%40zulip.com&password=abcd1234")).Status);

    private async Task<(int Status, string Body)> SendAsync(string type, string body)
    {
        using var content = new ByteArrayContent(Encoding.Latin1.GetBytes(body));
        content.Headers.TryAddWithoutValidation("Content-Type", type);
        var answer = await organisation.Server.SendAsync(HttpMethod.Post, Path, content);
        return (answer.Status, answer.Body);
    }
}
