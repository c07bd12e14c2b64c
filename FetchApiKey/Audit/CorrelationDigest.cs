// Digests that stand for an account or a client's address in logs, traces and the audit trail.

using System.Security.Cryptography;
using System.Text;
using FetchApiKey.Accounts;
using FetchApiKey.Backends;

namespace FetchApiKey.Audit;

/// <summary>
/// HMAC-SHA-256, cut to 128 bits, under a key derived (HKDF, RFC 5869) from a key-encryption key: who has the log or the tables
/// but not that key cannot try names against a digest. A digest made before the sealing key was rotated is found again as
/// long as the old key is configured.
/// </summary>
public sealed class CorrelationDigest
{
    private const int DigestBytes = 16;
    private const string KeyUse = "FetchApiKeyFunction correlation digest";

    private readonly byte[] _writing;
    private readonly List<byte[]> _all;

    public CorrelationDigest(ApiKeySettings keys)
    {
        _writing = keys.Derive(keys.WriteWith, KeyUse);
        _all = [_writing, .. keys.Keys.Keys.Where(id => id != keys.WriteWith).Select(id => keys.Derive(id, KeyUse))];
    }

    /// <summary>32 hexadecimal digits.</summary>
    public string OfAccount(string subdomain, EmailAddress email) => Digest(_writing, AccountText(subdomain, email.Canonical));

    /// <summary>The same of a name that need not be an address.</summary>
    public string OfAccount(string subdomain, LoginName name) => Digest(_writing, AccountText(subdomain, name.Canonical));

    /// <param name="bucket">A client's address as <see cref="Attempts.ClientAddress"/> has it.</param>
    public string OfClient(string bucket) => Digest(_writing, ClientText(bucket));

    /// <summary>The account's digests under every configured key.</summary>
    public IReadOnlyList<string> AllOfAccount(string subdomain, EmailAddress email) => All(AccountText(subdomain, email.Canonical));

    /// <summary>The client's digests under every configured key.</summary>
    public IReadOnlyList<string> AllOfClient(string bucket) => All(ClientText(bucket));

    private static string AccountText(string subdomain, string canonicalName) => $"account\0{subdomain}\0{canonicalName}";

    private static string ClientText(string bucket) => $"client\0{bucket}";

    private List<string> All(string text) => _all.ConvertAll(key => Digest(key, text));

    private static string Digest(byte[] key, string text) =>
        Convert.ToHexStringLower(HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(text)).AsSpan(0, DigestBytes));
}
