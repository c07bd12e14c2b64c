// Answers of the store as they came, for rows that the client library does not decode.

using Azure.Core;
using Azure.Core.Pipeline;

namespace FetchApiKey.Accounts;

/// <summary>Takes the body of one answer. The client library gets another one in its place, so that it has nothing to decode.</summary>
/// <param name="substitute">What an empty answer of the kind looks like.</param>
internal sealed class RawAnswer(string substitute)
{
    private const string Property = "FetchApiKeyFunction.RawAnswer";

    private ReadOnlyMemory<byte>? _body;

    /// <exception cref="InvalidOperationException">The client was made without <see cref="AnswerPolicy"/>.</exception>
    public ReadOnlyMemory<byte> Body => _body ?? throw new InvalidOperationException("No answer was taken.");

    /// <summary>Calls that are made until the scope ends, by this flow of control and no other, have their answer taken.</summary>
    public IDisposable Begin() => HttpPipeline.CreateHttpMessagePropertiesScope(new Dictionary<string, object?> { [Property] = this });

    internal static void Take(HttpMessage message)
    {
        if (message is { HasResponse: true, Response: { Status: 200, ContentStream: MemoryStream } answer }
            && message.TryGetProperty(Property, out var found) && found is RawAnswer raw)
        {
            raw._body = answer.Content.ToMemory();
            answer.ContentStream = new MemoryStream(raw.Substitute);
        }
    }

    private byte[] Substitute => System.Text.Encoding.ASCII.GetBytes(substitute);
}
