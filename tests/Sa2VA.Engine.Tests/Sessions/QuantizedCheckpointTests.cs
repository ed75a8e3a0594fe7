using Sa2VA.Core;
using Sa2VA.Cpu;
using Sa2VA.Engine;
using Sa2VA.Models;

namespace Sa2VA.Tests.Sessions;

/// <summary>Checkpoints that are stored in few bits answer as the original does that is quantised when it is loaded, to the bit.</summary>
public sealed class QuantizedCheckpointTests : IDisposable
{
    private readonly ScratchFolder _folder = new();

    public static IEnumerable<TheoryDataRow<string, Precision>> Cases() =>
        from name in SmallCheckpoint.Names
        from precision in (Precision[])[Precision.Int8, Precision.Int4]
        select new TheoryDataRow<string, Precision>(name, precision);

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Cases))]
    public void Answers_are_those_of_the_original(string name, Precision precision)
    {
        string original = SmallCheckpoint.Of(name, _folder), stored = _folder.At("stored");
        Quantizer.Write(original, stored, precision, cancellation: TestContext.Current.CancellationToken);
        Assert.Equal(precision, Sa2VAConfig.Read(stored).Quantization?.Precision);
        string expected = Answer(original, precision, null);
        LoadProgress last = default;
        Assert.Equal(expected, Answer(stored, precision, new Reports<LoadProgress>(p => last = p)));
        if (original == Shapes.Folder) Assert.NotEqual(expected, Answer(original, Precision.BFloat16, null));
        // All of what is stored was told of as it was read.
        Assert.Equal("ready", last.Stage);
        Assert.True(last.Bytes > 0.9 * last.TotalBytes, $"{last}");
    }

    [Fact]
    public void Another_precision_is_refused()
    {
        string stored = _folder.At("stored");
        Quantizer.Write(Shapes.Folder, stored, Precision.Int4, cancellation: TestContext.Current.CancellationToken);
        foreach (Precision precision in (Precision[])[Precision.Float32, Precision.BFloat16, Precision.Int8])
        {
            var device = new CpuDevice { Precision = precision };
            string message = Assert.Throws<CheckpointException>(() => Sa2VAModel.Load(stored, device)).Message;
            Assert.Contains("int4", message, StringComparison.Ordinal);
            Assert.Contains("--precision", message, StringComparison.Ordinal);
            using Checkpoint checkpoint = Checkpoint.Open(stored);
            Assert.Throws<CheckpointException>(() => MemoryEstimate.Of(device, Sa2VAConfig.Read(stored), checkpoint));
        }
    }

    [Fact]
    public void A_quantised_one_needs_no_more_memory_than_the_original()
    {
        string stored = _folder.At("stored");
        Quantizer.Write(Shapes.Folder, stored, Precision.Int8, cancellation: TestContext.Current.CancellationToken);
        var device = new CpuDevice { Precision = Precision.Int8 };
        Assert.Equal(Needs(Shapes.Folder), Needs(stored));

        BackendMemory Needs(string folder)
        {
            using Checkpoint checkpoint = Checkpoint.Open(folder);
            return MemoryEstimate.Of(device, Sa2VAConfig.Read(folder), checkpoint).Total;
        }
    }

    private static string Answer(string folder, Precision precision, IProgress<LoadProgress>? progress)
    {
        using var model = Sa2VAModel.Load(folder, new CpuDevice { Precision = precision }, progress: progress,
            cancellation: TestContext.Current.CancellationToken);
        using ImageSession session = model.OpenImage(Shapes.Pattern(150, 100));
        return Shapes.Fingerprint(session.Ask("Where is it?", new AskOptions
        {
            MaxNewTokens = 4, AnswerPrefix = "Sure, [SEG].", Logits = true,
        }));
    }
}
