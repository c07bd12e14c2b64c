// requests.http, sent as an editor sends it: each request gets the status that is written above it.

using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using FetchApiKey.Passwordless;
using FetchApiKeyFunction.Tests.Hosts;
using FetchApiKeyFunction.Tests.Passwordless;

namespace FetchApiKeyFunction.Tests;

public sealed partial class RequestsFileTests(Organisation organisation) : IClassFixture<Organisation>
{
    [Fact]
    public async Task Every_request_for_the_demo_gets_the_status_that_the_file_names()
    {
        var text = await File.ReadAllTextAsync(Path.Combine(ProcessRun.Repository, "requests.http"));
        // An editor on another system may have it so; the bodies of multipart forms need CRLF.
        Assert.DoesNotMatch("(?<!\r)\n", text);
        var variables = Variable().Matches(text).ToDictionary(match => match.Groups["name"].Value, match => match.Groups["value"].Value);
        Assert.Equal("http://localhost:7071", variables["host"]);

        var requests = Separator().Split(Substitution().Replace(text, match => variables[match.Groups["name"].Value])).Select(Request.Parse).OfType<Request>().ToList();

        await using var demo = await PasswordlessServer.StartAsync(organisation.Tables, DevelopmentLoginMode.On);
        Assert.True(requests.Count >= 19, $"{requests.Count} requests");
        Assert.Equal(Enumerable.Count(text.Split('\n'), line => line.Contains(" {{host}}/", StringComparison.Ordinal)), requests.Count);
        foreach (var request in requests)
        {
            using var content = request.Body.Length > 0 ? new ByteArrayContent(Encoding.UTF8.GetBytes(request.Body)) : null;
            content?.Headers.TryAddWithoutValidation("Content-Type", request.ContentType);
            var answer = await demo.SendAsync(new HttpMethod(request.Method), new Uri(request.Url).PathAndQuery, content);

            Assert.Equal((request.Method, request.Url, request.Status), (request.Method, request.Url, answer.Status));
        }
    }

    private sealed record Request(int Status, string Method, string Url, string ContentType, string Body)
    {
        /// <summary>What stands between two separators; null where that is no request.</summary>
        public static Request? Parse(string section) => Pattern().Match(section) is { Success: true } match
            ? new Request(
                int.Parse(match.Groups["status"].Value, CultureInfo.InvariantCulture), match.Groups["method"].Value, match.Groups["url"].Value,
                match.Groups["type"].Value, match.Groups["body"].Value.TrimEnd())
            : null;
    }

    [GeneratedRegex("""^@(?<name>\w+)=(?<value>.*?)\r$""", RegexOptions.Multiline)]
    private static partial Regex Variable();

    [GeneratedRegex("""\{\{(?<name>\w+)\}\}""")]
    private static partial Regex Substitution();

    [GeneratedRegex("""^###.*\r\n""", RegexOptions.Multiline)]
    private static partial Regex Separator();

    [GeneratedRegex("""\A# (?<status>\d{3})\r\n(?<method>[A-Z]+) (?<url>\S+)\r\n(Content-Type: (?<type>.+)\r\n)?(\r\n(?<body>(.|\n)*))?\z""")]
    private static partial Regex Pattern();
}
