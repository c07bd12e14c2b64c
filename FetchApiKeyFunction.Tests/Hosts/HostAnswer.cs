// An answer as a client gets it, without what differs from one moment to the next.

using System.Text;

namespace FetchApiKeyFunction.Tests.Hosts;

/// <param name="Headers">One a line, in the order of their names; times replaced by an asterisk, the date left out.</param>
internal sealed record HostAnswer(int Status, string Headers, string Body)
{
    private static readonly string[] Times = ["X-RateLimit-Reset", "Retry-After"];

    public override string ToString() => $"{Status}\n{Headers}\n\n{Body}";

    public static async Task<HostAnswer> OfAsync(HttpResponseMessage response)
    {
        var headers = response.Headers.NonValidated.Concat(response.Content.Headers.NonValidated)
            .Where(header => header.Key != "Date")
            .OrderBy(header => header.Key, StringComparer.OrdinalIgnoreCase)
            .Select(header => $"{header.Key}: {(Times.Contains(header.Key) && IsNumber(header.Value) ? "*" : header.Value)}");
        var body = Encoding.UTF8.GetString(await response.Content.ReadAsByteArrayAsync());
        return new HostAnswer((int)response.StatusCode, string.Join('\n', headers), body);
    }

    public IEnumerable<string> HeaderNames => Headers.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split(':')[0]);

    private static bool IsNumber(System.Net.Http.Headers.HeaderStringValues values) => values.ToString().All(char.IsAsciiDigit);
}
