using System.Text.Json;
using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Verification.Tests;

public sealed class GoldenFileTests
{
    [Fact]
    public void Inputs_by_formula_follow_the_stream_and_repeat_in_blocks()
    {
        using TestGolden made = TestGolden.Linear();
        made.Metadata["params"] = """
            {"in_formula": {"in.f": {"name": "n", "shape": [2, 1, 2], "scale": 2.5, "repeat": 3}, "in.g": {"name": "n", "shape": [4]}}}
            """;
        using var golden = new GoldenFile(made.Save());
        var stream = new SyntheticStream("n");

        GoldenTensor f = golden.Input("f");

        Assert.Equal([2, 3, 6], f.Dims);
        for (int i = 0; i < f.Floats.Length; i++)
        {
            int map = i / 18, block = i % 6 / 3;
            Assert.Equal(stream[map * 2 + block] * 2.5f, f.Floats[i]);
        }
        Assert.Equal([stream[0], stream[1], stream[2], stream[3]], golden.Input("g").Floats);
        Assert.True(golden.HasInput("f"));
        Assert.False(golden.HasInput("h"));
    }

    [Theory]
    [InlineData("""{"name": "n"}""")]
    [InlineData("""{"shape": [2]}""")]
    [InlineData("""{"name": "n", "shape": []}""")]
    [InlineData("""{"name": "n", "shape": [0]}""")]
    [InlineData("""{"name": "n", "shape": [1, 2, 3, 4, 5, 6]}""")]
    [InlineData("""{"name": "n", "shape": [16777216, 16777216]}""")]
    [InlineData("""{"name": "n", "shape": [16777216, 1], "repeat": 4096}""")]
    [InlineData("""{"name": "n", "shape": [16777216, 16777216], "repeat": 4096}""")]
    [InlineData("""{"name": "n", "shape": [4], "repeat": 2}""")]
    [InlineData("""{"name": "n", "shape": [4], "scale": "big"}""")]
    [InlineData("""{"name": 1, "shape": [4]}""")]
    public void Impossible_formulas_are_refused(string formula)
    {
        using TestGolden made = TestGolden.Linear();
        made.Metadata["params"] = $$$"""{"in_formula": {"in.f": {{{formula}}}}}""";
        using var golden = new GoldenFile(made.Save());

        Assert.Throws<CheckpointException>(() => golden.Input("f"));
    }

    [Theory]
    [InlineData("format", "sa2va-golden/2")]
    [InlineData("format", "")]
    [InlineData("stage", "")]
    [InlineData("params", "{")]
    [InlineData("params", "[1]")]
    public void Broken_metadata_is_refused(string key, string value)
    {
        using TestGolden made = TestGolden.Linear();
        made.Metadata[key] = value;
        string path = made.Save();

        var e = Assert.Throws<CheckpointException>(() => new GoldenFile(path));
        Assert.Contains(path, e.Message);
    }

    [Fact]
    public void A_file_without_outputs_is_refused()
    {
        using TestGolden made = TestGolden.Linear().Remove("out.y");
        string path = made.Save();

        Assert.Throws<CheckpointException>(() => new GoldenFile(path));
    }

    [Fact]
    public void A_cut_file_is_refused()
    {
        using TestGolden made = TestGolden.Linear();
        string path = made.Save();
        byte[] bytes = File.ReadAllBytes(path);
        for (int length = 0; length < bytes.Length; length += 7)
        {
            File.WriteAllBytes(path, bytes[..length]);
            Assert.Throws<CheckpointException>(() => new GoldenFile(path));
        }
    }

    [Fact]
    public void Records_that_are_not_finite_are_refused()
    {
        using TestGolden made = TestGolden.Linear().Remove("out.y").Add("out.y", [2, 1], [18, float.PositiveInfinity]);

        Assert.Throws<CheckpointException>(() => made.Verify());
    }

    [Theory]
    [InlineData("""{}""", new[] { 2, 3 }, new[] { 0, 1, 2, 3, 4, 5 })]
    [InlineData("""{"out_stride": {"out.y": 4}, "out_shape": {"out.y": [2, 3]}}""", new[] { 2 }, new[] { 0, 4 })]
    [InlineData("""{"out_stride": {"out.y": 1}, "out_shape": {"out.y": [2, 3]}}""", new[] { 6 }, new[] { 0, 1, 2, 3, 4, 5 })]
    [InlineData("""{"out_stride": {"out.y": [1, 2]}}""", new[] { 2, 2 }, new[] { 0, 2, 3, 5 })]
    [InlineData("""{"out_stride": {"out.y": [2, 1]}}""", new[] { 1, 3 }, new[] { 0, 1, 2 })]
    public void Strides_pick_elements(string json, int[] stored, int[] elements)
    {
        OutputSampling sampling = Sampling(json);

        Assert.Null(sampling.Mismatch([2, 3], stored));
        Assert.Equal(elements, sampling.Sample([0, 1, 2, 3, 4, 5], [2, 3]));
        Assert.NotNull(sampling.Mismatch([3, 3], stored));
    }

    [Theory]
    [InlineData("""{"out_stride": {"out.y": 4}, "out_shape": {"out.y": [3, 2]}}""", new[] { 2 })]
    [InlineData("""{"out_stride": {"out.y": 4}, "out_shape": {"out.y": [2, 3]}}""", new[] { 3 })]
    [InlineData("""{"out_stride": {"out.y": [1, 2, 1]}}""", new[] { 2, 2, 1 })]
    [InlineData("""{"out_stride": {"out.y": [1, 2]}}""", new[] { 2, 3 })]
    [InlineData("""{}""", new[] { 6 })]
    public void Another_shape_is_no_match(string json, int[] stored) => Assert.NotNull(Sampling(json).Mismatch([2, 3], stored));

    [Theory]
    [InlineData("op.linear", "{}", 1e-6, 1e-5, 4e-3, 3e-2)]
    [InlineData("block.hiera", "{}", 5e-6, 5e-5, 1e-2, 6e-2)]
    [InlineData("net.video", """{"frames": 5, "cond_frames": 5}""", 5e-5, 5e-4, 5e-2, 2e-1)]
    [InlineData("net.video", """{"frames": 6, "cond_frames": 5}""", 2e-4, 2e-3, 5e-2, 2e-1)]
    [InlineData("op.window_partition", "{}", 0, 0, 0, 0)]
    public void Tolerances_are_the_specified_ones(string stage, string json, double rms, double max, double rmsHalf, double maxHalf)
    {
        using TestGolden made = TestGolden.Linear();
        (made.Metadata["stage"], made.Metadata["params"]) = (stage, json);
        using var golden = new GoldenFile(made.Save());
        bool exact = rms == 0;

        Assert.Equal(new Tolerance(rms, max, exact ? 0 : 1e-7), Tolerance.For(golden));
        Assert.Equal(new Tolerance(rmsHalf, maxHalf, exact ? 0 : 1e-5), Tolerance.For(golden, Precision.BFloat16));
    }

    private static OutputSampling Sampling(string json)
    {
        using JsonDocument document = JsonDocument.Parse(json);
        return OutputSampling.Read(new ConfigFields(document.RootElement, "test", "params"), document.RootElement, "out.y");
    }
}
