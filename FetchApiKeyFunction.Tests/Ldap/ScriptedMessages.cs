// Messages of a directory: RFC 4511 sections 4.2, 4.5 and 4.12, in BER.

using System.Formats.Asn1;
using System.Text;

namespace FetchApiKeyFunction.Tests.Ldap;

/// <param name="Code">Null for no answer at all.</param>
internal sealed record ScriptedReply(int? Code, TimeSpan Delay = default, string Diagnostic = "", bool Closes = false);

internal sealed record ScriptedPerson(string Dn, string Password, Dictionary<string, string[]> Attributes);

/// <summary>What a directory sends.</summary>
internal static class ScriptedMessages
{
    public static byte[] Result(int id, int operation, int code, string diagnostic = "") => Message(id, operation, writer =>
    {
        writer.WriteEncodedValue([0x0A, 1, (byte)code]);
        writer.WriteOctetString([]);
        writer.WriteOctetString(Encoding.UTF8.GetBytes(diagnostic));
    });

    public static byte[] Entry(int id, string dn, IEnumerable<(string Name, byte[][] Values)> attributes) => Message(id, 4, writer =>
    {
        writer.WriteOctetString(Encoding.UTF8.GetBytes(dn));
        using (writer.PushSequence())
        {
            foreach (var (name, values) in attributes)
            {
                using (writer.PushSequence())
                {
                    writer.WriteOctetString(Encoding.UTF8.GetBytes(name));
                    using (writer.PushSetOf())
                    {
                        foreach (var value in values)
                        {
                            writer.WriteOctetString(value);
                        }
                    }
                }
            }
        }
    });

    public static byte[] Reference(int id, string uri) => Message(id, 19, writer => writer.WriteOctetString(Encoding.UTF8.GetBytes(uri)));

    private static byte[] Message(int id, int operation, Action<AsnWriter> write)
    {
        var writer = new AsnWriter(AsnEncodingRules.BER);
        using (writer.PushSequence())
        {
            writer.WriteInteger(id);
            using (writer.PushSequence(new Asn1Tag(TagClass.Application, operation, isConstructed: true)))
            {
                write(writer);
            }
        }

        return writer.Encode();
    }
}
