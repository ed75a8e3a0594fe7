namespace Sa2VA.VirtualGpu.Driver;

/// <summary>Functions of streams.</summary>
public sealed unsafe partial class VirtualDriver
{
    private void AddStreamCalls()
    {
        Add<GivesStream>("cuStreamCreateWithPriority", (stream, flags, _) => Call("cuStreamCreateWithPriority", context =>
        {
            NotNull(stream, "the stream");
            if (flags > 1) throw Invalid($"stream flags {flags}");
            *stream = handles.Add(new DriverStream(context, streams++)).Handle;
        }));
        Add<TakesHandle>("cuStreamDestroy_v2", stream => Call("cuStreamDestroy_v2", context =>
        {
            DriverStream gone = Get<DriverStream>(context, stream);
            NotCapturing(gone, "a stream that is captured cannot be destroyed");
            // What it holds still runs.
            handles.Remove(stream);
        }));
        Add<TakesHandle>("cuStreamSynchronize", stream => Call("cuStreamSynchronize", context => Wait(Get<DriverStream>(context, stream))));
        Add<TakesTwoHandlesAndFlags>("cuStreamWaitEvent", (stream, @event, flags) => Call("cuStreamWaitEvent", context =>
        {
            DriverStream waiting = Get<DriverStream>(context, stream);
            DriverEvent e = handles.Get<DriverEvent>(@event);
            e.Context.Check();
            if (flags != 0) throw Invalid($"flags {flags}");
            if (e.Captured is { } place)
            {
                JoinCapture(waiting, place);
                return;
            }
            if (waiting.Capture is { } capture)
            {
                NotInvalid(capture);
                capture.Invalidate();
                throw new DriverException(DriverResult.StreamCaptureIsolation,
                    "a captured stream waits for an event that was not captured");
            }
            if (e.Last is { } marker && (!marker.IsDone || Options.CheckStreams)) dispatcher.Enqueue(waiting, new WaitEntry(marker));
        }));
    }

    /// <summary>What comes behind an event of a capture is part of it.</summary>
    private static void JoinCapture(DriverStream stream, CapturedPlace place)
    {
        if (place.Capture.IsOver)
            throw new DriverException(DriverResult.CapturedEvent, "the event was recorded in a capture that has ended");
        if (stream.Context != place.Capture.Origin.Context)
        {
            place.Capture.Invalidate();
            throw new DriverException(DriverResult.StreamCaptureIsolation, "a capture cannot reach a stream of another context");
        }
        if (stream.Capture is { } own && own != place.Capture)
        {
            own.Invalidate();
            place.Capture.Invalidate();
            throw new DriverException(DriverResult.StreamCaptureMerge, "the stream is part of another capture than the event");
        }
        NotInvalid(place.Capture);
        if (stream.Capture is null) place.Capture.Join(stream);
        stream.Tail.UnionWith(place.Behind);
        stream.TailIsOwn = false;
    }

    /// <summary>Puts work in a stream, or in the graph that it is captured to.</summary>
    private void Enqueue(DriverStream stream, Operation work)
    {
        if (stream.Capture is not { } capture)
        {
            dispatcher.Enqueue(stream, new WorkEntry(work));
            return;
        }
        NotInvalid(capture);
        capture.Add(stream, work);
    }

    /// <summary>Waits for all that is in a stream now.</summary>
    private void Wait(DriverStream stream)
    {
        NotCapturing(stream, "nobody can wait for a stream that is captured");
        WaitFor(stream, stream.Enqueued);
        dispatcher.HostKnows(stream.EndStretch());
    }

    private void WaitFor(DriverStream stream, long position)
    {
        dispatcher.WaitFor(stream, position);
        if (disposed) throw new DriverException(DriverResult.Deinitialized, "the driver was disposed");
        stream.Context.Check();
    }

    private static void NotCapturing(DriverStream stream, string why)
    {
        if (stream.Capture is null) return;
        stream.Capture.Invalidate();
        throw new DriverException(DriverResult.StreamCaptureUnsupported, why);
    }

    private static void NotInvalid(StreamCapture capture)
    {
        if (capture.IsInvalid)
            throw new DriverException(DriverResult.StreamCaptureInvalidated, "an earlier call made the capture invalid; end it");
    }
}
