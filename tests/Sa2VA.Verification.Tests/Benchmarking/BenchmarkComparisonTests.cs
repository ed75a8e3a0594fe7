using Sa2VA.Core;
using Sa2VA.Cpu;
using Sa2VA.Verification.Benchmarking;

namespace Sa2VA.Tests;

public class BenchmarkComparisonTests
{
    private static readonly Ceilings Measured =
        new(new Spread(200e9, 190e9, 210e9, 7), "fused multiply-adds", new Spread(25e9, 20e9, 26e9, 7), "read");

    [Fact]
    public void Both_forms_of_a_result_are_read_as_they_were_written()
    {
        using var folder = new ScratchFolder();
        BenchmarkReport report = Report(Stage("decode", 0.0441, 0.0341, 0.0683, 5) with
        {
            Kernels =
            [
                new KernelTime("Linear", "gemv", "1×896, w 4864×896 → 1×4864", 48, 0.03, 10, 20)
                {
                    Range = new Spread(0.031, 0.029, 0.04, 5),
                },
                new KernelTime("Softmax", "rows", "14×1024 → 14×1024", 24, 0.000123, 0, 0),
            ],
        }, Stage("vision-tower", 4.12, 4.07, 4.25, 5));
        File.WriteAllLines(folder.At("lines"), BenchmarkText.JsonLines(report));
        File.WriteAllText(folder.At("page"), "Some words.\n\n" + BenchmarkText.Markdown(report));
        RecordedRow[] rows =
        [
            new("fused multiply-adds", null, "GFLOP/s"), new("read", null, "GB/s"), new("decode", null, "s"),
            new("decode", "Linear gemv 1×896, w 4864×896 → 1×4864", "s"), new("decode", "Softmax rows 14×1024 → 14×1024", "s"),
            new("vision-tower", null, "s"),
        ];
        foreach (BenchmarkRecord read in (BenchmarkRecord[])[BenchmarkRecord.Read(folder.At("lines")), BenchmarkRecord.Of(report),
            BenchmarkRecord.Read(folder.At("page"))])
        {
            Assert.Equal("toy on X64 CPU", read.Machine);
            Assert.Equal(rows.ToHashSet(), read.Rows.Keys.ToHashSet());
            Assert.Equal((0.0441, 0.0341, 0.0683), Of(read, rows[2]));
            Assert.Equal((4.12, 4.07, 4.25), Of(read, rows[5]));
            Assert.Equal((200, 190, 210), Of(read, rows[0]));
            Assert.Equal((25, 20, 26), Of(read, rows[1]));
            Assert.Equal(0.03, read.Rows[rows[3]].Median, 9);
            Assert.Equal((0.000123, 0.000123, 0.000123), Of(read, rows[4]));
            Assert.Equal(1, read.Rows[rows[4]].Count);
        }
        Assert.Equal((0.03, 0.029, 0.04), Of(BenchmarkRecord.Of(report), rows[3]));
    }

    [Theory]
    [InlineData("s", 9.0, 9.5, 9.9, Movement.Better)]
    [InlineData("s", 9.0, 9.5, 10.0, Movement.WithinSpread)]
    [InlineData("s", 12.0, 13.0, 14.0, Movement.WithinSpread)]
    [InlineData("s", 12.1, 13.0, 14.0, Movement.Worse)]
    [InlineData("GB/s", 12.1, 13.0, 14.0, Movement.Better)]
    [InlineData("GFLOP/s", 9.0, 9.5, 9.9, Movement.Worse)]
    public void What_moved_is_what_left_the_range(string unit, double least, double median, double most, Movement expected)
    {
        var row = new RecordedRow("x", null, unit);
        var change = new BenchmarkChange(row, new Spread(11, 10, 12, 5), new Spread(median, least, most, 5));
        Assert.Equal((expected, median / 11), (change.Movement, change.Ratio!.Value));
        Assert.Equal(Movement.Unknown, (change with { Before = new Spread(1, 1, 1, 1) }).Movement);
        Assert.Equal(Movement.New, (change with { Before = null }).Movement);
        Assert.Equal(Movement.Gone, (change with { Now = null }).Movement);
    }

    [Fact]
    public void Rows_are_matched_by_name_and_stages_that_were_not_measured_again_are_left_out()
    {
        StageMeasurement decode = Stage("decode", 2, 1, 3, 5);
        BenchmarkRecord before = BenchmarkRecord.Of(Report(Kernel(decode, "old"), Kernel(Stage("prefill", 2, 1, 3, 5), "old")));
        BenchmarkRecord now = BenchmarkRecord.Of(Report(Kernel(Stage("decode", 7, 6, 8, 5), "new"), Stage("frame", 1, 1, 1, 1)));
        IReadOnlyList<BenchmarkChange> changes = BenchmarkComparison.Of(before, now);
        Assert.Equal(["fused multiply-adds WithinSpread", "read WithinSpread", "decode Worse", "decode: Linear new 1 New", "frame New",
            "decode: Linear old 1 Gone"], changes.Select(c => $"{c.Row} {c.Movement}"));
        Assert.Equal(["decode", "", "slower", "2.00 (1.00–3.00) s", "7.00 (6.00–8.00) s", "3.50"], BenchmarkComparison.Cells(changes[2]));
        Assert.Equal(changes.Count, BenchmarkComparison.JsonLines(changes).Count());
    }

