// The one reader of JSON from outside: what it gives, and that nothing makes it or its members throw.

using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace FetchApiKeyFunction.Tests;

public sealed class JsonMembersTests
{
    [Fact]
    public void Members_are_read_as_what_they_are_and_as_nothing_else()
    {
        var json = Read("""{"text":"a\ud83d\ude00","number":7,"real":1.5,"far":1e400,"yes":true,"no":false,"none":null,"list":[],"nested":{"a":1}}""")!;

        Assert.Equal(["text", "number", "real", "far", "yes", "no", "none", "list", "nested"], json.Names);
        Assert.Equal("a😀", json.Text("text"));
        Assert.Equal(
            (7, 7.0, (bool?)null, (string?)null), (json.Number("number"), json.Real("number"), json.Flag("number"), json.Text("number")));
        Assert.Equal((null, 1.5), (json.Number("real"), json.Real("real")));
        Assert.Equal((null, double.PositiveInfinity), (json.Number("far"), json.Real("far")));
        Assert.Equal((true, false, null), (json.Flag("yes"), json.Flag("no"), json.Flag("none")));
        Assert.Equal(
            (false, true, true, false), (json.IsEmpty("text"), json.IsEmpty("none"), json.IsEmpty("list"), json.IsEmpty("nested")));
        Assert.Equal(1, json.Members("nested")!.Number("a"));
        Assert.Equal(
            (false, null, null, null, JsonValueKind.Undefined),
            (json.Has("other"), json.Text("other"), json.Number("other"), json.Members("other"), json.Kind("other")));
    }

    [Theory]
    [InlineData("null", true)]
    [InlineData("\"\"", true)]
    [InlineData("\" \"", false)]
    [InlineData("[]", true)]
    [InlineData("[null]", false)]
    [InlineData("{}", false)]
    [InlineData("0", false)]
    [InlineData("false", false)]
    public void A_member_without_anything_in_it_is_empty(string value, bool isEmpty) =>
        Assert.Equal(isEmpty, Read($$"""{"a":{{value}}}""")!.IsEmpty("a"));

    [Fact]
    public void A_member_that_is_missing_is_not_empty() => Assert.False(Read("{}")!.IsEmpty("a"));

    [Theory]
    [InlineData(1, 1)]
    [InlineData(4, 4)]
    [InlineData(100, 100)]
    public void Objects_and_arrays_stand_in_each_other_as_deep_as_the_reader_wants(int depth, int nested)
    {
        var array = nested > 1 ? new string('[', nested - 1) + new string(']', nested - 1) : "1";
        var text = Encoding.UTF8.GetBytes($$"""{"a":{{array}}}""");

        Assert.NotNull(JsonMembers.Read(text, depth, out var fault));
        Assert.Equal("", fault);
        Assert.Equal(depth > 1, JsonMembers.Read(text, Math.Max(depth - 1, 1), out _) is null);
    }

    [Theory]
    [InlineData("""{"\ud83d":1,"alg":"HS256"}""", "has half of a surrogate pair in a string")]
    [InlineData("""{"a":"\udc00"}""", "has half of a surrogate pair in a string")]
    [InlineData("""{"a":["\ude00\ud83d"]}""", "has half of a surrogate pair in a string")]
    [InlineData("""{"a":{"b":"x\ud800x"}}""", "has half of a surrogate pair in a string")]
    [InlineData("""{"a":1,"a":2}""", "is not JSON, or nested too deeply, or names a member twice")]
    [InlineData("""{"a":1,"\u0061":2}""", "is not JSON, or nested too deeply, or names a member twice")]
    [InlineData("""{"x":{"a":1,"a":2}}""", "is not JSON, or nested too deeply, or names a member twice")]
    [InlineData("""{"a":[[[[]]]]}""", "is not JSON, or nested too deeply, or names a member twice")]
    [InlineData("""{"a":1}{}""", "is not JSON, or nested too deeply, or names a member twice")]
    [InlineData("""{"a":1,}""", "is not JSON, or nested too deeply, or names a member twice")]
    [InlineData("""{"a":NaN}""", "is not JSON, or nested too deeply, or names a member twice")]
    [InlineData("\uFEFF{}", "is not JSON, or nested too deeply, or names a member twice")]
    [InlineData("", "is not JSON, or nested too deeply, or names a member twice")]
    [InlineData("[]", "is not a JSON object")]
    [InlineData("\"\"", "is not a JSON object")]
    [InlineData("null", "is not a JSON object")]
    public void What_is_no_sound_object_is_a_fault(string text, string expected)
    {
        Assert.Null(JsonMembers.Read(Encoding.UTF8.GetBytes(text), 4, out var fault));
        Assert.Equal(expected, fault);
    }

    [Theory]
    [InlineData("{\"a\":\"\u00FC\"}")]
    [InlineData("{\"\u00E9\":1}")]
    [InlineData("{\"a\":\"\u00ED\u00A0\u0080\"}")]
    public void Bytes_that_are_not_UTF_8_are_a_fault(string latin1)
    {
        Assert.Null(JsonMembers.Read(Encoding.Latin1.GetBytes(latin1), 4, out var fault));
        Assert.Equal("is not UTF-8", fault);
    }

    /// <summary>Whatever is read, every getter answers for every name.</summary>
    [Fact]
    public void No_damage_to_a_text_makes_anything_throw()
    {
        var sound = """{"a":"\ud83d\ude00é","b":[1,{"c":"\u00e9"}],"d":{"e":null,"f":-1.5e-7},"g":true,"":"x"}"""u8.ToArray();
        byte[] likely = [.. "\\u\"{}[]:,dD89abc0 e+-."u8, 0x80, 0xC3, 0xED, 0xFF];
        for (var i = 0; i < 50_000; i++)
        {
            var text = sound.ToArray();
            for (var j = RandomNumberGenerator.GetInt32(1, 5); j > 0; j--)
            {
                text[RandomNumberGenerator.GetInt32(text.Length)] = likely[RandomNumberGenerator.GetInt32(likely.Length)];
            }

            if (JsonMembers.Read(text, RandomNumberGenerator.GetInt32(1, 5), out _) is { } read)
            {
                Visit(read);
            }
        }
    }

    private static void Visit(JsonMembers json)
    {
        foreach (var name in json.Names)
        {
            _ = (json.Text(name), json.Number(name), json.Real(name), json.Flag(name), json.Kind(name), json.IsEmpty(name), json.Has(name));
            if (json.Members(name) is { } nested)
            {
                Visit(nested);
            }
        }
    }

    private static JsonMembers? Read(string text) => JsonMembers.Read(Encoding.UTF8.GetBytes(text), 4, out _);
}
