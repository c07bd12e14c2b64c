// Multipart bodies, byte by byte: where a part begins and ends, and which parts are parameters.

using System.Text;

namespace FetchApiKeyFunction.Tests;

public sealed class MultipartBodyTests
{
    private const string Head = "Content-Disposition: form-data; name=\"n\"\r\n\r\n";

    [Theory]
    [InlineData("b", true)]
    [InlineData("two words", true)]
    [InlineData(" b", true)]
    [InlineData("~", true)]
    [InlineData("b~", true)]
    [InlineData("!~", true)]
    [InlineData("", false)]
    [InlineData(" ", false)]
    [InlineData("b ", false)]
    [InlineData("b\u007F", false)]
    [InlineData("b\u001Fb", false)]
    [InlineData("b\tb", false)]
    [InlineData("\r\nb", false)]
    [InlineData("b\u00FC", false)]
    public void A_boundary_is_printable_and_does_not_end_in_a_blank(string text, bool isBoundary) =>
        Assert.Equal(isBoundary, MultipartBody.IsBoundary(text));

    [Theory]
    [InlineData(201, true)]
    [InlineData(202, false)]
    public void A_boundary_has_a_length(int length, bool isBoundary) =>
        Assert.Equal(isBoundary, MultipartBody.IsBoundary(new string('b', length)));

    [Theory]
    [InlineData("", "")]
    [InlineData("--b--", "")]
    [InlineData("--b--\r\n", "")]
    [InlineData("--b--and more\r\n--b\r\n" + Head + "v\r\n--b--", "")]
    [InlineData("--b\r\n--b--", "")]
    [InlineData("--b\n--b--", "")]
    [InlineData("--b\r\n" + Head + "v\r\n--b--", "n=v")]
    [InlineData("\r\n--b\r\n" + Head + "v\r\n--b--", "n=v")]
    [InlineData("\n--b\r\n" + Head + "v\r\n--b--", "n=v")]
    [InlineData("before --b\r\n--b\r\n" + Head + "v\r\n--b--", "n=v")]
    [InlineData("--b\n" + Head + "v\n--b--\n", "n=v")]
    [InlineData("--b \t \r\n" + Head + "v\r\n--b\t\n" + Head + "w\r\n--b--", "n=v|n=w")]
    [InlineData("--bc\r\n--b\r\n" + Head + "v\r\n--bc--\r\n--b--", "n=v\r\n--bc--")]
    [InlineData("--b\r\n" + Head + "v\r\n--bb\r\n--b--", "n=v\r\n--bb")]
    [InlineData("--b\r\n" + Head + "v --b\r\n--b--", "n=v --b")]
    [InlineData("--b\r\n" + Head + "v\r--b--\r\n--b--", "n=v\r--b--")]
    [InlineData("--b\r\n" + Head + "v\r\r\n\r\n--b--", "n=v\r\r\n")]
    [InlineData("--b\r\n" + Head + "v\n\n--b--", "n=v\n")]
    [InlineData("--b\r\n" + Head + "v\rn\n--b--", "n=v\rn")]
    [InlineData("--b\r\n" + Head + "\r\n--b--", "n=")]
    [InlineData("--b\r\n" + Head + "\n--b--", "n=")]
    [InlineData("--b\r\n" + Head + "--b--\r\n--b\r\n" + Head + "w\r\n--b--", "")]
    [InlineData("--b\r\n\r\n\r\nv\r\n--b--", "")]
    [InlineData("--b\r\nv\r\n--b\r\n" + Head + "w\r\n--b--", "n=w")]
    public void A_part_stands_between_lines_that_are_the_boundary(string body, string fields) => Assert.Equal(fields, Read(body));

    [Theory]
    [InlineData("b")]
    [InlineData("--")]
    [InlineData("--b")]
    [InlineData("--b\r")]
    [InlineData("--b  ")]
    [InlineData("--b\r\n")]
    [InlineData("--b\r\n" + Head + "v\r\n")]
    [InlineData("--b\r\n" + Head + "v\r\n--b\r\n")]
    [InlineData("--b\r\n" + Head + "v --b--")]
    [InlineData("x--b--")]
    [InlineData("--b\r\n" + Head + "v\r\n--b")]
    public void A_body_that_no_boundary_closes_is_none(string body) => Assert.Null(Read(body));

    [Theory]
    [InlineData("content-disposition:form-data;name=n", "n=v")]
    [InlineData("CONTENT-DISPOSITION : form-data; name=n", "n=v")]
    [InlineData("Content-Disposition: form-data; name=\" n \"", "n=v")]
    [InlineData("Content-Disposition: form-data; name=\"\"", "=v")]
    [InlineData("Content-Disposition: form-data; name=n; filename=\"\"", "n=v")]
    [InlineData("Content-Disposition: form-data; name=n; filename=f", "")]
    [InlineData("Content-Disposition: form-data; name=n; filename*=UTF-8''f", "")]
    [InlineData("Content-Disposition: form-data; filename=\"\"", "")]
    [InlineData("Content-Disposition: form-data", "")]
    [InlineData("Content-Disposition", "")]
    [InlineData("Content-Dispositions: form-data; name=n", "")]
    [InlineData(": form-data; name=n", "")]
    [InlineData("no header\r\nContent-Disposition: form-data; name=n\r\n: nor this", "n=v")]
    [InlineData("Content-Disposition: form-data; name=m\r\nContent-Disposition: form-data; name=n", "n=v")]
    [InlineData("Content-Disposition: form-data; name=n\r\nContent-Transfer-Encoding: base64", "n=v in base64")]
    [InlineData("content-transfer-encoding:BASE64 ; x=y\r\nContent-Disposition: form-data; name=n", "n=v in base64")]
    [InlineData("Content-Disposition: form-data; name=n\r\nContent-Transfer-Encoding: 8bit", "n=v")]
    [InlineData("Content-Disposition: form-data; name=n\r\nContent-Transfer-Encoding:", "n=v")]
    [InlineData("Content-Disposition: form-data; name=n\r\nContent-Type: base64", "n=v")]
    [InlineData("Content-Transfer-Encoding: base64", "")]
    public void A_part_is_a_parameter_if_it_has_a_name_and_is_no_file(string headers, string fields) =>
        Assert.Equal(fields, Read($"--b\r\n{headers}\r\n\r\nv\r\n--b--"));

    private static string? Read(string body) =>
        MultipartBody.Read(Encoding.Latin1.GetBytes(body), "b") is { } fields
            ? string.Join('|', fields.Select(Written))
            : null;

    private static string Written(MultipartField field) =>
        $"{field.Name}={Encoding.Latin1.GetString(field.Value.Span)}{(field.IsBase64 ? " in base64" : "")}";
}
