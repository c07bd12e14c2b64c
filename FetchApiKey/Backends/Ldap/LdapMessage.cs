// What a directory sends: a decoder for the few messages of RFC 4511 that answer a bind, a search and StartTLS.

using System.Formats.Asn1;
using System.Text.RegularExpressions;

namespace FetchApiKey.Backends.Ldap;

/// <summary>The answer to a bind, to StartTLS, or the end of a search.</summary>
/// <param name="Code">RFC 4511 appendix A.</param>
/// <param name="SubCode">What Active Directory says beside it, a few hexadecimal digits; empty where it says nothing.</param>
internal readonly record struct LdapResult(int Code, string SubCode)
{
    public static readonly LdapResult None = new(Success, "");

    public const int Success = 0;
    public const int SizeLimitExceeded = 4;
    public const int StrongerAuthRequired = 8;
    public const int ConfidentialityRequired = 13;
    public const int NoSuchObject = 32;
    public const int Busy = 51;
    public const int Unavailable = 52;

    /// <summary>As it stands in the audit trail.</summary>
    public override string ToString() => SubCode.Length > 0 ? $"ldap {Code} data {SubCode}" : $"ldap {Code}";
}

internal enum LdapOperation
{
    None = 0,
    BindResponse,
    SearchEntry,
    SearchDone,

    /// <summary>A part of the tree that is elsewhere. It is not followed: it would lead past the server that is trusted.</summary>
    SearchReference,
    ExtendedResponse,
}

/// <param name="Result">Of a response; none of an entry and of a reference.</param>
/// <param name="Entry">Null for all but an entry, and for an entry that exceeds the limits.</param>
internal sealed partial record LdapMessage(int Id, LdapOperation Operation, LdapResult Result, DirectoryEntry? Entry)
{
    /// <summary>A larger message ends the connection. An entry has only the attributes that were asked for.</summary>
    public const int MaxBytes = 1 << 20;

    /// <summary>An entry with more values, or more attributes, is not used.</summary>
    public const int MaxValues = 4096;

    private const int LongestHeader = 6;

    private static readonly Asn1Tag Enumerated = new(UniversalTagNumber.Enumerated);
    private static readonly Asn1Tag Controls = new(TagClass.ContextSpecific, 0, isConstructed: true);
    private static readonly Asn1Tag Referral = new(TagClass.ContextSpecific, 3, isConstructed: true);

    /// <summary>
    /// The length of the message that begins here; 0 where too little has arrived to tell or to read it, negative where none can begin
    /// so. The length is read before memory is taken for what it announces.
    /// </summary>
    public static int Measure(ReadOnlySpan<byte> received)
    {
        if (received.Length < 2)
        {
            return received.Length == 1 && received[0] != 0x30 ? -1 : 0;
        }

        var more = received[1] & 0x7F;
        if (received[0] != 0x30 || received[1] == 0x80 || (received[1] > 0x80 && more > LongestHeader - 2))
        {
            return -1;
        }

        if (received[1] < 0x80)
        {
            return received.Length >= 2 + more ? 2 + more : 0;
        }

        if (received.Length < 2 + more)
        {
            return 0;
        }

        var length = 0L;
        foreach (var octet in received.Slice(2, more))
        {
            length = (length << 8) | octet;
        }

        var whole = 2 + more + length;
        return whole > MaxBytes ? -1 : received.Length >= whole ? (int)whole : 0;
    }

