// In how many ways something can be chosen.

namespace FetchApiKey.Passwords;

internal static class Combinations
{
    /// <summary>In how many ways <paramref name="chosen"/> of <paramref name="all"/> can be chosen.</summary>
    public static double Of(int all, int chosen)
    {
        var ways = 1.0;
        for (var i = 1; i <= chosen; i++)
        {
            ways = ways * (all - chosen + i) / i;
        }

        return ways;
    }

    /// <summary>
    /// What it multiplies the guesses by that some characters are changed and others left: all of them is one way more, some are as many as
    /// there are to change as few or fewer.
    /// </summary>
    public static double Variations(int changed, int left)
    {
        if (changed == 0)
        {
            return 1;
        }

        var ways = left == 0 ? 2.0 : 0.0;
        for (var few = 1; few <= Math.Min(changed, left); few++)
        {
            ways += Of(changed + left, few);
        }

        return ways;
    }
}
