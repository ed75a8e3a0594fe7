using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cuda.Kernels;

internal sealed class FlashAttentionKernel : Kernel
{
    private readonly FlashAttention _op;
    private readonly SegmentCheck? _check;
    private readonly CudaFunction? _attention;

    public FlashAttentionKernel(FlashAttention op, PlanContext context)
    {
        AttentionTile.Check(op, op.HeadDim, op.ValueDim);
        (_op, _check) = (op, SegmentCheck.Of(op, op.Segments, context));
        _attention = context.Function("flash_attention", "flash_attention");
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
        long blocks = arguments.Segments.BlocksOf(AttentionTile.Queries, arguments.Q.Rows);
        _attention!.Launch(c.Stream, new Grid(blocks, _op.Heads), AttentionTile.Threads, 0, arguments);
    }

    /// <summary>FlashAttentionArguments of <c>kernels/flash_attention.cu</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public RunArguments Run;
        public View Q, K, V, Y;
        public SegmentArguments Segments;
        public int Group, HeadDim, ValueDim;
        public float Scale;
        public int Causal, EndsWithKeys, Start;
    }
}
