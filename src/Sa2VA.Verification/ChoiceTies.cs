using Sa2VA.Core;

namespace Sa2VA.Verification;

/// <summary>
/// Choices between recorded numbers that are nearer to each other than a step of bf16: either is right in bf16. What was computed after
/// another choice than the recorded one cannot be compared with the record.
/// </summary>
/// <param name="FirstFrame">Frame of the first such choice of a mask; int.MaxValue if there is none.</param>
/// <param name="Gates">
/// Frames whose pointer was gated otherwise, because the object's logit has another sign than the recorded one, which is nearer to zero
/// than the tolerance of the logits.
/// </param>
internal readonly record struct ChoiceTies(int FirstFrame, int[] Gates)
{
    /// <summary>The outputs that follow from which mask is chosen.</summary>
    private static readonly string[] Chosen = ["selected_index", "low", "ptr", "mem"];

    /// <summary>No choice fell otherwise.</summary>
    public static ChoiceTies None { get; } = new(int.MaxValue, []);

    /// <summary>Distance from a number to the next that bf16 has.</summary>
    public static double StepAt(double value) => value == 0 ? 0 : Math.ScaleB(1, Math.ILogB(Math.Abs(value)) - 7);

    /// <summary>True if the two largest of some numbers are at most a step apart.</summary>
    public static bool IsTie(ReadOnlySpan<float> values)
    {
        float first = float.NegativeInfinity, second = float.NegativeInfinity;
        foreach (float v in values) (first, second) = v > first ? (v, first) : (first, Math.Max(second, v));
        return (double)first - second <= StepAt(first);
    }

    /// <summary>Choices in all.</summary>
    public int Count => (FirstFrame < int.MaxValue ? 1 : 0) + Gates.Length;

    /// <summary>Looks for the first mask that was chosen otherwise, and for pointers that were gated otherwise.</summary>
    /// <param name="golden">The record.</param>
    /// <param name="selected">What the engine chose, per frame.</param>
    /// <param name="objects">The engine's object logits, per frame.</param>
    /// <param name="tolerance">Of these.</param>
    public static ChoiceTies Of(GoldenFile golden, long[]? selected, float[]? objects, Tolerance tolerance)
    {
        if (!golden.OutputNames.Contains("selected_index")) return None;
        int first = selected is null ? int.MaxValue : FirstMask(golden, selected);
        if (objects is null || golden.Stage != "net.video") return new ChoiceTies(first, []);
        float[] recorded = golden.Output("object_logit").Floats;
        double near = tolerance.Rms * Math.Sqrt(recorded.Average(v => (double)v * v)) + tolerance.Absolute;
        return new ChoiceTies(first, [.. Enumerable.Range(0, Math.Min(recorded.Length, objects.Length))
            .Where(t => t < first && recorded[t] > 0 != objects[t] > 0 && Math.Abs(recorded[t]) <= near)]);
    }

    // Only choices among masks 1…3 are by their IoUs.
    private static int FirstMask(GoldenFile golden, long[] selected)
    {
        if (!golden.OutputNames.Contains("ious") || !golden.Params.Flag("multimask", true)) return int.MaxValue;
        long[] recorded = golden.Output("selected_index").Integers;
        float[] ious = golden.Output("ious").Floats;
        int candidates = recorded.Length == 0 ? 0 : ious.Length / recorded.Length;
        if (candidates < 3 || recorded.Length != selected.Length) return int.MaxValue;
        for (int frame = 0; frame < recorded.Length; frame++)
            if (selected[frame] != recorded[frame])
                return IsTie(ious.AsSpan(frame * candidates + candidates - 3, 3)) ? frame : int.MaxValue;
        return int.MaxValue;
    }

    /// <summary>Which elements of an output can be compared; null if all.</summary>
    /// <param name="golden">The record.</param>
    /// <param name="output">Name.</param>
    /// <param name="dims">Extents of the whole output.</param>
    public bool[]? Comparable(GoldenFile golden, string output, int[] dims)
    {
        bool perFrame = golden.Stage == "net.video";
        if (Count == 0 || !(perFrame || Chosen.Contains(output))) return null;
        long count = 1;
        foreach (int d in dims) count *= d;
        var comparable = new bool[count];
        if (!perFrame) return comparable;
        IReadOnlyList<int> remembered = output == "mem" ? golden.Params.Ints("mem_frames", 0, int.MaxValue - 1, 0, 1 << 16, []) : [];
        long each = count / Math.Max(1, dims[0]);
        for (long i = 0; i < count; i++)
        {
            int row = (int)(i / each);
            comparable[i] = (output == "mem" ? remembered[row] : row) < FirstFrame && !(output == "ptr" && Gates.Contains(row));
        }
        return comparable;
    }
}
