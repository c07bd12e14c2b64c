// users export: accounts as lines that users import reads, API keys in clear.

using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using FetchApiKey.Accounts;

namespace FetchApiKey.Cli.Transfer;

/// <summary>
/// Writes each account as storage gives it and keeps none. An account whose API key does not open is named and left out.
/// </summary>
public sealed class UserExport(RealmStore realms, AccountStore accounts, ApiKeyCipher cipher, OperatorActs acts)
{
    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <param name="path">
    /// <see cref="RecordFile.StandardInput"/>'s sign for <paramref name="output"/>, where the report then is left out.
    /// </param>
    /// <param name="only">The subdomain of one realm; null for all.</param>
    public async Task<int> RunAsync(
        string path, string? only, TextWriter output, Report report, TextWriter error, CancellationToken cancellation)
    {
        var faulty = new FaultyRows(error);
        var subdomains = (await realms.SubdomainsAsync(faulty.Meet, cancellation)).Where(each => only is null || each == only).ToList();
        if (only is not null && subdomains.Count == 0)
        {
            throw new OperatorException($"There is no {RealmCommands.Name(only)}.");
        }

        var (exported, failed) = (0, 0);
        if (path == RecordFile.StandardInput)
        {
            StandardOutput.MakePrivate(output);
            (_, failed) = await WriteAsync(subdomains, faulty, line => output.WriteLine(line), error, cancellation);
        }
        else
        {
            var file = await PrivateFile.CreateAsync(path, error, async file =>
                (exported, failed) = await WriteAsync(subdomains, faulty, line => file.Write(Encoding.UTF8.GetBytes(line + "\n")), error, cancellation));
            await report.WriteAsync(("file", file), ("exported", exported), ("failed", failed));
        }

        return failed == 0 ? ExitCode.Done : ExitCode.Refused;
    }

    private async Task<(int Exported, int Failed)> WriteAsync(
        IReadOnlyList<string> subdomains, FaultyRows faulty, Action<string> write, TextWriter error, CancellationToken cancellation)
    {
        var (exported, failed) = (0, 0);
        foreach (var subdomain in subdomains)
        {
            await acts.RecordAsync(subdomain, email: null, userId: null, cancellation);
            await foreach (var account in accounts.ListAsync(subdomain, faulty.Meet, cancellation))
            {
                if (cipher.Open(account, out var apiKey) == Opening.Opened)
                {
                    write(Line(account, apiKey));
                    exported++;
                }
                else
                {
                    await error.WriteLineAsync($"{account}: its API key cannot be opened, so it was left out");
                    failed++;
                }
            }
        }

        return (exported, failed + faulty.Count);
    }

    private static string Line(Account account, string apiKey)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, Options))
        {
            json.WriteStartObject();
            json.WriteString("realm", account.Subdomain);
            json.WriteString("email", account.Email);
            json.WriteNumber("user_id", account.UserId);
            json.WriteString("api_key", apiKey);
            json.WriteString("password", account.PasswordHash);
            json.WriteBoolean("is_active", account.IsActive);
            json.WriteNumber("role", account.Role);
            json.WriteString("created", account.Created.ToString("O", CultureInfo.InvariantCulture));
            if (account.FullName.Length > 0)
            {
                json.WriteString("full_name", account.FullName);
            }

            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length);
    }
}
