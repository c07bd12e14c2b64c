// POST /api/v1/dev_fetch_api_key and GET /api/v1/dev_list_users: keys without a password, on a developer's own machine.

using FetchApiKey.Accounts;
using FetchApiKey.Attempts;
using FetchApiKey.Audit;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace FetchApiKey.Passwordless;

/// <summary>Whether the paths of the development variant exist.</summary>
public enum DevelopmentLoginMode
{
    /// <summary>They do not: what is asked of them is an unknown path.</summary>
    Absent = 0,

    /// <summary>They exist and refuse, as on a development server of Zulip's whose DevAuthBackend is off.</summary>
    Refuse,

    On,
}

/// <summary>
/// Whoever reaches these paths gets the key of whom he names. So they exist only where <see cref="Settings.DevelopmentLogin"/>
/// says so and only this machine can ask; see <see cref="Composition.EndpointServices"/>. No attempt is limited: there
/// is nothing to guess.
/// </summary>
public sealed class DevelopmentLogin(
    RealmStore realms, AccountStore accounts, Login login, LoginEvents events, Settings settings, ILogger<DevelopmentLogin> log)
{
    private static readonly Reply BackendOff = Reply.BadRequest("DevAuthBackend not enabled.");

    /// <summary>The steps stand in the order of contract section 5.</summary>
    public async Task<Reply> AnswerFetchAsync(EndpointRequest request, CancellationToken cancellation)
    {
        var (form, refusal) = await RequestForm.ReadAsync(request.Http, request.Lifetime);
        if (form is null)
        {
            return refusal!;
        }

        using (form)
        {
            if (form.TakeText("username") is not { } username)
            {
                return Reply.Missing("username");
            }

            form.Accept("client");
            if (settings.DevelopmentLogin != DevelopmentLoginMode.On)
            {
                return BackendOff;
            }

            if (EmailAddress.TryParseInShape(username) is not { } email)
            {
                return Reply.InvalidEmail;
            }

            if (await request.Origin.RealmAsync(realms, settings, cancellation) is not { } realm)
            {
                return Reply.NonexistentSubdomain;
            }

            var result = await login.AdmitAsync(realm, email, cancellation);
            events.Judged(
                SecurityEventKind.DevelopmentLogin, realm.Subdomain, email, request.Client, attempt: null, result,
                request.Invocation);
            return PasswordLogin.ReplyTo(result, form.Unconsumed());
        }
    }

    /// <summary>The active accounts of every realm, by address.</summary>
    public async Task<Reply> AnswerListAsync(EndpointRequest request, CancellationToken cancellation)
    {
        if (settings.DevelopmentLogin != DevelopmentLoginMode.On)
        {
            return BackendOff;
        }

        // A page of the internet whose name its owner lets point to this machine is turned away by that name.
        if (request.Origin.Addressed(settings) is not { } addressed)
        {
            return Reply.NonexistentSubdomain;
        }

        var (admins, users) = (new List<(string Email, string Url)>(), new List<(string Email, string Url)>());
        foreach (var realm in await realms.ListAsync(log.RowMalformed, cancellation))
        {
            var url = realm.PublicUrl ?? request.Origin.OfRealm(realm.Subdomain, addressed).ToString();
            await foreach (var account in accounts.ListAsync(realm.Subdomain, log.RowMalformed, cancellation))
            {
                if (account.IsActive)
                {
                    (account.IsAdministrator ? admins : users).Add((account.Email, url));
                }
            }
        }

        return Reply.DevelopmentUsers(
            admins.OrderBy(user => user.Email, StringComparer.Ordinal), users.OrderBy(user => user.Email, StringComparer.Ordinal));
    }
}
