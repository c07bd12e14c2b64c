// One path of the API: which methods it takes and who answers.

using Microsoft.AspNetCore.Http;

namespace FetchApiKey;

/// <param name="cancellation">Cancelled when the client goes away or the time is over: for whatever need not be seen through.</param>
public delegate Task<Reply> EndpointHandler(EndpointRequest request, CancellationToken cancellation);

/// <param name="Path">Exact: upper and lower case differ, and so does a slash at the end.</param>
/// <param name="Methods">Those that are not refused with 405, in the order of the Allow header.</param>
/// <param name="IsPage">Answered to a person: a fault is told as a page.</param>
/// <param name="IsMeasured">False for what is asked so often that it would drown the rest in traces and metrics.</param>
public sealed record Endpoint(string Path, IReadOnlyList<string> Methods, EndpointHandler Handler, bool IsPage = false, bool IsMeasured = true)
{
    public static IReadOnlyList<string> Get { get; } = [HttpMethods.Get, HttpMethods.Head];

    public static IReadOnlyList<string> Post { get; } = [HttpMethods.Post];

    public static IReadOnlyList<string> GetOrPost { get; } = [HttpMethods.Get, HttpMethods.Head, HttpMethods.Post];
}
