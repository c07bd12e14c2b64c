// API keys at rest: sealed with a key that is not in the tables.

using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace FetchApiKey.Accounts;

/// <summary>Key-encryption keys by their id, 32 bytes each, and the id of the one that new seals are made with.</summary>
public sealed class ApiKeySettings(IReadOnlyDictionary<string, byte[]> keys, string writeWith)
{
    public const int KeyBytes = 32;

    public IReadOnlyDictionary<string, byte[]> Keys { get; } = keys;

    public string WriteWith { get; } = writeWith;
}

public enum Opening
{
    /// <summary>The zero value: altered, or sealed for another account.</summary>
    Refused = 0,

    /// <summary>Sealed with a key that is not among the settings.</summary>
    KeyUnknown,

    Opened,
}

/// <summary>
/// AES-256-GCM (NIST SP 800-38D) with a random nonce of 96 bits and a tag of 128. Sealed form, the parts between full stops:
/// <code>
/// v1 . id of the key . base64url(nonce, tag, ciphertext)
/// </code>
/// Bound as associated data: the version, the id of the key, the realm's subdomain and the user id, so that a sealed key that
/// is moved to another account, or altered in any part, does not open. At most 2^32 seals should be made with one key.
/// </summary>
public sealed class ApiKeyCipher(ApiKeySettings settings)
{
    private const string Version = "v1";
    private const int NonceBytes = 12;
    private const int TagBytes = 16;

    public string Seal(string subdomain, int userId, string apiKey)
    {
        var text = Encoding.ASCII.GetBytes(apiKey);
        var sealedBytes = new byte[NonceBytes + TagBytes + text.Length];
        var nonce = sealedBytes.AsSpan(0, NonceBytes);
        RandomNumberGenerator.Fill(nonce);
        using var aes = new AesGcm(settings.Keys[settings.WriteWith], TagBytes);
        aes.Encrypt(
            nonce, text, sealedBytes.AsSpan(NonceBytes + TagBytes), sealedBytes.AsSpan(NonceBytes, TagBytes),
            Binding(settings.WriteWith, subdomain, userId));
        CryptographicOperations.ZeroMemory(text);
        return $"{Version}.{settings.WriteWith}.{Base64Url.EncodeToString(sealedBytes)}";
    }

    /// <summary>The key of an account, when its seal is whole and its own.</summary>
    public Opening Open(Account account, out string apiKey)
    {
        apiKey = "";
        if (account.SealedApiKey.Split('.') is not [Version, var id, var encoded])
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
                Binding(id, account.Subdomain, account.UserId));
            apiKey = Encoding.ASCII.GetString(text);
            CryptographicOperations.ZeroMemory(text);
            return Account.IsApiKey(apiKey) ? Opening.Opened : Opening.Refused;
        }
        catch (Exception fault) when (fault is FormatException or AuthenticationTagMismatchException)
        {
            return Opening.Refused;
        }
    }

    /// <summary>Whether a seal was made with the key that new ones are made with.</summary>
    public bool IsCurrent(Account account) => account.SealedApiKey.StartsWith($"{Version}.{settings.WriteWith}.", StringComparison.Ordinal);

    /// <summary>No part holds a NUL, so that none can pass for another.</summary>
    private static byte[] Binding(string keyId, string subdomain, int userId) =>
        Encoding.UTF8.GetBytes(FormattableString.Invariant($"{Version}\0{keyId}\0{subdomain}\0{userId}"));
}
