// The grammar of RFC 4515 section 3, as an operator may write it.

using System.Globalization;
using System.Text;
using Kind = FetchApiKey.Backends.Ldap.LdapFilter.Kind;
using Node = FetchApiKey.Backends.Ldap.LdapFilter.Node;

namespace FetchApiKey.Backends.Ldap;

/// <summary>Blanks between filters are skipped, as OpenLDAP's library does it.</summary>
internal sealed class LdapFilterParser(string text, string placeholder)
{
    private const int MaxDepth = 32;

    private int _at;

    public bool HasPlaceholder { get; private set; }

    /// <summary>Null when the text is no filter.</summary>
    public Node? Parse() => Filter(0) is { } root && _at == text.Length ? root : null;

    private Node? Filter(int depth)
    {
        if (depth > MaxDepth || !Take('('))
        {
            return null;
        }

        SkipBlanks();
        var kind = Current switch { '&' => Kind.And, '|' => Kind.Or, '!' => Kind.Not, _ => Kind.Equal };
        var node = kind == Kind.Equal ? Item() : Children(kind, depth);
        return node is not null && Take(')') ? node : null;
    }

    private Node? Children(Kind kind, int depth)
    {
        _at++;
        var children = new List<Node>();
        for (SkipBlanks(); Current == '('; SkipBlanks())
        {
            if (Filter(depth + 1) is not { } child)
            {
                return null;
            }

            children.Add(child);
        }

        return kind == Kind.Not ? children.Count == 1 ? new Node(kind, children, "", []) : null
            : children.Count > 0 ? new Node(kind, children, "", []) : null;
    }

    private Node? Item()
    {
        var attribute = Name();
        var (matchesDn, rule) = (false, "");
        var isExtensible = Current == ':';
        if (isExtensible)
        {
            // attr:dn:rule:=value, in which attribute, dn and rule may be missing, though not both of the names.
            while (Take(':') && Current != '=')
            {
                if (Name() is not { Length: > 0 } part || rule.Length > 0)
                {
                    return null;
                }

                (matchesDn, rule) = part.Equals("dn", StringComparison.OrdinalIgnoreCase) ? (true, rule) : (matchesDn, part);
            }

            if (text[_at - 1] != ':')
            {
                return null;
            }
        }

        var kind = isExtensible ? Kind.Extensible
            : Current switch { '~' => Kind.Approximate, '>' => Kind.GreaterOrEqual, '<' => Kind.LessOrEqual, _ => Kind.Equal };
        _at += kind is Kind.Equal or Kind.Extensible ? 0 : 1;
        if (attribute.Length + rule.Length == 0 || !Take('=') || Value() is not { } parts)
        {
            return null;
        }

        return kind == Kind.Equal && parts is [[], []] ? new Node(Kind.Present, [], attribute, [])
            : parts.Count == 1 ? new Node(kind, [], attribute, parts) { MatchingRule = rule, MatchesDn = matchesDn }
            : kind == Kind.Equal && parts.Any(part => part.Count > 0) ? new Node(Kind.Substrings, [], attribute, parts)
            : null;
    }

    /// <summary>What stands between asterisks; null for a broken escape.</summary>
    private List<IReadOnlyList<byte[]?>>? Value()
    {
        var parts = new List<IReadOnlyList<byte[]?>>();
        var pieces = new List<byte[]?>();
        while (_at < text.Length && Current != ')')
        {
            if (placeholder.Length > 0 && text.AsSpan(_at).StartsWith(placeholder, StringComparison.Ordinal))
            {
                HasPlaceholder = true;
                pieces.Add(null);
                _at += placeholder.Length;
            }
            else if (Take('*'))
            {
                parts.Add(pieces);
                pieces = [];
            }
            else if (Literal() is { } octets)
            {
                pieces.Add(octets);
            }
            else
            {
                return null;
            }
        }

        parts.Add(pieces);
        return parts;
    }

    /// <summary>One character, or an octet that is written as a backslash and two digits.</summary>
    private byte[]? Literal()
    {
        if (Current is '(' or '\0')
        {
            return null;
        }

        if (Current == '\\')
        {
            var digits = text.AsSpan(_at + 1, Math.Min(2, text.Length - _at - 1));
            var isOctet = byte.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var octet) && digits.Length == 2;
            _at += 3;
            return isOctet ? [octet] : null;
        }

        var length = char.IsSurrogatePair(text, _at) ? 2 : 1;
        _at += length;
        return Encoding.UTF8.GetBytes(text, _at - length, length);
    }

    /// <summary>RFC 4512 section 2.5: a name or an OID, with options.</summary>
    private string Name()
    {
        var begin = _at;
        while (_at < text.Length && (char.IsAsciiLetterOrDigit(Current) || Current is '-' or '.' or ';' or '_'))
        {
            _at++;
        }

        return text[begin.._at];
    }

    private char Current => _at < text.Length ? text[_at] : '\0';

    private void SkipBlanks()
    {
        while (char.IsWhiteSpace(Current))
        {
            _at++;
        }
    }

    private bool Take(char expected)
    {
        if (Current != expected || _at >= text.Length)
        {
            return false;
        }

        _at++;
        return true;
    }
}
