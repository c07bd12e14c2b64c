// Every path of the API: a new endpoint is a file of its own and a row here.

using System.Diagnostics.CodeAnalysis;
using FetchApiKey.Pages;
using FetchApiKey.Passwordless;
using Microsoft.Extensions.DependencyInjection;
using static FetchApiKey.Endpoint;

namespace FetchApiKey.Composition;

internal static class Endpoints
{
    /// <summary>What the Functions host asks of a custom handler until it is answered; a client's own request for it ends at that host.</summary>
    private const string Ping = "/";

    public static void Add(IServiceCollection services, DevelopmentLoginMode developmentLogin)
    {
        Map<PasswordLogin>(services, "/api/v1/fetch_api_key", Post, endpoint => endpoint.AnswerAsync);
        Map<ServerSettings>(services, "/api/v1/server_settings", Get, endpoint => endpoint.AnswerAsync);
        Map<JwtLogin>(services, "/api/v1/jwt/fetch_api_key", Post, endpoint => endpoint.AnswerAsync);
        Map<KeyRegeneration>(services, "/api/v1/users/me/api_key/regenerate", Post, endpoint => endpoint.AnswerAsync);
        Map<ApiKeyPage>(services, ApiKeyPage.Path, GetOrPost, endpoint => endpoint.AnswerAsync, isPage: true);
        Map<PasswordResetPage>(services, PasswordResetPage.Path, GetOrPost, endpoint => endpoint.AnswerAsync, isPage: true);
        Map<ApiDescription>(services, "/api/v1/openapi.json", Get, endpoint => endpoint.AnswerAsync);
        Map<Health>(services, "/api/v1/health", Get, _ => Health.AnswerLiveAsync);
        Map<Health>(services, "/api/v1/health/ready", Get, endpoint => endpoint.AnswerReadyAsync);
        Map<Health>(services, Ping, Get, _ => Health.AnswerLiveAsync, isMeasured: false);
        if (developmentLogin != DevelopmentLoginMode.Absent)
        {
            Map<DevelopmentLogin>(services, "/api/v1/dev_fetch_api_key", Post, endpoint => endpoint.AnswerFetchAsync);
            Map<DevelopmentLogin>(services, "/api/v1/dev_list_users", Get, endpoint => endpoint.AnswerListAsync);
        }
    }

    private static void Map<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] TEndpoint>(
        IServiceCollection services, string path, IReadOnlyList<string> methods, Func<TEndpoint, EndpointHandler> handler, bool isPage = false, bool isMeasured = true)
        where TEndpoint : class
    {
        if (services.All(service => service.ServiceType != typeof(TEndpoint)))
        {
            services.AddSingleton<TEndpoint>();
        }

        services.AddSingleton(provider => new Endpoint(path, methods, handler(provider.GetRequiredService<TEndpoint>()), isPage, isMeasured));
    }
}
