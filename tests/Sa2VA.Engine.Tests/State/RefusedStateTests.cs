using System.Buffers.Binary;
using System.Security.Cryptography;
using Sa2VA.Core;
using Sa2VA.Cpu;
using Sa2VA.Engine;
using Sa2VA.Engine.State;
using Sa2VA.Models;
using Sa2VA.Tests.Sessions;

namespace Sa2VA.Tests.State;

/// <summary>What is not the state of a session of this model is refused, with the reason, whatever it is, at no cost.</summary>
public sealed class RefusedStateTests
{
    private const int Seed = 5, DigestBytes = 32;
    private static readonly Lazy<byte[]> Saved = new(Save);

    [Fact]
    public void Cut_off_anywhere()
    {
        byte[] state = Saved.Value;
        foreach (Field f in Fields(state))
            foreach (int length in (int[])[f.At, f.At + f.Bytes / 2, f.At + f.Bytes - 1])
                Assert.Matches("^The session's state ends behind [0-9]+ bytes, where it should tell (what|how|whether|which|its|the|an?) "
                    + ".*: it was cut off", Refusal(state[..length]));
        Assert.Equal(state.Length, Fields(state)[^1].At + DigestBytes);
    }

    [Fact]
    public void A_byte_that_is_another_one()
    {
        byte[] state = Saved.Value;
        var random = new Random(Seed);
        // All of the header, all numbers, some of everything else.
        foreach (Field f in Fields(state))
            for (int i = 0; i < Math.Min(f.Bytes, 8); i++)
            {
                int at = f.At + (f.Bytes <= 8 ? i : random.Next(f.Bytes));
                byte[] changed = [.. state];
                changed[at] ^= (byte)(1 << random.Next(8));
                Refusal(changed);
            }
    }

    [Fact]
    public void Numbers_that_cannot_be_are_refused_even_with_the_right_digest_and_cost_no_memory()
    {
        byte[] state = Saved.Value;
        // What is used the first time is made once.
        Restore(state)!.Dispose();
        int accepted = 0, refused = 0, used = -1;
        // Of questions, which only their being asked again needs, a few values tell as much.
        int questions = state.AsSpan().IndexOf("Please segment the red circle."u8);
        int behind = state.AsSpan().IndexOf("Please segment the blue star."u8) + 60;
        long[] all = [-1, 0, 1, 2, 3, 200, 255, 65536, int.MaxValue, int.MinValue, long.MaxValue, long.MinValue], few = [-1, 2, 200];
        foreach (Field f in Fields(state).Where(f => f.Bytes is 1 or 4 or 8 && f.At + f.Bytes <= state.Length - DigestBytes))
            foreach (long value in f.At >= questions && f.At < behind ? few : all)
            {
                byte[] changed = Changed(state, f.At, BitConverter.GetBytes(value).AsSpan(0, f.Bytes));
                long before = GC.GetAllocatedBytesForCurrentThread();
                VideoSession? session = Restore(changed);
                long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
                if (session is null)
                {
                    refused++;
                    Assert.True(allocated < 3 * state.Length + 100_000, $"{allocated} bytes for {value} at {f.At}");
                    continue;
                }
                accepted++;
                using (session)
                {
                    // What could be is a session like others, and nothing else.
                    Assert.True(changed.AsSpan().SequenceEqual(States.Of(session).ToArray()), $"{value} at {f.At}");
                    if (used == f.At || f.At >= questions && f.At < behind) continue;
                    used = f.At;
                    try
                    {
                        session.Next(Shapes.Clip[3]);
                        session.Ask("Please segment the red circle.", new AskOptions { FollowUp = true, MaxNewTokens = 3 });
                    }
                    catch (Sa2VAException)
                    {
                    }
                }
            }
        Assert.True(accepted > 20 && refused > 400, $"{accepted} accepted, {refused} refused");
    }

