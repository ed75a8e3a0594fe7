using System.Globalization;

namespace Sa2VA.Cli;

/// <summary>Counts in words.</summary>
internal static class Plural
{
    /// <summary>A number and its noun: "1 mask", "2 masks".</summary>
    /// <param name="count">The number.</param>
    /// <param name="one">The noun of one.</param>
    /// <param name="many">The noun of all other numbers; null for that of one with an s.</param>
    public static string Of(long count, string one, string? many = null) =>
        string.Create(CultureInfo.InvariantCulture, $"{count} {(count == 1 ? one : many ?? one + "s")}");
}