    /// <summary>One whole message; null for what is none of these.</summary>
    public static LdapMessage? Decode(ReadOnlySpan<byte> encoded)
    {
        var outer = new BerReader(encoded);
        var message = outer.ReadSequence(Asn1Tag.Sequence);
        if (!outer.IsAtEnd)
        {
            return null;
        }

        var id = message.ReadNumber(Asn1Tag.Integer);
        if (message.Next is not { TagClass: TagClass.Application, IsConstructed: true } tag)
        {
            return null;
        }

        var body = message.ReadSequence(tag);
        var decoded = tag.TagValue switch
        {
            1 => Response(id, LdapOperation.BindResponse, ref body, 7),
            4 => EntryOf(id, ref body),
            5 => Response(id, LdapOperation.SearchDone, ref body),
            19 => ReferenceOf(id, ref body),
            24 => Response(id, LdapOperation.ExtendedResponse, ref body, 10, 11),
            _ => null,
        };
        if (message.Next == Controls)
        {
            _ = message.Read(Controls);
        }

        return message.IsMalformed || !message.IsAtEnd ? null : decoded;
    }

    /// <param name="optional">Numbers of the primitive elements that may follow, in their order.</param>
    private static LdapMessage? Response(int id, LdapOperation operation, ref BerReader body, params ReadOnlySpan<int> optional)
    {
        var code = body.ReadNumber(Enumerated);
        _ = body.ReadOctets();
        var diagnostic = body.ReadOctets();
        if (body.Next == Referral)
        {
            _ = body.Read(Referral);
        }

        foreach (var number in optional)
        {
            var tag = new Asn1Tag(TagClass.ContextSpecific, number);
            if (body.Next == tag)
            {
                _ = body.Read(tag);
            }
        }

        return body.IsMalformed || !body.IsAtEnd ? null : new LdapMessage(id, operation, new LdapResult(code, SubCodeOf(diagnostic)), null);
    }

    private static LdapMessage? ReferenceOf(int id, ref BerReader body)
    {
        do
        {
            _ = body.ReadOctets();
        }
        while (!body.IsAtEnd);
        return body.IsMalformed ? null : new LdapMessage(id, LdapOperation.SearchReference, LdapResult.None, null);
    }

    private static LdapMessage? EntryOf(int id, ref BerReader body)
    {
        var dn = BerReader.TextOf(body.ReadOctets());
        var list = body.ReadSequence(Asn1Tag.Sequence);
        var attributes = new DirectoryAttributes();
        var count = 0;
        var isWhole = true;
        while (!list.IsAtEnd)
        {
            var attribute = list.ReadSequence(Asn1Tag.Sequence);
            var name = BerReader.TextOf(attribute.ReadOctets());
            var set = attribute.ReadSequence(Asn1Tag.SetOf);
            var values = new List<byte[]>();
            while (!set.IsAtEnd && count <= MaxValues)
            {
                values.Add(set.ReadOctets().ToArray());
                count++;
            }

            count++;
            if (set.IsMalformed || attribute.IsMalformed || !attribute.IsAtEnd || name is null || !attributes.TryAdd(name, values))
            {
                return null;
            }

            // Active Directory gives the first values of many under a name such as memberOf;range=0-1499.
            isWhole &= !name.Contains(";range=", StringComparison.OrdinalIgnoreCase);
            if (count > MaxValues)
            {
                return new LdapMessage(id, LdapOperation.SearchEntry, LdapResult.None, null);
            }
        }

        return body.IsMalformed || !body.IsAtEnd || list.IsMalformed ? null
            // Nobody's name is empty: a bind to it would be anybody's.
            : new LdapMessage(
                id, LdapOperation.SearchEntry, LdapResult.None, dn is { Length: > 0 } && isWhole ? new DirectoryEntry(dn, attributes) : null);
    }

    /// <summary>Only digits leave the text, which may quote a name.</summary>
    private static string SubCodeOf(ReadOnlySpan<byte> diagnostic) =>
        BerReader.TextOf(diagnostic) is { } text && SubCode().Match(text) is { Success: true } match
            ? match.Groups[1].Value.ToLowerInvariant()
            : "";

    [GeneratedRegex("""AcceptSecurityContext error, data ([0-9A-Fa-f]{1,8})\b""", RegexOptions.CultureInvariant)]
    private static partial Regex SubCode();
}
