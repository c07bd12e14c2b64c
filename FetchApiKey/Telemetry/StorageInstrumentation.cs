// Measures storage calls. The client library's own spans carry the keys of rows, so they stay off and these take their place.

using System.Diagnostics;
using Azure.Core;
using Azure.Core.Pipeline;

namespace FetchApiKey.Telemetry;

/// <summary>One span and one measurement a call, its retries included.</summary>
internal sealed class StorageCallPolicy(TimeProvider time) : HttpPipelinePolicy
{
    public override async ValueTask ProcessAsync(HttpMessage message, ReadOnlyMemory<HttpPipelinePolicy> pipeline)
    {
        var (method, table) = (message.Request.Method.Method, TableOf(message.Request.Uri.Path));
        using var span = Instruments.Spans.HasListeners() ? Instruments.Spans.StartActivity($"{method} {table}", ActivityKind.Client) : null;
        span?.SetTag("db.system.name", "azure.table").SetTag("db.collection.name", table).SetTag("http.request.method", method);
        var begun = time.GetTimestamp();
        try
        {
            await ProcessNextAsync(message, pipeline);
        }
        finally
        {
            var status = message.HasResponse ? message.Response.Status : 0;
            Instruments.StorageAnswered(method, table, status, time.GetElapsedTime(begun));
            span?.SetTag("http.response.status_code", status);
            if (status is 0 or 429 or >= 500)
            {
                span?.SetStatus(ActivityStatusCode.Error);
            }
        }
    }

    public override void Process(HttpMessage message, ReadOnlyMemory<HttpPipelinePolicy> pipeline) =>
        throw new NotSupportedException("Storage is called asynchronously.");

    /// <summary>The table of a path such as /accounts(PartitionKey='...'), without the keys that follow it.</summary>
    internal static string TableOf(string path)
    {
        var end = path.AsSpan().IndexOf('(');
        var resource = end < 0 ? path.AsSpan() : path.AsSpan(0, end);
        return resource[(resource.LastIndexOf('/') + 1)..].ToString();
    }
}

/// <summary>Stands behind the retry policy, so that it sees each sending.</summary>
internal sealed class StorageRetryPolicy : HttpPipelinePolicy
{
    private const string LastStatus = "FetchApiKeyFunction.LastStatus";

    public override async ValueTask ProcessAsync(HttpMessage message, ReadOnlyMemory<HttpPipelinePolicy> pipeline)
    {
        if (message.ProcessingContext.RetryNumber > 0)
        {
            Instruments.StorageRetried(message.TryGetProperty(LastStatus, out var last) && last is int status ? status : 0);
            message.SetProperty(LastStatus, 0);
        }

        await ProcessNextAsync(message, pipeline);
        // Most calls are sent once, so nothing is kept of an answer that is not sent for again.
        if (message is { HasResponse: true, Response.Status: (408 or 429 or >= 500) and var failed })
        {
            message.SetProperty(LastStatus, failed);
        }
    }

    public override void Process(HttpMessage message, ReadOnlyMemory<HttpPipelinePolicy> pipeline) =>
        throw new NotSupportedException("Storage is called asynchronously.");
}
