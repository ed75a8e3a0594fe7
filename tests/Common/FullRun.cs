namespace Sa2VA.Tests;

/// <summary><c>./test --full</c>: soaks that take minutes run as long as they can tell something.</summary>
internal static class FullRun
{
    public static bool IsAsked { get; } = Environment.GetEnvironmentVariable("SA2VA_FULL") == "1";

    /// <summary>How often a seeded search tries: <paramref name="usual"/>, or <paramref name="full"/> where it was asked for.</summary>
    public static int Times(int usual, int full) => IsAsked ? full : usual;
}
