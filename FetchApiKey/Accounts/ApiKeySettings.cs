// The keys that API keys are sealed with, and what else is derived from them.

using System.Security.Cryptography;
using System.Text;

namespace FetchApiKey.Accounts;

/// <summary>Key-encryption keys by their id, 32 bytes each, and the id of the one that new seals are made with.</summary>
public sealed class ApiKeySettings(IReadOnlyDictionary<string, byte[]> keys, string writeWith)
{
    public const int KeyBytes = 32;

    public IReadOnlyDictionary<string, byte[]> Keys { get; } = keys;

    public string WriteWith { get; } = writeWith;

    /// <summary>A key for another use than sealing: HKDF-SHA-256 (RFC 5869), so that no use tells anything of another's key.</summary>
    /// <param name="id">Of one of <see cref="Keys"/>.</param>
    /// <param name="use">A label; each use has its own.</param>
    public byte[] Derive(string id, string use) =>
        HKDF.DeriveKey(HashAlgorithmName.SHA256, Keys[id], KeyBytes, info: Encoding.UTF8.GetBytes(use));
}
