// What an operator orders holds at the first try, against whatever writes to the account at the same time.

using FetchApiKey.Accounts;
using FetchApiKey.Attempts;
using Microsoft.Extensions.Logging.Abstractions;

namespace FetchApiKeyFunction.Tests;

public sealed class OverrideTests : IAsyncLifetime
{
    private const string Strong = "correct horse battery staple";
    private const int Rounds = 20;

    private OperatorDesk _desk = null!;
    private AccountStore _accounts = null!;

    public async Task InitializeAsync()
    {
        _desk = await OperatorDesk.OpenAsync();
        _accounts = new AccountStore(_desk.Tables);
    }

    public Task DisposeAsync() => Task.CompletedTask;

    [Theory]
    [InlineData("users set-password")]
    [InlineData("users deactivate")]
    [InlineData("users reactivate")]
    [InlineData("users rotate-key")]
    [InlineData("users invite-reset")]
    public async Task A_change_wins_at_the_first_try_against_a_loop_of_regenerations(string command)
    {
        await _desk.RunAsync("users add a@b.com", Strong);
        await using var loop = Regenerating("a@b.com");
        for (var round = 0; round < Rounds; round++)
        {
            var before = await FindAsync("a@b.com");

            var result = await _desk.RunAsync($"{command} a@b.com", $"{Strong} {round}");

            Assert.Equal((ExitCode.Done, ""), (result.Code, result.Error));
            var after = await FindAsync("a@b.com");
            Assert.Equal(command != "users deactivate", after!.IsActive);
            Assert.Equal(command == "users set-password", before!.PasswordHash != after.PasswordHash);
        }

        Assert.True(loop.Writes > Rounds, $"{loop.Writes} writes");
    }

    [Fact]
    public async Task A_deletion_wins_at_the_first_try_and_nothing_brings_the_account_back()
    {
        for (var round = 0; round < Rounds; round++)
        {
            var email = $"u{round}@b.com";
            await _desk.RunAsync($"users add {email}", Strong);
            await using var loop = Regenerating(email);
            await loop.WriteAsync();

            var result = await _desk.RunAsync($"users delete {email} --yes");

            Assert.Equal((ExitCode.Done, ""), (result.Code, result.Error));
            await Task.Delay(20);
            Assert.Null(await FindAsync(email));
        }
    }

    [Fact]
    public async Task What_is_ordered_of_a_deleted_account_makes_none()
    {
        await _desk.RunAsync("users add a@b.com", Strong);
        var email = EmailAddress.TryParse("a@b.com")!;
        var account = (await FindAsync("a@b.com"))!;
        await _accounts.DeleteAsync("", email, account.UserId, CancellationToken.None);

        Assert.False(await _accounts.OverridePasswordHashAsync("", email, "!", CancellationToken.None));
        Assert.False(await _accounts.OverrideActiveAsync("", email, true, CancellationToken.None));
        Assert.False(await _accounts.OverrideSealedApiKeyAsync("", email, "x", CancellationToken.None));
        Assert.Null(await new PasswordInvitations(_desk.Tables).IssueAsync(
            account, email, TimeProvider.System.GetUtcNow().AddHours(1), CancellationToken.None));
        await foreach (var row in _desk.Tables.Accounts.QueryAsync<Azure.Data.Tables.TableEntity>())
        {
            Assert.Fail($"{row.PartitionKey} {row.RowKey}");
        }
    }

    [Fact]
    public async Task Changes_of_a_realm_at_the_same_time_all_hold()
    {
        await _desk.RunAsync("realms add acme");
        string[] changes =
        [
            "--name N", "--description D", "--icon /i.png", "--public-url https://x.example.org", "--active false --yes",
            "--email-backend false --yes",
        ];

        var results = await Task.WhenAll(changes.Select(change => _desk.RunAsync($"realms set acme {change}")));

        Assert.All(results, result => Assert.Equal((ExitCode.Done, ""), (result.Code, result.Error)));
        Assert.Contains(
            """{"subdomain":"acme","name":"N","description":"D","icon":"/i.png","public_url":"https://x.example.org","is_active":false,"email_backend":false}""",
            (await _desk.RunAsync("realms list --json")).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_new_password_opens_a_locked_account_and_what_counts_for_the_day_stays()
    {
        await _desk.RunAsync("users add a@b.com", Strong);
        var settings = TestServer.NewSettings(new AttemptSettings());
        await using (var server = await TestServer.StartAsync(_desk.Tables, settings))
        {
            for (var guess = 0; guess < 5; guess++)
            {
                Assert.Equal(401, (await server.LogInAsync("a@b.com", "wrong")).Status);
            }

            Assert.Equal(429, (await server.LogInAsync("a@b.com", Strong)).Status);
        }

        Assert.Equal(ExitCode.Done, (await _desk.RunAsync("users set-password a@b.com", Strong + "s")).Code);

        // Another instance remembers nothing of the name.
        await using var another = await TestServer.StartAsync(_desk.Tables, settings);
        Assert.Equal(200, (await another.LogInAsync("a@b.com", Strong + "s")).Status);
        var table = new AttemptTable(_desk.Tables, TimeProvider.System, NullLogger<AttemptTable>.Instance);
        var (stored, _) = await table.ReadAsync(
            LoginAttempts.KeyOf("", EmailAddress.TryParse("a@b.com")!), LoginAttempts.NamePolicyOf(new AttemptSettings()), CancellationToken.None);
        Assert.Equal(5, stored.Record.Failures.Count);
        Assert.All(stored.Record.Failures, failure => Assert.True(failure.IsCleared));
    }

    private async Task<Account?> FindAsync(string email) =>
        (await _accounts.FindAsync("", EmailAddress.TryParse(email)!, CancellationToken.None)).Account;

    private RegenerationLoop Regenerating(string email) => new(new AccountStore(_desk.Tables), EmailAddress.TryParse(email)!);

    /// <summary>Reads the row and writes it under its ETag, over and over, as new API keys do.</summary>
    private sealed class RegenerationLoop : IAsyncDisposable
    {
        private readonly AccountStore _accounts;
        private readonly EmailAddress _email;
        private readonly CancellationTokenSource _over = new();
        private readonly Task _running;

        public RegenerationLoop(AccountStore accounts, EmailAddress email)
        {
            (_accounts, _email) = (accounts, email);
            _running = Task.Run(async () =>
            {
                while (!_over.IsCancellationRequested)
                {
                    await WriteAsync();
                }
            });
        }

        public int Writes { get; private set; }

        public async Task WriteAsync()
        {
            if ((await _accounts.FindAsync("", _email, CancellationToken.None)).Account is { } account
                && await _accounts.SetSealedApiKeyAsync(
                    account, TestServer.Cipher.Seal("", _email, account.UserId, Account.NewApiKey()), CancellationToken.None))
            {
                Writes++;
            }
        }

        public async ValueTask DisposeAsync()
        {
            await _over.CancelAsync();
            await _running;
            _over.Dispose();
        }
    }
}