    [Fact]
    public void Values_that_cannot_be_are_refused_even_with_the_right_digest()
    {
        byte[] state = Saved.Value;
        List<Field> large = [.. Fields(state).Where(f => f.Bytes > 8 && f.At + f.Bytes <= state.Length - DigestBytes)];
        int rows = 0, accepted = 0;
        var columns = new MaskColumns(Shapes.Model.Config.Grounding);
        foreach (Field f in large)
        {
            // As float or bfloat16 it is not a number, as token there is none, it is no text; as pixels it is as good as others.
            using (VideoSession? session = Restore(Changed(state, f.At + f.Bytes / 8 * 4, BitConverter.GetBytes(int.MaxValue))))
                accepted += session is null ? 0 : 1;
            if (f.Bytes != (columns.Pointer + columns.PointerCount) * sizeof(float)) continue;
            rows++;
            Assert.Null(Restore(Changed(state, f.At + columns.Selected * sizeof(float), BitConverter.GetBytes(7f))));
        }
        Assert.Equal(2, rows);
        // Two tiles, the newest frame as it is encoded and two as they came.
        Assert.Equal(5, accepted);
        int side = Shapes.Model.Config.Grounding.ImageSize;
        int history = large.FindIndex(f => f.Bytes == side * side * 3) - 1;
        Assert.Null(Restore(Changed(state, large[history].At, BitConverter.GetBytes(-1000))));
    }

