// Argon2__ and Hashing__: what a hash costs, and the memory for all of them.

using FetchApiKey.Passwords;

namespace FetchApiKey;

internal static class HashingSection
{
    private const int MaxMemoryMib = 1024 * 1024;

    private static string Syntaxes => string.Join(" or ", StoredHash.Formats.Select(format => format.CostSyntax));

    public static HashingSettings Read(SettingsReader settings, bool answersRequests)
    {
        var (argon2, hashing) = (settings.Section("Argon2"), settings.Section("Hashing"));
        var lanes = argon2.Integer("lanes", Argon2Cost.Default.Lanes, 1, Argon2Cost.MaxLanes);
        var cost = new Argon2Cost(
            argon2.Integer("memoryKib", Argon2Cost.Default.MemoryKib, 8 * lanes, StoredHash.MaxMemoryKib),
            argon2.Integer("passes", Argon2Cost.Default.Passes, 1, Argon2Cost.MaxPasses),
            lanes);
        var useKonscious = argon2.Choice("engine", "built-in", "konscious") == "konscious";
        var limits = new GateLimits { MemoryBytes = hashing.Integer("memoryMib", 0, 0, MaxMemoryMib) * 1024L * 1024 };
        var read = new HashingSettings(cost, limits, useKonscious)
        {
            AlsoInUse = hashing.List("alsoInUse", HashCost.Parse, $"{Syntaxes} within the limits for stored hashes"),
        };
        if (HashingGate.SlotsFor(PasswordHasher.SlotBytes(read.LargestMemoryKib, useKonscious), limits) < 1)
        {
            hashing.Fault("memoryMib", "leaves no room for a hash of Argon2__memoryKib");
        }

        // Of the control group, where there is one. An operator's command runs on another machine.
        if (answersRequests && limits.MemoryBytes > GC.GetGCMemoryInfo().TotalAvailableMemoryBytes)
        {
            hashing.Fault("memoryMib", "is more memory than this process may use; lower it, or give the process more");
        }

        argon2.RefuseUnknown();
        hashing.RefuseUnknown();
        return read;
    }
}
