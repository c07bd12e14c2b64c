// API keys at rest: sealed with a key that is not in the tables.

using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace FetchApiKey.Accounts;

public enum Opening
{
    /// <summary>The zero value: altered, sealed for another account, or of a version that is refused.</summary>
    Refused = 0,

    /// <summary>Sealed with a key that is not among the settings.</summary>
    KeyUnknown,

    Opened,
}

/// <summary>
/// AES-256-GCM (NIST SP 800-38D) with a random nonce of 96 bits and a tag of 128. Sealed form, the parts between full stops:
/// <code>
/// v2 . id of the key . base64url(nonce, tag, ciphertext)
/// </code>
/// Bound as associated data: the version, the id of the key, the partition of the account's row and the user id. So a sealed key that is
/// altered, or moved to another row, does not open; an account that moves, since its address changed, is sealed anew. Version 1 bound the
/// realm's subdomain and the user id only, so it opened in any row of the realm that had the id: it is read until <see cref="SealMarker"/>
/// says that none is left. At most 2^32 seals should be made with one key.
/// </summary>
/// <param name="marker">Null where version 1 is always refused.</param>
public sealed class ApiKeyCipher(ApiKeySettings settings, SealMarker? marker = null)
{
    private const string Version = "v2";
    private const string Version1 = "v1";
    private const int NonceBytes = 12;
    private const int TagBytes = 16;

    public string Seal(string subdomain, EmailAddress email, int userId, string apiKey)
    {
        var text = Encoding.ASCII.GetBytes(apiKey);
        var sealedBytes = new byte[NonceBytes + TagBytes + text.Length];
        var nonce = sealedBytes.AsSpan(0, NonceBytes);
        RandomNumberGenerator.Fill(nonce);
        using var aes = new AesGcm(settings.Keys[settings.WriteWith], TagBytes);
        aes.Encrypt(
            nonce, text, sealedBytes.AsSpan(NonceBytes + TagBytes), sealedBytes.AsSpan(NonceBytes, TagBytes),
            Binding(Version, settings.WriteWith, Account.PartitionOf(subdomain, email), userId));
        CryptographicOperations.ZeroMemory(text);
        return $"{Version}.{settings.WriteWith}.{Base64Url.EncodeToString(sealedBytes)}";
    }

    /// <summary>The key of an account, when its seal is whole and its own.</summary>
    public Opening Open(Account account, out string apiKey) =>
        Open(account.Subdomain, account.Email, account.UserId, account.SealedApiKey, marker is { RefusesVersion1: false }, out apiKey);

    /// <summary>
    /// Seals the API key of a row anew that somebody vouches for, in a form that opens. Null for a seal that needs none, or does not open.
    /// </summary>
    public string? Renew(string subdomain, string emailText, int userId, string seal) =>
        marker is not { RefusesVersion1: false } && !IsBoundToRow(seal)
        && Open(subdomain, emailText, userId, seal, takesVersion1: true, out var apiKey) == Opening.Opened
            ? Seal(subdomain, EmailAddress.TryParse(emailText)!, userId, apiKey)
            : null;

    /// <summary>Whether its seal can be of no other row; one of an earlier release opens in every row of the same user id.</summary>
    public static bool IsBoundToRow(string seal) => !seal.StartsWith($"{Version1}.", StringComparison.Ordinal);

    /// <summary>Whether a seal is of the present version and was made with the key that new ones are made with.</summary>
    public bool IsCurrent(Account account) => account.SealedApiKey.StartsWith($"{Version}.{settings.WriteWith}.", StringComparison.Ordinal);

    private Opening Open(string subdomain, string emailText, int userId, string seal, bool takesVersion1, out string apiKey)
    {
        apiKey = "";
        if (seal.Split('.') is not [(Version or Version1) and var version, var id, var encoded]
            || (version == Version1 && !takesVersion1)
            || EmailAddress.TryParse(emailText) is not { } email)
        {
            return Opening.Refused;
        }

        if (!settings.Keys.TryGetValue(id, out var key))
        {
            return Opening.KeyUnknown;
        }

        try
        {
            var sealedBytes = Base64Url.DecodeFromChars(encoded);
            if (sealedBytes.Length <= NonceBytes + TagBytes)
            {
                return Opening.Refused;
            }

            var ciphertext = sealedBytes.AsSpan(NonceBytes + TagBytes);
            var text = new byte[ciphertext.Length];
            using var aes = new AesGcm(key, TagBytes);
            aes.Decrypt(
                sealedBytes.AsSpan(0, NonceBytes), ciphertext, sealedBytes.AsSpan(NonceBytes, TagBytes), text,
                Binding(version, id, version == Version ? Account.PartitionOf(subdomain, email) : subdomain, userId));
            apiKey = Encoding.ASCII.GetString(text);
            CryptographicOperations.ZeroMemory(text);
            if (Account.IsApiKey(apiKey))
            {
                return Opening.Opened;
            }
        }
        catch (Exception fault) when (fault is FormatException or AuthenticationTagMismatchException)
        {
            // Altered, or another row's.
        }

        apiKey = "";
        return Opening.Refused;
    }

    /// <summary>No part holds a NUL, so that none can pass for another.</summary>
    private static byte[] Binding(string version, string keyId, string place, int userId) =>
        Encoding.UTF8.GetBytes(FormattableString.Invariant($"{version}\0{keyId}\0{place}\0{userId}"));
}
