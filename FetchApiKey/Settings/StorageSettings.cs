// Where realms, accounts, attempts and the audit trail are stored.

using Azure.Data.Tables;

namespace FetchApiKey;

/// <summary>How the tables are reached: by connection string, or by URI with a managed identity or an operator's own login.</summary>
public sealed class StorageSettings
{
    private const string Section = "AccountStorage";

    /// <summary>AccountStorage. A secret.</summary>
    public string? ConnectionString { get; init; }

    /// <summary>AccountStorage__tableServiceUri, for instance https://NAME.table.core.windows.net.</summary>
    public Uri? TableServiceUri { get; init; }

    /// <summary>AccountStorage__clientId, of a user-assigned identity; null for the system-assigned one.</summary>
    public string? ManagedIdentityClientId { get; init; }

    /// <summary>AccountStorage__credential is azurecli: the account of az login, for an operator's commands alone.</summary>
    public bool UsesAzureCli { get; init; }

    /// <summary>TablePrefix: up to 20 letters and digits, a letter first; tells deployments in one storage account apart.</summary>
    public string TablePrefix { get; init; } = "";

    internal static StorageSettings Read(SettingsReader settings, bool answersRequests)
    {
        var connection = settings.Secret(Section, hasParts: true)?.Trim() is { Length: > 0 } text ? text : null;
        var account = settings.Section(Section);
        var uriText = account.Text("tableServiceUri");
        if (connection is null == uriText is null)
        {
            settings.Fault(Section, "set either AccountStorage to a connection string or AccountStorage__tableServiceUri to a URI");
        }

        if (connection is not null && !IsConnectionString(connection))
        {
            settings.Fault(Section, "is not a connection string of Azure Table Storage");
        }

        Uri? uri = null;
        if (uriText is not null && (!Uri.TryCreate(uriText, UriKind.Absolute, out uri) || uri.Scheme != Uri.UriSchemeHttps))
        {
            account.Fault("tableServiceUri", "must be an https URI");
        }

        var clientId = account.Text("clientId");
        var usesAzureCli = account.Choice("credential", "managedidentity", "azurecli") == "azurecli";
        if (usesAzureCli && answersRequests)
        {
            account.Fault("credential", "azurecli is for the operator's commands; an endpoint needs a managed identity");
        }

        var prefix = settings.Text("TablePrefix") ?? "";
        if (prefix.Length > 20 || !prefix.All(char.IsAsciiLetterOrDigit) || (prefix.Length > 0 && !char.IsAsciiLetter(prefix[0])))
        {
            settings.Fault("TablePrefix", "must be up to 20 letters and digits, a letter first");
        }

        account.RefuseUnknown();
        return new StorageSettings
        {
            ConnectionString = connection,
            TableServiceUri = uri,
            ManagedIdentityClientId = clientId,
            UsesAzureCli = usesAzureCli,
            TablePrefix = prefix,
        };
    }

    private static bool IsConnectionString(string text)
    {
        try
        {
            _ = new TableServiceClient(text);
            return true;
        }
        catch (Exception fault) when (fault is InvalidOperationException or FormatException or ArgumentException)
        {
            return false;
        }
    }
}
