using System.Numerics;
using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cuda.Kernels;

internal sealed class WindowAttentionKernel : Kernel
{
    private readonly WindowAttention _op;
    private readonly CudaFunction? _plain, _fast;
    private readonly ulong _bias;
    private readonly WindowAttentionShape? _shape;

    public WindowAttentionKernel(WindowAttention op, PlanContext context)
    {
        AttentionTile.Check(op, HeadDim(op), HeadDim(op));
        (_op, _plain, _bias) = (op, context.Function("window_attention", "window_attention"), context.Vector(op.Bias));
        _shape = WindowAttentionShape.For(op, context);
        if (_shape is not null) _fast = context.Function("window_attention_bf16", _shape.Name);
    }

    public override void Launch(LaunchContext c)
    {
        Shape s = _op.Inputs[0].Shape;
        var arguments = new Arguments
        {
            Run = c.Run,
            Qkv = c.View(_op.Inputs[0]),
            Y = c.View(_op.Output),
            Bias = _bias,
            Height = s[0],
            Width = s[1],
            Heads = _op.Heads,
            HeadDim = HeadDim(_op),
            Window = _op.Window,
            Pool = _op.Pool ? 1 : 0,
            OrderBits = _op.Output.IsZOrdered ? BitOperations.Log2((uint)_op.Window) : 0,
            Scale = _op.Scale,
        };
        int side = _op.Window / (_op.Pool ? 2 : 1);
        long windows = (long)Parts(s[0], _op.Window) * Parts(s[1], _op.Window);
        if (_shape is not null && ProductKernels.IsInChunks(arguments.Qkv))
            _fast!.Launch(c.Stream, new Grid(windows * Parts(side * side, _shape.Rows), _op.Heads), _shape.Threads, _shape.SharedBytes,
                arguments);
        else
            _plain!.Launch(c.Stream, new Grid(windows * Parts(side * side, AttentionTile.Queries), _op.Heads), AttentionTile.Threads, 0,
                arguments);
    }

    private static int HeadDim(WindowAttention op) => op.Inputs[0].Shape.Last / 3 / op.Heads;

    private static int Parts(int items, int each) => (items + each - 1) / each;

    /// <summary>WindowAttentionArguments of <c>kernels/common/window_attention.cuh</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public RunArguments Run;
        public View Qkv, Y;
        public ulong Bias;
        public int Height, Width, Heads, HeadDim, Window, Pool, OrderBits;
        public float Scale;
    }
}
