using Sa2VA.Engine;

namespace Sa2VA.Tests.Sessions;

/// <summary>A camera runs for days: what a stream holds must not depend on how long it has run.</summary>
[Collection(MeasuredCollection.Name)]
public sealed class StreamMemoryTests
{
    [Fact]
    public void Resident_memory_stays()
    {
        const int early = 200;
        int late = FullRun.Times(700, 2000);
        const long limit = 5_000_000;
        using Sa2VAModel model = Shapes.Load();
        using VideoSession session = model.OpenVideo(Shapes.Clip[..5]);
        Assert.Single(session.Ask("Please segment the red circle.").Objects);
        long heldEarly = 0, residentEarly = 0, present = 0;
        for (int frame = 1; frame <= late; frame++)
        {
            FrameMasks masks = session.Next(Shapes.Clip[frame % 48]);
            Assert.Equal(frame - 1, masks.Frame);
            if (masks.Objects[0].Area > 0) present++;
            if (frame == early) (heldEarly, residentEarly) = (model.MemoryInfo.Total, Resident());
        }
        Assert.Equal(late, session.EncoderRuns);
        Assert.True(present > late / 2, $"The circle was lost: it is on {present} of {late} frames.");
        Assert.Equal(heldEarly, model.MemoryInfo.Total);
        long growth = Resident() - residentEarly;
        // What the process had before may still go back to the machine meanwhile.
        Assert.True(growth < limit, $"Resident memory grew by {growth} bytes from frame {early} to frame {late}.");
    }

    [Fact]
    public void Objects_that_join_and_leave_leave_nothing_behind()
    {
        // Three objects at a time, each for thirty frames: slots, plans and rows of results change hands.
        int late = FullRun.Times(360, 2000), early = late / 3;
        const long limit = 5_000_000;
        using Sa2VAModel model = Shapes.Load();
        using VideoSession session = model.OpenVideo(Shapes.Clip[..2], new VideoOptions { ReuseMasks = true });
        var ids = new Queue<int>();
        long heldEarly = 0, residentEarly = 0;
        string[] questions = ["Please segment the red circle.", "Please segment the blue star.", "Please segment the green ring."];
        for (int frame = 0; frame <= late; frame++)
        {
            if (frame % 10 == 0)
            {
                if (ids.Count == 3) session.Remove(ids.Dequeue());
                ids.Enqueue(Assert.Single(session.Ask(questions[frame / 10 % 3]).Objects).Id);
            }
            FrameMasks masks = session.Next(Shapes.Clip[frame % 48]);
            Assert.Equal(ids, masks.Objects.Select(o => o.Id));
            if (frame == early) (heldEarly, residentEarly) = (model.MemoryInfo.Total, Resident());
        }
        Assert.Equal(heldEarly, model.MemoryInfo.Total);
        long growth = Resident() - residentEarly;
        // What the process had before may still go back to the machine meanwhile.
        Assert.True(growth < limit, $"Resident memory grew by {growth} bytes from frame {early} to frame {late}.");
    }

    private static long Resident()
    {
        // Aggressive: what other tests left in the collector's hands goes back to the system now, not somewhere between the two readings.
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        GC.WaitForPendingFinalizers();
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        return Environment.WorkingSet;
    }
}
