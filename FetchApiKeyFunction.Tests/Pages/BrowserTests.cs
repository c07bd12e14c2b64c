// Both pages in a real browser: by keyboard, without script, on a phone, enlarged, in the dark, and as a screen reader is told of them.

using Deque.AxeCore.Playwright;
using FetchApiKey.Cli;
using FetchApiKey.Pages;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace FetchApiKeyFunction.Tests.Pages;

public sealed class BrowserTests(Organisation organisation, Chromium chromium) : IClassFixture<Organisation>, IClassFixture<Chromium>
{
    private const string Strong = ResetLinks.Strong;

    private string Origin => organisation.Server.Origin.AbsoluteUri.TrimEnd('/');

    private string ApiKeyUrl => Origin + ApiKeyPage.Path;

    // ---- Choosing a password ----

    [ChromiumFact]
    public async Task A_password_is_chosen_by_keyboard_alone_after_a_weak_one_was_explained()
    {
        var account = await organisation.NewAccountAsync();
        var token = await organisation.InviteAsync(account);
        await using var tab = await chromium.OpenAsync();
        var (page, keyboard) = (tab.Page, tab.Page.Keyboard);

        await page.GotoAsync(UrlOf(token));
        await Expect(page.GetByLabel("New password", new() { Exact = true })).ToBeFocusedAsync();
        await tab.TakePictureAsync("reset");
        await keyboard.TypeAsync("qwerty12");
        await keyboard.PressAsync("Tab");
        await Expect(page.GetByLabel("New password again")).ToBeFocusedAsync();
        await keyboard.TypeAsync("qwerty12");
        await keyboard.PressAsync("Enter");

        await Expect(page.GetByRole(AriaRole.Alert)).ToHaveTextAsync(
            "Too easy to guess: it is, or is little more than, one of the passwords that most people use and everybody tries first.");
        await Expect(page).ToHaveTitleAsync("Error: Choose a new password - Zulip & Söhne");
        await Expect(page.GetByLabel("New password", new() { Exact = true })).ToBeFocusedAsync();
        await Expect(page.GetByLabel("New password", new() { Exact = true })).ToHaveValueAsync("");
        await tab.TakePictureAsync("reset-weak");
        await keyboard.TypeAsync(Strong);
        await keyboard.PressAsync("Tab");
        await keyboard.TypeAsync(Strong);
        await keyboard.PressAsync("Tab");
        await Expect(page.GetByRole(AriaRole.Button, new() { Name = "Set the password" })).ToBeFocusedAsync();
        Assert.Equal("solid", await page.EvaluateAsync<string>("getComputedStyle(document.activeElement).outlineStyle"));
        await keyboard.PressAsync("Enter");

        await Expect(page.GetByRole(AriaRole.Heading)).ToHaveTextAsync("Your new password is set");
        await tab.TakePictureAsync("reset-done");
        await keyboard.PressAsync("Tab");
        await keyboard.PressAsync("Enter");
        await Expect(page).ToHaveURLAsync(ApiKeyUrl);
        Assert.Equal(200, (await organisation.Server.LogInAsync(account.Email, Strong)).Status);
        Assert.Equal(401, (await organisation.Server.LogInAsync(account.Email, Organisation.RightPassword)).Status);

        var again = await page.GotoAsync(UrlOf(token));
        Assert.Equal(404, again!.Status);
        await Expect(page.GetByRole(AriaRole.Heading)).ToHaveTextAsync("This link cannot be used");
        await tab.TakePictureAsync("reset-used");
        Assert.Empty(tab.Complaints);
        Assert.All(tab.Requests, request =>
        {
            Assert.StartsWith(Origin, request.Url, StringComparison.Ordinal);
            Assert.DoesNotContain("referer", request.Headers.Keys);
        });
    }

    [ChromiumFact]
    public async Task A_password_is_chosen_without_script()
    {
        var account = await organisation.NewAccountAsync("!imported");
        await using var tab = await chromium.OpenAsync(new() { JavaScriptEnabled = false });

        await tab.Page.GotoAsync(UrlOf(await organisation.InviteAsync(account)));
        await ChooseAsync(tab.Page, "short");
        await Expect(tab.Page.GetByRole(AriaRole.Alert)).ToHaveTextAsync("Too short: use at least 6 characters.");
        await ChooseAsync(tab.Page, Strong);

        await Expect(tab.Page.GetByRole(AriaRole.Heading)).ToHaveTextAsync("Your new password is set");
        Assert.Equal(200, (await organisation.Server.LogInAsync(account.Email, Strong)).Status);
        Assert.Empty(tab.Complaints);
    }

    // ---- Downloading a zuliprc ----

