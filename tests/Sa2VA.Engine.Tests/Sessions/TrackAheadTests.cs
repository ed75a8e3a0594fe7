using System.Threading.Channels;
using Sa2VA.Core;
using Sa2VA.Cpu;
using Sa2VA.Engine;
using Sa2VA.Models;

namespace Sa2VA.Tests.Sessions;

/// <summary>The next frame is encoded while objects are tracked on one, and nothing but time is different for that.</summary>
public sealed class TrackAheadTests
{
    private const string Circle = "Please segment the red circle.", Star = "Please segment the blue star.";

    private static readonly AskOptions Logits = new() { Logits = true };

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_frame_that_is_there_is_encoded_before_the_masks_of_the_one_before_it_are_returned()
    {
        var device = new WatchedDevice();
        using Sa2VAModel model = Shapes.Load(device, cancellation: Cancellation);
        using VideoSession session = model.OpenVideo(Shapes.Clip[..2], cancellation: Cancellation);
        session.Ask(Circle, cancellation: Cancellation);
        var log = new List<string>();
        device.Before = log.Add;
        device.Reading = buffer => log.Add($"read {buffer}");
        await foreach (FrameMasks masks in session.TrackAsync(Shapes.Clip[..6].ToAsyncEnumerable(), Cancellation))
        {
            Assert.Equal(Math.Min(masks.Frame + 2, 6), session.EncoderRuns);
            string[] expected = [.. masks.Frame == 0 ? ["frame resize", "image encoder"] : Array.Empty<string>(),
                .. masks.Frame < 2 ? ["prompted frame", "memory encoder"] : (string[])["tracked frame"], "mask output", "read mask output",
                .. masks.Frame < 5 ? ["frame resize", "image encoder"] : Array.Empty<string>()];
            Assert.Equal(expected, log);
            log.Clear();
        }
    }

    [Fact]
    public async Task Questions_and_frames_of_others_may_come_between_two_frames()
    {
        string[] expected = [.. Plain(3, 6)];
        using VideoSession session = Shapes.Model.OpenVideo(Shapes.Clip[..5], cancellation: Cancellation);
        session.Ask(Circle, Logits, cancellation: Cancellation);
        var seen = new List<string>();
        int[] frames = [0, 1, 2, 3, 4, 5, 7, 8, 9];
        await foreach (FrameMasks masks in session.TrackAsync(frames.Select(f => Shapes.Clip[f]).ToAsyncEnumerable(), Cancellation))
        {
            seen.Add(Fingerprint(masks));
            if (masks.Frame == 2) session.Ask(Star, Logits, cancellation: Cancellation);
            // Frame 7 of the clip is encoded already, but this one comes first.
            if (masks.Frame == 5) seen.Add(Fingerprint(session.Next(Shapes.Clip[6], Cancellation)));
        }
        Assert.Equal(expected, seen);
        Assert.Equal(10, session.EncoderRuns);

        IEnumerable<string> Plain(int joins, int extra)
        {
            using VideoSession plain = Shapes.Model.OpenVideo(Shapes.Clip[..5]);
            plain.Ask(Circle, Logits);
            for (int f = 0; f < 10; f++)
            {
                if (f == joins) plain.Ask(Star, Logits);
                yield return Fingerprint(plain.Next(Shapes.Clip[f]));
            }
        }
    }

    [Fact]
    public async Task A_source_may_wait_for_the_masks_of_one_frame_before_it_gives_the_next()
    {
        using VideoSession session = Shapes.Model.OpenVideo(Shapes.Clip[..2], cancellation: Cancellation);
        session.Ask(Circle, cancellation: Cancellation);
        var camera = Channel.CreateUnbounded<RgbImage>();
        await camera.Writer.WriteAsync(Shapes.Clip[0], Cancellation);
        int frames = 0;
        await foreach (FrameMasks masks in session.TrackAsync(camera.Reader.ReadAllAsync(Cancellation), Cancellation))
        {
            Assert.Equal(frames++, masks.Frame);
            if (frames < 8) await camera.Writer.WriteAsync(Shapes.Clip[frames], Cancellation);
            else camera.Writer.Complete();
        }
        Assert.Equal((8, 8L), (frames, session.EncoderRuns));
    }

