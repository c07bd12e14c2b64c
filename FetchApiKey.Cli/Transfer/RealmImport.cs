// realms import: organisations from a file, such as the one that realms list --json writes.

using FetchApiKey.Accounts;

namespace FetchApiKey.Cli.Transfer;

/// <summary>
/// Judges the whole file before it writes anything. A realm that is there already, just as the line has it, is left alone.
/// </summary>
public sealed class RealmImport(RealmStore realms, OperatorActs acts)
{
    public static RecordFields Fields { get; } = new(
        ["subdomain", "name"],
        ["description", "icon", "public_url", "is_active", "email_backend"],
        ["subdomain", "name", "is_active"]);

    public async Task<int> RunAsync(RecordFile file, Report report, TextWriter error, CancellationToken cancellation)
    {
        var stored = (await realms.ListAsync(new FaultyRows(error).Meet, cancellation)).ToDictionary(realm => realm.Subdomain, StringComparer.Ordinal);
        var lines = new Dictionary<string, int>(StringComparer.Ordinal);
        var fresh = new List<Realm>();
        var (faults, unchanged) = (0, 0);
        await foreach (var reading in file.ReadAsync(cancellation))
        {
            var fault = Parse(reading, out var realm);
            if (realm is not null && !lines.TryAdd(realm.Subdomain, reading.Number))
            {
                fault = $"its subdomain is that of line {lines[realm.Subdomain]}";
            }
            else if (realm is not null && stored.TryGetValue(realm.Subdomain, out var there))
            {
                unchanged++;
                fault = realm == there ? null : $"there is a {RealmCommands.Name(realm.Subdomain)} already, which differs";
            }
            else if (realm is not null)
            {
                fresh.Add(realm);
            }

            if (fault is not null)
            {
                faults++;
                await error.WriteLineAsync($"line {reading.Number}: {fault}");
            }
        }

        if (faults > 0)
        {
            throw new OperatorException($"{faults} faulty lines, so nothing was imported.");
        }

        var failed = 0;
        var bar = new ProgressBar(error, "writing", fresh.Count);
        await bar.AccompanyAsync("realms", async () =>
        {
            foreach (var realm in fresh)
            {
                await acts.RecordAsync(realm.Subdomain, email: null, userId: null, cancellation);
                if (!await realms.AddAsync(realm, cancellation))
                {
                    failed++;
                    bar.Tell($"line {lines[realm.Subdomain]}: its subdomain was taken meanwhile");
                }

                bar.Advance();
            }
        }, cancellation);

        await report.WriteAsync(("imported", fresh.Count - failed), ("unchanged", unchanged), ("failed", failed));
        return failed == 0 ? ExitCode.Done : ExitCode.Refused;
    }

    private static string? Parse(Reading reading, out Realm? realm)
    {
        realm = null;
        if (reading.Record is not { } row)
        {
            return reading.Fault;
        }

        if (row.Text("subdomain") is not { } subdomain || !Realm.IsSubdomain(subdomain))
        {
            return "subdomain: is not one DNS label in lower case, or empty";
        }

        if (row.Text("name") is not { Length: > 0 } name)
        {
            return "name: is empty or no text";
        }

        foreach (var field in new[] { "description", "icon", "public_url" })
        {
            if (row.Has(field) && row.Text(field) is null)
            {
                return $"{field}: is no text";
            }
        }

        if (!Realm.IsIcon(row.Text("icon") ?? ""))
        {
            return "icon: is not the URL of a picture, with https:// or http://, or a path such as /icon.png";
        }

        var url = row.Text("public_url") is { Length: > 0 } text ? text : null;
        if (url is not null && Realm.OriginOf(url) is null)
        {
            return "public_url: is not an origin such as https://chat.example.com";
        }

        foreach (var field in new[] { "is_active", "email_backend" })
        {
            if (row.Has(field) && row.Flag(field) is null)
            {
                return $"{field}: is neither true nor false";
            }
        }

        realm = new Realm(
            subdomain, name, row.Text("description") ?? "", row.Text("icon") ?? "", url is null ? null : Realm.OriginOf(url),
            row.Flag("is_active") ?? true, row.Flag("email_backend") ?? true ? PasswordBackends.Email : PasswordBackends.None);
        return null;
    }
}
