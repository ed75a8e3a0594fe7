using System.Runtime.InteropServices;
using Sa2VA.Core;
using Sa2VA.Cpu;
using Sa2VA.Tests;

namespace Sa2VA.Verification.Tests;

/// <summary>
/// By what a device of bf16 is judged: tolerances from the reference's own errors, masks, and choices that bf16 does not decide.
/// </summary>
public sealed class BFloat16RuleTests
{
    [Fact]
    public void The_bound_is_twice_the_references_own_error_and_else_that_of_the_kind()
    {
        string file = Fixtures.Path("goldens", "internvl-internlm2", "image_encoder.safetensors");
        using Verifier verifier = Verifier();
        StageResult result = verifier.Verify(file, TestContext.Current.CancellationToken);
        (string, double, double)[] recorded = [("s0", 0.00478, 0.006536), ("f", 0.009089, 0.010191)];
        foreach ((string output, double rms, double max) in recorded)
        {
            TensorCheck check = result.Checks.Single(c => c.Name == $"out.{output}");
            Assert.Equal(2 * rms * check.RmsValue + 1e-5, check.RmsAllowed, 1e-9);
            Assert.Equal(2 * max * check.MaxValue + 1e-5, check.MaxAllowed, 1e-9);
            Assert.Contains("reference", check.Rule, StringComparison.Ordinal);
        }
        TensorCheck other = result.Checks.Single(c => c.Name == "out.c1");
        Assert.Equal((5e-2 * other.RmsValue + 1e-5, "net.*"), (other.RmsAllowed, other.Rule));
    }

    [Theory]
    [InlineData("""{"format":"sa2va-bf16-error/1","models":{"m":{"net.video":{"rms":"x","max":1}}}}""")]
    [InlineData("""{"format":"sa2va-bf16-error/1","models":{"m":{"net.video":{"rms":1}}}}""")]
    [InlineData("""{"format":"sa2va-bf16-error/1","models":[]}""")]
    [InlineData("""{"format":"sa2va-bf16-error/1","models":{"m":{"net.video":{"rms":1,"max":1,"iou":[]}}}}""")]
    [InlineData("""{"format":"sa2va-bf16-error/1"}""")]
    [InlineData("""{"format":"other","models":{}}""")]
    [InlineData("no JSON")]
    public void A_broken_file_of_errors_is_told_of(string content)
    {
        using TestGolden golden = TestGolden.Linear();
        string path = golden.Save();
        File.WriteAllText(Path.Combine(Path.GetDirectoryName(path)!, "bf16-error.json"), content);
        using Verifier verifier = Verifier();
        var e = Assert.Throws<CheckpointException>(() => verifier.Verify(path, TestContext.Current.CancellationToken));
        Assert.Contains("bf16-error.json", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, StageStatus.Passed)]
    [InlineData(0.003, StageStatus.Passed)]
    [InlineData(0.03, StageStatus.Failed)]
    public void An_error_of_the_kinds_size_passes_and_a_larger_one_fails(double error, StageStatus expected)
    {
        using TestGolden golden = TestGolden.Linear();
        golden.Remove("out.y").Add("out.y", [2, 1], [(float)(18 * (1 + error)), (float)(28 * (1 + error))]);
        using Verifier verifier = Verifier();
        Assert.Equal(expected, verifier.Verify(golden.Save(), TestContext.Current.CancellationToken).Status);
        // The same error is far outside of float32's bound.
        Assert.Equal(error == 0 ? StageStatus.Passed : StageStatus.Failed, golden.Verify().Status);
    }

    [Theory]
    [InlineData(10, 0.0625)]
    [InlineData(-10, 0.0625)]
    [InlineData(8, 0.0625)]
    [InlineData(7.9, 0.03125)]
    [InlineData(0.6, 0.00390625)]
    [InlineData(0, 0)]
    public void A_step_is_the_distance_to_the_next_number(double value, double step)
    {
        Assert.Equal(step, ChoiceTies.StepAt(value));
        if (value == 0) return;
        var rounded = BFloat16.FromSingle((float)value);
        Assert.Equal(step, Math.Abs(new BFloat16((ushort)(rounded.Bits + 1)).ToSingle() - rounded.ToSingle()));
    }

    [Theory]
    [InlineData(new[] { 1f, 10, 2, 9.94f }, true)]
    [InlineData(new[] { 1f, 10, 2, 9.93f }, false)]
    [InlineData(new[] { 0.9f, 0.898f, 0.1f }, true)]
    [InlineData(new[] { 0.9f, 0.895f, 0.1f }, false)]
    public void A_tie_is_a_gap_of_at_most_a_step(float[] values, bool tie) => Assert.Equal(tie, ChoiceTies.IsTie(values));

    [Fact]
    public void Largest_logits_that_are_others_fail_unless_the_record_ties()
    {
        float[] recorded = [1, 10, 9.95f, 1, 10, 9, 1, 10, 9];
        TensorCheck check = TensorCheck.Choices("logits", [1, 9.9f, 10, 1, 10, 9, 1, 10, 9], recorded, 3);
        Assert.Equal((true, 1), (check.Passed, check.Ties));
        check = TensorCheck.Choices("logits", [1, 9.9f, 10, 1, 9, 9.5f, 1, 10, 9], recorded, 3);
        Assert.Equal((false, 1), (check.Passed, check.Ties));
    }