    [Theory]
    [InlineData("")]
    [InlineData("A page.\n\n| Stage | Time |\n| --- | --- |\n| decode | 3 ms |\n")]
    [InlineData("{\"type\":\"golden\",\"path\":\"x\"}\n")]
    [InlineData("{\"type\":\"machine\",\"model\":\"toy\"}\n", "Line 1")]
    [InlineData("\n{\"type\":\"sta", "Line 2")]
    [InlineData("{\"type\":\"stage\",\"stage\":\"decode\",\"seconds\":5}\n", "Line 1")]
    [InlineData("{\"type\":null}\n", "Line 1")]
    [InlineData("[1, 2]\n\0\uFFFD")]
    public void What_is_no_result_is_refused(string content, string names = "--json or --markdown")
    {
        using var folder = new ScratchFolder();
        File.WriteAllText(folder.At("file"), content);
        var e = Assert.Throws<BenchmarkFileException>(() => BenchmarkRecord.Read(folder.At("file")));
        Assert.Contains(names, e.Message, StringComparison.Ordinal);
        Assert.Contains(folder.At("file"), e.Message, StringComparison.Ordinal);
        Assert.Throws<BenchmarkFileException>(() => BenchmarkRecord.Read(folder.Path));
        Assert.Throws<BenchmarkFileException>(() => BenchmarkRecord.Read(folder.At("none")));
    }

    [Fact]
    public void Results_of_this_repository_are_read_and_files_of_several_runs_refused()
    {
        string results = Path.Combine(Fixtures.Repository, "benchmarks", "results");
        BenchmarkRecord page = BenchmarkRecord.Read(Path.Combine(results, "2026-11-26-epyc-sa2va-1b.md"));
        Assert.Equal((9, 4.12), (page.Rows.Count, page.Rows[new RecordedRow("vision-tower", null, "s")].Median));
        BenchmarkRecord lines = BenchmarkRecord.Read(Path.Combine(results, "2026-11-27-h200-sa2va-1b-bf16-67a57ea-stages.jsonl"));
        Assert.Equal(0.00442462, lines.Rows[new RecordedRow("vision-tower", null, "s")].Median, 12);
        var e = Assert.Throws<BenchmarkFileException>(() =>
            BenchmarkRecord.Read(Path.Combine(results, "2026-11-27-xeon-16-bf16.jsonl")));
        Assert.Contains("second time in line", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Remarks_tell_of_busy_machines_and_shares_above_the_whole()
    {
        using var backend = new CpuBackend(new CpuOptions { Threads = 2 });
        BenchmarkReport quiet = Report(Stage("decode", 1, 1, 1, 5)) with { Device = BenchmarkDevice.Of(new CpuDevice(), backend) };
        Assert.Empty(BenchmarkText.Remarks(quiet));
        StageMeasurement one = quiet.Stages[0];
        string busy = Assert.Single(BenchmarkText.Remarks(quiet with { Stages = [one, one with { Stage = "prefill", Cores = 1.7 }] }));
        Assert.Contains("busy: prefill had 1.7 of 2 cores", busy, StringComparison.Ordinal);
        Assert.Contains("peak above 100 %", Assert.Single(BenchmarkText.Remarks(quiet with
        {
            Stages = [one with { Flops = 201_000_000_000 }],
        })), StringComparison.Ordinal);
        string bytes = Assert.Single(BenchmarkText.Remarks(quiet with
        {
            Stages = [one with { Kernels = [new KernelTime("Linear", "gemv", "1", 1, 1e-3, 0, 26_000_000)] }],
        }));
        Assert.Contains("bandwidth above 100 %", bytes, StringComparison.Ordinal);
        Assert.EndsWith(bytes + "\n", BenchmarkText.Markdown(quiet with
        {
            Stages = [one with { Bytes = 26_000_000_000 }],
        }), StringComparison.Ordinal);
    }

    private static (double, double, double) Of(BenchmarkRecord record, RecordedRow row)
    {
        Spread s = record.Rows[row];
        return (Math.Round(s.Median, 9), Math.Round(s.Min, 9), Math.Round(s.Max, 9));
    }

    private static StageMeasurement Stage(string name, double median, double least, double most, int count) =>
        new(name, "one", new Spread(median, least, most, count), 1000, 1000, 2, 1 << 20);

    private static StageMeasurement Kernel(StageMeasurement stage, string kernel) =>
        stage with { Kernels = [new KernelTime("Linear", kernel, "1", 1, 1, 1, 1)] };

    private static BenchmarkReport Report(params StageMeasurement[] stages) =>
        new("toy", new BenchmarkDevice("cpu", "X64 CPU", Precision.Float32), Measured, stages);
}
