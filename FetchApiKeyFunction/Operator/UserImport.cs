// users import: accounts with the hashes and keys they already have, from JSON lines.

using System.Text;
using System.Text.Json;
using FetchApiKeyFunction.Accounts;
using FetchApiKeyFunction.Passwords;

namespace FetchApiKeyFunction.Operator;

/// <summary>
/// Reads a whole file before it writes anything: a file with a faulty line is not imported at all, unless the operator
/// says to skip such lines. An account that is there already, just as the line has it, is counted and left alone, so that
/// a file can be imported again after an interruption.
/// </summary>
public sealed class UserImport(RealmStore realms, AccountStore accounts, HashCeilings ceilings, ApiKeyCipher cipher, OperatorActs acts, TimeProvider time)
{
    private const int ConcurrentWrites = 32;
    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false, MaxDepth = 2 };

    private sealed record Line(int Number, Account Account, EmailAddress Email)
    {
        public string Partition { get; } = Account.PartitionOf(Account.Subdomain, Email);
    }

    public async Task<int> RunAsync(FileInfo file, bool skipInvalid, Report report, TextWriter error, CancellationToken cancellation)
    {
        if (!file.Exists)
        {
            throw new OperatorException($"There is no file {file.FullName}.");
        }

        var faults = new List<(int Number, string Fault)>();
        var sound = await ReadAsync(file, faults, cancellation);
        var (fresh, unchanged) = await CompareAsync(sound, faults, cancellation);
        if (faults.Count > 0)
        {
            await TellAsync(faults, error);
            if (!skipInvalid)
            {
                throw new OperatorException($"{faults.Count} faulty lines, so nothing was imported. --skip-invalid imports the others.");
            }
        }

        foreach (var subdomain in fresh.Select(line => line.Account.Subdomain).Distinct(StringComparer.Ordinal))
        {
            await acts.RecordAsync(subdomain, email: null, userId: null, cancellation);
        }

        var failed = new List<(int Number, string Fault)>();
        await Parallel.ForEachAsync(
            fresh,
            new ParallelOptions { MaxDegreeOfParallelism = ConcurrentWrites, CancellationToken = cancellation },
            async (line, token) =>
            {
                var addition = await accounts.AddAsync(line.Account, line.Email, token);
                if (addition != Addition.Added)
                {
                    lock (failed)
                    {
                        failed.Add((line.Number, addition == Addition.EmailTaken ? "its email was taken meanwhile" : "its user_id was taken meanwhile"));
                    }
                }
            });
        await TellAsync(failed, error);
        await report.WriteAsync(
            ("imported", fresh.Count - failed.Count), ("unchanged", unchanged), ("skipped", faults.Count), ("failed", failed.Count));
        return failed.Count == 0 ? ExitCode.Done : ExitCode.Refused;
    }

    private static async Task TellAsync(List<(int Number, string Fault)> faults, TextWriter error)
    {
        foreach (var (number, fault) in faults.OrderBy(fault => fault.Number))
        {
            await error.WriteLineAsync($"line {number}: {fault}");
        }
    }

    // ---- Judging the file by itself ----

    private async Task<List<Line>> ReadAsync(FileInfo file, List<(int Number, string Fault)> faults, CancellationToken cancellation)
    {
        var subdomains = (await realms.ListAsync(cancellation)).Select(realm => realm.Subdomain).ToHashSet(StringComparer.Ordinal);
        var emails = new Dictionary<string, int>(StringComparer.Ordinal);
        var userIds = new Dictionary<(string, int), int>();
        var sound = new List<Line>();
        var number = 0;
        await foreach (var text in File.ReadLinesAsync(file.FullName, new UTF8Encoding(false, throwOnInvalidBytes: false), cancellation))
        {
            number++;
            if (string.IsNullOrWhiteSpace(text))
            {
                continue;
            }

            var fault = Parse(number, text, subdomains, out var line);
            if (line is not null && !emails.TryAdd(line.Partition, number))
            {
                fault = $"its email is that of line {emails[line.Partition]}";
            }
            else if (line is not null && !userIds.TryAdd((line.Account.Subdomain, line.Account.UserId), number))
            {
                fault = $"its user_id is that of line {userIds[(line.Account.Subdomain, line.Account.UserId)]}";
            }

            if (fault is null)
            {
                sound.Add(line!);
            }
            else
            {
                faults.Add((number, fault));
            }
        }

        return sound;
    }

    /// <summary>The fault of a line, or null and the account it tells of.</summary>
    private string? Parse(int number, string text, HashSet<string> subdomains, out Line? line)
    {
        line = null;
        try
        {
            using var document = JsonDocument.Parse(text, Strict);
            var row = document.RootElement;
            if (row.ValueKind != JsonValueKind.Object)
            {
                return "is not a JSON object";
            }

            string[] known = ["realm", "email", "user_id", "api_key", "password", "is_active", "role"];
            if (row.EnumerateObject().FirstOrDefault(member => !known.Contains(member.Name)) is { Value.ValueKind: not JsonValueKind.Undefined } unknown)
            {
                return $"has an unknown member '{unknown.Name}'";
            }

            if (Text(row, "realm") is not { } subdomain || !subdomains.Contains(subdomain))
            {
                return "realm: names no realm";
            }

            if (Text(row, "email") is not { } emailText || EmailAddress.TryParse(emailText) is not { } email)
            {
                return "email: is not an e-mail address";
            }

            if (Number(row, "user_id") is not (> 0 and < int.MaxValue and var userId))
            {
                return $"user_id: is not a whole number from 1 to {int.MaxValue - 1}";
            }

            if (Text(row, "api_key") is not { } apiKey || !Account.IsApiKey(apiKey))
            {
                return "api_key: is not 32 letters and digits";
            }

            if (Text(row, "password") is not { } password)
            {
                return "password: is not an encoded password";
            }

            if (StoredHash.Parse(password, ceilings) is RefusedHash refused)
            {
                return $"password: is {refused.Reason}";
            }

            var role = row.TryGetProperty("role", out _) ? Number(row, "role") : Account.Member;
            if (role is not { } known_ || !Account.Roles.Values.Contains(known_))
            {
                return $"role: is none of {string.Join(", ", Account.Roles.Values)}";
            }

            var isActive = row.TryGetProperty("is_active", out var active) ? active.ValueKind : JsonValueKind.True;
            if (isActive is not (JsonValueKind.True or JsonValueKind.False))
            {
                return "is_active: is neither true nor false";
            }

            var account = new Account(subdomain, userId, emailText, password, cipher.Seal(subdomain, userId, apiKey), isActive == JsonValueKind.True, known_, time.GetUtcNow());
            line = new Line(number, account, email);
            return null;
        }
        catch (JsonException)
        {
            // Its message would quote the line, which holds a hash and a key.
            return "is not JSON";
        }
    }

    private static string? Text(JsonElement row, string name) =>
        row.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static int? Number(JsonElement row, string name) =>
        row.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number) ? number : null;

    // ---- Judging it beside what is stored ----

    private async Task<(List<Line> Fresh, int Unchanged)> CompareAsync(
        List<Line> lines, List<(int Number, string Fault)> faults, CancellationToken cancellation)
    {
        var fresh = new List<Line>();
        var unchanged = 0;
        foreach (var ofRealm in lines.GroupBy(line => line.Account.Subdomain, StringComparer.Ordinal))
        {
            var byEmail = new Dictionary<string, Account>(StringComparer.Ordinal);
            var userIds = new HashSet<int>();
            await foreach (var account in accounts.ListAsync(ofRealm.Key, cancellation))
            {
                userIds.Add(account.UserId);
                if (EmailAddress.TryParse(account.Email) is { } email)
                {
                    byEmail[Account.PartitionOf(ofRealm.Key, email)] = account;
                }
            }

            foreach (var line in ofRealm)
            {
                if (byEmail.TryGetValue(line.Partition, out var there))
                {
                    if (IsSame(line.Account, there))
                    {
                        unchanged++;
                    }
                    else
                    {
                        faults.Add((line.Number, "its email has an account already, which differs"));
                    }
                }
                else if (userIds.Contains(line.Account.UserId))
                {
                    faults.Add((line.Number, "its user_id is taken"));
                }
                else
                {
                    fresh.Add(line);
                }
            }
        }

        return (fresh, unchanged);
    }

    /// <summary>Two seals of one key differ, so the keys themselves are compared.</summary>
    private bool IsSame(Account line, Account there) =>
        line with { SealedApiKey = there.SealedApiKey, Created = there.Created, ETag = there.ETag } == there
        && cipher.Open(line, out var given) == Opening.Opened
        && cipher.Open(there, out var stored) == Opening.Opened
        && given == stored;
}