    [Theory]
    [InlineData(null, 0.991, true)]
    [InlineData(null, 0.989, false)]
    [InlineData(0.98, 0.989, false)]
    public void Masks_are_held_to_an_IoU_whatever_the_reference_reaches(double? reference, double iou, bool passes)
    {
        float[] recorded = [.. Enumerable.Repeat(1f, 1000)], computed = [.. recorded.Select((v, i) => i < 1000 * iou ? v : -1)];
        TensorCheck check = TensorCheck.Masks("low", [(recorded, recorded), (computed, recorded)], reference);
        Assert.Equal((passes, 2L, reference), (check.Passed, check.Count, check.ReferenceIou));
        Assert.Equal(iou, check.LowestIou!.Value, 1e-9);
    }

    [Theory]
    [InlineData(0.898f, 0.1f, 1)]
    [InlineData(0.88f, 0.1f, int.MaxValue)]
    [InlineData(0.88f, 0.899f, int.MaxValue)]
    public void Frames_behind_a_choice_that_bf16_does_not_decide_cannot_be_compared(float second, float other, int first)
    {
        // Frame 1 is the close one; of frame 0 the choice is sure.
        using TestGolden video = Video([0.9f, 0.5f, 0.1f, 0.9f, second, 0.1f, 0.9f, other, 0.1f], [1, -1, 1]);
        using var golden = new GoldenFile(video.Save());
        Assert.Equal(first, Of(golden, [1, 2, 1], [1, -1, 1]).FirstFrame);
        Assert.Equal(int.MaxValue, Of(golden, [1, 1, 1], [1, -1, 1]).FirstFrame);
        Assert.Equal(int.MaxValue, Of(golden, [2, 2, 1], [1, -1, 1]).FirstFrame);
        ChoiceTies ties = Of(golden, [1, 2, 1], [1, -1, 1]);
        Assert.Equal(first == 1 ? [true, true, false, false, false, false] : null, ties.Comparable(golden, "low", [3, 2]));
    }

    [Theory]
    [InlineData(-0.02f, 0.01f, 1)]
    [InlineData(-0.02f, -0.01f, 0)]
    [InlineData(-0.5f, 0.01f, 0)]
    public void A_pointer_that_is_gated_otherwise_is_a_tie_where_the_recorded_logit_is_near_zero(float recorded, float computed, int ties)
    {
        using TestGolden video = Video([0.9f, 0.5f, 0.1f, 0.9f, 0.5f, 0.1f, 0.9f, 0.5f, 0.1f], [1, recorded, 1]);
        using var golden = new GoldenFile(video.Save());
        ChoiceTies found = Of(golden, [1, 1, 1], [1, computed, 1]);
        Assert.Equal(ties, found.Count);
        Assert.Equal(ties == 1 ? [true, false, true] : null, found.Comparable(golden, "ptr", [3, 1]));
        if (ties == 1) Assert.All(found.Comparable(golden, "low", [3, 1])!, Assert.True);
    }

    [Theory]
    [InlineData(0.05, true)]
    [InlineData(0.07, false)]
    public void Another_token_is_a_tie_where_the_record_says_that_it_was_close(double margin, bool tie)
    {
        using var folder = new ScratchFolder();
        Directory.CreateDirectory(folder.At("predict"));
        File.WriteAllText(folder.At("predict", "case.json"), FormattableString.Invariant(
            $$"""{"format":"sa2va-predict/1","model":"m","text":"t","prediction":"p","masks":[],"min_margin":{{margin}}}"""));
        PredictCase recorded = PredictCase.Read(folder.At("predict", "case.json"));
        var bound = MaskBound.Of(Precision.BFloat16);
        var result = new PredictResult(recorded, false, false, [], 0, "answer ids differ", bound) { PromptEqual = true };
        Assert.Equal((false, tie), (result.Passed, result.IsTie));
        Assert.False((result with { PromptEqual = false }).IsTie);
        Assert.False((result with { Bound = MaskBound.Of(Precision.Float32) }).IsTie);
    }

    private static Verifier Verifier() => new(new VerifierOptions
    {
        CreateBackend = _ => new CpuBackend(new CpuOptions { Precision = Precision.BFloat16 }),
    });

    private static ChoiceTies Of(GoldenFile golden, long[] selected, float[] objects) =>
        ChoiceTies.Of(golden, selected, objects, Tolerance.For(golden, Precision.BFloat16));

    /// <summary>Three frames whose first mask is chosen.</summary>
    private static TestGolden Video(float[] ious, float[] objects)
    {
        var golden = new TestGolden();
        golden.Metadata["stage"] = "net.video";
        long[] selected = [1, 1, 1];
        return golden.Add("out.ious", [3, 3], ious).Add("out.object_logit", [3], objects)
            .Add("out.selected_index", "I64", [3], MemoryMarshal.AsBytes<long>(selected).ToArray());
    }
}
