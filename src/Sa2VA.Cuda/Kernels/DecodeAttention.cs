using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cuda.Kernels;

/// <summary>
/// Two launches: splits of the keys, then what puts them together. The first has a version on the tensor cores, for bf16; where sequences
/// are cut and what splits leave is the same in both.
/// </summary>
internal sealed class DecodeAttentionKernel : Kernel
{
    // Of kernels/common/attention_splits.cuh and kernels/decode_attention_bf16.cu.
    private const int SplitKeys = 128, Threads = 128, MostGroup = 16;

    private readonly DecodeAttention _op;
    private readonly SegmentCheck? _check;
    private readonly CudaFunction? _plain, _fast, _combine;
    private readonly int _sequences, _splits, _headDim, _group;

    public DecodeAttentionKernel(DecodeAttention op, PlanContext context)
    {
        (_op, _check, _sequences) = (op, SegmentCheck.Of(op, op.Segments, context), op.Segments?.Count ?? 1);
        (_headDim, _group) = (op.Inputs[0].Shape.Last / op.Heads, op.Heads / op.KvHeads);
        AttentionTile.Check(op, _headDim, _headDim);
        _plain = context.Function("decode_attention", "decode_attention");
        _combine = context.Function("decode_attention", "decode_attention_combine");
        // The scale goes into the exponential, where the largest score must stay the largest.
        if (op.Scale > 0 && _group <= MostGroup && _headDim is 16 or 32 or 64 or 128 && op.Inputs.Take(3).All(t => t.Type == DType.BF16))
            _fast = context.Function("decode_attention_bf16", $"decode_attention_bf16_{_headDim}");
        long capacity = op.Segments?.Capacity(op.Inputs[1]) ?? op.Inputs[1].Shape.Rows;
        _splits = (int)Math.Max(1, (capacity + SplitKeys - 1) / SplitKeys);
        context.NeedWorkspace((long)_sequences * op.Heads * _splits * (_headDim + 2) * sizeof(float));
    }

    /// <summary>16 queries, the keys and the values, in rows that are an odd number of 16 bytes apart.</summary>
    private int SharedBytes => (MostGroup + 2 * SplitKeys) * (_headDim / 8 | 1) * 16;

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
            Group = _group,
            HeadDim = _headDim,
            Scale = _op.Scale,
        };
        if (_fast is not null && FlashAttentionKernel.IsAligned(arguments.Q) && FlashAttentionKernel.IsAligned(arguments.K)
            && FlashAttentionKernel.IsAligned(arguments.V))
            _fast.Launch(c.Stream, new Grid(_splits, _op.KvHeads, _sequences), Threads, SharedBytes, arguments);
        else
            _plain!.Launch(c.Stream, new Grid(_splits, _op.Heads, _sequences), Threads, 0, arguments);
        _combine!.Launch(c.Stream, new Grid(_op.Heads, _sequences), Threads, 0, arguments);
    }

    /// <summary>DecodeAttentionArguments of <c>kernels/common/attention_splits.cuh</c>.</summary>
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
