using System.Text.Json;
using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Media;
using Sa2VA.Models;

namespace Sa2VA.Tests;

/// <summary>Run lengths and measures against those recorded from pycocotools and the reference's formulas.</summary>
public sealed class MetricsTests
{
    [Fact]
    public void Every_recorded_run_length_mask_is_exact()
    {
        using JsonDocument recorded = JsonDocument.Parse(File.ReadAllText(Fixtures.Path("metrics", "rle.json")));
        int encoded = 0, decoded = 0;
        foreach (JsonElement item in recorded.RootElement.GetProperty("cases").EnumerateArray())
        {
            string counts = item.GetProperty("counts").GetString()!;
            int height = item.GetProperty("size")[0].GetInt32(), width = item.GetProperty("size")[1].GetInt32();
            Mask mask = CocoRle.Decode(counts, width, height);
            if (item.GetProperty("mask").GetString() is { } name)
            {
                Mask expected = MaskFile.Load(Fixtures.Path("metrics", name));
                Assert.Equal(expected.Pixels.ToArray(), mask.Pixels.ToArray());
                Assert.Equal(counts, CocoRle.Encode(expected));
                encoded++;
                continue;
            }
            int i = 0;
            foreach (JsonElement value in item.GetProperty("pixels_column_major").EnumerateArray())
            {
                Assert.Equal(value.GetInt32() != 0, mask[i / height, i % height]);
                i++;
            }
            Assert.Equal(width * height, i);
            decoded++;
        }
        Assert.Equal(120, encoded + decoded);
        Assert.NotEqual(0, decoded);
    }

    [Fact]
    public void Any_mask_survives_the_round_trip()
    {
        var random = new Random(11);
        for (int round = 0; round < 200; round++)
        {
            int width = random.Next(1, 90), height = random.Next(1, 90);
            double share = random.NextDouble();
            var mask = new Mask(width, height,
                [.. Enumerable.Range(0, width * height).Select(_ => (byte)(random.NextDouble() < share ? 1 : 0))]);
            Assert.Equal(mask.Pixels.ToArray(), CocoRle.Decode(CocoRle.Encode(mask), width, height).Pixels.ToArray());
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("3")]
    [InlineData("5")]
    [InlineData("04 ")]
    [InlineData("0p")]
    [InlineData("P")]
    [InlineData("ooooooooooooo0")]
    [InlineData("M7")]
    [InlineData("22O")]
    [InlineData("0é")]
    public void Hostile_counts_are_refused(string counts) => Assert.Throws<MediaException>(() => CocoRle.Decode(counts, 2, 2));

    [Fact]
    public void A_hostile_size_is_refused() => Assert.Throws<MediaException>(() => CocoRle.Decode("4", 60_000, 60_000));

    [Fact]
    public void Every_recorded_measure_is_exact()
    {
        using JsonDocument recorded = JsonDocument.Parse(File.ReadAllText(Fixtures.Path("metrics", "jf.json")));
        List<(long, long)> overlaps = [];
        List<double> ious = [], regions = [], boundaries = [];
        foreach (JsonElement pair in recorded.RootElement.GetProperty("pairs").EnumerateArray())
        {
            string name = pair.GetProperty("name").GetString()!;
            Mask prediction = MaskFile.Load(Fixtures.Path("metrics", pair.GetProperty("pred").GetString()!));
            Mask truth = MaskFile.Load(Fixtures.Path("metrics", pair.GetProperty("gt").GetString()!));
            overlaps.Add(SegmentationMetrics.Overlap(prediction, truth));
            ious.Add(SegmentationMetrics.Iou(prediction, truth));
            regions.Add(SegmentationMetrics.Jaccard(prediction, truth));
            BoundaryScore boundary = SegmentationMetrics.Boundary(prediction, truth);
            boundaries.Add(boundary.F);
            Assert.Equal((name, pair.GetProperty("intersection").GetInt64(), pair.GetProperty("union").GetInt64()),
                (name, overlaps[^1].Item1, overlaps[^1].Item2));
            Assert.Equal((name, pair.GetProperty("iou_1e-5").GetDouble()), (name, ious[^1]));
            Assert.Equal((name, pair.GetProperty("j").GetDouble()), (name, regions[^1]));
            Assert.Equal((name, Score(pair)), (name, boundary));
            Assert.Equal((name, pair.GetProperty("precision").GetDouble()), (name, boundary.Precision));
            Assert.Equal((name, pair.GetProperty("recall").GetDouble()), (name, boundary.Recall));
            Assert.Equal((name, pair.GetProperty("f").GetDouble()), (name, boundary.F));
        }
        Assert.Equal(34, overlaps.Count);
        JsonElement summary = recorded.RootElement.GetProperty("summary");
        Assert.Equal(summary.GetProperty("ciou").GetDouble(), SegmentationMetrics.CumulativeIou(overlaps));
        // Means of 34 numbers in [0, 1] may differ by the order of summation only.
        const double rounding = 34 * 2.22e-16;
        Assert.Equal(summary.GetProperty("giou").GetDouble(), ious.Average(), rounding);
        Assert.Equal(summary.GetProperty("mean_j").GetDouble(), regions.Average(), rounding);
        Assert.Equal(summary.GetProperty("mean_f").GetDouble(), boundaries.Average(), rounding);
    }

    [Fact]
    public void Masks_of_different_sizes_are_not_compared() =>
        Assert.Throws<MediaException>(() => SegmentationMetrics.Overlap(new Mask(1, 2, new byte[2]), new Mask(2, 1, new byte[2])));

    private static BoundaryScore Score(JsonElement pair) => new(pair.GetProperty("radius").GetInt32(), pair.GetProperty("n_fg").GetInt64(),
        pair.GetProperty("n_gt").GetInt64(), pair.GetProperty("match_fg").GetInt64(), pair.GetProperty("match_gt").GetInt64());
}
