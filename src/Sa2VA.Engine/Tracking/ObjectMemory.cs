using Sa2VA.Core;
using Sa2VA.Engine.State;
using Sa2VA.Models;

namespace Sa2VA.Engine.Tracking;

/// <summary>
/// What one object remembers, and what a prompt on a frame does with it (docs/model/interactive.md): frames that were prompted or tracked
/// lie in the bank, and whoever prompts a frame that was tracked has the frame look at them first.
/// </summary>
internal sealed class ObjectMemory : IDisposable
{
    private readonly SegmentationModel _model;
    private readonly int[] _memoryIndex, _timeIndex, _pointerIndex;
    private DeviceBuffer? _features;

    /// <param name="model">Model.</param>
    public ObjectMemory(SegmentationModel model)
    {
        _model = model;
        Bank = new MemoryBank(model.ConditioningFrames, model.Banks.MemorySlots, model.Banks.PointerSlots);
        try
        {
            model.Banks.CheckRoom();
        }
        catch
        {
            Bank.Dispose();
            throw;
        }
        _memoryIndex = new int[MemoryBank.MaxMemories(model.ConditioningFrames)];
        _timeIndex = new int[_memoryIndex.Length];
        _pointerIndex = new int[MemoryBank.MaxPointers(model.ConditioningFrames)];
    }

    /// <summary>Which frames are remembered, and where.</summary>
    public MemoryBank Bank { get; }

    /// <summary>Enqueues having a frame look at the object's past.</summary>
    /// <param name="frame">The frame's features.</param>
    /// <param name="number">Its number.</param>
    /// <param name="reverse">True if the video runs backwards there.</param>
    /// <param name="cancellation">Stops between two ops.</param>
    /// <returns>The frame's tokens [G², D], until the next call.</returns>
    public DeviceBuffer Look(FrameFeatures frame, long number, bool reverse, CancellationToken cancellation)
    {
        (MemoryFeaturesGraph graph, ExecutionPlan plan) = _model.MemoryFeatures(cancellation);
        _features ??= _model.Backend.Allocate("frame features with memory", DType.F32, graph.Features.Shape);
        PlanBuffers buffers = _model.Banks.AddTo(new PlanBuffers(graph.Graph), graph.Bank);
        using BoundPlan bound = plan.Bind(_model.Queue, buffers.Add(graph.F, frame.F).Add(graph.Features, _features));
        (int memories, int pointers) = Bank.Select(number, reverse, settled: false, _memoryIndex, _timeIndex, _pointerIndex);
        BankSelection selection = graph.Selection;
        bound.Set(selection.MemoryCount, memories).Set(selection.PointerCount, pointers)
            .Set(selection.MemoryIndex, _memoryIndex.AsSpan(0, memories)).Set(selection.TimeIndex, _timeIndex.AsSpan(0, memories))
            .Set(selection.PointerIndex, _pointerIndex.AsSpan(0, pointers))
            .Set(graph.Bank.MemorySlots, [-1]).Set(graph.Bank.PointerSlots, [-1]);
        _model.Queue.WaitFor(frame.Encoded);
        _model.Queue.Run(bound, cancellation);
        return _features;
    }

    /// <summary>Enqueues remembering a prompted frame. It counts once the bank is told to keep it.</summary>
    /// <param name="frame">The frame's features.</param>
    /// <param name="results">The result, in the first row.</param>
    /// <param name="binary">True for what was shown by clicks, boxes and masks; false for language.</param>
    /// <param name="cancellation">Stops between two ops.</param>
    public void Remember(FrameFeatures frame, MaskResults results, bool binary, CancellationToken cancellation)
    {
        (MemoryEncoderGraph graph, ExecutionPlan plan) = _model.MemoryEncoder(binary, cancellation);
        PlanBuffers buffers = _model.Banks.AddTo(new PlanBuffers(graph.Graph), graph.Bank).Add(graph.F, frame.F);
        using BoundPlan bound = plan.Bind(_model.Queue, results.AddTo(buffers, graph, 0));
        (int memory, int pointer) = Bank.Next();
        bound.Set(graph.Bank.MemorySlots, [memory]).Set(graph.Bank.PointerSlots, [pointer]);
        _model.Queue.Run(bound, cancellation);
    }

    /// <summary>Copies a frame's memory [G², Dm], before it was rounded for the bank, where the model keeps that.</summary>
    /// <exception cref="InvalidOperationException">
    /// It does not (<see cref="BankPools.Unrounded"/>), or the frame is not remembered.
    /// </exception>
    public void Read(long number, Span<float> memory)
    {
        if (_model.Banks.Unrounded is not { } unrounded || Bank.MemoryOf(number) is not (>= 0 and int slot))
            throw new InvalidOperationException($"There is no unrounded memory of frame {number}.");
        _model.Queue.Read(unrounded, memory, (long)slot * unrounded.Shape.Last);
    }

    /// <summary>Waits for all that is remembered.</summary>
    public IReadOnlyList<MemoryState> Capture()
    {
        BankStore banks = _model.Banks;
        int size = banks.Memories.Shape.Last, width = banks.Pointers.Shape.Last;
        var all = new List<MemoryState>();
        foreach (RememberedFrame r in Bank.Frames)
        {
            ushort[] memory = r.Memory >= 0 ? new ushort[size] : [];
            var pointer = new float[width];
            if (r.Memory >= 0) _model.Queue.Read<ushort>(banks.Memories, memory, (long)r.Memory * size);
            _model.Queue.Read<float>(banks.Pointers, pointer, (long)r.Pointer * width);
            all.Add(new MemoryState(r.Frame, r.Role, memory, pointer));
        }
        return all;
    }

    /// <summary>Enqueues remembering what another object remembered.</summary>
    public void Restore(IReadOnlyList<MemoryState> all)
    {
        BankStore banks = _model.Banks;
        foreach (MemoryState m in all)
        {
            RememberedFrame r = Bank.Restore(m.Frame, m.Role, m.Memory.Length > 0);
            if (r.Memory >= 0) _model.Queue.Write<ushort>(banks.Memories, m.Memory, (long)r.Memory * m.Memory.Length);
            _model.Queue.Write<float>(banks.Pointers, m.Pointer, (long)r.Pointer * m.Pointer.Length);
        }
    }

    /// <summary>Forgets everything.</summary>
    public void Dispose()
    {
        _features?.Dispose();
        Bank.Dispose();
    }
}
