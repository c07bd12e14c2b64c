// realms add, list, set, deactivate and reactivate.

using FetchApiKey.Accounts;

namespace FetchApiKey.Cli;

/// <summary>What a command says of a realm; null leaves a value as it is.</summary>
public sealed record RealmChange(string? Name, string? Description, string? Icon, string? PublicUrl, bool? IsActive, bool? EmailBackend)
{
    /// <summary>The columns of what it says.</summary>
    public IReadOnlyList<string> Columns =>
    [
        .. new (string Column, object? Given)[]
        {
            (nameof(Realm.Name), Name), (nameof(Realm.Description), Description), (nameof(Realm.Icon), Icon), (nameof(Realm.PublicUrl), PublicUrl),
            (nameof(Realm.IsActive), IsActive), (nameof(EmailBackend), EmailBackend),
        }.Where(each => each.Given is not null).Select(each => each.Column),
    ];
}

public sealed class RealmCommands(RealmStore realms, OperatorActs acts, Confirmation confirmation, Report report, TextWriter error)
{
    public async Task<int> AddAsync(string subdomain, RealmChange change, CancellationToken cancellation)
    {
        if (!Realm.IsSubdomain(subdomain))
        {
            throw new OperatorException($"'{subdomain}' is not a subdomain: one DNS label in lower case.");
        }

        if (subdomain == Realm.RootAlias)
        {
            throw new OperatorException($"'{subdomain}' is no subdomain to give away: at that host people reach the root realm.");
        }

        var realm = Apply(change, Blank(subdomain));
        var isTaken = await realms.ReadAsync(subdomain, cancellation) is not { Realm: null, Malformed: null };
        if (!isTaken)
        {
            await acts.RecordAsync(subdomain, email: null, userId: null, cancellation);
            isTaken = !await realms.AddAsync(realm, cancellation);
        }

        if (isTaken)
        {
            throw new OperatorException($"There is a {Name(subdomain)} already.");
        }

        await report.WriteAsync(Row(realm));
        return ExitCode.Done;
    }

    public async Task<int> ListAsync(CancellationToken cancellation)
    {
        var faulty = new FaultyRows(error);
        await report.WriteAsync([.. (await realms.ListAsync(faulty.Meet, cancellation)).Select(Row)]);
        return faulty.ExitCode;
    }

    public async Task<int> SetAsync(string subdomain, RealmChange change, CancellationToken cancellation)
    {
        // Only what is given is written, so a row that cannot be read is mended by it where that is what was wrong.
        var (before, malformed) = await realms.ReadAsync(subdomain, cancellation);
        if (before is null && malformed is null)
        {
            throw new OperatorException($"There is no {Name(subdomain)}.");
        }

        var ordered = Apply(change, before ?? Blank(subdomain));
        if (change.IsActive == false || change.EmailBackend == false)
        {
            await confirmation.RequireAsync($"Nobody of the {Name(subdomain)} can log in with a password any more.");
        }

        await acts.RecordAsync(subdomain, email: null, userId: null, cancellation);
        if (!await realms.OverrideAsync(ordered, change.Columns, cancellation))
        {
            throw new OperatorException($"There is no {Name(subdomain)} any more.");
        }

        var (after, left) = await realms.ReadAsync(subdomain, cancellation);
        await report.WriteAsync(
            Row(after ?? throw new OperatorException($"The {Name(subdomain)} was changed, and its row cannot be read: {left}.")));
        return ExitCode.Done;
    }

    private static Realm Blank(string subdomain) =>
        new(subdomain, subdomain.Length == 0 ? "Zulip" : subdomain, "", "", PublicUrl: null, IsActive: true, PasswordBackends.Email);

    /// <summary>How a message speaks of a realm.</summary>
    public static string Name(string subdomain) => subdomain.Length == 0 ? "root realm" : $"realm '{subdomain}'";

    private static Realm Apply(RealmChange change, Realm realm) => realm with
    {
        Name = change.Name ?? realm.Name,
        Description = change.Description ?? realm.Description,
        Icon = change.Icon switch
        {
            null => realm.Icon,
            { } icon when Realm.IsIcon(icon) => icon,
            { } other => throw new OperatorException(
                $"'{other}' is not the URL of a picture: https://..., http://... or a path such as /icon.png."),
        },
        PublicUrl = change.PublicUrl switch
        {
            null => realm.PublicUrl,
            "" => null,
            { } url => Realm.OriginOf(url)
                ?? throw new OperatorException($"'{url}' is not an origin such as https://chat.example.com."),
        },
        IsActive = change.IsActive ?? realm.IsActive,
        Backends = (change.EmailBackend ?? realm.Backends.HasFlag(PasswordBackends.Email)) ? PasswordBackends.Email : PasswordBackends.None,
    };

    private static (string, object)[] Row(Realm realm) =>
    [
        ("subdomain", realm.Subdomain),
        ("name", realm.Name),
        ("description", realm.Description),
        ("icon", realm.Icon),
        ("public_url", realm.PublicUrl ?? ""),
        ("is_active", realm.IsActive),
        ("email_backend", realm.Backends.HasFlag(PasswordBackends.Email)),
    ];
}
