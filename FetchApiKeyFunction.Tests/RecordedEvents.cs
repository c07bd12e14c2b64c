// What the audit table has of an account.

using FetchApiKey;
using FetchApiKey.Audit;

namespace FetchApiKeyFunction.Tests;

internal static class RecordedEvents
{
    /// <summary>Of the events of a kind on an account, in the order of the alphabet; waited for where some are written in the background.</summary>
    public static async Task<List<string>> OutcomesAsync(this Organisation organisation, string emailText, string kind, int count = 0)
    {
        var digests = new CorrelationDigest(TestServer.Keys).AllOfAccount("", EmailAddress.TryParse(emailText)!);
        var outcomes = new List<string>();
        await UntilAsync(async () =>
        {
            outcomes.Clear();
            var now = TimeProvider.System.GetUtcNow();
            await foreach (var happened in new AuditTable(organisation.Tables).SearchAsync(
                new AuditQuery(now.AddMinutes(-10), now.AddMinutes(1)) { Accounts = digests, Kind = kind }, CancellationToken.None))
            {
                outcomes.Add(happened.Outcome);
            }

            return outcomes.Count >= count;
        });
        return [.. outcomes.Order(StringComparer.Ordinal)];
    }

    public static async Task UntilAsync(Func<Task<bool>> isSo)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(40));
        while (!await isSo())
        {
            await Task.Delay(100, limit.Token);
        }
    }
}
