// Argon2__ and Hashing__: what a hash costs, and the memory for all of them.

using System.Globalization;
using FetchApiKey.Passwords;

namespace FetchApiKey;

internal static class HashingSection
{
    private const int MaxMemoryMib = 1024 * 1024;

    private static readonly HashCeilings Ceilings = new();

    public static HashingSettings Read(SettingsReader settings)
    {
        var (argon2, hashing) = (settings.Section("Argon2"), settings.Section("Hashing"));
        var lanes = argon2.Integer("lanes", Argon2Cost.Default.Lanes, 1, Ceilings.Lanes);
        var cost = new Argon2Cost(
            argon2.Integer("memoryKib", Argon2Cost.Default.MemoryKib, 8 * lanes, Ceilings.MemoryKib),
            argon2.Integer("passes", Argon2Cost.Default.Passes, 1, Ceilings.Passes),
            lanes);
        var useKonscious = argon2.Choice("engine", "built-in", "konscious") == "konscious";
        var limits = new GateLimits { MemoryBytes = hashing.Integer("memoryMib", 0, 0, MaxMemoryMib) * 1024L * 1024 };
        var read = new HashingSettings(cost, Ceilings, limits, useKonscious)
        {
            AlsoInUse = hashing.List("alsoInUse", CostOf, "KIB:PASSES:LANES or pbkdf2:ITERATIONS within the limits for stored hashes"),
        };
        if (HashingGate.SlotsFor(PasswordHasher.SlotBytes(read.LargestMemoryKib, useKonscious), limits) < 1)
        {
            hashing.Fault("memoryMib", "leaves no room for a hash of Argon2__memoryKib");
        }

        argon2.RefuseUnknown();
        hashing.RefuseUnknown();
        return read;
    }

    private static HashCost? CostOf(string text)
    {
        var parts = text.Split(':');
        var numbers = Array.ConvertAll(
            parts, part => int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : 0);
        return parts switch
        {
            ["pbkdf2", _] when numbers[1] >= 1 && numbers[1] <= Ceilings.Pbkdf2Iterations => new HashCost(null, numbers[1]),
            [_, _, _] when numbers[0] >= 8 * numbers[2] && numbers[0] <= Ceilings.MemoryKib
                && numbers[1] >= 1 && numbers[1] <= Ceilings.Passes && numbers[2] >= 1 && numbers[2] <= Ceilings.Lanes =>
                new HashCost(new Argon2Cost(numbers[0], numbers[1], numbers[2]), 0),
            _ => null,
        };
    }
}
