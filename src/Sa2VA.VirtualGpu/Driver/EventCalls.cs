using System.Diagnostics;

namespace Sa2VA.VirtualGpu.Driver;

/// <summary>Functions of events.</summary>
public sealed unsafe partial class VirtualDriver
{
    private const uint BlockingSync = 1, DisableTiming = 2;

    private void AddEventCalls()
    {
        Add<GivesHandleByFlags>("cuEventCreate", (@event, flags) => Call("cuEventCreate", context =>
        {
            NotNull(@event, "the event");
            if ((flags & ~(BlockingSync | DisableTiming)) != 0) throw Invalid($"event flags {flags}");
            *@event = handles.Add(new DriverEvent(context, (flags & DisableTiming) == 0)).Handle;
        }));
        Add<TakesHandle>("cuEventDestroy_v2", @event => Call("cuEventDestroy_v2", context =>
            handles.Remove(Get<DriverEvent>(context, @event).Handle)));
        Add<TakesTwoHandles>("cuEventRecord", (@event, stream) => Call("cuEventRecord", context =>
        {
            DriverEvent e = Get<DriverEvent>(context, @event);
            DriverStream on = Get<DriverStream>(context, stream);
            if (on.Capture is { } capture)
            {
                NotInvalid(capture);
                e.Captured = new(capture, [.. on.Tail]);
                e.Last = null;
                return;
            }
            e.Captured = null;
            e.Last = new(on, on.Enqueued + 1);
            dispatcher.Enqueue(on, new RecordEntry(e.Last));
        }));
        Add<TakesHandle>("cuEventQuery", @event =>
        {
            // That work is not done is no failure: programs ask often.
            bool done = true;
            int result = Call("cuEventQuery", context =>
            {
                Marker? last = Recorded(Get<DriverEvent>(context, @event));
                Unsafe("cuEventQuery");
                if (last is { IsDone: true }) dispatcher.HostKnows(last.Known);
                if (last is null or { IsDone: true }) return;
                dispatcher.Nudge(last.Stream);
                context.Check();
                done = last.IsDone;
                if (done) dispatcher.HostKnows(last.Known);
            });
            return result == 0 && !done ? (int)DriverResult.NotReady : result;
        });
        Add<TakesHandle>("cuEventSynchronize", @event => Call("cuEventSynchronize", context =>
        {
            if (Recorded(Get<DriverEvent>(context, @event)) is not { } last) return;
            if (!last.IsDone) WaitFor(last.Stream, last.Position);
            dispatcher.HostKnows(last.Known);
        }));
        Add<GivesTime>("cuEventElapsedTime", (milliseconds, start, end) => Call("cuEventElapsedTime", context =>
        {
            NotNull(milliseconds, "the time");
            Marker from = Timed(Get<DriverEvent>(context, start)), to = Timed(Get<DriverEvent>(context, end));
            if (!from.IsDone || !to.IsDone) throw new DriverException(DriverResult.NotReady, "the work before the events is not done");
            *milliseconds = Options.ModelTimes ? (float)(1000 * (to.Modelled - from.Modelled))
                : (float)Stopwatch.GetElapsedTime(from.Time, to.Time).TotalMilliseconds;
        }));
    }

    /// <summary>The last recording of an event, which must not be one of a capture.</summary>
    private static Marker? Recorded(DriverEvent e)
    {
        if (e.Captured is null) return e.Last;
        e.Captured.Capture.Invalidate();
        throw new DriverException(DriverResult.CapturedEvent, "the event was recorded in a capture");
    }

    private static Marker Timed(DriverEvent e)
    {
        if (!e.HasTime) throw new DriverException(DriverResult.InvalidHandle, "the event was made without a time");
        return Recorded(e) ?? throw new DriverException(DriverResult.InvalidHandle, "the event was never recorded");
    }
}
