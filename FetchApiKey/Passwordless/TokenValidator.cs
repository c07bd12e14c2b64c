// Whether a JSON web token holds, and whose address it names.

using System.Text.Json;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace FetchApiKey.Passwordless;

/// <summary>What a token that holds says of the person: null where it names no address.</summary>
/// <param name="Holds">The zero value is refusal.</param>
public readonly record struct TokenReading(bool Holds, string? Email);

/// <summary>
/// RFC 7519 with the advice of RFC 8725: the algorithms and the one key are the settings', whatever the header says (kid, jwk,
/// jku, x5u and x5c are not looked at). Microsoft.IdentityModel checks signature, audience, issuer and the shape of claims; it
/// takes tokens whose header names critical extensions (crit) which it does not know, against RFC 7515 section 4.1.11, so that
/// is refused here. As a Zulip server does, a token with an audience is refused where none is configured, and one that says it
/// was issued in the future.
/// </summary>
public sealed class TokenValidator(JwtSettings settings, TimeProvider time)
{
    /// <summary>Of the encoded token. One that names a person has some hundreds.</summary>
    public const int MaxLength = 16 * 1024;

    /// <summary>By how much an issuer's clock may differ.</summary>
    internal static readonly TimeSpan ClockSkew = TimeSpan.FromSeconds(30);

    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false, MaxDepth = 32 };

    private readonly JsonWebTokenHandler _handler = new() { MaximumTokenSizeInBytes = MaxLength, MapInboundClaims = false };

    public async Task<TokenReading> ReadAsync(string token)
    {
        if (token.Length > MaxLength || !IsPlainlySigned(token))
        {
            return default;
        }

        var result = await _handler.ValidateTokenAsync(token, Parameters());
        return result is { IsValid: true, SecurityToken: JsonWebToken read } ? ReadClaims(read) : default;
    }

    private TokenValidationParameters Parameters() => new()
    {
        IssuerSigningKey = settings.Key,
        ValidAlgorithms = settings.Algorithms,
        RequireSignedTokens = true,
        ValidateAudience = settings.Audience is not null,
        ValidAudience = settings.Audience,
        IgnoreTrailingSlashWhenValidatingAudience = false,
        ValidateIssuer = settings.Issuer is not null,
        ValidIssuer = settings.Issuer,
        LifetimeValidator = IsAlive,
        LogValidationExceptions = false,
        IncludeTokenOnFailedValidation = false,
    };

    private bool IsAlive(DateTime? notBefore, DateTime? expires, SecurityToken token, TokenValidationParameters parameters)
    {
        var now = time.GetUtcNow().UtcDateTime;
        return (expires is null ? !settings.RequireExpiry : now < Later(expires.Value)) && (notBefore is null || now >= notBefore.Value - ClockSkew);
    }

    /// <summary>A time at the end of what can be told stays there.</summary>
    private static DateTime Later(DateTime expires) => expires < DateTime.MaxValue - ClockSkew ? expires + ClockSkew : DateTime.MaxValue;

    /// <summary>Three parts, so signed and not encrypted, and a header that demands nothing unknown.</summary>
    private static bool IsPlainlySigned(string token) =>
        token.Count(c => c == '.') == 2 && Parse(token[..token.IndexOf('.', StringComparison.Ordinal)]) is { } header && !header.TryGetProperty("crit", out _);

    private TokenReading ReadClaims(JsonWebToken token)
    {
        if (Parse(token.EncodedPayload) is not { } claims
            || (settings.Audience is null && claims.TryGetProperty("aud", out var audience) && !IsEmpty(audience))
            || (claims.TryGetProperty("iat", out var issued) && !IsPast(issued)))
        {
            return default;
        }

        return new TokenReading(true, claims.TryGetProperty("email", out var email) && email.ValueKind == JsonValueKind.String ? email.GetString() : null);
    }

    private static bool IsEmpty(JsonElement audience) => audience.ValueKind switch
    {
        JsonValueKind.Null => true,
        JsonValueKind.String => audience.GetString()!.Length == 0,
        JsonValueKind.Array => audience.GetArrayLength() == 0,
        _ => false,
    };

    private bool IsPast(JsonElement issued) =>
        issued.ValueKind == JsonValueKind.Number && issued.TryGetDouble(out var seconds)
        && seconds <= (time.GetUtcNow() + ClockSkew).ToUnixTimeSeconds() + 1;

    /// <summary>A part of a token, when it is a JSON object in which no name stands twice.</summary>
    private static JsonElement? Parse(string part)
    {
        try
        {
            using var document = JsonDocument.Parse(Base64UrlEncoder.DecodeBytes(part), Strict);
            return document.RootElement.ValueKind == JsonValueKind.Object ? document.RootElement.Clone() : null;
        }
        catch (Exception fault) when (fault is JsonException or FormatException or ArgumentException)
        {
            return null;
        }
    }
}
