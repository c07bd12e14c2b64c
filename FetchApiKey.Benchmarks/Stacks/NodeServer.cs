// The login on Node.js, in node/server.js, with its packages from the npm registry.

using System.Diagnostics;
using FetchApiKey.Cli;

namespace FetchApiKey.Benchmarks;

internal static class NodeServer
{
    /// <exception cref="StackMissingException">Its packages could not be installed.</exception>
    public static async Task<LoginStack> StartAsync(LoadedStore store)
    {
        var folder = Path.Combine(AppContext.BaseDirectory, "Stacks", "node");
        string modules;
        try
        {
            modules = await NpmPackages.InstallAsync("login-on-node", folder, Console.Error.WriteLine, CancellationToken.None);
        }
        catch (OperatorException fault)
        {
            throw new StackMissingException($"Node.js is left out: {fault.Message}");
        }

        var port = Azurite.FreePort();
        var start = new ProcessStartInfo("node", [Path.Combine(folder, "server.js"), modules, $"{port}", store.PlainTable])
        {
            Environment = { ["AccountStorage"] = store.Azurite.ConnectionString, ["NODE_ENV"] = "production" },
        };
        return await LoginStack.StartAsync("Node.js, fastify, argon2", start, port, store.PlainHashesAsync);
    }
}
