// Debian's Chromium without a window, driven by Playwright, which downloads no browser of its own.

using Microsoft.Playwright;

namespace FetchApiKeyFunction.Tests.Pages;

/// <summary>One browser for a class of tests. Every test opens a context of its own: no cookie, no history, no cache of another's.</summary>
public sealed class Chromium : IAsyncLifetime
{
    private const string Program = "/usr/bin/chromium";

    /// <summary>Resolves to this machine; plain http to it is, unlike to 127.0.0.1, not trustworthy to a browser.</summary>
    public const string PlainHost = "zulip.example.com";

    private IPlaywright? _playwright;
    private IBrowser? _browser;

    /// <summary>Null where the tests run, else why they do not.</summary>
    public static string? Skip { get; } = DebianPackages.WhyNot(Program);

    public async Task InitializeAsync()
    {
        if (Skip is not null)
        {
            return;
        }

        await DebianPackages.InstallAsync(Program, "chromium");
        _playwright = await Playwright.CreateAsync();
        _browser = await _playwright.Chromium.LaunchAsync(new()
        {
            ExecutablePath = Program,
            // Root has no sandbox. The pages are our own.
            Args = ["--no-sandbox", $"--host-resolver-rules=MAP {PlainHost} 127.0.0.1"],
        });
    }

    public async Task DisposeAsync()
    {
        await (_browser?.CloseAsync() ?? Task.CompletedTask);
        _playwright?.Dispose();
    }

    public async Task<Tab> OpenAsync(BrowserNewContextOptions? options = null) => new(await (await _browser!.NewContextAsync(options)).NewPageAsync());
}

/// <summary>A page, and what the browser complained of while it was shown.</summary>
public sealed class Tab : IAsyncDisposable
{
    private static int _pictures;

    private readonly List<string> _complaints = [];

    public Tab(IPage page)
    {
        Page = page;
        page.Console += (_, message) => _complaints.Add(message.Text);
        page.PageError += (_, error) => _complaints.Add(error);
        page.Request += (_, request) => Requests.Add(request);
    }

    public IPage Page { get; }

    public List<IRequest> Requests { get; } = [];

    /// <summary>
    /// Console messages, a violation of the Content-Security-Policy among them. That an answer was refused, such as with 400 for a weak password, is told there
    /// too, and no complaint.
    /// </summary>
    public IEnumerable<string> Complaints => _complaints.Where(text => !text.StartsWith("Failed to load resource: the server responded with a status of 4", StringComparison.Ordinal));

    /// <summary>Where the environment has SCREENSHOTS, the name of a folder: a picture of the page there, to be looked at.</summary>
    public async Task TakePictureAsync(string name)
    {
        if (Environment.GetEnvironmentVariable("SCREENSHOTS") is { Length: > 0 } folder)
        {
            await Page.ScreenshotAsync(new() { Path = Path.Combine(folder, $"{Interlocked.Increment(ref _pictures):D2}-{name}.png"), FullPage = true });
        }
    }

    public async ValueTask DisposeAsync() => await Page.Context.CloseAsync();
}

/// <summary>A test that is skipped, with the reason, where Chromium cannot be had.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class ChromiumFactAttribute : FactAttribute
{
    public ChromiumFactAttribute() => Skip = Chromium.Skip;
}

[AttributeUsage(AttributeTargets.Method)]
public sealed class ChromiumTheoryAttribute : TheoryAttribute
{
    public ChromiumTheoryAttribute() => Skip = Chromium.Skip;
}
