// Search filters as an operator writes them, and the one place where a typed name gets into one.

using System.Formats.Asn1;
using System.Text;

namespace FetchApiKey.Backends.Ldap;

/// <summary>
/// A filter of RFC 4515 with a placeholder as Zulip's settings have it, %(user)s or %(email)s. It is read once; a name becomes octets of a
/// value in it, where no character has a meaning.
/// </summary>
public sealed class LdapFilter
{
    private static readonly Asn1Tag AnyPart = Context(1);
    private static readonly Asn1Tag Rule = Context(1);
    private static readonly Asn1Tag Type = Context(2);
    private static readonly Asn1Tag Match = Context(3);
    private static readonly Asn1Tag DnAttributes = Context(4);

    private readonly string _text;
    private readonly Node _root;

    private LdapFilter(string text, Node root) => (_text, _root) = (text, root);

    /// <summary>Null when the text is no filter, or lacks the placeholder.</summary>
    /// <param name="placeholder">Empty for a filter without one.</param>
    public static LdapFilter? TryParse(string text, string placeholder)
    {
        var parser = new LdapFilterParser(text, placeholder);
        return parser.Parse() is { } root && (placeholder.Length == 0 || parser.HasPlaceholder) ? new LdapFilter(text, root) : null;
    }

    /// <summary>The filter with a value in the place of the placeholder, in BER.</summary>
    public byte[] With(string value)
    {
        var writer = new AsnWriter(AsnEncodingRules.BER);
        Write(writer, _root, Encoding.UTF8.GetBytes(value));
        return writer.Encode();
    }

    public override string ToString() => _text;

    /// <summary>RFC 4511 section 4.5.1: the number is the tag.</summary>
    internal enum Kind
    {
        And = 0,
        Or = 1,
        Not = 2,
        Equal = 3,
        Substrings = 4,
        GreaterOrEqual = 5,
        LessOrEqual = 6,
        Present = 7,
        Approximate = 8,
        Extensible = 9,
    }

    /// <param name="Parts">Values: one, or of substrings the initial, those between and the final one, empty where there is none. A
    /// null stands for the placeholder.</param>
    internal sealed record Node(Kind Kind, IReadOnlyList<Node> Children, string Attribute, IReadOnlyList<IReadOnlyList<byte[]?>> Parts)
    {
        /// <summary>Of an extensible match; empty for none.</summary>
        public string MatchingRule { get; init; } = "";

        public bool MatchesDn { get; init; }
    }

    private static void Write(AsnWriter writer, Node node, byte[] value)
    {
        if (node.Kind == Kind.Present)
        {
            writer.WriteOctetString(Encoding.ASCII.GetBytes(node.Attribute), Context((int)node.Kind));
            return;
        }

        using (writer.PushSequence(new Asn1Tag(TagClass.ContextSpecific, (int)node.Kind, isConstructed: true)))
        {
            switch (node.Kind)
            {
                case Kind.And or Kind.Or or Kind.Not:
                    foreach (var child in node.Children)
                    {
                        Write(writer, child, value);
                    }

                    break;

                case Kind.Substrings:
                    writer.WriteOctetString(Encoding.ASCII.GetBytes(node.Attribute));
                    WriteParts(writer, node, value);
                    break;

                case Kind.Extensible:
                    WriteIfAny(writer, node.MatchingRule, Rule);
                    WriteIfAny(writer, node.Attribute, Type);
                    writer.WriteOctetString(ValueOf(node.Parts[0], value), Match);
                    if (node.MatchesDn)
                    {
                        writer.WriteBoolean(true, DnAttributes);
                    }

                    break;

                default:
                    writer.WriteOctetString(Encoding.ASCII.GetBytes(node.Attribute));
                    writer.WriteOctetString(ValueOf(node.Parts[0], value));
                    break;
            }
        }
    }

    private static void WriteParts(AsnWriter writer, Node node, byte[] value)
    {
        using (writer.PushSequence())
        {
            foreach (var (place, part) in node.Parts.Index())
            {
                if (ValueOf(part, value) is { Length: > 0 } octets)
                {
                    writer.WriteOctetString(octets, place == 0 ? Context(0) : place == node.Parts.Count - 1 ? Context(2) : AnyPart);
                }
            }
        }
    }

    private static void WriteIfAny(AsnWriter writer, string text, Asn1Tag tag)
    {
        if (text.Length > 0)
        {
            writer.WriteOctetString(Encoding.ASCII.GetBytes(text), tag);
        }
    }

    private static byte[] ValueOf(IReadOnlyList<byte[]?> pieces, byte[] value) => [.. pieces.SelectMany(piece => piece ?? value)];

    private static Asn1Tag Context(int number) => new(TagClass.ContextSpecific, number);
}
