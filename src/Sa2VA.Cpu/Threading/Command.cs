using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cpu;

/// <summary>
/// One piece of enqueued work: a run, bytes that move from one end to another, or a wait for another queue. It holds what it works on.
/// </summary>
internal struct Command
{
    /// <summary>What runs; null for other work.</summary>
    public CpuBoundPlan? Plan;

    /// <summary>Stops the run between two ops.</summary>
    public CancellationToken Cancellation;

    /// <summary>Told how far the run is; null for nobody.</summary>
    public Action<double>? Progress;

    /// <summary>Where bytes come from and go to.</summary>
    public End From, To;

    /// <summary>How many move.</summary>
    public long Bytes;

    /// <summary>What is waited for when nothing runs or moves.</summary>
    public Fence Fence;

    /// <summary>Bytes of a buffer, or of an array of the host, from an offset on.</summary>
    public struct End
    {
        public CpuBuffer? Buffer;
        public Array? Array;
        public long Offset;
    }

    /// <summary>Keeps plan and buffers alive until <see cref="Release"/>.</summary>
    /// <exception cref="ObjectDisposedException">One is gone already; nothing is held then.</exception>
    public readonly void Hold()
    {
        Plan?.Hold();
        From.Buffer?.Hold();
        if (To.Buffer is null) return;
        try
        {
            To.Buffer.Hold();
        }
        catch
        {
            From.Buffer?.Release();
            throw;
        }
    }

    public readonly void Release()
    {
        To.Buffer?.Release();
        From.Buffer?.Release();
        Plan?.Release();
    }

    /// <summary>Moves the bytes now.</summary>
    public readonly unsafe void Move()
    {
        if (From.Buffer is { CountsOnly: true })
        {
            if (To.Array is not null) Array.Clear(To.Array);
            return;
        }
        if (To.Buffer is { CountsOnly: true }) return;
        fixed (byte* fromArray = Data(From.Array), toArray = Data(To.Array))
        {
            byte* from = From.Buffer is null ? fromArray : From.Buffer.HeldPointer;
            byte* to = To.Buffer is null ? toArray : To.Buffer.HeldPointer;
            Buffer.MemoryCopy(from + From.Offset, to + To.Offset, Bytes, Bytes);
        }
    }

    private static Span<byte> Data(Array? array) => array is null
        ? default
        : MemoryMarshal.CreateSpan(ref MemoryMarshal.GetArrayDataReference(array), 1);
}
