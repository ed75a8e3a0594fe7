using Sa2VA.Core;

namespace Sa2VA.Verification;

/// <summary>
/// How far an output may be from the recorded one (docs/model/verification.md#tolerances): rms(y−g) ≤ r·rms(g) + a and max|y−g| ≤ m·max|g|
/// + a. It bounds a correct implementation with another order of summation.
/// </summary>
/// <param name="Rms">r.</param>
/// <param name="Max">m.</param>
/// <param name="Absolute">a.</param>
/// <param name="Rule">Where it comes from, in bf16; else null.</param>
public readonly record struct Tolerance(double Rms, double Max, double Absolute, string? Rule = null)
{
    /// <summary>Equality: integers, masks, bytes, copies and tables.</summary>
    public static Tolerance Exact => default;

    /// <summary>
    /// The tolerance of an output. In bf16 it is twice what the reference implementation's own bf16 was recorded to differ by from its
    /// float32; where that is not recorded, that of the stage's kind.
    /// </summary>
    internal static Tolerance For(GoldenFile golden, string output, Precision precision, RecordedErrors errors)
    {
        Tolerance byKind = For(golden, precision);
        if (precision == Precision.Float32 || byKind == Exact) return byKind;
        return errors.Of(golden.Model, golden.Stage, output) is { } error
            ? new Tolerance(2 * error.Rms, 2 * error.Max, byKind.Absolute, "2 × the reference's own bf16")
            : byKind with { Rule = $"{golden.Stage.Split('.')[0]}.*" };
    }

    /// <summary>The tolerance of a stage's floating-point outputs by its kind.</summary>
    /// <param name="golden">The recorded computation.</param>
    /// <param name="precision">How the backend stores numbers.</param>
    /// <exception cref="CheckpointException">The stage is none of op, block, net.</exception>
    public static Tolerance For(GoldenFile golden, Precision precision = Precision.Float32)
    {
        bool single = precision == Precision.Float32;
        double absolute = single ? 1e-7 : 1e-5;
        switch (golden.Stage)
        {
            case "prep.qwen_image" or "op.pixel_shuffle" or "op.window_partition" or "net.preprocess_grounding":
                return Exact;
            // Memories are rounded to bf16 inside the loop: a difference in the last bit can flip one of them by far more than itself.
            case "net.interactive" when single:
                return new Tolerance(2e-4, 2e-3, absolute);
            case "net.video" when single
                && golden.Params.Int("frames", 1, int.MaxValue, 1) > golden.Params.Int("cond_frames", 1, int.MaxValue, 1):
                return new Tolerance(2e-4, 2e-3, absolute);
        }
        string kind = golden.Stage.Split('.')[0];
        return kind switch
        {
            "op" => single ? new(1e-6, 1e-5, absolute) : new(4e-3, 3e-2, absolute),
            "block" => single ? new(5e-6, 5e-5, absolute) : new(1e-2, 6e-2, absolute),
            "net" => single ? new(5e-5, 5e-4, absolute) : new(5e-2, 2e-1, absolute),
            _ => throw golden.Bad($"has the stage '{golden.Stage}'; op.*, block.* and net.* have tolerances"),
        };
    }
}
