using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cuda.Kernels;

internal sealed class DecodeAttentionKernel : Kernel
{
    // Of kernels/common/attention_splits.cuh.
    private const int SplitUnit = 128, MostSplits = 32, Threads = 128;

    private readonly DecodeAttention _op;
    private readonly SegmentCheck? _check;
    private readonly CudaFunction? _attention, _combine;
    private readonly int _sequences, _splits, _headDim;

    public DecodeAttentionKernel(DecodeAttention op, PlanContext context)
    {
        (_op, _check, _sequences) = (op, SegmentCheck.Of(op, op.Segments, context), op.Segments?.Count ?? 1);
        _headDim = op.Inputs[0].Shape.Last / op.Heads;
        AttentionTile.Check(op, _headDim, _headDim);
        _attention = context.Function("decode_attention", "decode_attention");
        _combine = context.Function("decode_attention", "decode_attention_combine");
        long capacity = op.Segments?.Capacity(op.Inputs[1]) ?? op.Inputs[1].Shape.Rows;
        _splits = (int)Math.Clamp((capacity + SplitUnit - 1) / SplitUnit, 1, MostSplits);
        context.NeedWorkspace((long)_sequences * op.Heads * _splits * (_headDim + 2) * sizeof(float));
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
            Segments = new SegmentArguments(c, _op, _op.Segments, _sequences),
            Partials = new Partials { Data = c.Workspace, Heads = _op.Heads, Splits = _splits, Width = _headDim },
            Group = _op.Heads / _op.KvHeads,
            HeadDim = _headDim,
            Scale = _op.Scale,
        };
        _attention!.Launch(c.Stream, new Grid(_splits, _op.Heads, _sequences), Threads, 0, arguments);
        _combine!.Launch(c.Stream, new Grid(_op.Heads, _sequences), Threads, 0, arguments);
    }

    /// <summary>DecodeAttentionArguments of <c>kernels/decode_attention.cu</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public RunArguments Run;
        public View Q, K, V, Y;
        public SegmentArguments Segments;
        public Partials Partials;
        public int Group, HeadDim;
        public float Scale;
    }

    /// <summary>Partials of <c>kernels/common/attention_splits.cuh</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Partials
    {
        public ulong Data;
        public int Heads, Splits, Width;
    }
}