    [Fact]
    public async Task What_is_wrong_with_a_frame_is_told_in_its_turn_and_the_stream_goes_on()
    {
        using VideoSession session = Shapes.Model.OpenVideo(Shapes.Clip[..2], cancellation: Cancellation);
        session.Ask(Circle, Logits, cancellation: Cancellation);
        string[] expected = Alone(5);
        var seen = new List<string>();
        var e = await Assert.ThrowsAsync<MediaException>(async () =>
        {
            RgbImage[] frames = [Shapes.Clip[0], Shapes.Clip[1], Shapes.Clip[2], null!, Shapes.Clip[3]];
            await foreach (FrameMasks masks in session.TrackAsync(frames.ToAsyncEnumerable(), Cancellation)) seen.Add(Fingerprint(masks));
        });
        Assert.Contains("Frame 3 is null", e.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<InvalidTimeZoneException>(async () =>
        {
            await foreach (FrameMasks masks in session.TrackAsync(Broken(), Cancellation)) seen.Add(Fingerprint(masks));
        });
        seen.Add(Fingerprint(session.Next(Shapes.Clip[4], Cancellation)));
        Assert.Equal(expected, seen);

        static async IAsyncEnumerable<RgbImage> Broken()
        {
            yield return Shapes.Clip[3];
            await Task.Yield();
            throw new InvalidTimeZoneException();
        }
    }

    [Fact]
    public async Task A_frame_that_fails_or_is_cancelled_with_the_next_one_encoded_leaves_nothing()
    {
        var device = new WatchedDevice();
        using Sa2VAModel model = Shapes.Load(device, cancellation: Cancellation);
        using VideoSession session = model.OpenVideo(Shapes.Clip[..2], cancellation: Cancellation);
        session.Ask(Circle, Logits, cancellation: Cancellation);
        string[] expected = Alone(9);
        var seen = new List<string>();
        foreach (string plan in (string[])["image encoder", "prompted frame", "memory encoder", "mask output", "tracked frame"])
        {
            // Frames until the plan fails, of which those that were returned count.
            int first = seen.Count, runs = 0;
            device.After = name =>
            {
                if (name == plan && ++runs == 2) throw new InvalidTimeZoneException(plan);
            };
            await Assert.ThrowsAsync<InvalidTimeZoneException>(async () =>
            {
                await foreach (FrameMasks masks in session.TrackAsync(Shapes.Clip[first..].ToAsyncEnumerable(), Cancellation))
                {
                    seen.Add(Fingerprint(masks));
                    // Past the conditioning frames, those plans do not run any more.
                    if (seen.Count >= 2 && plan is "prompted frame" or "memory encoder") throw new InvalidTimeZoneException();
                }
            });
            device.After = null;
            Assert.Equal(seen.Count, session.Frames);
        }
        using (var stop = new CancellationTokenSource())
        {
            int first = seen.Count;
            device.Before = name =>
            {
                if (name == "tracked frame") stop.Cancel();
            };
            await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
            {
                await foreach (FrameMasks masks in session.TrackAsync(Shapes.Clip[first..].ToAsyncEnumerable(), stop.Token)) Assert.Fail();
            });
            device.Before = null;
        }
        for (int f = seen.Count; f < expected.Length; f++) seen.Add(Fingerprint(session.Next(Shapes.Clip[f], Cancellation)));
        Assert.Equal(expected, seen);
    }

    [Fact]
    public async Task Without_memory_for_a_second_frame_frames_are_encoded_in_their_turn()
    {
        string[] expected = Alone(4);
        using Sa2VAModel model = Shapes.Load(new CpuDevice { Threads = 1 }, cancellation: Cancellation);
        long needed;
        using (VideoSession trial = Open(model))
        {
            for (int f = 0; f < 4; f++) trial.Next(Shapes.Clip[f], Cancellation);
            // Less than the features of the frame before, which a prompt on it would find while the next one is in work.
            needed = model.MemoryInfo.Total - 150_000;
        }
        using Sa2VAModel tight = Shapes.Load(new CpuDevice { Threads = 1 }, new ModelOptions { MemoryBudget = needed },
            cancellation: Cancellation);
        using VideoSession session = Open(tight);
        var seen = new List<string>();
        await foreach (FrameMasks masks in session.TrackAsync(Shapes.Clip[..4].ToAsyncEnumerable(), Cancellation))
        {
            seen.Add(Fingerprint(masks));
            Assert.Equal(masks.Frame + 1, session.EncoderRuns);
        }
        Assert.Equal(expected, seen);

        static VideoSession Open(Sa2VAModel model)
        {
            VideoSession session = model.OpenVideo(Shapes.Clip[..2], cancellation: Cancellation);
            session.Ask(Circle, Logits, cancellation: Cancellation);
            return session;
        }
    }

    [Fact]
    public async Task Two_readings_at_once_take_turns()
    {
        using VideoSession session = Shapes.Model.OpenVideo(Shapes.Clip[..2], cancellation: Cancellation);
        session.Ask(Circle, Logits, cancellation: Cancellation);
        string[] expected = Alone(6);
        var seen = new List<string>();
        await using IAsyncEnumerator<FrameMasks> even =
            session.TrackAsync(((RgbImage[])[Shapes.Clip[0], Shapes.Clip[2], Shapes.Clip[4]]).ToAsyncEnumerable(), Cancellation)
                .GetAsyncEnumerator(Cancellation);
        await using IAsyncEnumerator<FrameMasks> odd =
            session.TrackAsync(((RgbImage[])[Shapes.Clip[1], Shapes.Clip[3], Shapes.Clip[5]]).ToAsyncEnumerable(), Cancellation)
                .GetAsyncEnumerator(Cancellation);
        for (int f = 0; f < 6; f++)
        {
            IAsyncEnumerator<FrameMasks> reading = f % 2 == 0 ? even : odd;
            Assert.True(await reading.MoveNextAsync());
            seen.Add(Fingerprint(reading.Current));
        }
        Assert.Equal(expected, seen);
    }

    private static string[] Alone(int frames)
    {
        using VideoSession session = Shapes.Model.OpenVideo(Shapes.Clip[..2]);
        session.Ask(Circle, Logits);
        return [.. Shapes.Clip[..frames].Select(f => Fingerprint(session.Next(f)))];
    }

    private static string Fingerprint(FrameMasks masks) => string.Join(" ", masks.Objects.Select(Shapes.Fingerprint));
}
