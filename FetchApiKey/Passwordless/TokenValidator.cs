// Whether a JSON web token holds, and whose address it names.

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

    /// <summary>Of header and claims.</summary>
    private const int MaxDepth = 32;

    private readonly JsonWebTokenHandler _handler = new() { MaximumTokenSizeInBytes = MaxLength, MapInboundClaims = false };

    public async Task<TokenReading> ReadAsync(string token)
    {
        // Three parts, so signed and not encrypted. Both are judged before the library sees them, which trusts what it parsed.
        if (token.Length > MaxLength
            || token.Split('.') is not [var headerPart, var claimsPart, _]
            || Members(headerPart) is not { } header || header.Has("crit")
            || Members(claimsPart) is not { } claims)
        {
            return default;
        }

        var result = await _handler.ValidateTokenAsync(token, Parameters());
        return result.IsValid ? Read(claims) : default;
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

    private TokenReading Read(JsonMembers claims) =>
        (settings.Audience is null && claims.Has("aud") && !claims.IsEmpty("aud")) || (claims.Has("iat") && !IsPast(claims.Real("iat")))
            ? default
            : new TokenReading(true, claims.Text("email"));

    private bool IsPast(double? issued) => issued <= (time.GetUtcNow() + ClockSkew).ToUnixTimeSeconds() + 1;

    /// <summary>Of a part of a token; null for what is no JSON object in base64url.</summary>
    private static JsonMembers? Members(string part)
    {
        try
        {
            return JsonMembers.Read(Base64UrlEncoder.DecodeBytes(part), MaxDepth, out _);
        }
        catch (Exception fault) when (fault is FormatException or ArgumentException)
        {
            return null;
        }
    }
}
