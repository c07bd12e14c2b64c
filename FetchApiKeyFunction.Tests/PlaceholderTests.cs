// Settings that somebody forgot to fill in, or that the platform did not: none is taken for a secret.

using System.Buffers.Text;
using System.Security.Cryptography;
using Microsoft.Extensions.Configuration;

namespace FetchApiKeyFunction.Tests;

public sealed class PlaceholderTests
{
    private const string Insights = "APPLICATIONINSIGHTS_CONNECTION_STRING";

    private static readonly Dictionary<string, string> Sound = new()
    {
        ["AccountStorage"] = "UseDevelopmentStorage=true",
        ["ExternalHost"] = "zulip.example.com",
        ["ApiKeys:keys:one"] = Convert.ToBase64String(new byte[32]),
        ["Jwt:portal:realms"] = "@",
        ["Jwt:portal:algorithms"] = "HS256",
        ["Jwt:portal:key"] = "thirty-two bytes and some more of them",
        ["Ldap:corp:realms"] = "@",
        ["Ldap:corp:uri"] = "ldaps://ldap.example.com",
        ["Ldap:corp:userSearchBase"] = "dc=example,dc=com",
        ["Ldap:corp:bindDn"] = "cn=reader,dc=example,dc=com",
        ["Ldap:corp:bindPassword"] = "s3cr3t",
        [Insights] = $"InstrumentationKey={Guid.Empty}",
        ["OTEL_EXPORTER_OTLP_HEADERS"] = "api-key=s3cr3t",
    };

    private static readonly string[] Secrets = ["AccountStorage", "ApiKeys:keys:one", "Jwt:portal:key", "Ldap:corp:bindPassword", Insights, "OTEL_EXPORTER_OTLP_HEADERS"];

    public static TheoryData<string, string> References => Cases(
    [
        "@Microsoft.KeyVault(SecretUri=https://vault.vault.azure.net/secrets/jwt-signing-key/)", "@microsoft.keyvault(VaultName=v;SecretName=a-name-of-some-length)",
        " \t@MICROSOFT.AppConfiguration(Endpoint=https://x.azconfig.io; Key=some-key-of-length) ", "@Microsoft.",
        "\"@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/s)\"", "'@Microsoft.KeyVault(VaultName=v;SecretName=s)'",
        "\uFEFF@Microsoft.KeyVault(VaultName=v;SecretName=s)", "\u200B \u2060@Micro\u00ADsoft.KeyVault(VaultName=v;SecretName=s)",
        "\u201C@Microsoft.KeyVault(VaultName=v;SecretName=s)\u201D", "\u2800\u3164\uFE0F@Microsoft.KeyVault(VaultName=v;SecretName=s)",
        "\uFEFF\"\u200B'@Microsoft.KeyVault(VaultName=v;SecretName=s)'\"\n",
    ]);

    public static TheoryData<string, string> OtherReferences => Cases(
    [
        "op://vault/item/password-of-some-length", "vault:secret/data/login#password-of-some-length", "'vault:secret/login#key'",
        "ref+vault://secret/login#/key-of-some-length", "akv://vault/secrets/signing-key-of-some-length", "keyvault://vault/secrets/signing-key",
        "arn:aws:secretsmanager:eu-west-1:123456789012:secret:login", "projects/my-project/secrets/login/versions/latest",
    ]);

    public static TheoryData<string, string> Gaps => Cases(
    [
        "%PORTAL_SIGNING_KEY_OF_SOME_LENGTH%", " %a% ", "${PORTAL_SIGNING_KEY_OF_SOME_LENGTH}", "$(portal-signing-key-of-some-length)", "{{ portal.signing.key.of.some.length }}",
        "#{PORTAL_SIGNING_KEY_OF_SOME_LENGTH}#", "<paste the key of the portal here, all of it>", "  <KEY>\n", "changeme", "ChangeMe-and-make-it-thirty-two-bytes", " CHANGE_ME ", "change-me!", "replace-me",
        "<paste the key of the portal here, all of it> # from vault", "'<paste the key here>'", "\uFEFF<paste the key of the portal here>\u200B",
        "__PORTAL_SIGNING_KEY_OF_SOME_LENGTH__", "$PORTAL_SIGNING_KEY_OF_SOME_LENGTH", "$env:PortalSigningKeyOfSomeLength", "\"${PORTAL_KEY}\"",
        "change_this_secret_before_the_first_start", "change-this", "Change This To Something", "changethis-and-make-it-longer", "changeit",
        "replace-this-with-thirty-two-bytes", "replace_with_me", "your-256-bit-secret", "your_secret_of_thirty-two-bytes", "YOUR_JWT_SECRET_KEY",
        "your-super-secret-jwt-key-of-length", "yourpassword", "insert-your-key-here", "TODO: the key of the portal", "placeholder-of-thirty-two-bytes",
    ]);

