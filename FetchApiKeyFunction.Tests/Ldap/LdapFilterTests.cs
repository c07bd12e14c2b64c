// Filters as operators write them, in the bytes that a directory gets.

using System.Formats.Asn1;
using System.Text;
using FetchApiKey.Backends.Ldap;
using FsCheck.Xunit;

namespace FetchApiKeyFunction.Tests.Ldap;

public sealed class LdapFilterTests
{
    /// <summary>Written by hand from RFC 4511 section 4.5.1; the name is Ada.</summary>
    [Theory]
    [InlineData("(uid=%(user)s)", "a30a04037569640403416461")]
    [InlineData("(& (objectClass=person) (|(uid=%(user)s)(mail=%(user)s@x.org)) )",
        "a038a315" + "040b6f626a656374436c6173730406706572736f6e" + "a11f" + "a30a04037569640403416461" + "a31104046d61696c040941646140782e6f7267")]
    [InlineData("(!(cn>=%(user)s))", "a20ba5090402636e0403416461")]
    [InlineData("(cn<=%(user)s)", "a6090402636e0403416461")]
    [InlineData("(cn~=%(user)s)", "a8090402636e0403416461")]
    [InlineData("(|(mail=*)(uid=%(user)s))", "a11287046d61696ca30a04037569640403416461")]
    [InlineData("(cn=a*%(user)s*z)", "a4110402636e300b800161810341646182017a")]
    [InlineData("(cn=*%(user)s*)", "a40b0402636e30058103416461")]
    [InlineData("(memberOf:1.2.840.113556.1.4.1941:=%(user)s)", "a9288117312e322e3834302e3131333535362e312e342e3139343182086d656d6265724f668303416461")]
    [InlineData("(o:dn:caseExactMatch:=%(user)s)", "a91b810e636173654578616374" + "4d6174636882016f83034164618401ff")]
    [InlineData(@"(cn=\2a\28%(user)s)", "a30b0402636e04052a28416461")]
    public void A_filter_has_the_bytes_of_the_standard(string filter, string expected) =>
        Assert.Equal(expected, Convert.ToHexStringLower(LdapFilter.TryParse(filter, "%(user)s")!.With("Ada")));

    [Theory]
    [InlineData("uid=%(user)s")]
    [InlineData("(uid=%(user)s))")]
    [InlineData("((uid=%(user)s)")]
    [InlineData("(uid=%(user)s)(cn=a)")]
    [InlineData("(uid=a)")]
    [InlineData("(&(uid=%(user)s)")]
    [InlineData("(&)(uid=%(user)s)")]
    [InlineData("(!(uid=%(user)s)(cn=a))")]
    [InlineData(@"(uid=%(user)s\4)")]
    [InlineData(@"(uid=%(user)s\zz)")]
    [InlineData(@"(uid=%(user)s\")]
    [InlineData("(=%(user)s)")]
    [InlineData("(uid:dn=%(user)s)")]
    [InlineData("(uid>%(user)s)")]
    [InlineData("(u id=%(user)s)")]
    [InlineData("")]
    public void What_is_no_filter_with_its_placeholder_is_refused(string filter) => Assert.Null(LdapFilter.TryParse(filter, "%(user)s"));

    [Fact]
    public void A_filter_may_not_be_nested_without_end() =>
        Assert.Null(LdapFilter.TryParse($"{string.Concat(Enumerable.Repeat("(!", 40))}(uid=%(user)s){new string(')', 40)}", "%(user)s"));

    [Property(MaxTest = 500)]
    public void Whatever_is_typed_is_one_value_and_no_part_of_the_filter(string typed)
    {
        var name = typed ?? "";
        var filter = new AsnReader(
            LdapFilter.TryParse("(&(objectClass=person)(uid=%(user)s))", "%(user)s")!.With(name), AsnEncodingRules.BER)
            .ReadSequence(new Asn1Tag(TagClass.ContextSpecific, 0, isConstructed: true));

        _ = filter.ReadEncodedValue();
        var item = filter.ReadSequence(new Asn1Tag(TagClass.ContextSpecific, 3, isConstructed: true));
        Assert.Equal("uid"u8.ToArray(), item.ReadOctetString());
        Assert.Equal(Encoding.UTF8.GetBytes(name), item.ReadOctetString());
        Assert.False(item.HasData || filter.HasData);
    }
}
