using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Engine.Tracking;

/// <summary>
/// The objects whose results share up to sixteen rows: those among them that are tracked step on a frame in one run. Warm, a step allocates
/// nothing.
/// </summary>
internal sealed class TrackedGroup : IDisposable
{
    private readonly DeviceQueue _queue;
    private readonly TrackedFrameGraph _graph;
    private readonly IReadOnlyList<FrameFeatures> _frames;
    private readonly BoundPlan[] _plans;
    private readonly FrameProgress.Part?[] _progress;
    private readonly int[] _memorySlots, _pointerSlots, _rows, _memoryIndex, _timeIndex, _pointerIndex;
    private readonly int[] _memoryRows, _pointerRows, _allRows;
    private int _count, _memories, _pointers;

    /// <param name="model">Model.</param>
    /// <param name="compiled">With room for all objects of the group.</param>
    /// <param name="frames">Features that a run may read.</param>
    /// <param name="results">Where each one's results go.</param>
    /// <param name="firstRow">The group's first row there.</param>
    /// <param name="progress">Told how far each of the frames is; null for nobody.</param>
    public TrackedGroup(SegmentationModel model, Compiled<TrackedFrameGraph> compiled, IReadOnlyList<FrameFeatures> frames,
        IReadOnlyList<MaskResults> results, int firstRow, IReadOnlyList<FrameProgress?>? progress = null)
    {
        _progress = [.. frames.Select((_, i) => progress?[i] is { } p ? new FrameProgress.Part(p) : null)];
        (_queue, _graph, _frames) = (model.Queue, compiled.Graph, frames);
        int capacity = _graph.Objects.Capacity, conditioning = model.ConditioningFrames;
        (_memorySlots, _pointerSlots, _rows) = (new int[capacity], new int[capacity], new int[capacity]);
        (_memoryRows, _pointerRows, _allRows) = (new int[capacity], new int[capacity], new int[capacity]);
        _memoryIndex = new int[capacity * MemoryBank.MaxMemories(conditioning)];
        _timeIndex = new int[_memoryIndex.Length];
        _pointerIndex = new int[capacity * MemoryBank.MaxPointers(conditioning)];
        _plans = new BoundPlan[frames.Count];
        try
        {
            for (int i = 0; i < _plans.Length; i++)
            {
                PlanBuffers buffers = model.Banks.AddTo(new PlanBuffers(_graph.Graph), _graph.Bank);
                frames[i].AddToTracker(buffers, _graph.Frame);
                _plans[i] = compiled.Plan.Bind(_queue, results[i].AddTo(buffers, _graph.Results, firstRow));
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Begins a frame: nobody steps yet.</summary>
    public void Clear() => (_count, _memories, _pointers) = (0, 0, 0);

    /// <summary>Has an object step in the next run.</summary>
    /// <param name="bank">Its past.</param>
    /// <param name="number">The frame's number.</param>
    /// <param name="row">Its row in the group.</param>
    /// <param name="reverse">True if the video runs backwards.</param>
    public void Add(MemoryBank bank, long number, int row, bool reverse = false)
    {
        (_memorySlots[_count], _pointerSlots[_count]) = bank.Next();
        (int memories, int pointers) = bank.Select(number, reverse, settled: true, _memoryIndex.AsSpan(_memories),
            _timeIndex.AsSpan(_memories), _pointerIndex.AsSpan(_pointers));
        BankSelection selection = _graph.Selection;
        _rows[_count] = row;
        _memoryRows[_count] = memories * selection.RowsPerMemory;
        _pointerRows[_count] = pointers * selection.RowsPerPointer;
        _allRows[_count] = _memoryRows[_count] + _pointerRows[_count];
        (_memories, _pointers) = (_memories + memories, _pointers + pointers);
        _count++;
    }

    /// <summary>Enqueues the run, if anybody steps.</summary>
    /// <param name="frame">Which of the features.</param>
    /// <param name="cancellation">Stops between two ops.</param>
    /// <param name="runs">How many such runs the frame has from here on.</param>
    public void Run(int frame, CancellationToken cancellation, int runs = 1)
    {
        if (_count == 0) return;
        BoundPlan plan = _plans[frame];
        BankSelection selection = _graph.Selection;
        plan.Set(selection.MemoryCount, _memories).Set(selection.PointerCount, _pointers)
            .Set(selection.MemoryIndex, _memoryIndex.AsSpan(0, _memories)).Set(selection.TimeIndex, _timeIndex.AsSpan(0, _memories))
            .Set(selection.PointerIndex, _pointerIndex.AsSpan(0, _pointers))
            .Set(_graph.Bank.MemorySlots, _memorySlots.AsSpan(0, _count)).Set(_graph.Bank.PointerSlots, _pointerSlots.AsSpan(0, _count))
            .Set(_graph.Results.Rows, _rows.AsSpan(0, _count));
        if (_graph.Objects.Count is { } count) plan.Set(count, _count);
        if (selection.Lengths is { } lengths)
            plan.Set(lengths.Memories, _memoryRows.AsSpan(0, _count)).Set(lengths.Pointers, _pointerRows.AsSpan(0, _count))
                .Set(lengths.All, _allRows.AsSpan(0, _count));
        _progress[frame]?.Enqueue(plan, runs);
        _queue.WaitFor(_frames[frame].Encoded);
        _queue.Run(plan, cancellation);
    }

    public void Dispose()
    {
        foreach (BoundPlan? plan in _plans) plan?.Dispose();
    }
}
