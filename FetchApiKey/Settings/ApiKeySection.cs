// ApiKeys__: the keys that API keys are sealed with.

using FetchApiKey.Accounts;

namespace FetchApiKey;

internal static class ApiKeySection
{
    private const int MaxIdLength = 20;

    public static ApiKeySettings Read(SettingsReader settings)
    {
        var section = settings.Section("ApiKeys");
        var writeWith = section.Text("writeWith")?.ToLowerInvariant();
        var ids = section.Section("keys").Sections().Select(key => key.Id.ToLowerInvariant()).ToList();
        var keys = ReadKeys(section.Section("keys"));
        if (ids.Count == 0)
        {
            section.Fault(
                "keys__ID",
                "must hold the key that API keys are sealed with, under an ID of your choice; for a new deployment 'keys generate' makes one");
        }
        else if (writeWith is null && ids.Count > 1)
        {
            section.Fault("writeWith", "must name one of the keys, since there are several");
        }
        else if (writeWith is not null && !ids.Contains(writeWith))
        {
            section.Fault("writeWith", "names no key of ApiKeys__keys");
        }

        section.RefuseUnknown();
        return new ApiKeySettings(keys, writeWith ?? keys.Keys.FirstOrDefault() ?? "");
    }

    private static Dictionary<string, byte[]> ReadKeys(SettingsReader section)
    {
        var keys = new Dictionary<string, byte[]>(StringComparer.Ordinal);
        foreach (var id in section.Sections().Select(key => key.Id))
        {
            var key = new byte[ApiKeySettings.KeyBytes + 1];
            if (id.Length > MaxIdLength || !id.All(char.IsAsciiLetterOrDigit))
            {
                section.Fault(id, $"its id must be up to {MaxIdLength} letters and digits");
            }
            else if (Convert.TryFromBase64String(section.Secret(id) ?? "", key, out var length) && length == ApiKeySettings.KeyBytes)
            {
                keys.Add(id.ToLowerInvariant(), key[..length]);
            }
            else
            {
                section.Fault(
                    id,
                    $"must be base64 of {ApiKeySettings.KeyBytes} bytes: put the key back that stored API keys are sealed with; "
                    + "only for a new deployment 'keys generate' makes one");
            }
        }

        return keys;
    }
}
