// The login on ASP.NET Core as one writes it in an afternoon: minimal API, Azure's table client, Konscious. No attempt limit.

using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using Azure.Data.Tables;
using FetchApiKey.Cli;
using Konscious.Security.Cryptography;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace FetchApiKey.Benchmarks;

internal static class PlainServer
{
    /// <summary>Hidden: the server's own process.</summary>
    public const string Verb = "plain";

    public static Task<LoginStack> StartAsync(LoadedStore store)
    {
        var port = Azurite.FreePort();
        var start = LoginStack.Verb(store, Verb, $"{port}", store.PlainTable);
        // A web project's default, which this program's other servers do without.
        start.Environment["DOTNET_gcServer"] = "1";
        return LoginStack.StartAsync("ASP.NET Core, Konscious", start, port, store.PlainHashesAsync);
    }

    /// <summary>Serves until it is killed.</summary>
    public static async Task RunAsync(int port, string table)
    {
        var accounts = new TableClient(Environment.GetEnvironmentVariable("AccountStorage"), table);
        var builder = WebApplication.CreateBuilder();
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, port));
        var app = builder.Build();
        app.MapPost("/api/v1/fetch_api_key", async (HttpRequest request) =>
        {
            var form = await request.ReadFormAsync();
            var username = form["username"].ToString();
            var row = await accounts.GetEntityIfExistsAsync<TableEntity>(username, username);
            if (!row.HasValue || !await IsRightAsync(form["password"].ToString(), row.Value!.GetString("PasswordHash")))
            {
                return Results.Json(new { result = "error", msg = "Your username or password is incorrect", code = "AUTHENTICATION_FAILED" }, statusCode: 401);
            }

            var account = row.Value!;
            return Results.Json(new
            {
                result = "success", msg = "", api_key = account.GetString("ApiKey"), email = account.GetString("Email"), user_id = account.GetInt32("UserId"),
            });
        });
        await app.RunAsync();
    }

    /// <param name="stored">argon2$argon2id$v=19$m=...,t=...,p=...$salt$tag</param>
    private static async Task<bool> IsRightAsync(string password, string stored)
    {
        var parts = stored.Split('$');
        var cost = parts[3].Split(',').Select(part => int.Parse(part.AsSpan(2), CultureInfo.InvariantCulture)).ToArray();
        var tag = Decode(parts[5]);
        using var argon2 = new Argon2id(Encoding.UTF8.GetBytes(password))
        {
            MemorySize = cost[0], Iterations = cost[1], DegreeOfParallelism = cost[2], Salt = Decode(parts[4]),
        };
        return CryptographicOperations.FixedTimeEquals(await argon2.GetBytesAsync(tag.Length), tag);
    }

    private static byte[] Decode(string unpadded) => Convert.FromBase64String(unpadded.PadRight((unpadded.Length + 3) / 4 * 4, '='));
}
