// Some tests have a long form for the promises' full figures: LONG_TESTS=1 dotnet test.

namespace FetchApiKeyFunction.Tests;

internal static class LongTests
{
    private static readonly bool IsLong = Environment.GetEnvironmentVariable("LONG_TESTS") == "1";

    /// <summary>How often or how long, in the long form or in the usual one.</summary>
    public static int Or(int longForm, int usual) => IsLong ? longForm : usual;
}