    [Theory]
    [MemberData(nameof(References))]
    public void A_reference_that_was_not_resolved_is_named_with_what_to_look_at(string secret, string value)
    {
        var fault = Assert.Single(FaultsOf((secret, value)));

        Assert.StartsWith($"{Variable(secret)}: is a reference that was not resolved", fault, StringComparison.Ordinal);
        Assert.Contains("identity", fault, StringComparison.Ordinal);
        Assert.Contains("role", fault, StringComparison.Ordinal);
        Assert.Contains("network", fault, StringComparison.Ordinal);
        Assert.Contains("make no new key", fault, StringComparison.Ordinal);
        Assert.DoesNotContain("keys generate", fault, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(OtherReferences))]
    public void A_reference_to_another_store_of_secrets_is_no_secret(string secret, string value)
    {
        var fault = Assert.Single(FaultsOf((secret, value)));

        Assert.StartsWith($"{Variable(secret)}: is a reference that was not resolved", fault, StringComparison.Ordinal);
        Assert.Contains("make no new key", fault, StringComparison.Ordinal);
        Assert.DoesNotContain("identity", fault, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\uFEFF")]
    [InlineData("\u200B\u2060")]
    [InlineData("\"\"")]
    [InlineData("' \u3164'")]
    public void What_has_no_character_that_can_be_seen_is_no_secret(string value) =>
        Assert.Equal(
            ["Ldap__corp__bindPassword: has no character that can be seen: set the secret itself"],
            FaultsOf(("Ldap:corp:bindPassword", value)));

    [Theory]
    [MemberData(nameof(Gaps))]
    public void A_gap_that_was_not_filled_is_no_secret(string secret, string value)
    {
        var fault = Assert.Single(FaultsOf((secret, value)));

        Assert.Matches($"\\A{Variable(secret)}: is a (variable that nothing filled in|placeholder of an example)", fault);
        Assert.DoesNotContain("keys generate", fault, StringComparison.Ordinal);
        Assert.DoesNotContain(value.Trim(), fault, StringComparison.OrdinalIgnoreCase);
    }

    [Theory]
    [InlineData("AccountStorage", "DefaultEndpointsProtocol=https;AccountName=login;AccountKey=changeme;EndpointSuffix=core.windows.net")]
    [InlineData("AccountStorage", "DefaultEndpointsProtocol=https;AccountName=login;AccountKey= <key> ")]
    [InlineData(Insights, "InstrumentationKey=${INSIGHTS};IngestionEndpoint=https://x/")]
    [InlineData(Insights, "InstrumentationKey=0;changeme")]
    [InlineData("OTEL_EXPORTER_OTLP_HEADERS", "a=b,api-key=@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/k)")]
    [InlineData("Jwt:portal:key", "base64:<base64 of thirty-two bytes or more, from the portal>")]
    [InlineData("Jwt:portal:key", "'base64:\"<base64 of thirty-two bytes or more>\"'")]
    [InlineData("AccountStorage", "\"DefaultEndpointsProtocol=https;AccountName=login;AccountKey=<key>\"")]
    [InlineData("AccountStorage", "DefaultEndpointsProtocol=https;AccountName=login;AccountKey=__KEY__;EndpointSuffix=core.windows.net")]
    [InlineData("OTEL_EXPORTER_OTLP_HEADERS", "api-key=$HONEYCOMB_KEY")]
    [InlineData("Jwt:portal:key", "base64:changemechangemechangemechangemechangemechangeme")]
    [InlineData("ApiKeys:keys:one", "ChangeMeChangeMeChangeMeChangeMeChangeMeCha=")]
    public void A_placeholder_in_a_part_or_behind_a_prefix_is_seen(string secret, string value) =>
        Assert.StartsWith(Variable(secret) + ": is a ", Assert.Single(FaultsOf((secret, value))), StringComparison.Ordinal);

    [Theory]
    [InlineData("AccountStorage")]
    [InlineData("OTEL_EXPORTER_OTLP_HEADERS")]
    public void A_reference_of_parts_is_a_reference_whatever_its_parts_are(string secret) =>
        Assert.StartsWith(
            Variable(secret) + ": is a reference",
            Assert.Single(FaultsOf((secret, "@Microsoft.KeyVault(VaultName=%VAULT%;SecretName=<name>)"))), StringComparison.Ordinal);

    [Fact]
    public void All_are_named_at_once_each_once()
    {
        var faults = FaultsOf([.. Secrets.Select(secret => (secret, "@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/s)")), ("Argon2:passes", "0")]);

        Assert.Equal(
            [.. Secrets.Select(Variable).Append("Argon2__passes").Order(StringComparer.Ordinal)],
            faults.Select(fault => fault.Split(':')[0]).Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("ExternalHost")]
    [InlineData("AttemptLimit:perAccount")]
    [InlineData("Ldap:corp:userSearchFilter")]
    [InlineData("Jwt:portal:audience")]
    public void An_unresolved_reference_is_no_value_of_any_other_setting_either(string name) =>
        Assert.StartsWith(
            $"{Variable(name)}: is a reference",
            Assert.Single(FaultsOf((name, "@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/s)"))),
            StringComparison.Ordinal);

    [Theory]
    [InlineData("Ldap:corp:bindPassword", "100%")]
    [InlineData("Ldap:corp:bindPassword", "%1<2>")]
    [InlineData("Ldap:corp:bindPassword", "a<b>")]
    [InlineData("Ldap:corp:bindPassword", "$money{")]
    [InlineData("Ldap:corp:bindPassword", "x@Microsoft.com")]
    [InlineData("Ldap:corp:bindPassword", "exchangeme")]
    [InlineData("Ldap:corp:bindPassword", "$money")]
    [InlineData("Ldap:corp:bindPassword", "$ecret_Word1")]
    [InlineData("Ldap:corp:bindPassword", "$uP3rS!cret$")]
    [InlineData("Ldap:corp:bindPassword", "<3 horses & a <battery>")]
    [InlineData("Ldap:corp:bindPassword", "<r%4$kQ!z>")]
    [InlineData("Ldap:corp:bindPassword", "%r<4$kQ!z%")]
    [InlineData("Ldap:corp:bindPassword", "\"quoted\"")]
    [InlineData("Ldap:corp:bindPassword", "\U0001F511\U0001F40E")]
    [InlineData("Ldap:corp:bindPassword", "change-medal-horse-battery")]
    [InlineData("Ldap:corp:bindPassword", "replace melody with thistle")]
    [InlineData("Ldap:corp:bindPassword", "yourself-keyboard-token")]
    [InlineData("Ldap:corp:bindPassword", "your horse has a battery staple")]
    [InlineData("Ldap:corp:bindPassword", "put the kettle on at nine")]
    [InlineData("Ldap:corp:bindPassword", "vaulted:ceiling")]
    [InlineData("Ldap:corp:bindPassword", "todorov1986")]
    [InlineData("Ldap:corp:bindPassword", "__init__x")]
    [InlineData("Ldap:corp:bindPassword", " blanks ")]
    [InlineData("Ldap:corp:bindPassword", "a;b=<c>")]
    [InlineData("Jwt:portal:key", "I will not change me, said the secret, never")]
    [InlineData("Ldap:corp:userSearchFilter", "(|(uid=%(user)s)(mail=%(user)s))")]
    public void What_only_resembles_one_is_taken(string name, string value) => Assert.Empty(FaultsOf((name, value)));

    /// <summary>The same at each run.</summary>
    [Fact]
    public void What_chance_gives_is_taken()
    {
        for (var i = 0; i < 10_000; i++)
        {
            var bytes = SHA512.HashData(BitConverter.GetBytes(i));
            var length = 16 + (i % 49);
            // Of the whole of ASCII that can be printed, and what connection strings can have in them.
            Assert.Null(FaultOf(string.Concat(bytes.Take(length).Select(each => (char)(' ' + (each % 95)))), hasParts: false));
            foreach (var secret in new[] { Convert.ToBase64String(bytes), Base64Url.EncodeToString(bytes), Convert.ToHexString(bytes) })
            {
                Assert.Null(FaultOf(secret[..length], hasParts: false));
                Assert.Null(FaultOf($"AccountName=login;AccountKey={secret[..length]}", hasParts: true));
            }
        }

        static string? FaultOf(string secret, bool hasParts) =>
            Placeholders.FaultOfSecret(secret, hasParts) is { } fault ? $"{secret} {fault}" : null;
    }

    private static List<string> FaultsOf(params (string Name, string Value)[] settings)
    {
        var values = new Dictionary<string, string?>(Sound.Select(each => KeyValuePair.Create(each.Key, (string?)each.Value)));
        foreach (var (name, value) in settings)
        {
            values[name] = value;
        }

        try
        {
            Settings.Read(new ConfigurationBuilder().AddInMemoryCollection(values).Build(), answersRequests: false);
            return [];
        }
        catch (InvalidSettingsException invalid)
        {
            return [.. invalid.Faults];
        }
    }

    private static string Variable(string name) => name.Replace(":", "__", StringComparison.Ordinal);

    private static TheoryData<string, string> Cases(string[] values)
    {
        var cases = new TheoryData<string, string>();
        foreach (var secret in Secrets)
        {
            foreach (var value in values)
            {
                cases.Add(secret, value);
            }
        }

        return cases;
    }
}
