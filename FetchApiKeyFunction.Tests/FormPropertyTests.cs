// Form parsing and the look-up form of addresses, for whatever FsCheck thinks of.

using System.Text;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Microsoft.AspNetCore.Http;

namespace FetchApiKeyFunction.Tests;

public sealed class FormPropertyTests
{
    public sealed record Field(string Name, string Value);

    public static class Fields
    {
        private static readonly string[] Pieces = ["a", "Z", "0", " ", "+", "&", "=", "%", "%41", ";", "\0", "\r\n", "\"", "ü", "世", "🔑", "é", "username", "password"];

        public static Arbitrary<Field[]> Array() => (
            from count in Gen.Choose(0, 12)
            from fields in (from name in Text(1, 3) from value in Text(0, 6) select new Field(name, value)).ArrayOf(count)
            select fields).ToArbitrary();

        private static Gen<string> Text(int min, int max) =>
            from length in Gen.Choose(min, max)
            from pieces in Gen.Elements(Pieces).ArrayOf(length)
            select string.Concat(pieces);
    }

    [Property(Arbitrary = [typeof(Fields)], MaxTest = 500)]
    public async Task What_a_form_encodes_is_what_is_read_the_last_value_first_the_body_before_the_query(Field[] body, Field[] query)
    {
        var context = new DefaultHttpContext();
        context.Request.ContentType = "application/x-www-form-urlencoded";
        context.Request.Body = new MemoryStream(Encoding.ASCII.GetBytes(Encode(body)));
        context.Request.QueryString = new QueryString("?" + Encode(query));

        using var lifetime = new RequestLifetime(TimeProvider.System, CancellationToken.None);
        var (form, refusal) = await RequestForm.ReadAsync(context.Request, lifetime);

        Assert.Null(refusal);
        using (form)
        {
            var names = body.Concat(query).Select(field => field.Name).Distinct(StringComparer.Ordinal).ToList();
            Assert.Equal(names.Order(StringComparer.Ordinal), form!.Unconsumed().Order(StringComparer.Ordinal));
            foreach (var name in names)
            {
                var expected = (body.LastOrDefault(field => field.Name == name) ?? query.Last(field => field.Name == name)).Value;
                Assert.Equal(expected, form.TakeText(name));
                using var password = form.TakePassword(name);
                Assert.Equal(expected, Encoding.UTF8.GetString(password!.Utf8));
            }

            Assert.Empty(form.Unconsumed());
            Assert.Null(form.TakeText("never sent"));
        }
    }

    [Property(Arbitrary = [typeof(Fields)], MaxTest = 500)]
    public async Task A_multipart_form_reads_as_the_urlencoded_one_does(Field[] fields)
    {
        using var content = new MultipartFormDataContent();
        var sent = fields.Where(field => field.Name.All(c => char.IsAsciiLetterOrDigit(c))).ToList();
        if (sent.Count == 0)
        {
            return;
        }

        sent.ForEach(field => content.Add(new StringContent(field.Value), $"\"{field.Name}\""));
        var context = new DefaultHttpContext();
        context.Request.ContentType = content.Headers.ContentType!.ToString();
        context.Request.Body = await content.ReadAsStreamAsync();

        using var lifetime = new RequestLifetime(TimeProvider.System, CancellationToken.None);
        var (form, refusal) = await RequestForm.ReadAsync(context.Request, lifetime);

        Assert.Null(refusal);
        using (form)
        {
            Assert.All(sent, field => Assert.Equal(sent.Last(other => other.Name == field.Name).Value, form!.TakeText(field.Name)));
        }
    }

    [Property(MaxTest = 1000)]
    public void Two_addresses_are_one_exactly_when_their_ASCII_letters_differ_in_case_alone(NonEmptyString left, NonEmptyString right)
    {
        var (first, second) = (EmailAddress.TryParse($"{left.Get}@b.com"), EmailAddress.TryParse($"{right.Get}@b.com"));
        var upper = EmailAddress.TryParse($"{left.Get.ToUpperInvariant()}@B.COM");
        if (first is not null && upper is not null)
        {
            Assert.Equal(first.Canonical, upper.Canonical);
            Assert.Equal(first.Canonical, EmailAddress.TryParse(first.Canonical)?.Canonical);
        }

        if (first is not null && second is not null)
        {
            Assert.Equal(string.Equals(first.Text, second.Text, StringComparison.OrdinalIgnoreCase), first.Canonical == second.Canonical);
        }
    }

    private static string Encode(Field[] fields) =>
        string.Join('&', fields.Select(field => $"{Uri.EscapeDataString(field.Name)}={Uri.EscapeDataString(field.Value).Replace("%20", "+", StringComparison.Ordinal)}"));
}
