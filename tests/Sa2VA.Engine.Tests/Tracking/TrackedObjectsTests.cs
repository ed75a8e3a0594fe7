using Sa2VA.Core;
using Sa2VA.Cpu;
using Sa2VA.Engine;
using Sa2VA.Engine.Tracking;
using Sa2VA.Models;
using Sa2VA.Tests.Sessions;

namespace Sa2VA.Tests.Tracking;

/// <summary>
/// Objects of a frame step in one run, whatever their number and age: each has, bit for bit, what it has alone, and leaves nothing behind
/// when it goes.
/// </summary>
public sealed class TrackedObjectsTests
{
    private const int FrameCount = 10, Most = 18;

    private static readonly Lazy<byte[][]> Frames = new(() =>
    {
        int side = Shapes.Model.Config.Grounding.ImageSize;
        return [.. Shapes.Clip.Take(FrameCount).Select(f => PillowBicubic.Resize(f, side, side).Pixels.ToArray())];
    });

    private static readonly Lazy<string[][]> Apart = new(() => [.. Enumerable.Range(0, Most).Select(Alone)]);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(5)]
    [InlineData(11)]
    [InlineData(16)]
    [InlineData(18)]
    public void Each_has_the_bits_that_it_has_alone(int objects)
    {
        using var stream = new VideoSegmentation(Shapes.Model.Segmentation);
        var names = new List<int>();
        for (int f = 0; f < FrameCount; f++)
        {
            for (int o = 0; o < objects; o++) if (Joins(o) == f) Add(stream, names, o);
            stream.Step(Frames.Value[f], cancellation: Cancellation);
            for (int i = 0; i < names.Count; i++)
                Assert.True(Apart.Value[names[i]][f - Joins(names[i])] == Fingerprint(stream.Objects[i]), $"object {names[i]}, frame {f}");
        }
        Assert.Equal(objects, names.Count);
    }

    [Fact]
    public void In_bf16_too()
    {
        using Sa2VAModel model = Shapes.Load(new CpuDevice { Threads = 2, Precision = Precision.BFloat16 });
        using VideoSegmentation together = new(model.Segmentation), alone = new(model.Segmentation);
        var names = new List<int>();
        for (int o = 0; o < 3; o++) Add(together, names, o);
        Add(alone, [], 1);
        for (int f = 0; f < FrameCount; f++)
        {
            together.Step(Frames.Value[f], cancellation: Cancellation);
            alone.Step(Frames.Value[f], cancellation: Cancellation);
            Assert.Equal(Fingerprint(alone.Objects[0]), Fingerprint(together.Objects[1]));
        }
    }

    [Fact]
    public void Who_stays_does_not_notice_who_leaves_and_joins()
    {
        SegmentationModel model = Shapes.Model.Segmentation;
        using var stream = new VideoSegmentation(model);
        var names = new List<int>();
        var random = new Random(5);
        for (int o = 0; o < Most; o++) if (Joins(o) == 0) Add(stream, names, o);
        int left = 0;
        for (int f = 0; f < FrameCount; f++)
        {
            for (int o = 0; o < Most && f > 0; o++) if (Joins(o) == f) Add(stream, names, o);
            if (f % 3 == 2)
            {
                int leaves = random.Next(names.Count);
                names.RemoveAt(leaves);
                stream.RemoveAt(leaves);
                left++;
            }
            stream.Step(Frames.Value[f], cancellation: Cancellation);
            Assert.Equal(names.Count, stream.Objects.Count);
            for (int i = 0; i < names.Count; i++)
                Assert.True(Apart.Value[names[i]][f - Joins(names[i])] == Fingerprint(stream.Objects[i]), $"object {names[i]}, frame {f}");
        }
        Assert.Equal(3, left);
        Assert.InRange(names.Count, 10, Most - left);
    }

    [Fact]
    public void Slots_come_back_when_objects_leave_and_streams_close()
    {
        using Sa2VAModel model = Shapes.Load();
        SlotPool memories = model.Segmentation.Banks.MemorySlots, pointers = model.Segmentation.Banks.PointerSlots;
        long before = model.MemoryInfo.Buffers;
        for (int round = 0; round < 3; round++)
        {
            using var stream = new VideoSegmentation(model.Segmentation);
            var names = new List<int>();
            for (int o = 0; o < 3; o++) Add(stream, names, o);
            for (int f = 0; f < FrameCount; f++) stream.Step(Frames.Value[f], cancellation: Cancellation);
            Assert.Equal(Memories(0) + Memories(1) + Memories(2), memories.Taken);
            Assert.Equal(3 * FrameCount, pointers.Taken);
            stream.RemoveAt(1);
            Assert.Equal(Memories(0) + Memories(2), memories.Taken);
            Assert.Equal(2 * FrameCount, pointers.Taken);
            stream.Step(Frames.Value[0], cancellation: Cancellation);
        }
        Assert.Equal((0, 0), (memories.Taken, pointers.Taken));
        // The pools keep their memory for the next ones; a second and a third stream needed no more.
        long size = model.Segmentation.Banks.Memories.Shape.Last * 2L, pointer = model.Segmentation.Banks.Pointers.Shape.Last * 4L;
        Assert.Equal(before + memories.Made * size + pointers.Made * pointer, model.MemoryInfo.Buffers);
        // And what the frame writes, for each.
        Assert.InRange(memories.Made, Memories(0) + Memories(1) + Memories(2), Memories(0) + Memories(1) + Memories(2) + 3);

        // Those of conditioning frames, and of the seven latest: six that a frame reads, and one that a prompt on the newest would.
        static int Memories(int o) => Conditioning(o) + Math.Min(7, FrameCount - Conditioning(o));
    }

    /// <summary>Objects come in groups at several frames, and are conditioned on differently many.</summary>
    private static int Joins(int o) => o * 5 % 4 * 2 % 7;

    private static int Conditioning(int o) => 1 + o * 3 % 5;

    private static void Add(VideoSegmentation stream, List<int> names, int o)
    {
        names.Add(o);
        float[] seg = TestValues.Random(300 + o, Shapes.Model.Config.Grounding.DModel, 2);
        stream.Add(new ObjectPrompt(Shapes.Model.Segmentation, seg), Conditioning(o), Cancellation);
    }

    private static string[] Alone(int o)
    {
        using var stream = new VideoSegmentation(Shapes.Model.Segmentation);
        Add(stream, [], o);
        return [.. Frames.Value.Skip(Joins(o)).Select(frame =>
        {
            stream.Step(frame);
            return Fingerprint(stream.Objects[0]);
        })];
    }

    private static string Fingerprint(ObjectTrack track)
    {
        MaskPrediction p = track.Prediction;
        return FormattableString.Invariant(
            $"{Shapes.Hash(p.Low)} {Shapes.Hash(p.Pointer)} {Shapes.Hash(p.Ious)} {p.Selected} {p.ObjectLogit:R}");
    }
}
