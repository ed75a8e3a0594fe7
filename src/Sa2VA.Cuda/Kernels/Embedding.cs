using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cuda.Kernels;

internal sealed class EmbeddingKernel : Kernel
{
    private readonly Embedding _op;
    private readonly CudaFunction? _embedding, _check;
    private readonly DeviceMatrix _table;
    private readonly int _site;

    public EmbeddingKernel(Embedding op, PlanContext context)
    {
        _op = op;
        _embedding = context.Function("embedding", "embedding");
        _check = context.Function("embedding", "check_embedding");
        _table = context.Stored(op.Table);
        _site = context.CheckSite(f => f.Value < 0
            ? $"{op.Name}: image row {-1L - f.Value} is outside the {f.Other} given."
            : $"{op.Name}: token id {f.Value} is outside the vocabulary of {f.Other}.");
    }

    public override void Launch(LaunchContext c)
    {
        (Share share, Grid grid) = Share.Of(_op.Output);
        var arguments = new Arguments
        {
            Run = c.Run,
            Table = new View(_table),
            Ids = c.View(_op.Inputs[0]),
            Overrides = c.View(_op.Inputs.Count > 1 ? _op.Inputs[1] : null),
            Y = c.View(_op.Output),
            Share = share,
            Site = _site,
        };
        _check!.Launch(c.Stream, new Grid(1), Share.Threads, 0, arguments);
        _embedding!.Launch(c.Stream, grid, Share.Threads, 0, arguments);
    }

    /// <summary>EmbeddingArguments of <c>kernels/embedding.cu</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public RunArguments Run;
        public View Table, Ids, Overrides, Y;
        public Share Share;
        public int Site;
    }
}
