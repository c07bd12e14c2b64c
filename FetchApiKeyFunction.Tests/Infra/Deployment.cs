// The resources of a deployment, as `bicep snapshot` writes them down.

using System.Text.Json;

namespace FetchApiKeyFunction.Tests.Infra;

internal sealed class Deployment(string snapshot)
{
    public string Text => snapshot;

    public JsonElement Root { get; } = JsonDocument.Parse(snapshot).RootElement;

    public IEnumerable<JsonElement> Resources => Root.GetProperty("predictedResources").EnumerateArray();

    public List<JsonElement> Of(string type) => [.. Resources.Where(resource => resource.At("type") == type)];
}

internal static class JsonPath
{
    /// <summary>The value at a path of names and indices, JSON's own words for what is no string; null where there is none.</summary>
    public static string? At(this JsonElement element, string path)
    {
        foreach (var step in path.Split('.'))
        {
            if (element.ValueKind == JsonValueKind.Object && element.TryGetProperty(step, out var property))
            {
                element = property;
            }
            else if (element.ValueKind == JsonValueKind.Array && int.TryParse(step, out var index) && index < element.GetArrayLength())
            {
                element = element[index];
            }
            else
            {
                return null;
            }
        }

        return element.ValueKind switch { JsonValueKind.Null => null, JsonValueKind.String => element.GetString(), _ => element.GetRawText() };
    }

    public static int Number(this JsonElement element, string path) => int.Parse(element.At(path)!, System.Globalization.CultureInfo.InvariantCulture);
}
