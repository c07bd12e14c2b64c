// What is sent to a directory: RFC 4511 sections 4.2, 4.5 and 4.14.

using System.Formats.Asn1;
using System.Text;

namespace FetchApiKey.Backends.Ldap;

internal enum LdapScope
{
    Base = 0,
    Subtree = 2,
}

/// <param name="Filter">As <see cref="LdapFilter"/> encodes it.</param>
/// <param name="Attributes">That are wanted of an entry; "1.1" for none.</param>
internal sealed record LdapSearch(string Base, LdapScope Scope, byte[] Filter, IReadOnlyList<string> Attributes)
{
    /// <summary>Enough to see that there is more than one.</summary>
    public const int SizeLimit = 2;
}

internal static class LdapRequest
{
    private const int Version = 3;

    /// <summary>Headers and numbers of a bind.</summary>
    private const int BindOverhead = 64;

    private static readonly Asn1Tag Bind = Application(0);
    private static readonly Asn1Tag Search = Application(3);
    private static readonly Asn1Tag Extended = Application(23);
    private static readonly Asn1Tag SimplePassword = new(TagClass.ContextSpecific, 0);
    private static readonly Asn1Tag RequestName = new(TagClass.ContextSpecific, 0);

    private enum DerefAliases
    {
        Never = 0,
    }

    /// <summary>To be wiped by the caller, as the writer's own copy is here.</summary>
    public static byte[] BindOf(int id, string dn, ReadOnlySpan<byte> password)
    {
        // Large enough that nothing is moved, and left behind, while it grows.
        var writer = new AsnWriter(AsnEncodingRules.BER, BindOverhead + Encoding.UTF8.GetByteCount(dn) + password.Length);
        using (writer.PushSequence())
        {
            writer.WriteInteger(id);
            using (writer.PushSequence(Bind))
            {
                writer.WriteInteger(Version);
                writer.WriteOctetString(Encoding.UTF8.GetBytes(dn));
                writer.WriteOctetString(password, SimplePassword);
            }
        }

        var encoded = writer.Encode();
        writer.Reset();
        return encoded;
    }

    /// <param name="timeLimit">In seconds, for a server that would otherwise go on when nobody waits any more.</param>
    public static byte[] SearchOf(int id, LdapSearch search, int timeLimit)
    {
        var writer = new AsnWriter(AsnEncodingRules.BER);
        using (writer.PushSequence())
        {
            writer.WriteInteger(id);
            using (writer.PushSequence(Search))
            {
                writer.WriteOctetString(Encoding.UTF8.GetBytes(search.Base));
                writer.WriteEnumeratedValue(search.Scope);
                writer.WriteEnumeratedValue(DerefAliases.Never);
                writer.WriteInteger(LdapSearch.SizeLimit);
                writer.WriteInteger(timeLimit);
                writer.WriteBoolean(false);
                writer.WriteEncodedValue(search.Filter);
                using (writer.PushSequence())
                {
                    foreach (var attribute in search.Attributes)
                    {
                        writer.WriteOctetString(Encoding.ASCII.GetBytes(attribute));
                    }
                }
            }
        }

        return writer.Encode();
    }

    public static byte[] StartTlsOf(int id)
    {
        var writer = new AsnWriter(AsnEncodingRules.BER);
        using (writer.PushSequence())
        {
            writer.WriteInteger(id);
            using (writer.PushSequence(Extended))
            {
                writer.WriteOctetString("1.3.6.1.4.1.1466.20037"u8, RequestName);
            }
        }

        return writer.Encode();
    }

    private static Asn1Tag Application(int number) => new(TagClass.Application, number, isConstructed: true);
}
