// GET /api/v1/openapi.json: what this API takes and answers, for programs to read.

using System.Text.Json;

namespace FetchApiKey;

/// <summary>The OpenAPI document openapi.json, read once, and only when somebody asks for it.</summary>
public sealed class ApiDescription
{
    private readonly Lazy<Reply> _document = new(Read);

    /// <summary>200 with the document, compact like every other body.</summary>
    public Task<Reply> AnswerAsync(EndpointRequest request, CancellationToken cancellation) => Task.FromResult(_document.Value);

    private static Reply Read()
    {
        using var resource = typeof(ApiDescription).Assembly.GetManifestResourceStream("openapi.json")!;
        using var document = JsonDocument.Parse(resource);
        return Reply.Json(200, json =>
        {
            foreach (var member in document.RootElement.EnumerateObject())
            {
                json.Write(member);
            }
        });
    }
}
