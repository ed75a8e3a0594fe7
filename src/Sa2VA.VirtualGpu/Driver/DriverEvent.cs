using System.Diagnostics;
using Sa2VA.VirtualGpu.Checks;

namespace Sa2VA.VirtualGpu.Driver;

/// <summary>One recording of an event: a place in a stream's work.</summary>
internal sealed class Marker(DriverStream stream, long position)
{
    public DriverStream Stream => stream;

    /// <summary>Number of the entry in its stream, from 1.</summary>
    public long Position => position;

    public bool IsDone { get; private set; }

    /// <summary>When the work before it was done.</summary>
    public long Time { get; private set; }

    /// <summary>The device's clock then, where times are modelled.</summary>
    public double Modelled { get; private set; }

    /// <summary>What whoever waits for it knows.</summary>
    public StreamClock Known { get; private set; }

    public void Done()
    {
        Known = stream.EndStretch();
        Time = Stopwatch.GetTimestamp();
        Modelled = stream.Context.Device.Clock;
        IsDone = true;
    }
}

internal sealed class DriverEvent(DriverContext context, bool hasTime) : ContextObject(context)
{
    public bool HasTime => hasTime;

    /// <summary>The last recording; null if there was none, which counts as done.</summary>
    public Marker? Last { get; set; }

    /// <summary>What it was recorded behind, if the last recording was captured.</summary>
    public CapturedPlace? Captured { get; set; }
}

/// <summary>A place in a capture: behind those nodes.</summary>
internal sealed record CapturedPlace(StreamCapture Capture, IReadOnlyCollection<int> Behind);
