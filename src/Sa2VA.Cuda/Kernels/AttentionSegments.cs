using System.Numerics;
using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cuda.Kernels;

/// <summary>Segments as kernels are told of them: <c>Segments</c> of <c>kernels/common/segments.cuh</c>, field by field.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct SegmentArguments
{
    public ulong Lengths, Offsets, Pages;
    public int Count, PagesEach, PageShift, RowsEach, KeysEach;

    /// <param name="c">Where everything lies.</param>
    /// <param name="op">The attention.</param>
    /// <param name="segments">Its segments; null for equal parts.</param>
    /// <param name="groups">How many there are.</param>
    public SegmentArguments(LaunchContext c, Op op, AttentionSegments? segments, int groups)
    {
        (Lengths, Offsets) = (c.View(segments?.KeyLengths).Data, c.View(segments?.QueryOffsets).Data);
        (Pages, PagesEach) = (c.View(segments?.Pages).Data, segments?.Pages?.Shape[1] ?? 0);
        PageShift = segments?.Pages is null ? 0 : BitOperations.Log2((uint)segments.PageRows);
        Count = groups;
        RowsEach = checked((int)(op.Inputs[0].Shape.Rows / groups));
        KeysEach = checked((int)(op.Inputs[1].Shape.Rows / groups));
    }

    /// <summary>Blocks of that many query rows that a run can have.</summary>
    public readonly long BlocksOf(int rows, long allRows) =>
        Offsets == 0 ? (long)Count * ((RowsEach + rows - 1) / rows) : allRows / rows + Count;
}

/// <summary>
/// Looks at the numbers of an attention's segments before it writes a row, where they are not lists that the host has seen.
/// </summary>
internal sealed class SegmentCheck
{
    private readonly Op _op;
    private readonly AttentionSegments _segments;
    private readonly CudaFunction? _check;
    private readonly int _capacity, _pool, _offsetSite, _lengthSite, _pageSite, _keysSite;

    private SegmentCheck(Op op, AttentionSegments segments, PlanContext context)
    {
        (_op, _segments) = (op, segments);
        _check = context.Function("attention_segments", "check_attention_segments");
        _capacity = segments.Capacity(op.Inputs[1]);
        _pool = segments.Pages is null ? 0 : checked((int)(op.Inputs[1].Shape.Rows / segments.PageRows));
        _offsetSite = context.CheckSite(f => $"{op.Name}: query offset {f.Value} of segment {f.Place} follows {f.Other}; "
            + $"offsets rise from 0 to the {f.Code - 1} rows.");
        _lengthSite = context.CheckSite(f => $"{op.Name}: {f.Value} keys of segment {f.Place} are outside 0…{_capacity}.");
        _pageSite = context.CheckSite(f => $"{op.Name}: index {f.Value} at place {f.Place} is outside the {_pool} pages.");
        _keysSite = context.CheckSite(f => $"{op.Name}: the segments have {f.Value} keys, of which there are {f.Other}.");
    }

    /// <summary>Null where the host has seen all there is to see.</summary>
    public static SegmentCheck? Of(Op op, AttentionSegments? segments, PlanContext context)
    {
        if (segments is null) return null;
        Tensor?[] lists = [segments.KeyLengths, segments.QueryOffsets, segments.Pages];
        return lists.All(t => t is null || t.Kind == TensorKind.List) ? null : new SegmentCheck(op, segments, context);
    }

    public void Launch(LaunchContext c)
    {
        var arguments = new Arguments
        {
            Run = c.Run,
            Q = c.View(_op.Inputs[0]),
            K = c.View(_op.Inputs[1]),
            Segments = new SegmentArguments(c, _op, _segments, _segments.Count),
            Capacity = _capacity,
            Pool = _pool,
            OffsetSite = _offsetSite,
            LengthSite = _lengthSite,
            PageSite = _pageSite,
            KeysSite = _keysSite,
        };
        _check!.Launch(c.Stream, new Grid(1), 32, 0, arguments);
    }

    /// <summary>AttentionSegmentsArguments of <c>kernels/attention_segments.cu</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public RunArguments Run;
        public View Q, K;
        public SegmentArguments Segments;
        public int Capacity, Pool, OffsetSite, LengthSite, PageSite, KeysSite;
    }
}
