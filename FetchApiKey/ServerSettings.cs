// GET /api/v1/server_settings: what a client asks before it offers a password field (contract section 6).

using System.Text.Json;
using FetchApiKey.Accounts;
using FetchApiKey.Backends.Ldap;
using FetchApiKey.Passwordless;
using Microsoft.AspNetCore.Http;

namespace FetchApiKey;

public sealed class ServerSettings(RealmStore realms, Settings settings)
{
    /// <summary>The server whose API this endpoint answers for. Clients refuse a feature level below 277.</summary>
    private const string ZulipVersion = "12.0-dev";
    private const string ZulipMergeBase = "12.0-dev";
    private const int ZulipFeatureLevel = 467;

    /// <summary>The product name that a Zulip server tells to be too old, for clients to test how they take it.</summary>
    private const string IncompatibleClient = "ZulipInvalid";

    private static readonly string[] ExternalMethods =
        ["remoteuser", "github", "azuread", "gitlab", "apple", "google", "saml", "openid connect"];

    public async Task<Reply> AnswerAsync(EndpointRequest request, CancellationToken cancellation)
    {
        if (request.Origin.Addressed(settings) is not { } addressed)
        {
            return Reply.InvalidSubdomain;
        }

        var realm = await request.Origin.RealmAsync(realms, settings, cancellation);
        if (realm is null && addressed is { Subdomain.Length: > 0, IsAlias: false })
        {
            return Reply.InvalidSubdomain;
        }

        var origin = request.Origin.OfRealm(realm?.Subdomain ?? "", addressed).ToString();
        return Reply.Json(200, json => Write(json, realm, DirectoryOf(realm), realm?.PublicUrl ?? origin, IsIncompatible(request.Http)));
    }

    private LdapSettings? DirectoryOf(Realm? realm) =>
        realm is null ? null : settings.Ldap.FirstOrDefault(directory => directory.Realms.Contains(realm.Subdomain));

    private void Write(JsonBody json, Realm? realm, LdapSettings? directory, string url, bool isIncompatible)
    {
        var email = realm?.Backends.HasFlag(PasswordBackends.Email) ?? false;
        json.WriteString("result", "success");
        json.WriteString("msg", "");
        json.WriteStartObject("authentication_methods");
        json.WriteBoolean("password", email || directory is not null);
        json.WriteBoolean("dev", realm is not null && settings.DevelopmentLogin == DevelopmentLoginMode.On);
        json.WriteBoolean("email", email);
        json.WriteBoolean("ldap", directory is not null);
        foreach (var method in ExternalMethods)
        {
            json.WriteBoolean(method, false);
        }

        json.WriteEndObject();
        json.WriteString("zulip_version", ZulipVersion);
        json.WriteString("zulip_merge_base", ZulipMergeBase);
        json.WriteNumber("zulip_feature_level", ZulipFeatureLevel);
        json.WriteBoolean("push_notifications_enabled", false);
        json.WriteBoolean("is_incompatible", isIncompatible);
        json.WriteBoolean("email_auth_enabled", email);
        json.WriteBoolean("require_email_format_usernames", directory is not { TakesPlainNames: true });
        json.WriteString("realm_url", url);
        if (realm is not null)
        {
            json.WriteString("realm_name", realm.Name);
            json.WriteString("realm_icon", realm.Icon);
            json.WriteString("realm_description", realm.Description);
        }

        json.WriteBoolean("realm_web_public_access_enabled", false);
        json.WriteStartArray("external_authentication_methods");
        json.WriteEndArray();
        json.WriteString("realm_uri", url);
    }

    private static bool IsIncompatible(HttpRequest request)
    {
        var agent = request.Headers.UserAgent.ToString();
        var end = agent.AsSpan().IndexOfAny('/', ' ');
        return (end < 0 ? agent : agent.AsSpan(0, end)) is IncompatibleClient;
    }
}
