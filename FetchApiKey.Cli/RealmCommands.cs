// realms add, list, set, deactivate and reactivate.

using FetchApiKey.Accounts;

namespace FetchApiKey.Cli;

/// <summary>What a command says of a realm; null leaves a value as it is.</summary>
public sealed record RealmChange(string? Name, string? Description, string? Icon, string? PublicUrl, bool? IsActive, bool? EmailBackend);

public sealed class RealmCommands(RealmStore realms, OperatorActs acts, Confirmation confirmation, Report report)
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

        var blank = new Realm(subdomain, subdomain.Length == 0 ? "Zulip" : subdomain, "", "", PublicUrl: null, IsActive: true, PasswordBackends.Email);
        var realm = Apply(change, blank);
        var isTaken = await realms.ReadAsync(subdomain, cancellation) is not null;
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
        await report.WriteAsync([.. (await realms.ListAsync(cancellation)).Select(Row)]);
        return ExitCode.Done;
    }

    public async Task<int> SetAsync(string subdomain, RealmChange change, CancellationToken cancellation)
    {
        var realm = Apply(change, await realms.ReadAsync(subdomain, cancellation) ?? throw new OperatorException($"There is no {Name(subdomain)}."));
        if (change.IsActive == false || change.EmailBackend == false)
        {
            await confirmation.RequireAsync($"Nobody of the {Name(subdomain)} can log in with a password any more.");
        }

        await acts.RecordAsync(subdomain, email: null, userId: null, cancellation);
        if (!await realms.ReplaceAsync(realm, cancellation))
        {
            throw new OperatorException($"Somebody else changed the {Name(subdomain)} just now; look at it and try again.");
        }

        await report.WriteAsync(Row(realm));
        return ExitCode.Done;
    }

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
            { } other => throw new OperatorException($"'{other}' is not the URL of a picture: https://..., http://... or a path such as /icon.png."),
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
