using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cuda.Kernels;

internal sealed class FlashAttentionKernel : Kernel
{
    private const int FewQueries = 16, FewQueriesThreads = 512;

    private readonly FlashAttention _op;
    private readonly SegmentCheck? _check;
    private readonly CudaFunction? _plain, _fast, _few, _combine;
    private readonly FlashAttentionShape? _shape;
    private readonly KeySplits? _splits;
    private readonly HopperAttention? _hopper;

    public FlashAttentionKernel(FlashAttention op, PlanContext context)
    {
        AttentionTile.Check(op, op.HeadDim, op.ValueDim);
        (_op, _check) = (op, SegmentCheck.Of(op, op.Segments, context));
        _plain = context.Function("flash_attention", "flash_attention");
        _shape = FlashAttentionShape.For(op, context);
        if (HasFewQueries(op)) _few = context.Function("flash_attention", $"flash_attention_few_{op.HeadDim}");
        if (_shape is null) return;
        _splits = KeySplits.Of(op, _shape.SplitKeys);
        _hopper = HopperAttention.For(op, context, _shape, _splits);
        _fast = _hopper is null ? context.Function("flash_attention_bf16", _shape.Name)
            : context.Function("flash_attention_bf16_hopper", _hopper.Name);
        if (_splits is null) return;
        _combine = context.Function("flash_attention_combine", "flash_attention_combine");
        context.NeedWorkspace(_splits.Bytes);
    }

    public override void Launch(LaunchContext c)
    {
        _check?.Launch(c);
        var arguments = new Arguments
        {
            Run = c.Run,
            Q = c.View(_op.Inputs[0]),
            K = c.View(_op.Inputs[1]),
            V = c.View(_op.Inputs[2]),
            Y = c.View(_op.Output),
            Segments = new SegmentArguments(c, _op, _op.Segments, _op.Groups),
            Group = _op.Heads / _op.KvHeads,
            HeadDim = _op.HeadDim,
            ValueDim = _op.ValueDim,
            Scale = _op.Scale,
            Causal = _op.Causal ? 1 : 0,
            EndsWithKeys = _op.Segments is null ? 0 : 1,
            Start = _op.Start?.Index ?? -1,
        };
        bool isAligned = IsAligned(arguments.Q) && IsAligned(arguments.K) && IsAligned(arguments.V);
        if (_splits is not null && isAligned)
        {
            (arguments.Partials, arguments.SplitKeys) = (c.Workspace, _splits.Keys);
            LaunchFast(c.Stream, arguments, _splits.BlocksOf(Rows));
            _combine!.Launch(c.Stream, Grid.Over((long)arguments.Q.Rows * _op.Heads, KeySplits.CombineRows), KeySplits.CombineThreads, 0,
                arguments);
        }
        else if (_shape is not null && isAligned)
            LaunchFast(c.Stream, arguments, arguments.Segments.BlocksOf(Rows, arguments.Q.Rows));
        else if (_few is not null && isAligned)
            _few.Launch(c.Stream, GridOf(arguments, 1), FewQueriesThreads, 0, arguments);
        else
            _plain!.Launch(c.Stream, GridOf(arguments, AttentionTile.Queries), AttentionTile.Threads, 0, arguments);
    }

    /// <summary>Query rows of a block on tensor cores.</summary>
    private int Rows => _hopper is null ? _shape!.Rows : HopperAttention.Rows;

    private void LaunchFast(nint stream, in Arguments arguments, long blocks)
    {
        if (_hopper is null)
        {
            _fast!.Launch(stream, new Grid(blocks, _op.Heads), FlashAttentionShape.Threads, _shape!.SharedBytes, arguments);
            return;
        }
        MappedLaunch.Launch(_fast!, stream, new Grid(blocks * _op.Heads), (_hopper.Threads, _hopper.SharedBytes),
            _hopper.Boxes(arguments.Q, arguments.K, arguments.V, _op.Segments), arguments);
    }

    private Grid GridOf(in Arguments arguments, int rows) => new(arguments.Segments.BlocksOf(rows, arguments.Q.Rows), _op.Heads);

    /// <summary>
    /// True if the few queries of each part have blocks of their own. A question of the op's shape: how many parts there are has no say.
    /// </summary>
    private static bool HasFewQueries(FlashAttention op) => op.Segments is null && !op.Causal && op.HeadDim == op.ValueDim
        && op.HeadDim is (16 or 32) && op.Inputs[0].Shape.Rows / op.Groups <= FewQueries;

    /// <summary>True if a row begins where 16 bytes can be copied at once.</summary>
    public static bool IsAligned(in View view) => view.Data % 16 == 0 && view.RowStride % 8 == 0;

    /// <summary>FlashAttentionArguments of <c>kernels/common/flash_attention.cuh</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public RunArguments Run;
        public View Q, K, V, Y;
        public SegmentArguments Segments;
        public ulong Partials;
        public int SplitKeys, Group, HeadDim, ValueDim;
        public float Scale;
        public int Causal, EndsWithKeys, Start;
    }
}
