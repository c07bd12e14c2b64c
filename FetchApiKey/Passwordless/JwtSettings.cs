// Jwt__ID__: who may vouch for the people of a realm in JSON web tokens, and by which key they are known.

using System.Security.Cryptography;
using System.Text;
using Microsoft.IdentityModel.Tokens;

namespace FetchApiKey.Passwordless;

/// <summary>
/// One issuer of tokens, read from a section of settings under an ID of the operator's choice:
/// <code>
/// realms            subdomains separated by commas, @ for the root realm; a realm stands in one section only
/// key               an HMAC secret: text, of which the UTF-8 bytes count, or base64: and base64 of the bytes;
///                   or a public key in PEM (RFC 7468), RSA or EC, where \n may stand for the end of a line
/// algorithms        of RFC 7518 section 3.1, separated by commas; each must fit the key
/// audience, issuer  what aud must name and iss must be; without an audience, no token that names one is taken
/// requireExpiry     true: no token without exp is taken; false without it, as a Zulip server has it
/// </code>
/// </summary>
public sealed class JwtSettings
{
    private const string Base64Prefix = "base64:";
    private const string PemPrefix = "-----BEGIN";

    /// <summary>RFC 7518 section 3.3.</summary>
    private const int MinRsaBits = 2048;

    /// <summary>RFC 7518 section 3.2: an HMAC key has at least as many bits as the hash.</summary>
    private static readonly Dictionary<string, int> HmacBits = new(StringComparer.Ordinal)
    {
        ["HS256"] = 256, ["HS384"] = 384, ["HS512"] = 512,
    };

    private static readonly string[] RsaAlgorithms = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"];

    /// <summary>RFC 7518 section 3.4: to each its curve, by the object identifier of RFC 5480.</summary>
    private static readonly Dictionary<string, string> Curves = new(StringComparer.Ordinal)
    {
        ["ES256"] = "1.2.840.10045.3.1.7", ["ES384"] = "1.3.132.0.34", ["ES512"] = "1.3.132.0.35",
    };

    /// <summary>May be a secret.</summary>
    public required SecurityKey Key { get; init; }

    public required IReadOnlyList<string> Algorithms { get; init; }

    public string? Audience { get; init; }

    public string? Issuer { get; init; }

    public bool RequireExpiry { get; init; }

    /// <summary>Each section under the subdomains of its realms. What is wrong is added to the reader's faults, and never a key.</summary>
    internal static Dictionary<string, JwtSettings> Read(SettingsReader settings)
    {
        var byRealm = new Dictionary<string, JwtSettings>(StringComparer.Ordinal);
        var taken = new HashSet<string>(StringComparer.Ordinal);
        foreach (var section in settings.Section("Jwt").Sections())
        {
            var realms = section.Realms("realms", taken);
            if (ReadSection(section) is { } read)
            {
                realms.ForEach(realm => byRealm[realm] = read);
            }

            section.RefuseUnknown();
        }

        return byRealm;
    }

    /// <summary>Null, with a fault, without a key that can be used.</summary>
    private static JwtSettings? ReadSection(SettingsReader section)
    {
        var algorithms = ReadAlgorithms(section);
        var key = ReadKey(section, algorithms);
        var (audience, issuer, requireExpiry) = (section.Text("audience"), section.Text("issuer"), section.Flag("requireExpiry"));
        return key is null ? null : new JwtSettings
        {
            Key = key,
            Algorithms = algorithms,
            Audience = audience,
            Issuer = issuer,
            RequireExpiry = requireExpiry,
        };
    }

    private static List<string> ReadAlgorithms(SettingsReader section)
    {
        var algorithms = section.List("algorithms");
        string[] known = [.. HmacBits.Keys, .. RsaAlgorithms, .. Curves.Keys];
        if (algorithms.Count == 0 || !algorithms.TrueForAll(known.Contains))
        {
            section.Fault("algorithms", $"must name one or more of {string.Join(", ", known)}, separated by commas");
            return [];
        }

        return algorithms;
    }

    /// <summary>Null, with a fault, for what is no key or does not fit every algorithm.</summary>
    private static SecurityKey? ReadKey(SettingsReader section, List<string> algorithms)
    {
        var (key, fault) = section.Secret("key")?.Trim() switch
        {
            null or "" => (null, "must hold the key that tokens are signed with"),
            { } pem when pem.StartsWith(PemPrefix, StringComparison.Ordinal) =>
                PublicKey(pem.Replace("\\n", "\n", StringComparison.Ordinal), algorithms),
            { } secret => Secret(secret, algorithms),
        };
        if (fault is not null)
        {
            section.Fault("key", fault);
        }

        return key;
    }

    private static (SecurityKey? Key, string? Fault) Secret(string text, List<string> algorithms)
    {
        byte[] bytes;
        if (text.StartsWith(Base64Prefix, StringComparison.Ordinal))
        {
            bytes = new byte[text.Length];
            if (!Convert.TryFromBase64String(text[Base64Prefix.Length..], bytes, out var length))
            {
                return (null, "what follows base64: is no base64");
            }

            bytes = bytes[..length];
        }
        else
        {
            bytes = Encoding.UTF8.GetBytes(text);
        }

        return algorithms.Find(one => HmacBits.GetValueOrDefault(one, int.MaxValue) > bytes.Length * 8) switch
        {
            null => (new SymmetricSecurityKey(bytes), null),
            { } hmac when HmacBits.TryGetValue(hmac, out var bits) => (null, $"{hmac} takes a secret of {bits / 8} bytes or more"),
            { } other => (null, $"{other} takes a public key in PEM"),
        };
    }

    private static (SecurityKey? Key, string? Fault) PublicKey(string pem, List<string> algorithms)
    {
        if (pem.Contains("PRIVATE KEY", StringComparison.Ordinal))
        {
            return (null, "is a private key; the public one checks signatures");
        }

        if (Import(RSA.Create, pem) is { } rsa)
        {
            return rsa.KeySize < MinRsaBits ? (null, $"is an RSA key of {rsa.KeySize} bits; {MinRsaBits} are the least")
                : algorithms.Find(one => !RsaAlgorithms.Contains(one)) is { } other ? (null, $"is an RSA key, which {other} does not take")
                : (new RsaSecurityKey(rsa), null);
        }

        if (Import(ECDsa.Create, pem) is { } ec)
        {
            var curve = ec.ExportParameters(includePrivateParameters: false).Curve.Oid.Value;
            return algorithms.Find(one => Curves.GetValueOrDefault(one) != curve) is { } other
                ? (null, $"is an EC key of a curve that {other} does not take")
                : (new ECDsaSecurityKey(ec), null);
        }

        return (null, "is no public key in PEM, RSA or EC");
    }

    private static T? Import<T>(Func<T> create, string pem)
        where T : AsymmetricAlgorithm
    {
        var key = create();
        try
        {
            key.ImportFromPem(pem);
            return key;
        }
        catch (Exception fault) when (fault is ArgumentException or CryptographicException)
        {
            key.Dispose();
            return null;
        }
    }
}