    [ChromiumTheory]
    [InlineData("127.0.0.1")]
    [InlineData(Chromium.PlainHost)]
    public async Task A_zuliprc_is_downloaded_after_a_wrong_password_was_told(string host)
    {
        // A browser tells where a form comes from in Sec-Fetch-Site on this machine, in Origin over plain http.
        var site = $"http://{host}:{organisation.Server.Origin.Port}";
        await using var tab = await chromium.OpenAsync();
        var page = tab.Page;

        await page.GotoAsync(site + ApiKeyPage.Path);
        await Expect(page.GetByLabel("E-mail address")).ToBeFocusedAsync();
        await tab.TakePictureAsync("key");
        await page.GetByLabel("E-mail address").FillAsync("iago@zulip.com");
        await page.GetByLabel("Password").FillAsync("wrong");
        await page.GetByRole(AriaRole.Button).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Alert)).ToHaveTextAsync("Your e-mail address or password is incorrect.");
        await Expect(page.GetByLabel("E-mail address")).ToHaveValueAsync("iago@zulip.com");
        await Expect(page.GetByLabel("Password")).ToHaveValueAsync("");
        await Expect(page.GetByLabel("Password")).ToBeFocusedAsync();
        await tab.TakePictureAsync("key-wrong");
        await page.GetByLabel("Password").FillAsync(Organisation.RightPassword);
        var download = await page.RunAndWaitForDownloadAsync(() => page.Keyboard.PressAsync("Enter"));

        Assert.Equal("zuliprc", download.SuggestedFilename);
        var lines = await File.ReadAllLinesAsync(await download.PathAsync());
        Assert.Equal("[api]", lines[0]);
        Assert.Equal(
            new Dictionary<string, string> { ["email"] = "iago@zulip.com", ["key"] = Organisation.IagosKey, ["site"] = site },
            lines[1..].Select(line => line.Split('=', 2)).ToDictionary(pair => pair[0], pair => pair[1]));
        Assert.Empty(tab.Complaints);
    }

    [ChromiumFact]
    public async Task Another_site_cannot_log_a_visitor_in()
    {
        await using var tab = await chromium.OpenAsync();
        var elsewhere = $"http://localhost:{Azurite.FreePort()}/";
        await tab.Page.RouteAsync(elsewhere, route => route.FulfillAsync(new()
        {
            ContentType = "text/html",
            Body = $"""
                <form method="post" action="{ApiKeyUrl}">
                <input name="username" value="iago@zulip.com"><input name="password" value="{Organisation.RightPassword}"><button>Win a prize</button>
                </form>
                """,
        }));

        await tab.Page.GotoAsync(elsewhere);
        await tab.Page.GetByRole(AriaRole.Button).ClickAsync();

        await Expect(tab.Page.GetByRole(AriaRole.Heading)).ToHaveTextAsync("Sent from another site");
        Assert.Equal(403, (await tab.Requests[^1].ResponseAsync())!.Status);
    }

    // ---- For everybody ----

    [ChromiumTheory]
    [InlineData(320, 568, 100)]
    [InlineData(390, 844, 100)]
    [InlineData(390, 844, 200)]
    [InlineData(1280, 720, 200)]
    public async Task Nothing_has_to_be_scrolled_sideways_on_a_phone_or_with_larger_letters(int width, int height, int percent)
    {
        var isPhone = width < 600;
        await using var tab = await chromium.OpenAsync(new()
        {
            ViewportSize = new() { Width = width, Height = height },
            IsMobile = isPhone,
            HasTouch = isPhone,
            DeviceScaleFactor = isPhone ? 3 : 1,
        });

        foreach (var (name, show) in States())
        {
            await show(tab.Page);
            await tab.Page.EvaluateAsync($"document.documentElement.style.fontSize = '{percent}%'");
            await tab.TakePictureAsync($"{width}-{percent}-{name}");
            var (content, window) = (await tab.Page.EvaluateAsync<int>("document.documentElement.scrollWidth"), await tab.Page.EvaluateAsync<int>("window.innerWidth"));
            Assert.True(content <= window && window == width, $"{name}: {content} of {window} pixels");
            var button = tab.Page.GetByRole(AriaRole.Button);
            if (await button.CountAsync() > 0)
            {
                Assert.True((await button.BoundingBoxAsync())!.Height >= 44, "too small for a finger");
                Assert.True(await tab.Page.GetByRole(AriaRole.Textbox).First.EvaluateAsync<bool>("field => parseFloat(getComputedStyle(field).fontSize) >= 16"), "a phone zooms in");
            }
        }
    }

    [ChromiumTheory]
    [InlineData(ColorScheme.Light)]
    [InlineData(ColorScheme.Dark)]
    public async Task Axe_finds_no_barrier(ColorScheme scheme)
    {
        await using var tab = await chromium.OpenAsync(new() { ColorScheme = scheme });

        foreach (var (name, show) in States())
        {
            await show(tab.Page);
            await tab.TakePictureAsync($"{scheme}-{name}");
            var found = await tab.Page.RunAxe();
            Assert.True(found.Violations.Length == 0, $"{name}: {string.Join('\n', found.Violations.Select(violation => $"{violation.Id}: {violation.Help} {string.Join(' ', violation.Nodes.Select(node => node.Html))}"))}");
            Assert.Contains(found.Passes, rule => rule.Id == "color-contrast");
        }

        Assert.Empty(tab.Complaints);
    }

    [ChromiumFact]
    public async Task Axe_finds_the_barriers_that_are_put_there()
    {
        await using var tab = await chromium.OpenAsync();
        await tab.Page.GotoAsync(ApiKeyUrl);
        await tab.Page.EvaluateAsync("document.querySelector('label').remove(); document.querySelector('button').style.color = '#4050d0'; document.documentElement.lang = ''");

        var found = (await tab.Page.RunAxe()).Violations.Select(violation => violation.Id);

        Assert.Equal(["color-contrast", "html-has-lang", "label"], found.Order(StringComparer.Ordinal));
    }

    [ChromiumFact]
    public async Task A_screen_reader_is_told_the_labels_the_hint_and_the_error()
    {
        var account = await organisation.NewAccountAsync();
        await using var tab = await chromium.OpenAsync();
        await tab.Page.GotoAsync(UrlOf(await organisation.InviteAsync(account)));
        await ChooseAsync(tab.Page, Strong, Strong + "!");

        Assert.Equal(
            $"""
            - main:
              - paragraph: Zulip & Söhne
              - heading "Choose a new password" [level=1]
              - alert: The two passwords differ. Type the same one twice.
              - text: Account
              - textbox "Account": {account.Email}
              - text: New password
              - paragraph: 6 to 100 characters, and not easy to guess. Some words that have nothing to do with each other are good.
              - textbox "New password" [invalid]
              - text: New password again
              - textbox "New password again"
              - button "Set the password"
            """,
            await tab.Page.Locator("body").AriaSnapshotAsync());
        await Expect(tab.Page.GetByLabel("New password", new() { Exact = true })).ToHaveAccessibleDescriptionAsync(
            "The two passwords differ. Type the same one twice. 6 to 100 characters, and not easy to guess. Some words that have nothing to do with each other are good.");
        await Expect(tab.Page.GetByLabel("New password", new() { Exact = true })).ToHaveAttributeAsync("autocomplete", "new-password");
        await Expect(tab.Page.GetByLabel("Account")).ToHaveAttributeAsync("autocomplete", "username");
        await Expect(tab.Page.Locator("html")).ToHaveAttributeAsync("lang", "en");
    }

    /// <summary>Every kind of page, with a name for a failure and a picture.</summary>
    private IEnumerable<(string Name, Func<IPage, Task> Show)> States()
    {
        yield return ("key", page => page.GotoAsync(ApiKeyUrl));
        yield return ("key-wrong", async page =>
        {
            await page.GotoAsync(ApiKeyUrl);
            await page.GetByLabel("E-mail address").FillAsync($"{new string('w', 60)}@example.com");
            await page.GetByLabel("Password").FillAsync("wrong");
            await page.GetByRole(AriaRole.Button).ClickAsync();
            await Expect(page.GetByRole(AriaRole.Alert)).ToBeVisibleAsync();
        });
        yield return ("reset", async page => await page.GotoAsync(UrlOf(await organisation.InviteAsync(await organisation.NewAccountAsync()))));
        yield return ("reset-weak", async page =>
        {
            await ChooseAsync(page, "aaaaaaaa");
            await Expect(page.GetByRole(AriaRole.Alert)).ToBeVisibleAsync();
        });
        yield return ("reset-done", async page =>
        {
            await ChooseAsync(page, Strong);
            await Expect(page.GetByRole(AriaRole.Heading)).ToHaveTextAsync("Your new password is set");
        });
        yield return ("reset-bad", page => page.GotoAsync(UrlOf("bad")));
    }

    private string UrlOf(string token) => $"{Origin}{PasswordResetPage.Path}?token={token}";

    private static async Task ChooseAsync(IPage page, string password, string? again = null)
    {
        await page.GetByLabel("New password", new() { Exact = true }).FillAsync(password);
        await page.GetByLabel("New password again").FillAsync(again ?? password);
        await page.GetByRole(AriaRole.Button).ClickAsync();
    }
}