    [Fact]
    public void A_state_that_is_cut_off_costs_no_more_memory_than_it_has_bytes()
    {
        using var reader = new StateReader(new MemoryStream(new byte[3_000_000]), CancellationToken.None);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Throws<StateException>(() => reader.ReadAll<byte>("a frame", 500_000_000));
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 4 * 3_000_000);
    }

    [Fact]
    public void Something_else()
    {
        Assert.Contains("cut off", Refusal([]), StringComparison.Ordinal);
        byte[] picture = File.ReadAllBytes(Fixtures.Path("media", "shapes.png"));
        Assert.Contains("not the state of a session", Refusal(picture), StringComparison.Ordinal);
        Assert.Contains("not the state of a session", Refusal(RandomNumberGenerator.GetBytes(1000)), StringComparison.Ordinal);
        // As a transfer that takes it for text would leave it.
        byte[] state = [.. Saved.Value];
        state[0] &= 0x7F;
        Assert.Contains("not the state of a session", Refusal(state), StringComparison.Ordinal);
    }

    [Theory, InlineData(0), InlineData(1), InlineData(3), InlineData(-1)]
    public void Another_version(int version)
    {
        byte[] state = [.. Saved.Value];
        BinaryPrimitives.WriteInt32LittleEndian(state.AsSpan(8), version);
        Assert.Contains($"version {version}", Refusal(state), StringComparison.Ordinal);
    }

    [Theory, InlineData(1, "text"), InlineData(2, "image"), InlineData(9, "no kind")]
    public void Another_kind_of_session(byte kind, string what)
    {
        byte[] state = [.. Saved.Value];
        Assert.Equal(3, state[12]);
        state[12] = kind;
        Assert.Contains(what, Refusal(state), StringComparison.Ordinal);
    }

    [Fact]
    public void Another_precision()
    {
        using Sa2VAModel narrow = Shapes.Load(new CpuDevice { Precision = Precision.BFloat16 });
        var e = Assert.Throws<StateException>(() => narrow.RestoreVideo(new MemoryStream(Saved.Value)));
        Assert.Contains("saved in Float32, and this model computes in BFloat16", e.Message, StringComparison.Ordinal);
        using VideoSession session = narrow.OpenTracker();
        session.Next(Shapes.Clip[0]);
        session.Follow(new VisualPrompt(new Click(60, 40)), out _);
        using VideoSession restored = narrow.RestoreVideo(States.Of(session));
        Assert.Equal(Shapes.Fingerprint(session.Next(Shapes.Clip[1]).Objects[0]),
            Shapes.Fingerprint(restored.Next(Shapes.Clip[1]).Objects[0]));
    }

    [Fact]
    public void Another_model()
    {
        // Of another fine-tuning: one tensor has other values.
        using var tuned = new ChangedCheckpoint(Shapes.Folder, "text_hidden_fcs.0.weight", "BF16", (_, v) => (ushort)(v ^ 1));
        using Sa2VAModel other = Sa2VAModel.Load(tuned.Folder, new CpuDevice());
        var e = Assert.Throws<StateException>(() => other.RestoreVideo(new MemoryStream(Saved.Value)));
        Assert.Contains("'sa2va-tiny-shapes'", e.Message, StringComparison.Ordinal);
        Assert.Contains("other weights", e.Message, StringComparison.Ordinal);

        // Of the same weights with another configuration.
        using var configured = new ChangedCheckpoint(Shapes.Folder, "text_hidden_fcs.0.weight", "BF16", (_, v) => v);
        string config = Path.Combine(configured.Folder, "config.json");
        string text = File.ReadAllText(config);
        File.WriteAllText(config, text.Replace("1000000.0", "500000.0", StringComparison.Ordinal));
        using Sa2VAModel same = Sa2VAModel.Load(configured.Folder, new CpuDevice());
        Assert.Throws<StateException>(() => same.RestoreVideo(new MemoryStream(Saved.Value)));
        File.WriteAllText(config, text);
        using Sa2VAModel copy = Sa2VAModel.Load(configured.Folder, new CpuDevice());
        copy.RestoreVideo(new MemoryStream(Saved.Value)).Dispose();
    }

    [Fact]
    public void Nothing_of_a_refused_state_is_held()
    {
        using Sa2VAModel model = Shapes.Load();
        byte[] state = Saved.Value;
        model.RestoreVideo(new MemoryStream(state)).Dispose();
        BackendMemory before = Shapes.Held(model);
        byte[] changed = [.. state];
        changed[^(DigestBytes + 5)] ^= 1;
        Assert.Throws<StateException>(() => model.RestoreVideo(new MemoryStream(changed)));
        Assert.Equal(before, Shapes.Held(model));
        Assert.Equal(0, model.Segmentation.Banks.MemorySlots.Taken);
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(() => model.RestoreVideo(new MemoryStream(state), cancelled.Token));
    }

    [Fact]
    public async Task A_session_that_is_busy_or_closed_is_not_saved()
    {
        VideoSession session = Shapes.Model.OpenVideo(Shapes.Clip[..1]);
        Exception? busy = null;
        await session.AskAsync("Please segment the red circle.", new AskOptions
        {
            Progress = new Reports<AskProgress>(_ => busy ??= Record.Exception(() => session.Save(Stream.Null))),
        });
        Assert.IsType<SessionBusyException>(busy);
        session.Save(Stream.Null);
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(() => session.Save(Stream.Null, cancelled.Token));
        session.Dispose();
        Assert.Throws<ObjectDisposedException>(() => session.Save(Stream.Null));
    }

    private static byte[] Save()
    {
        using VideoSession session = Shapes.Model.OpenVideo(Shapes.Clip[..2], new VideoOptions { KeepFrames = 2 });
        session.Ask("Please segment the red circle.", new AskOptions { MaxNewTokens = 24 });
        for (int t = 0; t < 3; t++) session.Next(Shapes.Clip[t]);
        session.Follow(new VisualPrompt(new Click(60, 40)), out _);
        session.Correct(0, new VisualPrompt([new Click(20, 20), new Click(30, 50, Inside: false)]));
        session.Ask("Please segment the blue star.", new AskOptions { FollowUp = true, MaxNewTokens = 24 });
        return States.Of(session).ToArray();
    }

    private static VideoSession? Restore(byte[] state)
    {
        try
        {
            return Shapes.Model.RestoreVideo(new MemoryStream(state));
        }
        catch (StateException)
        {
            return null;
        }
    }

    private static string Refusal(byte[] state) =>
        Assert.Throws<StateException>(() => Shapes.Model.RestoreVideo(new MemoryStream(state))).Message;

    /// <summary>With other bytes somewhere, and the digest that belongs to them.</summary>
    private static byte[] Changed(byte[] state, int at, ReadOnlySpan<byte> bytes)
    {
        byte[] changed = [.. state];
        bytes.CopyTo(changed.AsSpan(at));
        SHA256.HashData(changed.AsSpan(0, changed.Length - DigestBytes)).CopyTo(changed.AsSpan(changed.Length - DigestBytes));
        return changed;
    }

    /// <summary>What is read at once, in order: numbers, texts, and all that is larger.</summary>
    private static List<Field> Fields(byte[] state)
    {
        using var stream = new WatchedStream(state);
        Shapes.Model.RestoreVideo(stream).Dispose();
        return stream.Fields;
    }

    private readonly record struct Field(int At, int Bytes);

    /// <summary>Tells what is read of it.</summary>
    private sealed class WatchedStream(byte[] bytes) : MemoryStream(bytes)
    {
        public List<Field> Fields { get; } = [];

        public override int Read(Span<byte> buffer)
        {
            Fields.Add(new Field((int)Position, buffer.Length));
            return base.Read(buffer);
        }
    }

}
