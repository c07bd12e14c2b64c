// Logins through a host that may be starting, failing or restarting.

namespace FetchApiKeyFunction.Tests.Hosts;

internal static class Logins
{
    public static async Task<HostAnswer> LogInAsync(
        this IEndpointHost host, string username = "iago@zulip.com", string password = Organisation.RightPassword)
    {
        using var client = new HttpClient { BaseAddress = host.Origin };
        using var form = TestServer.Form(("username", username), ("password", password));
        using var response = await client.PostAsync(new Uri("/api/v1/fetch_api_key", UriKind.Relative), form);
        return await HostAnswer.OfAsync(response);
    }

    /// <returns>Null where nobody answered.</returns>
    public static async Task<HostAnswer?> TryLogInAsync(
        this IEndpointHost host, string username = "iago@zulip.com", string password = Organisation.RightPassword)
    {
        try
        {
            return await host.LogInAsync(username, password);
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }

    /// <summary>Tries again and again.</summary>
    /// <exception cref="OperationCanceledException">Nobody got in within the limit.</exception>
    public static async Task UntilLoggedInAsync(this IEndpointHost host, TimeSpan limit)
    {
        using var patience = new CancellationTokenSource(limit);
        while ((await host.TryLogInAsync())?.Status != 200)
        {
            await Task.Delay(50, patience.Token);
        }
    }

    /// <summary>Returns when the process has printed a text, or logged it to its host.</summary>
    /// <exception cref="OperationCanceledException">It has not within half a minute.</exception>
    public static async Task WaitForAsync(this IEndpointHost host, string text)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (!(host.Process.Printed + string.Concat(host.Log)).Contains(text, StringComparison.Ordinal))
        {
            await Task.Delay(50, patience.Token);
        }
    }
}
