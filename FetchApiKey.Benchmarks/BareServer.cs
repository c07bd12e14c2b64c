// The least that an endpoint with our storage calls can cost: Kestrel, a form, the same calls, and an answer. It checks nothing.

using System.Net;
using System.Text;
using System.Text.Json;
using Azure.Data.Tables;
using FetchApiKey.Cli;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Hosting;

namespace FetchApiKey.Benchmarks;

/// <summary>Storage calls of one login, by kind.</summary>
internal sealed record StorageCalls(int Reads, int Inserts, int Updates, int Deletes)
{
    public int All => Reads + Inserts + Updates + Deletes;
}

internal static class BareServer
{
    /// <summary>Hidden: the server's own process.</summary>
    public const string Verb = "bare";

    public static Task<LoginStack> StartAsync(LoadedStore store, StorageCalls calls)
    {
        var port = Azurite.FreePort();
        var start = LoginStack.Verb(store, Verb, $"{port}", store.PlainTable, JsonSerializer.Serialize(calls));
        start.RedirectStandardInput = true;
        return LoginStack.StartAsync("bare", start, port, store.PlainHashesAsync);
    }

    /// <summary>Serves until its input ends. Each request is two rounds of calls side by side: reads and inserts, then deletes and updates.</summary>
    public static async Task RunAsync(int port, string table, string storageCalls)
    {
        var calls = JsonSerializer.Deserialize<StorageCalls>(storageCalls)!;
        // What the endpoint does without, this must not be charged with.
        var service = new TableServiceClient(
            Environment.GetEnvironmentVariable("AccountStorage"),
            new TableClientOptions { Diagnostics = { IsLoggingEnabled = false, IsTelemetryEnabled = false, IsDistributedTracingEnabled = false } });
        var (accounts, attempts) = (service.GetTableClient(table), service.GetTableClient(Environment.GetEnvironmentVariable("TablePrefix") + "attempts"));
        var requests = 0L;
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, port));
        var app = builder.Build();
        app.Run(async context =>
        {
            var form = await context.Request.ReadFormAsync();
            var account = await CallAsync(accounts, attempts, form["username"].ToString(), calls, Interlocked.Increment(ref requests));
            var answer = Encoding.UTF8.GetBytes(
                $$"""{"result":"success","msg":"","api_key":"{{account.GetString("ApiKey")}}","email":"{{account.GetString("Email")}}","user_id":{{account.GetInt32("UserId")}}}""");
            context.Response.ContentType = "application/json";
            context.Response.ContentLength = answer.Length;
            await context.Response.Body.WriteAsync(answer);
        });
        await app.StartAsync();
        await ServerReport.PrintWhenAskedAsync([]);
    }

    /// <param name="request">Rows of its own for each request, so that none waits for another's.</param>
    private static async Task<TableEntity> CallAsync(TableClient accounts, TableClient attempts, string email, StorageCalls calls, long request)
    {
        string Key(int place) => $"{request}.{place}";
        TableEntity Row(int place) => new(Key(place), Key(place)) { ["Entries"] = new byte[32] };
        var reading = Enumerable.Range(0, calls.Reads).Select(_ => accounts.GetEntityIfExistsAsync<TableEntity>(email, email)).ToArray();
        await Task.WhenAll(Enumerable.Range(0, calls.Inserts).Select(place => (Task)attempts.AddEntityAsync(Row(place))).Concat(reading));
        await Task.WhenAll(Enumerable.Range(0, calls.Deletes).Select(place => attempts.DeleteEntityAsync(Key(place), Key(place)))
            .Concat(Enumerable.Range(calls.Deletes, calls.Updates).Select(place => attempts.UpsertEntityAsync(Row(place), TableUpdateMode.Replace))));
        return (await reading[0]).Value!;
    }
}
