using Sa2VA.Core;

namespace Sa2VA.Tests;

/// <summary>How correct a kernel must be: the rule of <see cref="KernelAccuracy"/>.</summary>
internal static class Float64Rule
{
    public static void Check(ReadOnlySpan<double> reference, ReadOnlySpan<float> naive, ReadOnlySpan<float> output, string what)
    {
        if (KernelAccuracy.Of(reference, naive, output).Problem is { } problem) Assert.Fail($"{what}: {problem}.");
    }
}
