using Sa2VA.Core;
using Sa2VA.Cuda.Driver;

namespace Sa2VA.Cuda;

/// <summary>
/// Times a queue's launches by an event before and one behind each; what they took is noted once the queue has passed them. Used under the
/// queue's lock and within its context.
/// </summary>
internal sealed unsafe class LaunchTimer
{
    private readonly CudaContext _context;
    private readonly Timeline _timeline;
    private readonly Action _settle;
    private readonly LaunchTrail _trail;
    private readonly string _queue;
    private readonly nint _stream, _base;
    private readonly double _baseSeconds;
    private readonly Queue<Launch> _ahead = [];
    private readonly Stack<nint> _free = [];

    /// <param name="context">The device's.</param>
    /// <param name="timeline">Where it notes.</param>
    /// <param name="queue">The queue's name.</param>
    /// <param name="stream">Its stream.</param>
    /// <param name="trail">Knows what is being launched.</param>
    /// <param name="settle">Has the queue tell what it has passed (<see cref="Pass"/>).</param>
    public LaunchTimer(CudaContext context, Timeline timeline, string queue, nint stream, LaunchTrail trail, Action settle)
    {
        (_context, _timeline, _queue, _stream, _trail, _settle) = (context, timeline, queue, stream, trail, settle);
        // Where the device's clock meets the host's.
        _base = Record();
        context.Check(context.Driver.StreamSynchronize(stream), "setting a clock");
        _baseSeconds = timeline.Now;
        context.Timers[stream] = this;
        timeline.Taking += settle;
    }

    /// <summary>Where it notes.</summary>
    public Timeline Timeline => _timeline;

    /// <summary>Just before a launch.</summary>
    /// <returns>What <see cref="End"/> is given.</returns>
    public nint Begin() => Record();

    /// <summary>Just behind it.</summary>
    public void End(nint begin, string kernel) =>
        _ahead.Enqueue(new Launch(_trail.Position, _trail.Graph, _trail.Op, kernel, begin, Record()));

    /// <summary>Notes what ran up to a position that is reached.</summary>
    public void Pass(long position)
    {
        while (_ahead.TryPeek(out Launch launch) && launch.Position <= position)
        {
            _ahead.Dequeue();
            float start, took;
            _context.Check(_context.Driver.EventElapsedTime(&start, _base, launch.Begin), "reading a clock");
            _context.Check(_context.Driver.EventElapsedTime(&took, launch.Begin, launch.End), "reading a clock");
            _timeline.Add(new TimedKernel(_queue, launch.Graph, launch.Op, launch.Kernel, _baseSeconds + start * 1e-3, took * 1e-3));
            _free.Push(launch.Begin);
            _free.Push(launch.End);
        }
    }

    /// <summary>Ends it; what it has not noted it does not note.</summary>
    public void Destroy()
    {
        _timeline.Taking -= _settle;
        _context.Timers.TryRemove(_stream, out _);
        foreach (Launch launch in _ahead)
        {
            _free.Push(launch.Begin);
            _free.Push(launch.End);
        }
        _free.Push(_base);
        foreach (nint handle in _free) _context.Driver.EventDestroy(handle);
    }

    private nint Record()
    {
        if (!_free.TryPop(out nint handle)) _context.Check(_context.Driver.EventCreate(&handle, 0), "creating an event");
        _context.Check(_context.Driver.EventRecord(handle, _stream), "recording an event");
        return handle;
    }

    private readonly record struct Launch(long Position, string Graph, Op? Op, string Kernel, nint Begin, nint End);
}
