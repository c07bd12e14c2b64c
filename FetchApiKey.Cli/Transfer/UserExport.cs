// users export: accounts as lines that users import reads, API keys in clear.

using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using FetchApiKey.Accounts;

namespace FetchApiKey.Cli.Transfer;

/// <summary>
/// Writes each account as storage gives it and keeps none. An account whose API key does not open is named and left out, and so is one that
/// an import would refuse: what was exported is imported as a whole.
/// </summary>
public sealed class UserExport(RealmStore realms, AccountStore accounts, ApiKeyCipher cipher, OperatorActs acts, TimeProvider time)
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
            (_, failed) = await WriteAsync(
                subdomains, faulty, line => output.WriteLine(Encoding.UTF8.GetString(line)), error, cancellation);
        }
        else
        {
            var file = await PrivateFile.CreateAsync(path, error, async file =>
                (exported, failed) = await WriteAsync(subdomains, faulty, line => file.Write([.. line, (byte)'\n']), error, cancellation));
            await report.WriteAsync(("file", file), ("exported", exported), ("failed", failed));
        }

        return failed == 0 ? ExitCode.Done : ExitCode.Refused;
    }

    private async Task<(int Exported, int Failed)> WriteAsync(
        IReadOnlyList<string> subdomains, FaultyRows faulty, Action<byte[]> write, TextWriter error, CancellationToken cancellation)
    {
        var (exported, failed) = (0, 0);
        foreach (var subdomain in subdomains)
        {
            await acts.RecordAsync(subdomain, email: null, userId: null, cancellation);
            var userIds = new HashSet<int>();
            await foreach (var account in accounts.ListAsync(subdomain, faulty.Meet, cancellation))
            {
                if (FaultOf(account, userIds, out var line) is { } fault)
                {
                    await error.WriteLineAsync($"{account}: {fault}, so it was left out");
                    failed++;
                }
                else
                {
                    write(line);
                    exported++;
                }
            }
        }

        return (exported, failed + faulty.Count);
    }

    /// <summary>Why an account cannot be exported; null, and its line, where it can.</summary>
    /// <param name="userIds">Of the accounts of its realm that were exported.</param>
    private string? FaultOf(Account account, HashSet<int> userIds, out byte[] line)
    {
        line = [];
        if (cipher.Open(account, out var apiKey) != Opening.Opened)
        {
            return "its API key cannot be opened";
        }

        line = Line(account, apiKey);
        return UserLine.Parse(RecordFile.FromJson(1, line, UserLine.Fields), _ => true, time, out _)
            ?? (userIds.Add(account.UserId) ? null : "another account has its user_id");
    }

    private static byte[] Line(Account account, string apiKey)
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

        return buffer.ToArray();
    }
}
