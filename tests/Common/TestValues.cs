namespace Sa2VA.Tests;

/// <summary>Numbers that are the same in every run.</summary>
internal static class TestValues
{
    /// <summary>Uniform in ±<paramref name="scale"/>.</summary>
    public static float[] Random(int seed, long count, float scale = 1)
    {
        var random = new Random(seed);
        var values = new float[count];
        for (long i = 0; i < count; i++) values[i] = (float)(random.NextDouble() * 2 - 1) * scale;
        return values;
    }
}
